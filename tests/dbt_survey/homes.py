"""Accepted files for tests of the survey and horizon models: written as the pipeline writes them, drawn with known truths."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from include.records import ALL_KINDS, WORKING, to_table
from include.settings import SAMPLE_DATA, SEEDS, Home

AS_OF = date(2026, 11, 2)
OBSERVED_AT = datetime(2026, 10, 5, 21, tzinfo=UTC)
REAL_SERIES = SAMPLE_DATA / "mastodon_users_daily_2018_2020.csv"


def seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


AGE_BANDS = [row["option_code"] for row in seed("survey_options") if row["question_code"] == "age_band"][:7]
CATEGORIES = [row["category_code"] for row in seed("content_categories")]
FORCES = [row["force_id"] for row in seed("forces")]
_RESIDENTS = {row["force_id"]: [int(row[f"age_{band}"]) for band in AGE_BANDS] for row in seed("force_population")}
POPULATION = np.array([_RESIDENTS[force] for force in FORCES])
"""Residents, force × age band."""


def write_accepted(home: Home, kind: str, table: pa.Table, source: str, month: str = "2026-10") -> None:
    path = home.accepted / kind / source / f"{month}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.cast(ALL_KINDS[kind].accepted_schema), path)


def accepted_rows(kind: str, rows: Iterable[Mapping[str, Any]], **common: Any) -> pa.Table:
    """Rows as accepted has them. `common` goes into every row that does not say otherwise."""
    table = to_table(kind, [{**common, **row} for row in rows])
    assert not [defect for defect in table.column("_defect").to_pylist() if defect]
    return table.drop_columns([name for name, _ in WORKING])


def answers(wave: str, respondent: str, force: str, age_band: str, wants: Iterable[str] | None) -> list[dict[str, Any]]:
    """One respondent's rows. wants: the options ticked; None: the block was skipped."""
    row = {"wave": wave, "respondent_key": respondent, "force_id": force}
    chosen = {"force": force, "age_band": age_band}
    single = [{**row, "question_code": code, "option_code": option, "chosen": True} for code, option in chosen.items()]
    if wants is None:
        return [*single, {**row, "question_code": "want", "option_code": "no_answer", "chosen": True}]
    ticked = set(wants)
    assert ticked <= set(CATEGORIES)
    return single + [{**row, "question_code": "want", "option_code": option, "chosen": option in ticked} for option in CATEGORIES]


_FILE = {"run_date": date(2026, 10, 5), "observed_at": OBSERVED_AT, "raw_sha256": "0" * 64}
SURVEY = {**_FILE, "source": "survey", "ingest_id": "ingest-1", "is_simulated": True}
SIGNAL = {**_FILE, "source": "signals_fediverse", "ingest_id": "ingest-s", "is_simulated": False}


def signal_rows(channel: str, series: str, values: Iterable[tuple[date, float]], is_stock: bool = True) -> list[dict[str, Any]]:
    return [
        {"channel": channel, "series": series, "period_start": day, "period": "day", "value": float(value), "is_stock": is_stock}
        for day, value in values
    ]


def real_series(column: str = "users_last", path: Path = REAL_SERIES) -> list[tuple[date, float]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return [(date.fromisoformat(row["date"]), float(row[column])) for row in csv.DictReader(handle)]
