"""What a publication looks like in PostgreSQL: types, store tables, indexes, views, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from include import contract
from include.bi.connection import READER

if TYPE_CHECKING:
    import duckdb
    import psycopg

MARK = "in_publication"
"""The column that says to which publication a row of the store belongs. No column of the contract."""

TIMES = ("month", "metric_date", "published_month", "run_date", "wave", "scan_date")
INDEXES = (
    ("force_id", "metric", "<time>"),
    ("metric", "platform", "<time>"),
    ("<time>", "platform"),
    ("force_id", "<time>"),
    ("platform",),
)
"""The usual filters: by force, by metric and platform, by month. Of each, what a table has; `<time>` is its first of TIMES."""

TYPES = {
    "VARCHAR": "text",
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "UTINYINT": "smallint",
    "INTEGER": "integer",
    "USMALLINT": "integer",
    "BIGINT": "bigint",
    "UINTEGER": "bigint",
    "UBIGINT": "numeric(20,0)",
    "HUGEINT": "numeric(39,0)",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
}


INTEGERS = ("smallint", "integer", "bigint", "numeric(20,0)", "numeric(39,0)")
WIDER = {
    **{kind: INTEGERS[place + 1 :] for place, kind in enumerate(INTEGERS)},
    "real": ("double precision",),
    "date": ("timestamp without time zone",),
}
WIDER["smallint"] += ("real", "double precision")
WIDER["integer"] += ("double precision",)
"""Types that hold every value of another one, as it is. `text` does so for all."""


class TypeNotMapped(TypeError):
    """A published column has a type that PostgreSQL gets no faithful column for. Names table and column."""


@dataclass(frozen=True)
class Column:
    """A column of the contract, and the column of the store that holds it (another one where its type has changed)."""

    name: str
    type: str
    comment: str | None
    stored_as: str


@dataclass(frozen=True)
class Table:
    """A table of the contract in PostgreSQL."""

    name: str
    columns: tuple[Column, ...]
    comment: str | None

    @property
    def view(self) -> sql.Identifier:
        return sql.Identifier(contract.SCHEMA, self.name)

    @property
    def store(self) -> sql.Identifier:
        return sql.Identifier("store", self.name)

    def indexes(self) -> Iterator[tuple[str, ...]]:
        """Columns of the store, led by the mark."""
        stored = {column.name: column.stored_as for column in self.columns}
        time = next((name for name in TIMES if name in stored), None)
        found: list[tuple[str, ...]] = []
        for wanted in INDEXES:
            names = [time if name == "<time>" else name for name in wanted]
            kept = tuple(stored[name] for name in names if name is not None and name in stored)
            if kept and not any(other[: len(kept)] == kept for other in found):
                found.append(kept)
        for columns in found or [()]:
            yield (MARK, *columns)


def postgres_type(duckdb_type: str, where: str) -> str:
    """The PostgreSQL type that holds every value of a DuckDB type. Raises TypeNotMapped."""
    decimal = re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", duckdb_type)
    if decimal:
        return f"numeric({decimal[1]},{decimal[2]})"
    if duckdb_type.startswith("ENUM("):
        return "text"
    if duckdb_type not in TYPES:
        raise TypeNotMapped(f"{where} has the type {duckdb_type}, for which include/bi/layout.py knows no PostgreSQL type")
    return TYPES[duckdb_type]


def published(version: duckdb.DuckDBPyConnection, existing: dict[str, dict[str, str]]) -> list[Table]:
    """The tables of a published file. existing: columns and types of the store's tables as they are."""
    where = f"where schema_name = '{contract.SCHEMA}' order by table_name"
    tables = version.execute(f"select table_name, comment from duckdb_tables() {where}").fetchall()  # noqa: S608
    listed = f"select table_name, column_name, data_type, comment from duckdb_columns() {where}, column_index"  # noqa: S608
    columns: dict[str, list[Column]] = {name: [] for name, _ in tables}
    for table, name, duckdb_type, comment in version.execute(listed).fetchall():
        kind = postgres_type(duckdb_type, f"{table}.{name}")
        stands = existing.get(table, {}).get(name)
        # a store column never changes its type: rewriting a table would hide its rows from older snapshots
        stored_as = name if stands in (None, kind) else other_store_column(name, kind)
        columns[table].append(Column(name, kind, comment, stored_as))
    return [Table(name, tuple(columns[name]), comment) for name, comment in tables]


def other_store_column(name: str, kind: str) -> str:
    """The store's column for a type that is not the first that the column of the contract had."""
    return f"{name}__{re.sub(r'[^a-z0-9]+', '_', kind)}"


def columns_of(connection: psycopg.Connection[Any], schema: str) -> dict[str, dict[str, str]]:
    """Columns and types, by table or view of a schema."""
    found: dict[str, dict[str, str]] = {}
    query = """
        select relname, attname, format_type(atttypid, atttypmod)
        from pg_class join pg_attribute on attrelid = pg_class.oid
        where relnamespace = to_regnamespace(%s)::oid and relkind in ('r', 'v') and attnum > 0 and not attisdropped
        order by relname, attnum
    """
    for table, column, kind in connection.execute(query, [schema]).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def has_reader(connection: psycopg.Connection[Any]) -> bool:
    """Whether the role of the readers has been made."""
    return bool(connection.execute("select 1 from pg_roles where rolname = %s", [READER]).fetchall())


def ensure_base(connection: psycopg.Connection[Any]) -> None:
    """Schemas, the two tables of the switch, and whose it is. Raises RuntimeError where the role of the readers is missing."""
    if not has_reader(connection):
        raise RuntimeError(f"the database has no role {READER}: an administrator makes it with python -m include.bi.roles")
    tables = set(columns_of(connection, "publication"))
    if "current" not in tables:
        _create_base(connection)
    if "home" not in tables:
        connection.execute("""
            create table publication.home (
                only_row boolean primary key default true check (only_row),
                home_id text not null,
                since timestamp with time zone not null default clock_timestamp()
            )""")


def _create_base(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        for schema in ("store", "publication", contract.SCHEMA):
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        connection.execute(
            sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(contract.SCHEMA), sql.Identifier(READER))
        )
        connection.execute("""
            create table publication.loaded (
                number integer generated always as identity primary key,
                publication_id text not null unique,
                loaded_at timestamp with time zone not null default clock_timestamp(),
                layout jsonb not null
            )""")
        connection.execute("""
            create table publication.current (
                only_row boolean primary key default true check (only_row),
                number integer references publication.loaded
            )""")
        connection.execute("insert into publication.current default values")


def ensure_store(connection: psycopg.Connection[Any], table: Table, existing: dict[str, dict[str, str]]) -> None:
    """The store's table with all columns and indexes. Columns are only ever added, which leaves older snapshots their rows."""
    stands = existing.get(table.name)
    if stands is None:
        columns = sql.SQL(", ").join(
            [sql.SQL("{} integer not null").format(sql.Identifier(MARK))]
            + [sql.SQL("{} {}").format(sql.Identifier(each.stored_as), sql.SQL(each.type)) for each in table.columns]
        )
        # giving pages at the end of the file back would take a lock that readers wait for
        connection.execute(sql.SQL("create table {} ({}) with (vacuum_truncate = false)").format(table.store, columns))
    else:
        missing = [each for each in table.columns if each.stored_as not in stands]
        if missing:
            added = sql.SQL(", ").join(
                sql.SQL("add column {} {}").format(sql.Identifier(each.stored_as), sql.SQL(each.type)) for each in missing
            )
            connection.execute(sql.SQL("alter table {} {}").format(table.store, added))
    for number, columns_of_index in enumerate(table.indexes(), start=1):
        connection.execute(
            sql.SQL("create index if not exists {} on {} ({})").format(
                sql.Identifier("_".join((table.name, *(columns_of_index[1:] or ("publication",))))[:58] + f"_ix{number}"),
                table.store,
                sql.SQL(", ").join(sql.Identifier(each) for each in columns_of_index),
            )
        )


def ensure_view(connection: psycopg.Connection[Any], table: Table, existing: dict[str, dict[str, str]]) -> None:
    """The view with exactly the contract's columns. Left alone where it is so already: replacing it waits for its readers."""
    wanted = {column.name: column.type for column in table.columns}
    stands = existing.get(table.name)
    if stands is None or list(stands.items()) != list(wanted.items()):
        stored = columns_of(connection, "store")[table.name]
        columns = sql.SQL(", ").join(
            sql.SQL("{} as {}").format(_value(each, table, stored), sql.Identifier(each.name)) for each in table.columns
        )
        if stands is not None:
            connection.execute(sql.SQL("drop view {}").format(table.view))
        # security_barrier: a reader's own condition is never tried on a row of another publication
        connection.execute(
            sql.SQL(
                "create view {} with (security_barrier) as select {} from {} where {} = (select number from publication.current)"
            ).format(table.view, columns, table.store, sql.Identifier(MARK))
        )
        connection.execute(sql.SQL("grant select on {} to {}").format(table.view, sql.Identifier(READER)))
    _comments(connection, table)


def _value(column: Column, table: Table, stored: dict[str, str]) -> sql.Composable:
    """What a view reads: the column of its type, and for snapshots from before a change of type the columns of the others.

    A row has its value in one of them, so a reader never gets null for a value. One that the new type may not hold as it is
    ends his statement with an error that says what to do.
    """
    taken = {each.stored_as for each in table.columns}
    others = [
        name for name, kind in stored.items() if name not in taken and name in (column.name, other_store_column(column.name, kind))
    ]
    if not others:
        return sql.Identifier(column.stored_as)
    kind = sql.SQL(column.type)
    told = f"the type of {table.name}.{column.name} changed while this transaction reads an older publication, end it; the value: "
    values: list[sql.Composable] = [sql.Identifier(column.stored_as)]
    for name in others:
        holds = column.type == "text" or column.type in WIDER.get(stored[name], ())
        text = sql.SQL("{}::{}") if holds else sql.SQL("({} || {}::text)::{}")
        values.append(text.format(*([] if holds else [sql.Literal(told)]), sql.Identifier(name), kind))
    return sql.SQL("coalesce({})::{}").format(sql.SQL(", ").join(values), kind)


def _comments(connection: psycopg.Connection[Any], table: Table) -> None:
    """What the published file says of table and columns. Only what differs is written."""
    query = """
        select attname, col_description(oid, attnum) from pg_class join pg_attribute on attrelid = oid
        where relnamespace = to_regnamespace(%(schema)s)::oid and relname = %(table)s and attnum > 0
        union all
        select null, obj_description(oid, 'pg_class') from pg_class
        where relnamespace = to_regnamespace(%(schema)s)::oid and relname = %(table)s
    """
    stands = dict(connection.execute(query, {"schema": contract.SCHEMA, "table": table.name}).fetchall())
    if stands.get(None) != table.comment:
        connection.execute(sql.SQL("comment on view {} is {}").format(table.view, sql.Literal(table.comment)))
    for column in table.columns:
        if stands.get(column.name) != column.comment:
            name = sql.Identifier(contract.SCHEMA, table.name, column.name)
            connection.execute(sql.SQL("comment on column {} is {}").format(name, sql.Literal(column.comment)))
