"""Database and roles of PostgreSQL for BI, made once by an administrator: `python -m include.bi.roles`.

`bi_publisher` owns the database and is no superuser. `bi_reader` logs in, reads the views of schema `marts`, and nothing else.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from psycopg import sql

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
    *("lo_truncate", "lo_truncate64", "lo_unlink", "lowrite"),
)
"""PostgreSQL lets everybody create large objects: writing, though into no table."""


def prepare(admin: BiTarget, publisher_password: str, reader_password: str, database: str = DATABASE) -> None:
    """Create or bring up to date both roles and the database. Needs a superuser; the same again changes nothing."""
    with admin.connect() as connection:
        _role(connection, PUBLISHER, publisher_password)
        _role(connection, READER, reader_password)
        for name, value in READER_SETTINGS.items():
            connection.execute(
                sql.SQL("alter role {} set {} = {}").format(sql.Identifier(READER), sql.Identifier(name), sql.Literal(value))
            )
        if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchall():
            connection.execute(
                sql.SQL("create database {} owner {} template template0 encoding 'UTF8'").format(
                    sql.Identifier(database), sql.Identifier(PUBLISHER)
                )
            )
        others = connection.execute("select datname from pg_database where datallowconn and datname <> %s", [database]).fetchall()
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
        connection.execute(sql.SQL("grant connect on database {} to {}").format(sql.Identifier(database), sql.Identifier(READER)))
    if (admin.parameters.get("dbname") or "") != database and len(others) > 3:
        print(f"note: this server has other databases; {READER} may connect to those that let PUBLIC connect")
    with admin.connect(dbname=database) as connection:
        connection.execute("revoke all on schema public from public")
        for name in WRITES_FROM_FUNCTIONS:
            signatures = (
                "select oid::regprocedure::text from pg_proc where proname = %s and pronamespace = 'pg_catalog'::regnamespace"
            )
            for (signature,) in connection.execute(signatures, [name]).fetchall():
                connection.execute(sql.SQL("revoke execute on function {} from public").format(sql.SQL(signature)))


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
