"""Small made-up publications with the contract's real columns (from the models' YAML), for tests of PostgreSQL for BI.

Publication number n can be told by its rows alone: every table has BASE_ROWS + n rows, and one column of each holds n in all rows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from unittest.mock import patch

import duckdb
import pyarrow as pa
import yaml

from include import contract, registry
from include.bi.server import EmbeddedPostgres
from include.settings import PROJECT_ROOT, Home

AS_OF = date(2026, 11, 2)
BASE_ROWS = 120
PLANTABLE = ("varchar", "double", "bigint", "integer")

FAST = {"fsync": "off", "shared_buffers": "64MB"}
"""For servers of tests: nothing here must outlive the machine."""


@cache
def columns() -> dict[str, dict[str, str]]:
    """Column types of every table that dbt builds, as the models' contracts enforce them."""
    found = {}
    for path in sorted((PROJECT_ROOT / "dbt_project" / "models" / "marts").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text()).get("models", []):
            found[model["name"]] = {column["name"]: column["data_type"] for column in model["columns"]}
    return {table.name: found[table.name] for table in contract.TABLES}


def planted_column(table: str) -> str:
    """The column that tells the number of the publication; of `publications` the number is its rows."""
    keys = {each.name: (*each.key, each.newest, "is_simulated", "force_id") for each in contract.TABLES}[table]
    return next(name for name, kind in columns()[table].items() if kind in PLANTABLE and name not in keys)


def build(home: Home, number: int, base_rows: int = BASE_ROWS, *, is_shaped: bool = False) -> None:
    """A finished build file as of AS_OF, fit for the publish gates.

    is_shaped: dimensions of 43 rows, and as many different metrics, platforms, months and so on as real marts have.
    """
    home.build.mkdir(parents=True, exist_ok=True)
    home.build_file.unlink(missing_ok=True)
    ids = registry.current().force_ids
    forces = pa.table({"place": list(range(len(ids))), "force_id": list(ids)})  # noqa: F841  (DuckDB reads it by name)
    with duckdb.connect(str(home.build_file)) as connection:
        connection.execute("create schema marts")
        for table in contract.TABLES:
            shaped = SHAPE if is_shaped else {}
            values = {name: shaped.get(name) or _value(table, name, kind, number) for name, kind in columns()[table.name].items()}
            rows = len(ids) if is_shaped and table.name.startswith("dim_") else base_rows + number
            listed = ", ".join(f'cast({value} as {columns()[table.name][name]}) as "{name}"' for name, value in values.items())
            connection.execute(
                f"create table marts.{table.name} as select {listed} "
                f"from range({rows}) as numbers(n) join forces on place = n % {len(ids)}"
            )
            connection.execute(f"comment on table marts.{table.name} is 'Grain: made up. It''s {table.name}.'")
            for name in values:
                connection.execute(f"comment on column marts.{table.name}.\"{name}\" is 'What {name} means.'")
        connection.execute("create schema provenance")
        connection.execute("create table provenance.ingests as select 'id-1' as ingest_id")
        connection.execute(f"create table provenance.build as select date '{AS_OF}' as as_of")


SHAPE = {
    "metric": "'metric ' || n // 43 % 20",
    "platform": "'platform ' || n // 860 % 8",
    "month": f"date '{AS_OF.replace(day=1)}' - n // 6880 * interval 1 month",
    "published_month": f"date '{AS_OF.replace(day=1)}' - n // 6880 * interval 1 month",
    "metric_date": f"date '{AS_OF}' - (n // 6880)::integer",
    "region": "'region ' || n % 10",
    "category_code": "'category ' || n // 43 % 10",
    "cause": "'cause ' || n % 6",
}
"""43 forces × 20 metrics × 8 platforms, then the next month or day."""


def _value(table: contract.ContractTable, name: str, kind: str, number: int) -> str:
    if name == planted_column(table.name):
        return str(number)
    if name == "force_id":
        return "force_id"
    if kind == "boolean":
        return "true"
    if kind in ("bigint", "integer", "double"):
        return "n / 7.0" if kind == "double" else "n"
    if kind == "date":
        return f"date '{AS_OF}' - (n % 5)::integer"
    if kind.startswith("timestamp"):
        return f"timestamptz '{AS_OF} 21:00:00.123456+00' - (n % 5) * interval 1 day"
    return f"'{name} ' || n"


def home_of(folder: Path) -> Home:
    return Home(folder / "var")


@contextmanager
def postgres(settings: dict[str, str] | None = None) -> Iterator[EmbeddedPostgres]:
    """A server of its own, with its secrets. Not under pytest's folders: the server's user could not enter them."""
    with (
        tempfile.TemporaryDirectory(prefix="insight_bi_") as folder,
        patch.dict(os.environ, {"INSIGHT_SECRETS": str(Path(folder) / "secrets")}),
        EmbeddedPostgres(Path(folder) / "postgres", settings={**FAST, **(settings or {})}) as server,
    ):
        yield server


def address(server: EmbeddedPostgres, user: str) -> str:
    """For a child process that publishes or reads: the password lies among the secrets."""
    return f"postgresql://{user}@127.0.0.1:{server.port}/insight"
