"""One build of the real models for the tests that only read it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import duckdb
import pytest

from include import warehouse
from include.settings import Home
from tests.dbt_survey.homes import (
    AGE_BANDS,
    AS_OF,
    CATEGORIES,
    SIGNAL,
    SURVEY,
    accepted_rows,
    answers,
    real_series,
    signal_rows,
    write_accepted,
)

WAVE = "2026-autumn"
SELECTION = "+expectation_gap +horizon_trends int_survey_response"


def kent_and_surrey() -> list[dict[str, object]]:
    """Kent: 60 in each age band, equal within a band; Surrey: 12 young respondents. And some who are in no base."""
    rows = []
    for band, place in ((band, place) for band in AGE_BANDS for place in range(60)):
        wants = [category for rank, category in enumerate(CATEGORIES) if place % 10 < rank]
        rows += answers(WAVE, f"kent-{band}-{place}", "kent", band, wants)
    for place in range(12):
        rows += answers(WAVE, f"surrey-{place}", "surrey", "16_24" if place < 4 else "25_34", ["appeals"] if place < 3 else [])
    rows += answers(WAVE, "skipped", "kent", "16_24", None)
    rows += answers(WAVE, "forceless", "unknown", "16_24", ["appeals"])
    rows += answers(WAVE, "ageless", "kent", "not_said", ["appeals"])
    return rows


@pytest.fixture(scope="session")
def built_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("survey_home"))
    first = accepted_rows("survey_answer", kent_and_surrey(), **SURVEY)
    write_accepted(home, "survey_answer", first, "survey", "2026-10")
    # a corrected file, newer, of one respondent who said the opposite; and one of after the as-of date
    said = {**SURVEY, "ingest_id": "corrected", "observed_at": datetime(2026, 10, 12, 21, tzinfo=UTC)}
    corrected = accepted_rows("survey_answer", answers(WAVE, "surrey-0", "surrey", "16_24", ["court_results"]), **said)
    write_accepted(home, "survey_answer", corrected, "survey", "2026-09")
    tomorrow = {**SURVEY, "ingest_id": "tomorrow", "run_date": date(2026, 11, 3)}
    later = accepted_rows("survey_answer", answers(WAVE, "later", "surrey", "16_24", ["appeals"]), **tomorrow)
    write_accepted(home, "survey_answer", later, "survey", "2026-11")
    signals = signal_rows("fediverse", "users", real_series()) + signal_rows(
        "fediverse", "instances", real_series("instances_last")
    )
    signals += signal_rows("made_up", "messages", [(date(2026, 9, 28), 3.0)], is_stock=False)
    write_accepted(home, "signal", accepted_rows("signal", signals, **SIGNAL), "signals_fediverse")
    warehouse.build(AS_OF, home, select=SELECTION, tests="all")
    return home


@pytest.fixture
def warehouse_file(built_home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(built_home.build_file), read_only=True) as connection:
        yield connection
