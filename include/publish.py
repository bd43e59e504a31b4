"""Publication: gates, a new version folder, and one rename that shows it to every reader.

    published/versions/<publication_id>/warehouse.duckdb, parquet/<table>/<table>.parquet
    published/current           → versions/<publication_id>     the only thing that ever changes
    published/warehouse.duckdb  → current/warehouse.duckdb
    published/parquet           → current/parquet
    published/home_id           whose publications these are, for PostgreSQL

A version is written under a name that ends in `.tmp`, synced and renamed; until `current` is renamed over, nobody reads it.
Killed at any point, the old version stands, and the next publication removes what was left.

PostgreSQL for BI (include/bi), where one is configured, gets the same publication_id: its rows are loaded before the rename and
shown after it. A crash in between rolls forward: the next publication, or `make serve`, first shows there what the files show.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include import bi, contract, registry
from include.disk import says_when_full
from include.locks import held
from include.settings import Home
from include.warehouse import BUILD_LOCK, provenance

if TYPE_CHECKING:
    import duckdb

    from expectations.publish_gates import Closed, PublishFacts

log = logging.getLogger(__name__)

KEEP_HOURS = 6
"""A version stays this long after it was written, for readers that hold it open by its full path; the last two always stay."""

KEEP_VERSIONS = 12
"""No more than these stay, however young they look: a clock that was wrong makes old folders young."""

PUBLICATIONS_COLUMNS = """
    publication_id varchar, published_at timestamp with time zone, as_of_date date, contract_version integer, ingest_count bigint,
    ingest_ids_sha256 varchar, ingest_ids varchar, table_rows varchar, is_simulated boolean
"""


@dataclass(frozen=True)
class Publication:
    """What was published. `rows`: by table."""

    publication_id: str
    published_at: datetime
    as_of: date
    ingest_ids: tuple[str, ...]
    rows: dict[str, int]
    is_simulated: bool
    folder: Path


class GateClosed(RuntimeError):
    """The build is not fit to be published. Names gate, table, column and figures; what was published before stands."""

    def __init__(self, as_of: date, reasons: Iterable[Closed]) -> None:
        self.reasons = tuple(reasons)
        lines = "\n".join(f"  {reason}" for reason in self.reasons)
        super().__init__(f"the build as of {as_of} is not published, the publication before stands:\n{lines}")


class NothingBuilt(RuntimeError):
    """There is no build file, not a finished one, or one as of another date."""


class OlderThanPublished(RuntimeError):
    """What stands is as of a later date: readers would see figures go back. The message says what to do."""


@says_when_full("the publication")
def publish(as_of: date, home: Home | None = None, *, allow_older: bool = False) -> Publication:
    """Publish the build of an as-of date, and no other. Raises GateClosed, NothingBuilt, and OlderThanPublished unless allow_older.

    One publication at a time, and no build while it reads the build file (file locks). The ingests it names are those that the
    build has read.
    """
    import duckdb

    from expectations.publish_gates import closed

    home = home or Home.current()
    to = bi.target()  # once: what is loaded must be shown
    with held(home, "publish", "publication"), held(home, BUILD_LOCK, "build"):
        if not home.build_file.is_file():
            raise NothingBuilt(f"{home.build_file} does not exist: build the warehouse first")
        _remove_leftovers(home)
        _warn_of_the_future(home)
        if to is not None:
            to = replace(to, home_id=home_id(home))
            bi.roll_forward(current_version(home), to)
        with duckdb.connect(str(home.build_file), read_only=True) as build:
            build.execute("set TimeZone = 'UTC'")
            built = provenance(build)
            if built is None:
                raise NothingBuilt(f"the build in {home.build_file} did not come to its end: build the warehouse again")
            if built.as_of != as_of:
                raise NothingBuilt(f"the build is as of {built.as_of}, not {as_of}: build the warehouse as of {as_of} first")
            standing = published_as_of(home)
            if standing is not None and as_of < standing and not allow_older:
                raise OlderThanPublished(
                    f"the build as of {as_of} is not published: what stands is as of {standing}, and readers would see figures go "
                    f"back. Build as of {standing} or later; if the older date is meant, allow it (the DAG's parameter allow_older)"
                )
            reasons = closed(gate_facts(build, as_of, home), contract.FRESH_WITHIN_DAYS)
            if reasons:
                raise GateClosed(as_of, reasons)
            rows = {table.name: _count(build, f"{contract.SCHEMA}.{table.name}") for table in contract.TABLES}
            is_simulated = any(_any_simulated(build, table.name) for table in contract.TABLES)
        ingest_ids = built.ingest_ids
        now = _after(current_version(home), datetime.now(UTC))
        publication_id = f"{now:%Y%m%dT%H%M%S%f}Z-{_digest(ingest_ids)[:8]}"
        folder = _versions(home) / publication_id
        publication = Publication(publication_id, now, as_of, ingest_ids, rows, is_simulated, folder)
        try:
            _write_version(publication, home)
            if to is not None:
                bi.load(folder, to)
        except Exception:  # a full disk is not to stay full of what nobody will be shown
            _remove_leftovers(home)
            raise
        _switch(publication_id, home)
        if to is not None:
            bi.show(publication_id, to)
        _remove_old(home)
    return publication


def gate_facts(build: duckdb.DuckDBPyConnection, as_of: date, home: Home) -> PublishFacts:
    """The facts that the gates judge, from the build file, what it was fed, the registry and the publication before."""
    import pandas as pd

    from expectations.publish_gates import PublishFacts

    before, filled_before = rows_before(home), _filled_before(home)
    listed = "select table_name from duckdb_tables() where schema_name = ?"
    found = {row[0] for row in build.execute(listed, [contract.SCHEMA]).fetchall()}
    expected = {table.name for table in contract.TABLES}
    presence = [(name, int(name in expected), int(name in found)) for name in sorted(expected | found)]
    everyone = set(registry.current().force_ids)
    rows: list[tuple[Any, ...]] = []
    columns: list[tuple[Any, ...]] = []
    forces: list[tuple[Any, ...]] = []
    freshness: list[tuple[Any, ...]] = []
    for table in (each for each in contract.TABLES if each.name in found):
        name = f"{contract.SCHEMA}.{table.name}"
        count = _count(build, name)
        is_fed = table.fed_by is None or _was_fed(table.fed_by, as_of, home)
        least = 0 if table.may_be_empty or not is_fed else 1
        # rounded up: 9.1 rows are 10 rows
        kept = -int(-before.get(table.name, 0) * contract.KEEPS_ROWS_SHARE // 1)
        rows.append((table.name, count, before.get(table.name, 0), max(least, kept)))
        if not count or not is_fed:
            continue
        # what has been published with values may not be without them again
        excused = set(table.may_be_null) | (set(table.null_at_first) - filled_before.get(table.name, set()))
        columns += [
            (table.name, column, count, filled) for column, filled in _filled(build, table.name).items() if column not in excused
        ]
        if table.every_force:
            there = {row[0] for row in build.execute(f"select distinct force_id from {name}").fetchall()}  # noqa: S608
            absent = sorted(everyone - there)
            forces.append((table.name, len(everyone) - len(absent), len(everyone), ", ".join(absent)))
        if table.newest:
            newest = _one(build, f"select cast(max({table.newest}) as date) from {name}")  # noqa: S608
            age = None if newest is None else float((as_of - newest).days)
            freshness.append((table.name, table.newest, str(newest), age))
    return PublishFacts(
        presence=pd.DataFrame(presence, columns=["table", "expected", "found"]),
        rows=pd.DataFrame(rows, columns=["table", "rows", "rows_before", "at_least"]),
        columns=pd.DataFrame(columns, columns=["table", "column", "rows", "filled"]),
        forces=pd.DataFrame(forces, columns=["table", "forces", "expected_forces", "absent"]),
        freshness=pd.DataFrame(freshness, columns=["table", "column", "newest", "age_days"]).astype({"age_days": "float64"}),
    )


def current_version(home: Home | None = None) -> Path | None:
    """The folder of the version that readers see now; None before the first publication."""
    link = (home or Home.current()).published / "current"
    return link.resolve() if link.is_symlink() and link.exists() else None


def rows_before(home: Home | None = None) -> dict[str, int]:
    """Rows by table of the publication that stands; empty before the first."""
    import duckdb

    version = current_version(home)
    if version is None:
        return {}
    with duckdb.connect(str(version / "warehouse.duckdb"), read_only=True) as connection:
        last = f"select table_rows from {contract.SCHEMA}.{contract.PUBLICATIONS} order by publication_id desc limit 1"  # noqa: S608
        return json.loads(str(_one(connection, last)))


def published_as_of(home: Home | None = None) -> date | None:
    """The as-of date of the publication that stands; None before the first."""
    import duckdb

    version = current_version(home)
    if version is None:
        return None
    with duckdb.connect(str(version / "warehouse.duckdb"), read_only=True) as connection:
        last = f"select as_of_date from {contract.SCHEMA}.{contract.PUBLICATIONS} order by publication_id desc limit 1"  # noqa: S608
        found: date = _one(connection, last)
        return found


def home_id(home: Home) -> str:
    """What tells this home's publications from another's: drawn once, and in every backup with what it published."""
    path = home.published / "home_id"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"home_id.{os.getpid()}.tmp")
        part.write_text(secrets.token_hex(8) + "\n")
        with suppress(FileExistsError):  # somebody drew one at the same time
            path.hardlink_to(part)
        part.unlink()
    return path.read_text().strip()


def newest_accepted_run_date(home: Home | None = None) -> date | None:
    """The newest run date of which anything was validated; None before the first run."""
    import duckdb

    files = [str(path) for path in sorted(((home or Home.current()).accepted / "conservation").glob("*/*.parquet"))]
    if not files:
        return None
    with duckdb.connect() as connection:
        return connection.execute("select max(run_date) from read_parquet(?)", [files]).fetchall()[0][0]


def _write_version(publication: Publication, home: Home) -> None:
    """The version folder, complete and synced, under its final name."""
    import duckdb

    previous = current_version(home)
    temporary = publication.folder.with_name(f"{publication.publication_id}.tmp")
    temporary.mkdir(parents=True)
    with duckdb.connect(str(temporary / "warehouse.duckdb")) as new:
        new.execute("set TimeZone = 'UTC'")
        new.execute(f"create schema {contract.SCHEMA}")
        new.execute(f"attach '{home.build_file}' as build (read_only)")
        for table in contract.TABLES:
            order = ", ".join(table.key)
            name = f"{contract.SCHEMA}.{table.name}"
            new.execute(f"create table {name} as select * from build.{name} order by {order}")  # noqa: S608
        _copy_comments(new)
        new.execute("detach build")
        _write_publications(new, publication, previous)
        for name in contract.published_tables():
            target = temporary / "parquet" / name
            target.mkdir(parents=True)
            new.execute(f"copy {contract.SCHEMA}.{name} to '{target / name}.parquet' (format parquet, compression zstd)")
        new.execute("checkpoint")
    _sync_tree(temporary)
    temporary.rename(publication.folder)
    _sync(publication.folder.parent)


def _write_publications(new: duckdb.DuckDBPyConnection, publication: Publication, previous: Path | None) -> None:
    table = f"{contract.SCHEMA}.{contract.PUBLICATIONS}"
    new.execute(f"create table {table} ({PUBLICATIONS_COLUMNS})")
    if previous is not None:
        new.execute(f"attach '{previous / 'warehouse.duckdb'}' as previous (read_only)")
        new.execute(f"insert into {table} by name select * from previous.{table} order by publication_id")  # noqa: S608
        new.execute("detach previous")
    new.execute(
        f"insert into {table} values (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        [
            publication.publication_id,
            publication.published_at,
            publication.as_of,
            contract.CONTRACT_VERSION,
            len(publication.ingest_ids),
            _digest(publication.ingest_ids),
            json.dumps(publication.ingest_ids),
            json.dumps(publication.rows),
            publication.is_simulated,
        ],
    )
    new.execute(
        f"comment on table {table} is 'Grain: one publication of this warehouse; the newest has the highest publication_id.'"
    )


def _copy_comments(new: duckdb.DuckDBPyConnection) -> None:
    """What dbt wrote about tables and columns goes with them."""
    where = f"database_name = 'build' and schema_name = '{contract.SCHEMA}' and comment is not null"
    for table, text in new.execute(f"select table_name, comment from duckdb_tables() where {where}").fetchall():  # noqa: S608
        new.execute(f'comment on table {contract.SCHEMA}."{table}" is {_quoted(text)}')
    listed = f"select table_name, column_name, comment from duckdb_columns() where {where}"  # noqa: S608
    for table, column, text in new.execute(listed).fetchall():
        new.execute(f'comment on column {contract.SCHEMA}."{table}"."{column}" is {_quoted(text)}')


def _switch(publication_id: str, home: Home) -> None:
    """The one rename. Links are relative, so that the folder can be moved or mounted elsewhere."""
    for name in ("warehouse.duckdb", "parquet"):
        link = home.published / name
        if not link.is_symlink():
            link.symlink_to(Path("current") / name)
    temporary = home.published / "current.tmp"
    temporary.symlink_to(Path("versions") / publication_id)
    temporary.replace(home.published / "current")
    _sync(home.published)


def _remove_leftovers(home: Home) -> None:
    """What a killed publication left: half versions, complete ones that were never shown, a link under its temporary name."""
    (home.published / "current.tmp").unlink(missing_ok=True)
    current = current_version(home)
    # a link that leads nowhere is somebody's accident: what it may have led to is not for us to remove
    is_first = not (home.published / "current").is_symlink()
    for folder in _versions(home).glob("*"):
        if folder.suffix == ".tmp" or is_first or (current is not None and folder.name > current.name):
            shutil.rmtree(folder)


def _remove_old(home: Home) -> None:
    """By the folders' own times against the clock: the times in their names only go forward, also where a clock was set back."""
    versions = sorted(folder for folder in _versions(home).iterdir() if folder.is_dir())
    oldest = time.time() - KEEP_HOURS * 3600
    for place, folder in enumerate(reversed(versions)):
        if place >= KEEP_VERSIONS or (place >= 2 and folder.stat().st_mtime < oldest):
            shutil.rmtree(folder)


def _warn_of_the_future(home: Home) -> None:
    current = current_version(home)
    if current is not None and _published_at(current.name) > datetime.now(UTC) + timedelta(minutes=5):
        log.warning(
            "the publication that stands, %s, is dated in the future: the clock of this machine was wrong then or is now. New ones "
            "are dated just after it, so that they are still in order",
            current.name,
        )


def _after(version: Path | None, now: datetime) -> datetime:
    """A moment later than the publication that stands, also when the machine's clock was set back: ids are in order."""
    return now if version is None else max(now, _published_at(version.name) + timedelta(microseconds=1))


def _published_at(publication_id: str) -> datetime:
    return datetime.strptime(publication_id.split("Z-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)


def _versions(home: Home) -> Path:
    return home.published / "versions"


def _was_fed(kind: str, as_of: date, home: Home) -> bool:
    """Whether the build had rows of a record kind to read: in its own snapshot, not in what was accepted meanwhile."""
    import pyarrow.parquet as pq

    files = (home.build_accepted / kind).glob("*/*.parquet")
    return any(
        pq.read_table(path, filters=[("run_date", "<=", as_of)], columns=["run_date"], partitioning=None).num_rows for path in files
    )


def _filled(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, int]:
    """Values that are not null, by column."""
    listed = "select column_name from duckdb_columns() where schema_name = ? and table_name = ? order by column_index"
    names = [row[0] for row in connection.execute(listed, [contract.SCHEMA, name]).fetchall()]
    counted = ", ".join(f'count("{column}")' for column in names)
    counts = connection.execute(f"select {counted} from {contract.SCHEMA}.{name}").fetchall()[0]  # noqa: S608
    return dict(zip(names, counts, strict=True))


def _filled_before(home: Home) -> dict[str, set[str]]:
    """Columns with at least one value in the publication that stands, by table."""
    import duckdb

    version = current_version(home)
    if version is None:
        return {}
    with duckdb.connect(str(version / "warehouse.duckdb"), read_only=True) as connection:
        names = [row[0] for row in connection.execute("select table_name from duckdb_tables()").fetchall()]
        return {name: {column for column, filled in _filled(connection, name).items() if filled} for name in names}


def _any_simulated(build: duckdb.DuckDBPyConnection, name: str) -> bool:
    return bool(_one(build, f"select coalesce(bool_or(is_simulated), false) from {contract.SCHEMA}.{name}"))  # noqa: S608


def _count(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    return int(str(_one(connection, f"select count(*) from {name}")))  # noqa: S608


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    return connection.execute(query).fetchall()[0][0]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _digest(ingest_ids: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(ingest_ids).encode()).hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        _sync(path)
    _sync(folder)
