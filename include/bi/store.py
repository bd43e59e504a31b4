"""Load, show, remove: the three steps of a publication in PostgreSQL, each of which may be killed at any point."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import errors, sql
from psycopg.types.json import Jsonb

from include import contract
from include.bi import layout
from include.bi.connection import READER, BiTarget, disk_full, target
from include.bi.layout import MARK, Column, Table

if TYPE_CHECKING:
    import duckdb
    import psycopg

log = logging.getLogger(__name__)

ONE_PUBLISHER = 7_204_310_045_921
"""Key of the advisory lock: one publisher at a time, also from two machines. It goes with the connection, so a kill frees it.

Readers could take it as well, had include/bi/roles.py not taken PostgreSQL's lock functions from everybody but the publisher.
"""

WAIT_FOR_PUBLISHER_SECONDS = 600
LAYOUT_LOCK = "1s"
LAYOUT_ATTEMPTS = 300
"""A change of columns needs a lock that readers wait for. It is tried for a second at a time: nobody waits longer than that."""

NOTHING_SWITCHED = "nothing is switched, neither in files nor here"
FILES_SWITCHED = "PostgreSQL shows the publication before, while files may show the new one already"

ROWS_AT_ONCE = 50_000


class ReadersHoldTheViews(RuntimeError):
    """The contract's columns changed, and transactions that read the old ones did not end. Readers of PostgreSQL keep what they
    had. The message says whether the files have been switched."""


class AnotherHome(RuntimeError):
    """The database belongs to another state folder. The message says how to take it over. Nothing is switched."""


class OlderThanShown(RuntimeError):
    """PostgreSQL shows a newer publication than the one that it is to show. Only rolling forward may go back (restored files)."""


class AnotherPublisher(RuntimeError):
    """Somebody else has published there for longer than anything takes. Nothing is switched."""


def load(version: Path, to: BiTarget | None = None, *, may_go_back: bool = False) -> bool:
    """Load the rows of a published version (its folder, named by its publication_id), seen by nobody yet. All of it or nothing.

    Returns whether a database is configured. Loaded before: nothing is done. Raises BiStoreUnreachable, TypeNotMapped, AnotherHome,
    OlderThanShown (unless may_go_back), ReadersHoldTheViews.
    """
    import duckdb

    to = to or target()
    if to is None:
        return False

    def work(connection: psycopg.Connection[Any]) -> None:
        _may_publish(connection, to, version.name, may_go_back)
        tables = _saved(connection, version.name)
        if tables is None:
            with duckdb.connect(str(version / "warehouse.duckdb"), read_only=True) as file:
                tables = _load(connection, file, version.name, to)
        # the files are switched before the views: a reader whom the views would wait for is better met now
        _with_short_locks(connection, lambda: _switch(connection, tables), NOTHING_SWITCHED, is_rehearsal=True)

    _as_publisher(to, work)
    return True


def _load(connection: psycopg.Connection[Any], file: duckdb.DuckDBPyConnection, publication_id: str, to: BiTarget) -> list[Table]:
    _remove_unseen(connection, publication_id)
    file.execute("set TimeZone = 'UTC'")
    existing = layout.columns_of(connection, "store")
    tables = layout.published(file, existing)
    for table in tables:

        def ensure(table: Table = table) -> None:
            layout.ensure_store(connection, table, existing)

        _with_short_locks(connection, ensure, NOTHING_SWITCHED)
    started = time.monotonic()
    with connection.transaction():
        number = connection.execute(
            "insert into publication.loaded (publication_id, layout) values (%s, %s) returning number",
            [publication_id, Jsonb([asdict(table) for table in tables])],
        ).fetchall()[0][0]
        rows = sum(_copy(file, connection, table, number) for table in tables)
    for table in tables:
        _vacuum(connection, table.store)
    log.info("%s: %s rows loaded into %s in %.1f s", publication_id, rows, to, time.monotonic() - started)
    return tables


def show(publication_id: str, to: BiTarget | None = None, *, may_go_back: bool = False) -> None:
    """Switch the views to a loaded publication with one UPDATE of one row, then remove the rows that no view shows.

    Without a configured database nothing is done. Raises LookupError if it was not loaded; OlderThanShown unless may_go_back.
    """
    to = to or target()
    if to is None:
        return

    def work(connection: psycopg.Connection[Any]) -> None:
        _may_publish(connection, to, publication_id, may_go_back)
        tables = _saved(connection, publication_id)
        if tables is None:
            raise LookupError(f"publication {publication_id} is not loaded in {to}")

        def switch() -> None:
            _switch(connection, tables)
            connection.execute(
                "update publication.current set number = loaded.number from publication.loaded "
                "where publication_id = %s and current.number is distinct from loaded.number",
                [publication_id],
            )

        _with_short_locks(connection, switch, FILES_SWITCHED)
        log.info("%s is shown in %s", publication_id, to)
        _remove_unseen(connection, publication_id)

    _as_publisher(to, work)


def shown(to: BiTarget | None = None) -> str | None:
    """The publication_id that the views show now; None before the first, or without a configured database."""
    to = to or target()
    if to is None:
        return None
    with to.connect() as connection:
        if not connection.execute("select to_regclass('publication.current') is not null").fetchall()[0][0]:
            return None
        return _shown(connection)


def roll_forward(version: Path | None, to: BiTarget | None = None) -> bool:
    """Show what the files show: repairs a crash between the stores, and fills a new database. Returns whether it did anything.

    version: the folder of the current version; None before the first publication: then it is only asked whether the database may
    be published to. An older one than is shown comes from a backup of the same home: the files are right.
    """
    to = to or target()
    if to is None:
        return False
    if version is None:
        _as_publisher(to, lambda connection: _may_publish(connection, to))
        return False
    if shown(to) == version.name:
        return False
    log.info("rolling forward to %s", version.name)
    load(version, to, may_go_back=True)
    show(version.name, to, may_go_back=True)
    return True


def _may_publish(
    connection: psycopg.Connection[Any], to: BiTarget, publication_id: str | None = None, may_go_back: bool = False
) -> None:
    """Raises AnotherHome, OlderThanShown. A database without a home becomes that of the one that asks."""
    layout.ensure_base(connection)
    if to.home_id is not None:
        stands = connection.execute("select home_id, since::text from publication.home").fetchall()
        if not stands:
            connection.execute("insert into publication.home (home_id) values (%s)", [to.home_id])
        elif stands[0][0] != to.home_id:
            other, since = stands[0]
            if not to.takes_over and os.environ.get("INSIGHT_BI_TAKE_OVER", "").strip() != other:
                raise AnotherHome(
                    f"PostgreSQL for BI ({to}) has been the state folder {other}'s since {since}; this one is {to.home_id} "
                    "(published/home_id). Two that publish to one database would replace each other's figures. If this one is to "
                    f"publish there from now on, say so for its next publication: INSIGHT_BI_TAKE_OVER={other}"
                )
            connection.execute("update publication.home set home_id = %s, since = default", [to.home_id])
            log.warning("%s is taken over from the state folder %s by %s", to, other, to.home_id)
    newer = _shown(connection)
    if publication_id is not None and not may_go_back and newer is not None and newer > publication_id:
        raise OlderThanShown(f"PostgreSQL for BI ({to}) shows {newer}, which is newer than {publication_id}")


def _shown(connection: psycopg.Connection[Any]) -> str | None:
    query = "select publication_id from publication.loaded where number = (select number from publication.current)"
    return next((row[0] for row in connection.execute(query).fetchall()), None)


def _saved(connection: psycopg.Connection[Any], publication_id: str) -> list[Table] | None:
    """The tables of a loaded publication; None where it is not loaded."""
    found = connection.execute("select layout from publication.loaded where publication_id = %s", [publication_id]).fetchall()
    if not found:
        return None
    return [Table(each["name"], tuple(Column(**column) for column in each["columns"]), each["comment"]) for each in found[0][0]]


def _switch(connection: psycopg.Connection[Any], tables: list[Table]) -> None:
    """The views of these tables and no others."""
    existing = layout.columns_of(connection, contract.SCHEMA)
    for table in tables:
        layout.ensure_view(connection, table, existing)
    for gone in sorted((existing.keys() & layout.columns_of(connection, "store").keys()) - {table.name for table in tables}):
        connection.execute(sql.SQL("drop view {}").format(sql.Identifier(contract.SCHEMA, gone)))


def _copy(file: duckdb.DuckDBPyConnection, connection: psycopg.Connection[Any], table: Table, number: int) -> int:
    """Rows of one table as CSV over COPY: a null is an empty field, an empty text a quoted one. Returns the rows."""
    import pyarrow as pa
    import pyarrow.csv

    # PostgreSQL's text cannot hold the character NUL
    chosen = ", ".join(
        f"replace(\"{each.name}\"::varchar, chr(0), '')" if each.type == "text" else f'"{each.name}"' for each in table.columns
    )
    reader = file.execute(f"select {number}::integer, {chosen} from {contract.SCHEMA}.{table.name}").to_arrow_reader(ROWS_AT_ONCE)  # noqa: S608
    names = sql.SQL(", ").join(sql.Identifier(name) for name in (MARK, *(each.stored_as for each in table.columns)))
    rows = 0
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    with connection.cursor().copy(sql.SQL("copy {} ({}) from stdin (format csv)").format(table.store, names)) as copy:
        for batch in reader:
            text = pa.BufferOutputStream()
            pyarrow.csv.write_csv(batch, text, options)
            copy.write(text.getvalue().to_pybytes())
            rows += batch.num_rows
    return rows


def _remove_unseen(connection: psycopg.Connection[Any], publication_id: str) -> None:
    """Delete the rows of publications before this one that the views do not show, and of any that was loaded a day ago and is not
    shown. (A newer one may be about to be shown by a publisher who is between his steps.)

    A snapshot from before the deletion keeps them until it ends.
    """
    unseen = """
        select number from publication.loaded
        where number is distinct from (select number from publication.current)
            and publication_id <> %(this)s
            and (publication_id collate "C" < %(this)s or loaded_at < clock_timestamp() - interval '1 day')
    """
    others = [row[0] for row in connection.execute(unseen, {"this": publication_id}).fetchall()]
    if not others:
        return
    stores = [sql.Identifier("store", name) for name in layout.columns_of(connection, "store")]
    with connection.transaction():
        for store in stores:
            connection.execute(sql.SQL("delete from {} where {} = any(%s)").format(store, sql.Identifier(MARK)), [others])
        connection.execute("delete from publication.loaded where number = any(%s)", [others])
    for store in stores:
        _vacuum(connection, store)


def _vacuum(connection: psycopg.Connection[Any], store: sql.Identifier) -> None:
    """Frees what no snapshot needs any more, and tells the planner what is there. Takes no lock that a reader waits for."""
    connection.execute(sql.SQL("vacuum (analyze, truncate false) {}").format(store))


def _with_short_locks(
    connection: psycopg.Connection[Any], work: Callable[[], None], standing: str, *, is_rehearsal: bool = False
) -> None:
    """The work in one transaction. A rehearsal is rolled back. standing: what is switched by now, for the error."""
    for _ in range(LAYOUT_ATTEMPTS):
        try:
            with connection.transaction(force_rollback=is_rehearsal):
                connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(LAYOUT_LOCK)))
                work()
            return
        except errors.LockNotAvailable:
            time.sleep(1)
    raise ReadersHoldTheViews(
        f"the columns of the contract changed, and readers' transactions hold the old ones: {standing}. See pg_stat_activity, "
        f"end what is idle in transaction and publish again (tried for {LAYOUT_ATTEMPTS * 2} seconds)"
    )


def _as_publisher(to: BiTarget, work: Callable[[psycopg.Connection[Any]], None]) -> None:
    """Connected, and no other publisher at it. Raises BiStoreUnreachable, BiDiskFull, AnotherPublisher."""
    try:
        with to.connect() as connection, _one_publisher(connection):
            work(connection)
        return
    except errors.DiskFull as error:
        said = str(error)
    # outside of the handler, so that it leads back to no error whose text would be taken for this machine's full disk
    raise disk_full(to, said)


@contextmanager
def _one_publisher(connection: psycopg.Connection[Any]) -> Iterator[None]:
    connection.execute(sql.SQL("set lock_timeout = {}").format(sql.Literal(f"{WAIT_FOR_PUBLISHER_SECONDS}s")))
    try:
        connection.execute("select pg_advisory_lock(%s)", [ONE_PUBLISHER])
    except errors.LockNotAvailable:
        raise AnotherPublisher(
            f"another publisher has held the lock of {connection.info.host}:{connection.info.port}/{connection.info.dbname} for "
            f"{WAIT_FOR_PUBLISHER_SECONDS} seconds: see pg_locks (locktype advisory) and pg_stat_activity"
        ) from None
    connection.execute("set lock_timeout = 0")
    readers_may = "select has_function_privilege(%s, 'pg_advisory_lock(bigint)', 'execute')"
    if layout.has_reader(connection) and connection.execute(readers_may, [READER]).fetchall()[0][0]:
        log.warning("%s may take the publisher's lock: run python -m include.bi.roles again on this database", READER)
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", [ONE_PUBLISHER])
