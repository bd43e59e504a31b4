"""Accepted and quarantined rows: one Parquet file per kind × source × month of run date, replaced as a whole.

A reader sees the old file or the new one, never a part of one: the new file is written beside the old, synced, and renamed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock

from include.records import ALL_KINDS, RECORD_KINDS, TEXT
from include.settings import Home

QUARANTINE_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("rule", TEXT),
    ("reason", TEXT),
    ("position", TEXT),  # where the row stood in its source
    ("batch", TEXT),  # a force id; the file's name for files
    ("row_json", TEXT),  # the record as it came, its defect too
)

SCHEMA_SOURCE = "_schema"
"""The folder of a kind that belongs to no source: it holds an empty file, so that a glob over the kind always finds one."""

MERGING = ".merging-"
"""A file of this name, run date and source says: the run's kinds are being merged."""


class HalfMerged(RuntimeError):
    """Of a run some kinds are in accepted and others not: nobody is to read that. Names source, run date, and what to do."""


def quarantine_schema(kind: str) -> pa.Schema:
    return pa.schema([*ALL_KINDS[kind].accepted_schema, *(pa.field(name, type_) for name, type_ in QUARANTINE_COLUMNS)])


def merge(
    kind: str, source: str, run_date: date, table: pa.Table, home: Home | None = None, ingest_ids: Collection[str] | None = None
) -> Path:
    """Put the rows of some ingests into the accepted file of their month; what was there of the same ingests goes.

    `ingest_ids`: the ingests merged, by default those in `table` (name them where one of them may have no row).
    Working columns (`_position`, `_defect`) are dropped. Returns the file's path. Merging the same again changes nothing.
    """
    home = home or Home.current()
    schema = ALL_KINDS[kind].accepted_schema
    order = [*ALL_KINDS[kind].key, "ingest_id"]
    return _replace(home, home.accepted, kind, source, run_date, conform(table, schema), ingest_ids, order)


def merge_quarantine(
    kind: str, source: str, run_date: date, table: pa.Table, home: Home | None = None, ingest_ids: Collection[str] | None = None
) -> Path:
    """The same for bad rows: the kind's columns and QUARANTINE_COLUMNS."""
    home = home or Home.current()
    order = ["ingest_id", "batch", "position", "rule", "row_json"]
    return _replace(home, home.quarantine, kind, source, run_date, conform(table, quarantine_schema(kind)), ingest_ids, order)


def read(kind: str, home: Home | None = None, source: str | None = None, run_date: date | None = None) -> pa.Table:
    """Accepted rows of a kind: of all sources or one, of all run dates or one. Grain: that of the kind × ingest."""
    home = home or Home.current()
    return _read(home.accepted / kind, ALL_KINDS[kind].accepted_schema, source, run_date)


def distinct(
    kind: str, columns: Collection[str], home: Home | None = None, source: str | None = None, run_date: date | None = None
) -> pa.Table:
    """The different values of some columns in accepted rows; reads no other column."""
    home = home or Home.current()
    schema = pa.schema([ALL_KINDS[kind].accepted_schema.field(name) for name in dict.fromkeys((*columns, "run_date"))])
    table = _read(home.accepted / kind, schema, source, run_date)
    return table.select(list(columns)).group_by(list(columns)).aggregate([])


def read_quarantine(kind: str, home: Home | None = None, source: str | None = None, run_date: date | None = None) -> pa.Table:
    """Quarantined rows of a kind, with rule, reason, position, batch and the row as JSON."""
    home = home or Home.current()
    return _read(home.quarantine / kind, quarantine_schema(kind), source, run_date)


def rewrite(root: Path, kind: str, source: str, change: Callable[[pa.Table], pa.Table], home: Home) -> None:
    """Put what `change` makes of each file of a kind and source in its place. root: home.accepted or home.quarantine.

    For erasure alone: everything else is merged. A file for which `change` gives back the same table is left as it is.
    """
    with _locked(home, "accepted"):  # not while a build takes its snapshot
        for path in sorted((root / kind / source).glob("*.parquet")):
            with _locked(home, f"{root.name}-{kind}-{source}"):
                before = pq.read_table(path, partitioning=None)
                after = change(before)
                if after is not before:
                    _write(path, after)


def ensure_schema_files(home: Home | None = None) -> None:
    """An empty, typed file for every kind, so that dbt's `accepted/<kind>/*/*.parquet` finds a file before any data came."""
    home = home or Home.current()
    for kind, definition in ALL_KINDS.items():
        path = home.accepted / kind / SCHEMA_SOURCE / "empty.parquet"
        if path.is_file() and pq.read_schema(path).equals(definition.accepted_schema):
            continue
        with _locked(home, f"accepted-{kind}-{SCHEMA_SOURCE}"):
            _write(path, definition.accepted_schema.empty_table())


@contextmanager
def merging(home: Home, source: str, run_date: date) -> Iterator[None]:
    """Held while a run's kinds are merged one after another. A run whose merging was cut off stays on record: see `unfinished`."""
    with _locked(home, "accepted"):
        mark = home.accepted / f"{MERGING}{run_date}-{source}"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        yield
        mark.unlink()


def unfinished(home: Home) -> list[tuple[str, date]]:
    """Source and run date of runs of which some kinds have been merged and others not: their process died in between, or failed.

    Their records are still there: validating them again merges all.
    """
    with _locked(home, "accepted"):
        return _marked(home)


def _marked(home: Home) -> list[tuple[str, date]]:
    names = sorted(path.name.removeprefix(MERGING) for path in home.accepted.glob(f"{MERGING}*"))
    return [(name[11:], date.fromisoformat(name[:10])) for name in names]


def snapshot(folder: Path, home: Home | None = None) -> Path:
    """All accepted files as they stand now, under another folder, whatever is merged afterwards.

    Hard links: files are never written to, only replaced, so this costs nothing and keeps what it has. What stood in the folder
    before is removed. Returns the folder. Raises HalfMerged.
    """
    home = home or Home.current()
    ensure_schema_files(home)
    shutil.rmtree(folder, ignore_errors=True)
    with _locked(home, "accepted"):  # not while a run is being merged: all of it, or nothing
        if cut_off := _marked(home):
            runs = ", ".join(f"{source} {run_date}" for source, run_date in cut_off)
            raise HalfMerged(
                f"{runs}: cut off half-way into {home.accepted}, and there are no readable records to merge the rest from."
                f" Collect and validate it again (the mark {MERGING}… there then goes)"
            )
        for path in sorted(home.accepted.rglob("*.parquet")):
            if path.name.startswith("."):
                continue
            target = folder / path.relative_to(home.accepted)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(path)
            except OSError:  # a file system without hard links
                shutil.copyfile(path, target)
    return folder


def accepted_ingest_ids(folder: Path, as_of: date) -> tuple[str, ...]:
    """The ingests of run dates up to a date that have rows of a record kind, sorted. folder: accepted, or a snapshot of it."""
    found: set[str] = set()
    for kind in RECORD_KINDS:
        for path in sorted(folder.glob(f"{kind}/*/*.parquet")):
            rows = pq.read_table(path, columns=["ingest_id", "run_date"], partitioning=None)
            known = rows.filter(pc.less_equal(rows.column("run_date"), pa.scalar(as_of, pa.date32())))
            found |= set(pc.unique(known.column("ingest_id")).to_pylist())
    return tuple(sorted(found))


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the columns of a schema: what it lacks (a file older than a new column) is null."""
    columns = [
        table.column(field.name).cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _replace(
    home: Home,
    root: Path,
    kind: str,
    source: str,
    run_date: date,
    table: pa.Table,
    ingest_ids: Collection[str] | None,
    order: list[str],
) -> Path:
    path = root / kind / source / f"{run_date:%Y-%m}.parquet"
    replaced = pa.array(sorted(ingest_ids if ingest_ids is not None else set(table.column("ingest_id").to_pylist())), TEXT)
    with _locked(home, f"{root.name}-{kind}-{source}"):
        if path.is_file():
            before = conform(pq.read_table(path, partitioning=None), table.schema)
            kept = before.filter(pc.invert(pc.is_in(before.column("ingest_id"), replaced)))
            if table.num_rows == 0 and kept.num_rows == before.num_rows:
                return path
            table = pa.concat_tables([kept, table])
        elif table.num_rows == 0:
            return path
        _write(path, table.sort_by([(name, "ascending") for name in order]))
    return path


def _write(path: Path, table: pa.Table) -> None:
    """Temporary file, sync, rename, sync of the folder. What a killed process left behind is removed: the caller holds the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        with temporary.open("wb") as handle:
            pq.write_table(table, handle, compression="zstd")
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError:  # a full disk is not to stay full of this
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(folder: Path, schema: pa.Schema, source: str | None, run_date: date | None) -> pa.Table:
    month = f"{run_date:%Y-%m}" if run_date else "*"
    tables = [
        conform(pq.read_table(path, columns=_present(path, schema), partitioning=None), schema)
        for path in sorted(folder.glob(f"{source or '*'}/{month}.parquet"))
    ]
    table = pa.concat_tables([schema.empty_table(), *tables])
    return table.filter(pc.equal(table.column("run_date"), pa.scalar(run_date, pa.date32()))) if run_date else table


def _present(path: Path, schema: pa.Schema) -> list[str]:
    return [name for name in pq.read_schema(path).names if name in schema.names]


@contextmanager
def _locked(home: Home, name: str) -> Iterator[None]:
    home.locks.mkdir(parents=True, exist_ok=True)
    with FileLock(home.locks / f"{name}.lock"):
        yield
