"""One archive of the state folder (INSIGHT_HOME) and of Airflow's database, taken while everything runs; and back.

    python -m include.backup create [--to FOLDER]
    python -m include.backup restore FILE [--force]

Every room is taken after those that are made from it: database, inbox, published, accepted, landing. So what a later room holds
too much is done again, and changes nothing; nothing is lost. Under the locks of publication and validation the files are only
linked aside: they are never changed in place, so the archive is written afterwards, with nobody waiting.

The keys (INSIGHT_SECRETS) are never in it. docs/backup.md
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from filelock import FileLock, Timeout

from include import archive
from include.accepted import MERGING
from include.airflow_database import FILES, AirflowDatabase, AirflowDatabaseError
from include.archive import ArchiveNotWritten, ArchiveRefused, NotUnpacked, Say
from include.settings import PROJECT_ROOT, Home, secrets_folder

ROOMS = ("inbox", "published", "gx", "accepted", "quarantine", "records", "landing")
LEFT_OUT = {
    "build": "every build starts from nothing",
    "locks": "of running processes",
    "budgets": "what a platform has counted since then, it says again; of a month's credits the count begins anew",
    "logs": "Airflow's and make run's",
    "keys": "INSIGHT_SECRETS, kept apart on purpose",
    "PostgreSQL for BI": "the next publication loads it again",
}
UNFINISHED = (".tmp", ".part")
LOCK_SECONDS = 30 * 60
TRIES = 5


class BackupFailed(ArchiveNotWritten):
    """No archive was written. The message says why."""


class RestoreRefused(ArchiveRefused):
    """The archive or the folder is not fit; nothing was changed. Names file and reason."""


# --- create ---


def create(to: Path, home: Home | None = None, say: Say = print) -> archive.Written:
    """Write `insight-<UTC time>.tar.zst` into a folder, whole or not at all. Raises ArchiveNotWritten, AirflowDatabaseError."""
    home = home or Home.current()
    if not home.path.is_dir():
        raise BackupFailed(f"{home.path} does not exist: there is nothing to back up (INSIGHT_HOME)")
    to.mkdir(parents=True, exist_ok=True)
    with _locks(home, ["backup"]):
        for leftover in (*home.path.glob(".backup-*"), *to.glob(".insight-*.part")):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        now = datetime.now(UTC)
        aside = home.path / f".backup-{now:%Y%m%dT%H%M%SZ}"
        aside.mkdir(mode=0o700)
        try:
            try:
                database = _take(home, aside, say)
            except OSError as error:
                raise BackupFailed(f"{home.path} could not be read, or written aside: {error}") from error
            backup = archive.write(
                aside,
                _files(aside),
                to / f"insight-{now:%Y%m%dT%H%M%SZ}.tar.zst",
                {"created_at": now.isoformat(), "airflow_database": database, "left_out": LEFT_OUT},
                say,
            )
        finally:
            shutil.rmtree(aside)
    say(f"{backup.path}: {backup.files} files, {archive.size(backup.bytes)}, sha256 {backup.sha256}")
    say(f"Not in it: the keys in {secrets_folder()}. Keep them apart; without them nobody's pseudonym can be made again.")
    return backup


def _take(home: Home, aside: Path, say: Say) -> str | None:
    """All rooms, linked aside in the order that loses nothing. Returns the kind of Airflow's database, None without one."""
    database = AirflowDatabase(home)
    copied = database.copy(aside)
    say(f"Airflow's database ({database.kind}): {archive.size(copied.stat().st_size) if copied else 'there is none yet'}")
    for rooms, locks in (
        (("inbox",), []),
        (("published",), ["publish"]),
        (("gx", "accepted", "quarantine", "records"), [*_validation_locks(home), "data_docs"]),
        (("landing",), []),
    ):
        with _locks(home, locks):
            for room in rooms:
                files = _link_room(home.path / room, aside / "home" / room, room == "gx", say)
                say(f"{room}: {files} files")
    return database.kind if copied else None


def _validation_locks(home: Home) -> list[str]:
    """Merging into accepted goes on under these, one for each source."""
    from extractors import SOURCES

    known = {f"validate-{source.name}" for source in SOURCES}
    return sorted(known | {path.stem for path in home.locks.glob("validate-*.lock")})


def _link_room(room: Path, target: Path, copy: bool, say: Say) -> int:
    """Hard links to the files of a room; copies where the disk has no links, or files change in place. Returns how many."""
    for _ in range(TRIES):
        left_out: list[str] = []
        try:
            files = sum(_link(path, target / name, copy) for path, name in _files_of_room(room, left_out))
        except FileNotFoundError:  # a folder was replaced by its like while it was read
            shutil.rmtree(target, ignore_errors=True)
            continue
        for why in left_out:
            say(f"WARNING: left out: {why}")
        return files
    raise BackupFailed(f"{room} does not stand still: {TRIES} times a file went away while it was read")


def _files_of_room(room: Path, left_out: list[str]) -> Iterator[tuple[Path, PurePath]]:
    """Files of a room and their names in it, and the links of publication. In the place of any other link its target.

    A link that leads out of the home, to a key, or in a circle is left out, and that is said: no restore would take it.
    """
    home = room.parent
    inside = (home.resolve(), room.resolve())

    def walk(folder: Path, name: PurePath, is_linked: bool) -> Iterator[tuple[Path, PurePath]]:
        for path in _files(folder):
            named = name / path.relative_to(folder)
            if not path.is_symlink() or archive.is_known_link(f"home/{room.name}/{named.as_posix()}", str(path.readlink())):
                yield path, named
                continue
            end = Path(os.path.realpath(path))
            if not any(end.is_relative_to(each) for each in inside):
                left_out.append(f"{path}, a link to {end}, which is not in {home}: put what it leads to there")
            elif end.is_relative_to(secrets_folder()):
                left_out.append(f"{path}, a link to the keys")
            elif end.is_file():
                yield end, named
            elif not end.is_dir():
                left_out.append(f"{path}, a link to {path.readlink()}, which is no file")
            elif is_linked or path.parent.resolve().is_relative_to(end):
                left_out.append(f"{path}, a link to the folder {end}, which leads in a circle or is met by way of another link")
            else:
                yield from walk(end, named, True)

    unkept = _unkept() if room.name == "inbox" else frozenset()
    for path, name in walk(room, PurePath(), False):
        if name.parts[0] in unkept and not name.name.endswith(".reason.txt"):
            left_out.append(f"{path}, words of the public, which no archive shall keep: it is there for the next run")
        else:
            yield path, name


def _unkept() -> frozenset[str]:
    """Sources whose files are removed once they are read (FileSource.keeps_files)."""
    from extractors import SOURCES
    from extractors.base import FileSource

    return frozenset(source.name for source in SOURCES if isinstance(source, FileSource) and not source.keeps_files)


def _files(folder: Path) -> Iterator[Path]:
    """Files and links of a folder and its folders, sorted, without what is unfinished or a key.

    The mark of a run that is half merged is a name with a dot too, and stays: without it half a run would pass for a whole one.
    """
    keys = secrets_folder()
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        is_hidden = path.name.startswith(".") and not path.name.startswith(MERGING)
        if is_hidden or path.suffix in UNFINISHED or os.path.realpath(path) == str(keys):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            yield path


def _link(path: Path, target: Path, copy: bool) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        target.symlink_to(path.readlink())
        return 1
    try:
        if copy:
            shutil.copy2(path, target)
        else:
            target.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(path, target)
    return 1


# --- restore ---


def restore(path: Path, home: Home | None = None, force: bool = False, say: Say = print) -> int:
    """Put an archive back. The home must be empty; with force what is there is put aside, into `.before-restore-…`.

    Everything is unpacked and compared with the manifest before anything is put in place. Airflow must be stopped.
    Returns the number of files. Raises ArchiveRefused, NotUnpacked, AirflowDatabaseError.
    """
    home = home or Home.current()
    if not path.is_file():
        raise RestoreRefused(f"{path} does not exist")
    home.path.mkdir(parents=True, exist_ok=True)
    with _locks(home, ["backup"]):
        there = [name for name in (*ROOMS, "build") if _has_files(home.path / name)]
        if there and not force:
            raise RestoreRefused(f"{home.path} is not empty ({', '.join(there)}): say --force to put what is there aside")
        for leftover in home.path.glob(".restore-*"):
            shutil.rmtree(leftover)
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        unpacked = home.path / f".restore-{stamp}"
        unpacked.mkdir(mode=0o700)
        try:
            manifest = archive.unpack(path, unpacked, say)
            database = _database_of(manifest, unpacked, home, path, force)
            with _locks(home, ["publish", "build", *_validation_locks(home)]):
                if database is not None:  # first: it may fail, and then changes nothing; the renames that follow hardly can
                    database.restore(unpacked / FILES[database.kind])
                aside = home.path / f".before-restore-{stamp}"
                for name in there:
                    aside.mkdir(exist_ok=True)
                    (home.path / name).rename(aside / name)
                for room in ROOMS:
                    target = home.path / room
                    if (unpacked / "home" / room).is_dir():
                        if target.exists():
                            shutil.rmtree(target)  # empty folders: there are no files in it
                        (unpacked / "home" / room).rename(target)
                archive.sync(home.path)
        finally:
            shutil.rmtree(unpacked)
    say(f"{home.path}: {len(manifest['files'])} files restored" + (f"; what was there is in {aside}" if there else ""))
    say(f"The keys are not in the archive: put yours into {secrets_folder()}.")
    return len(manifest["files"])


def _database_of(manifest: dict[str, Any], unpacked: Path, home: Home, path: Path, force: bool) -> AirflowDatabase | None:
    """Where the archive's copy of Airflow's database goes; None where it has none."""
    kind = manifest["airflow_database"]
    if kind is None:
        return None
    database = AirflowDatabase(home)
    if database.kind != kind:
        raise RestoreRefused(f"{path} holds Airflow's database as {kind}, but {database.kind} is configured")
    if not (unpacked / FILES[database.kind]).is_file():
        raise RestoreRefused(f"{path} says that it holds Airflow's database, and does not")
    if not database.is_empty() and not force:
        raise RestoreRefused("Airflow's database is not empty: say --force to replace it")
    return database


# --- shared ---


@contextmanager
def _locks(home: Home, names: list[str]) -> Iterator[None]:
    """In the order in which everybody takes them, so that no two wait for each other: publish, build, validate-…, data_docs."""
    home.locks.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        for name in names:
            try:
                held.enter_context(FileLock(home.locks / f"{name}.lock", timeout=LOCK_SECONDS))
            except Timeout:
                raise BackupFailed(f"another process holds {home.locks / name}.lock for {LOCK_SECONDS // 60} minutes") from None
        yield


def _has_files(folder: Path) -> bool:
    return any(path.is_symlink() or path.is_file() for path in folder.rglob("*"))


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m include.backup", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    creating = commands.add_parser("create", help="write an archive")
    creating.add_argument("--to", type=Path, default=PROJECT_ROOT / "backups", help="folder (backups/)")
    restoring = commands.add_parser("restore", help="put an archive back")
    restoring.add_argument("file", type=Path)
    restoring.add_argument("--force", action="store_true", help="put aside what is in the way")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "create":
            create(chosen.to)
        else:
            restore(chosen.file, force=chosen.force)
    except (ArchiveNotWritten, ArchiveRefused, NotUnpacked, AirflowDatabaseError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
