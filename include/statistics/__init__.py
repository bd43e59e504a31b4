"""Statistics that SQL cannot say: pure Python over small aggregates, between the two dbt selections.

Reads tables of the build file (read-only), writes one Parquet file each, which dbt reads as source('statistics', …).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]

SURVEY_WEIGHTS = pa.schema(
    [
        ("wave", pa.string()),
        ("force_id", pa.string()),
        ("age_band", pa.string()),
        ("respondents", pa.int64()),
        ("population", pa.int64()),
        ("weighting_cell", pa.string()),
        ("cell_respondents", pa.int64()),
        ("cell_population", pa.int64()),
        ("weight", pa.float64()),
        ("is_collapsed", pa.bool_()),
    ]
)
"""Wave × force × age band. Forces without respondents are not there. weight: residents that one respondent stands for."""

HORIZON_STATISTICS = pa.schema(
    [
        ("channel", pa.string()),
        ("series", pa.string()),
        ("is_stock", pa.bool_()),
        ("n_periods", pa.int64()),
        ("first_period_start", pa.date32()),
        ("last_period_start", pa.date32()),
        ("n_steps", pa.int64()),
        ("step_date", pa.date32()),
        ("step_size", pa.float64()),
        ("sens_slope_per_week", pa.float64()),
        ("growth_ratio", pa.float64()),
        ("direction", pa.string()),
        ("not_computed_reason", pa.string()),
        ("status", pa.string()),
        ("is_simulated", pa.bool_()),
    ]
)
"""Channel × series. Periods are ISO weeks with a value. step_date and step_size: of the largest step; all are taken out."""


@dataclass(frozen=True)
class Task:
    """One file of statistics: what it is called, its columns, and how its rows come from the build file."""

    name: str
    schema: pa.Schema
    rows: Callable[[duckdb.DuckDBPyConnection], Iterable[Row]]


def _read(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def _survey_weights(connection: duckdb.DuckDBPyConnection) -> Iterable[Row]:
    from include.statistics.survey_weights import AgeBand, BandWeight, force_weights

    cells = _read(connection, "from intermediate.int_survey_cells order by wave, force_id, age_order")
    for (wave, force_id), rows in groupby(cells, key=itemgetter("wave", "force_id")):
        for weight in force_weights([AgeBand(row["age_band"], row["respondents"], row["population"]) for row in rows]):
            yield {"wave": wave, "force_id": force_id} | {each.name: getattr(weight, each.name) for each in fields(BandWeight)}


def _horizon_statistics(connection: duckdb.DuckDBPyConnection) -> Iterable[Row]:
    from include.statistics.trends import Steps, find_steps, weekly_trend, without_steps

    series = itemgetter("channel", "series")
    daily = _read(connection, "from intermediate.int_signal_daily order by channel, series, signal_date")
    weekly = _read(connection, "from intermediate.int_signal_weekly order by channel, series, week_start")
    days_of = {key: list(rows) for key, rows in groupby(daily, key=series)}
    weeks_of = {key: list(rows) for key, rows in groupby(weekly, key=series)}
    for key in sorted(days_of.keys() | weeks_of.keys()):
        days, weeks = days_of.get(key, []), weeks_of.get(key, [])  # a series that comes in weeks has no days
        is_stock = (days or weeks)[0]["is_stock"]
        steps = (
            find_steps([row["signal_date"] for row in days], [row["value"] for row in days]) if is_stock else Steps((), False)
        )  # a flow has no level that a step could lift for good
        levels = without_steps([row["last_date"] for row in weeks], [row["value"] for row in weeks], steps.confirmed)
        trend = weekly_trend([row["week_start"] for row in weeks], levels)
        yield {
            "channel": key[0],
            "series": key[1],
            "is_stock": is_stock,
            "n_periods": len(weeks),
            "first_period_start": weeks[0]["week_start"] if weeks else None,
            "last_period_start": weeks[-1]["week_start"] if weeks else None,
            "n_steps": len(steps.confirmed),
            "step_date": steps.largest.day if steps.largest else None,
            "step_size": steps.largest.size if steps.largest else None,
            "sens_slope_per_week": trend.sens_slope_per_week,
            "growth_ratio": trend.growth_ratio,
            "direction": trend.direction,
            # tests, intervals and stages have no value for any series yet
            "not_computed_reason": trend.reason or "not_yet_computed",
            "status": "missing" if trend.reason else "provisional" if steps.has_unconfirmed else "ok",
            "is_simulated": any(row["is_simulated"] for row in (*days, *weeks)),
        }


TASKS: tuple[Task, ...] = (
    Task("survey_weights", SURVEY_WEIGHTS, _survey_weights),
    Task("horizon_statistics", HORIZON_STATISTICS, _horizon_statistics),
)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a file whole or not at all: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def compute(build_file: Path, folder: Path, tasks: Iterable[Task] = TASKS) -> dict[str, int]:
    """Run the tasks: read the build file, write `<folder>/<name>.parquet` each. Returns rows by name."""
    import duckdb

    written = {}
    with duckdb.connect(str(build_file), read_only=True) as connection:
        for task in tasks:
            table = pa.Table.from_pylist(list(task.rows(connection)), schema=task.schema)
            write_parquet(table, folder / f"{task.name}.parquet")
            written[task.name] = table.num_rows
    return written
