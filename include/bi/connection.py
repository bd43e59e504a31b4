"""Where PostgreSQL for BI is. Only the environment of the process says so: nothing there, and there is none.

    INSIGHT_BI_POSTGRES=postgresql://bi_publisher@bi.example:5432/insight?sslmode=verify-full
    AIRFLOW_CONN_BI_POSTGRES='{"conn_type": "postgres", "host": "bi.example", "login": "bi_publisher", "schema": "insight"}'
    INSIGHT_BI_POSTGRES=airflow:bi_postgres        a connection that Airflow keeps; not to get it is an error

Airflow is not asked unless told so: its SDK gives the same answer for a connection that does not exist and for an API server that
does not answer, and a publication must not take the second for the first.

A password that they do not carry is read from the file that `INSIGHT_BI_PASSWORD_FILE` names, else from `bi_publisher_password`
among the secrets.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.settings import secrets_folder

if TYPE_CHECKING:
    import psycopg

CONNECTION_ID = "bi_postgres"
DATABASE = "insight"
PUBLISHER = "bi_publisher"
READER = "bi_reader"
CONNECT_TIMEOUT_SECONDS = 15
NOTICES_A_LOST_PEER = {
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""A route that is gone says nothing: with the system's settings a statement waits for its answer for more than two hours."""

KEPT_BY_AIRFLOW = "airflow:"


class BiStoreUnreachable(RuntimeError):
    """PostgreSQL for BI is configured and does not answer. Names host, port, database and user, never the password."""


class BiDiskFull(RuntimeError):
    """The disk of the server is full, not this machine's. Names host and port."""


class BiConnectionUnreadable(RuntimeError):
    """What is configured is no connection. The message says what to set, and repeats nothing of it."""


@dataclass(frozen=True)
class BiTarget:
    """One database, as one user. home_id: whose publications go there; another home's are refused (None: not asked).

    takes_over: the database is this home's own, whatever stands in it.
    """

    parameters: dict[str, str] = field(repr=False)
    home_id: str | None = None
    takes_over: bool = False

    def __str__(self) -> str:
        get = self.parameters.get
        return f"{get('host', 'localhost')}:{get('port', '5432')}/{get('dbname', '')} as {get('user', '')}"

    def connect(self, **more: str) -> psycopg.Connection[Any]:
        """An open connection in autocommit, time zone UTC. Raises BiStoreUnreachable."""
        import psycopg

        defaults: dict[str, Any] = {
            "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
            "application_name": "insight publication",
            # the server's end of the same: else a lost publisher holds the lock for hours
            "options": "-c TimeZone=UTC -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 "
            "-c tcp_user_timeout=60000",
            **NOTICES_A_LOST_PEER,
        }
        try:
            return psycopg.connect(**{**defaults, **self.parameters, **more}, autocommit=True)
        except psycopg.OperationalError as error:
            said = str(error)
        # outside of the handler, so that it leads back to no error whose text would be taken for this machine's full disk
        if os.strerror(errno.ENOSPC) in said:
            raise disk_full(self, said)
        raise BiStoreUnreachable(f"PostgreSQL for BI ({self}): {said.strip()}")


def disk_full(to: BiTarget, said: str) -> BiDiskFull:
    """The error without the words by which include/disk.py knows this machine's full disk."""
    said = said.strip().replace(os.strerror(errno.ENOSPC), "no room")
    return BiDiskFull(
        f"the disk of PostgreSQL for BI ({to}) is full ({said}). Its readers keep the publication that they have. Make room there, "
        "or end readers' transactions that stand idle (pg_stat_activity), which keep old rows; then publish again"
    )


def target() -> BiTarget | None:
    """The configured database; None where none is configured. Raises BiConnectionUnreadable, BiStoreUnreachable."""
    text = os.environ.get("INSIGHT_BI_POSTGRES", "").strip()
    if text.startswith(KEPT_BY_AIRFLOW):
        parameters: dict[str, str] | None = _from_airflow(text.removeprefix(KEPT_BY_AIRFLOW).strip())
    else:
        parameters = _from_dsn(text, "INSIGHT_BI_POSTGRES") if text else _from_variable()
    if parameters is None:
        return None
    if "password" not in parameters and "passfile" not in parameters:
        path = Path(os.environ.get("INSIGHT_BI_PASSWORD_FILE") or secrets_folder() / f"{PUBLISHER}_password")
        if path.is_file():
            parameters["password"] = path.read_text().strip()
    return BiTarget(parameters)


def password_file(role: str) -> Path:
    """Where the password of a role lies: a file of mode 0600 among the secrets; drawn and written on first use."""
    path = secrets_folder() / f"{role}_password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(path, secrets.token_urlsafe(24) + "\n")
    return path


def passfile(role: str, host: str, port: int, database: str = DATABASE) -> Path:
    """The same password in the form that libpq reads (`passfile=`), so that nobody needs to type or export it. Mode 0600."""
    path = secrets_folder() / f"{role}.pgpass"
    _write_private(path, f"{host}:{port}:{database}:{role}:{password_file(role).read_text().strip()}\n")
    return path


def _write_private(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def _from_variable() -> dict[str, str] | None:
    name = f"AIRFLOW_CONN_{CONNECTION_ID.upper()}"
    text = os.environ.get(name, "").strip()
    if text.startswith("{"):
        try:
            return _from_fields(json.loads(text), name)
        except (ValueError, AttributeError, TypeError):
            raise BiConnectionUnreadable(f"{name} is not readable JSON of an Airflow connection") from None
    return _from_dsn(text, name) if text else None


def _from_airflow(connection_id: str) -> dict[str, str]:
    from airflow.sdk import BaseHook

    try:
        connection = BaseHook.get_connection(connection_id)
    except Exception as error:
        raise BiStoreUnreachable(
            f"INSIGHT_BI_POSTGRES names Airflow's connection {connection_id!r}, which Airflow does not give "
            f"({type(error).__name__}): there is none, or its API server does not answer"
        ) from None
    names = ("host", "port", "login", "password", "schema", "extra")
    return _from_fields({each: getattr(connection, each) for each in names}, f"Airflow's connection {connection_id!r}")


def _from_fields(connection: dict[str, Any], name: str) -> dict[str, str]:
    if not connection.get("host"):
        raise BiConnectionUnreadable(f"{name} has no host")
    extra = connection.get("extra") or {}
    extra = json.loads(extra) if isinstance(extra, str) else extra
    fields = {
        "host": connection["host"],
        "port": connection.get("port"),
        "user": connection.get("login"),
        "password": connection.get("password"),
        "dbname": connection.get("schema") or DATABASE,
        **extra,
    }
    return {key: str(value) for key, value in fields.items() if value not in (None, "")}


def _from_dsn(text: str, name: str) -> dict[str, str]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    scheme, separator, rest = text.partition("://")
    try:
        # Airflow and SQLAlchemy name a driver in the scheme, libpq does not
        found = conninfo_to_dict(f"postgresql://{rest}" if separator and scheme.startswith("postgres") else text)
    except psycopg.ProgrammingError:
        raise BiConnectionUnreadable(f"{name} is no PostgreSQL connection string (postgresql://user@host:5432/database)") from None
    return {key: str(value) for key, value in found.items() if value is not None}
