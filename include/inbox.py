"""File drops: `var/inbox/<source>/`. A file that was collected goes to `processed/`, one that cannot be read to `rejected/`.

A file that is still being written is left alone: one that a process holds open for writing or touched a moment ago is not
taken, and one that changes while it is read leaves no records and stays where it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import time
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.base import BadFile, FileSource
from include.settings import Home

if TYPE_CHECKING:
    from include.record_folder import Collected

SETTLED_SECONDS = 10
UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")
OWN_TRACES = (".", "~$")
"""How the names begin of what programs leave beside a file while somebody has it open."""
PROCESSED, REJECTED = "processed", "rejected"

LONGEST_NAME = 180
"""Bytes of a file's name: with a number and `.reason.txt` behind it, it must still be a name (255)."""


class FileStillChanging(RuntimeError):
    """A file changed while it was read. It stays in the inbox, without records, and is taken by the next run."""


def new_files(source: str, home: Home | None = None) -> list[str]:
    """Names of the files waiting, sorted. Not those still being written: hidden, named as a part, open, or touched a moment ago.

    A name that cannot be used (not UTF-8, too long, with a line break) is given as `label` writes it; collect_dropped rejects
    such a file, and every link.
    """
    folder = (home or Home.current()).inbox / source
    folder.mkdir(parents=True, exist_ok=True)
    settled = time.time() - SETTLED_SECONDS
    return sorted(
        label(path)
        for path in folder.iterdir()
        if not path.name.startswith(OWN_TRACES)
        and path.suffix.casefold() not in UNFINISHED
        and (path.is_symlink() or (path.is_file() and path.stat().st_mtime < settled and not is_being_written(path)))
    )


def label(path: Path) -> str:
    """A file's name as it goes through logs, JSON and other names: itself, where it can; else its readable part and a hash."""
    raw = os.fsencode(path.name)
    with suppress(UnicodeDecodeError):
        raw.decode("utf-8")
        if len(raw) <= LONGEST_NAME and path.name.isprintable() and path.name not in (PROCESSED, REJECTED):
            return path.name
    readable = "".join(sign if sign.isascii() and sign.isprintable() else "_" for sign in path.name[:60])
    return f"{readable}-{hashlib.sha256(raw).hexdigest()[:12]}"


def is_being_written(path: Path) -> bool:
    """Whether a process has the file open for writing. False where the system cannot tell (not Linux, another owner's file)."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # its own collection says so; the other files go on
        return False
    try:
        # a read lease is refused while a writer has the file; a writer who comes in this instant waits, and SIGURG is ignored
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def fingerprint(path: Path) -> tuple[int, int, str]:
    """Size, time of change and SHA-256: two that are the same are of the same, finished file."""
    status = path.stat()
    with path.open("rb") as handle:
        return status.st_size, status.st_mtime_ns, hashlib.file_digest(handle, "sha256").hexdigest()


def require_unchanged(path: Path, before: tuple[int, int, str]) -> None:
    """Raises FileStillChanging."""
    if is_being_written(path) or fingerprint(path) != before:
        raise FileStillChanging(f"{path.name}: the file is still being written; it stays in the inbox for the next run")


def collect_dropped(
    source: str, name: str, run_date: date, home: Home | None = None, observed_at: datetime | None = None
) -> Collected:
    """Collect one waiting file, named as new_files names it, and put it away.

    observed_at: when the file was had, as in collect_file.

    A file of a source that keeps none (`keeps_files`) is removed instead, once its records are written or it is refused.

    A file that cannot be read as a whole is moved to `rejected/`, with the reason in a text file beside it, and BadFile goes on to
    the caller. Any other error, FileStillChanging among them, leaves the file where it is, to be tried again.
    """
    import extractors
    from include.collect import collect_file

    home = home or Home.current()
    of = extractors.source(source)
    keeps_file = not isinstance(of, FileSource) or of.keeps_files
    folder = home.inbox / source
    waiting = (each for each in folder.iterdir() if each.is_symlink() or each.is_file())
    path = next((each for each in waiting if label(each) == name), folder / name)
    if path.is_symlink():  # what it leads to is not looked at: it may be anybody's
        bad = BadFile(f"{name}: this is a link to a file elsewhere; drop the file itself")
        _reject(path, name, bad, keeps_file)
        raise bad
    before = fingerprint(path)
    try:
        if path.name != name:
            raise BadFile(
                f"{name}: the file's name is a folder's of the inbox, is not UTF-8, holds a line break, or is longer than "
                f"{LONGEST_NAME} bytes; give it a shorter, plain name"
            )
        collected = collect_file(source, path, run_date, home, observed_at)
    except BadFile as bad:
        require_unchanged(path, before)
        _reject(path, name, bad, keeps_file)
        raise
    try:
        require_unchanged(path, before)
    except FileStillChanging:
        shutil.rmtree(collected.records)
        raise
    if keeps_file:
        _put_away(path, PROCESSED, name)
    else:
        path.unlink()
    return collected


def _reject(path: Path, name: str, bad: BadFile, keeps_file: bool) -> None:
    moved = _put_away(path, REJECTED, name)
    moved.with_name(f"{moved.name}.reason.txt").write_text(f"{bad}\n", encoding="utf-8")
    if not keeps_file:
        moved.unlink()


def _put_away(path: Path, folder: str, name: str) -> Path:
    """Move into a folder beside it. A file of the same name that lies there already keeps its name, the new one is numbered."""
    target = path.parent / folder / name
    if target.parent.is_file():  # a file in the folder's place is itself one of those waiting
        instead = target.parent.rename(target.parent.with_name(label(target.parent)))
        path = instead if path == target.parent else path
    target.parent.mkdir(exist_ok=True)
    stem, suffix = target.stem, target.suffix
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{stem}.{number}{suffix}")
    return Path(shutil.move(path, target))


def collect_shipped(source: FileSource, run_date: date) -> Collected:
    """Collect the file that a source ships with the project."""
    from include.collect import collect_file

    if source.shipped is None:
        raise ValueError(f"the source {source.name} ships no file: its files are dropped into the inbox")
    return collect_file(source.name, source.shipped, run_date)
