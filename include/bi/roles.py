"""Database and roles of PostgreSQL for BI, made once by an administrator: `python -m include.bi.roles`.

`bi_publisher` owns the database and is no superuser. `bi_reader` logs in, reads the views of schema `marts`, and nothing else.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import errors, sql

from include import contract
from include.bi.connection import DATABASE, PUBLISHER, READER, BiTarget, _from_dsn, password_file

if TYPE_CHECKING:
    import psycopg

READER_SETTINGS = {
    "statement_timeout": "5min",
    "idle_in_transaction_session_timeout": "15min",  # an old snapshot keeps the rows of old publications on the disk
    "default_transaction_read_only": "on",
    "search_path": contract.SCHEMA,
    "TimeZone": "UTC",
}

WRITES_FROM_FUNCTIONS = (
    *("lo_create", "lo_creat", "lo_from_bytea", "lo_open", "lo_put"),
    *("lo_truncate", "lo_truncate64", "lo_unlink", "lowrite", "pg_logical_emit_message"),
)
"""PostgreSQL lets everybody create large objects and write messages into its log: writing, though into no table."""

PUBLISHERS_LOCK = ("pg_advisory_lock", "pg_advisory_unlock")
"""What the publisher's own lock needs (include/bi/store.py)."""

CONNECTIONS_KEPT_FREE = 10
"""Of the server's connections, those that readers leave to the publisher and to administrators (half, where there are few)."""


def prepare(admin: BiTarget, publisher_password: str, reader_password: str, database: str = DATABASE) -> None:
    """Create or bring up to date both roles and the database. Needs a superuser; the same again changes nothing.

    What a reader has changed of the shared role (its password, its settings) is set back.
    """
    with admin.connect() as connection:
        _role(connection, PUBLISHER, publisher_password)
        _role(connection, READER, reader_password)
        if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchall():
            connection.execute(
                sql.SQL("create database {} owner {} template template0 encoding 'UTF8'").format(
                    sql.Identifier(database), sql.Identifier(PUBLISHER)
                )
            )
        reader = sql.Identifier(READER)
        with connection.transaction():
            connection.execute(sql.SQL("alter role {} reset all").format(reader))
            connection.execute(sql.SQL("alter role {} in database {} reset all").format(reader, sql.Identifier(database)))
            for name, value in READER_SETTINGS.items():
                connection.execute(sql.SQL("alter role {} set {} = {}").format(reader, sql.Identifier(name), sql.Literal(value)))
            limit = sql.Literal(_reader_connections(connection))
            connection.execute(sql.SQL("alter role {} connection limit {}").format(reader, limit))
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
        connection.execute(sql.SQL("grant connect on database {} to {}").format(sql.Identifier(database), reader))
        for other in ("postgres", "template1"):
            _close_to_public(connection, other)
        entered = """
            select datname from pg_database
            where datallowconn and datname <> %s and has_database_privilege(%s, oid, 'connect') order by datname
        """
        others = [row[0] for row in connection.execute(entered, [database, READER]).fetchall()]
    if others:
        print(f"note: {READER} may also connect to what lets PUBLIC connect: {', '.join(others)} (pg_hba.conf can refuse it)")
    with admin.connect(dbname=database) as connection:
        connection.execute("revoke all on schema public from public")
        for signature in _signatures(connection, "proname = any(%s)", list(WRITES_FROM_FUNCTIONS)):
            connection.execute(sql.SQL("revoke execute on function {} from public").format(signature))
        # a reader with the publisher's lock would stop publication, with very many locks the whole server
        for signature in _signatures(connection, "proname ~ %s", "^pg_(try_)?advisory_"):
            connection.execute(sql.SQL("revoke execute on function {} from public").format(signature))
        for signature in _signatures(connection, "proname = any(%s)", list(PUBLISHERS_LOCK)):
            connection.execute(sql.SQL("grant execute on function {} to {}").format(signature, sql.Identifier(PUBLISHER)))


def _signatures(connection: psycopg.Connection[Any], condition: LiteralString, value: object) -> list[sql.SQL]:
    """PostgreSQL's own functions, as GRANT and REVOKE name them."""
    query: LiteralString = "select oid::regprocedure::text from pg_proc where pronamespace = 'pg_catalog'::regnamespace and "
    return [sql.SQL(row[0]) for row in connection.execute(query + condition, [value]).fetchall()]


def _reader_connections(connection: psycopg.Connection[Any]) -> int:
    query = """
        select sum(case name when 'max_connections' then setting::int else -setting::int end) from pg_settings
        where name in ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
    """
    usable = int(connection.execute(query).fetchall()[0][0])
    return max(usable - CONNECTIONS_KEPT_FREE, usable // 2, 1)


def _close_to_public(connection: psycopg.Connection[Any], database: str) -> None:
    """Everybody may enter these and fill them with temporary tables. Left alone where somebody else's server does not let us."""
    with suppress(errors.InsufficientPrivilege, errors.UndefinedObject, errors.InvalidCatalogName):
        connection.execute(sql.SQL("revoke connect, temporary on database {} from public").format(sql.Identifier(database)))


def _role(connection: psycopg.Connection[Any], name: str, password: str) -> None:
    """The server is sent the hash only, so that no log of statements can hold the password."""
    hashed = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    exists = connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchall()
    verb = "alter" if exists else "create"
    options = "login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password"
    connection.execute(sql.SQL(f"{verb} role {{}} {options} {{}}").format(sql.Identifier(name), sql.Literal(hashed)))


def main() -> int:
    """The command: the administrator's connection in INSIGHT_BI_ADMIN (its password in PGPASSFILE or PGPASSWORD)."""
    text = os.environ.get("INSIGHT_BI_ADMIN", "").strip()
    if not text:
        print("Set INSIGHT_BI_ADMIN to a superuser's connection string, such as postgresql://postgres@127.0.0.1:5432/postgres")
        return 2
    publisher, reader = password_file(PUBLISHER), password_file(READER)
    admin = BiTarget(_from_dsn(text, "INSIGHT_BI_ADMIN"))
    prepare(admin, publisher.read_text().strip(), reader.read_text().strip())
    print(f"Database {DATABASE}, roles {PUBLISHER} and {READER} are ready on {admin}. Their passwords: {publisher}, {reader}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
