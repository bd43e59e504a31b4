"""File drops: `var/inbox/<source>/`. A file that was collected goes to `processed/`, one that cannot be read to `rejected/`."""

from __future__ import annotations

import shutil
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.base import BadFile, FileSource
from include.settings import Home

if TYPE_CHECKING:
    from include.collect import Collected

SETTLED_SECONDS = 10
UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")


def new_files(source: str, home: Home | None = None) -> list[str]:
    """Names of the files waiting, sorted. Not those still being written: hidden, named as a part, or touched a moment ago."""
    folder = (home or Home.current()).inbox / source
    folder.mkdir(parents=True, exist_ok=True)
    settled = time.time() - SETTLED_SECONDS
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and path.suffix not in UNFINISHED and path.stat().st_mtime < settled
    )


def collect_dropped(source: str, name: str, run_date: date, home: Home | None = None) -> Collected:
    """Collect one waiting file and put it away.

    A file that cannot be read as a whole is moved to `rejected/`, with the reason in a text file beside it, and BadFile goes on to
    the caller. Any other error leaves the file where it is, to be tried again.
    """
    from include.collect import collect_file

    home = home or Home.current()
    path = home.inbox / source / name
    try:
        collected = collect_file(source, path, run_date)
    except BadFile as bad:
        moved = _put_away(path, "rejected")
        moved.with_name(f"{moved.name}.reason.txt").write_text(f"{bad}\n", encoding="utf-8")
        raise
    _put_away(path, "processed")
    return collected


def _put_away(path: Path, folder: str) -> Path:
    """Move into a folder beside it. A file of the same name that lies there already keeps its name, the new one is numbered."""
    target = path.parent / folder / path.name
    target.parent.mkdir(exist_ok=True)
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{path.stem}.{number}{path.suffix}")
    return Path(shutil.move(path, target))


def collect_shipped(source: FileSource, run_date: date) -> Collected:
    """Collect the file that a source ships with the project."""
    from include.collect import collect_file

    if source.shipped is None:
        raise ValueError(f"the source {source.name} ships no file: its files are dropped into the inbox")
    return collect_file(source.name, source.shipped, run_date)
