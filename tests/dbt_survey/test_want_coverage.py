"""Do the want intervals cover the truth? Simulated surveys through the real weights and the real models, all in one build."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from include import warehouse
from include.records import RECORD_KINDS
from include.settings import Home
from include.simulator.survey import RESPONDENTS, draw_survey, survey_truth
from tests.dbt_survey.homes import AS_OF, CATEGORIES, FORCES, write_accepted

SEEDED_WAVE = "2026-autumn"
SURVEYS = 30


def survey_rows(answers: pd.DataFrame, wave: str) -> pa.Table:
    """Rows of force, age band and want as the parser yields them: a skipped want block is one row, no_answer."""
    respondent = answers["respondent_id"].astype(str)
    blocks = [
        pd.DataFrame({"key": respondent, "force_id": answers["force"], "question": code, "option": answers[code], "chosen": True})
        for code in ("force", "age_band")
    ]
    for category in CATEGORIES:
        ticks = answers[f"want_{category}"]
        shown = ticks.notna()
        block = {"key": respondent[shown], "force_id": answers["force"][shown], "question": "want", "option": category}
        blocks.append(pd.DataFrame({**block, "chosen": ticks[shown].astype(bool)}))
    skipped = answers["want_appeals"].isna()
    block = {"key": respondent[skipped], "force_id": answers["force"][skipped], "question": "want", "option": "no_answer"}
    blocks.append(pd.DataFrame({**block, "chosen": True}))
    rows = pd.concat(blocks, ignore_index=True)
    n = len(rows)
    columns = {
        "source": pa.repeat("survey", n),
        "platform": pa.nulls(n, pa.string()),
        "force_id": pa.array(rows["force_id"], pa.string()),
        "run_date": pa.repeat(pa.scalar(AS_OF, pa.date32()), n),
        "ingest_id": pa.repeat(f"ingest-{wave}", n),
        "observed_at": pa.repeat(pa.scalar(datetime(2026, 10, 5, 21, tzinfo=UTC), pa.timestamp("us", tz="UTC")), n),
        "raw_sha256": pa.repeat("0" * 64, n),
        "is_simulated": pa.repeat(True, n),
        "wave": pa.repeat(wave, n),
        "respondent_key": pa.array(rows["key"], pa.string()),
        "question_code": pa.array(rows["question"], pa.string()),
        "option_code": pa.array(rows["option"], pa.string()),
        "chosen": pa.array(rows["chosen"].astype(bool), pa.bool_()),
    }
    return pa.table(columns, schema=RECORD_KINDS["survey_answer"].accepted_schema)


@pytest.mark.parametrize(
    "n_respondents",
    [pytest.param(6000, id="small surveys"), pytest.param(RESPONDENTS, id="full size", marks=pytest.mark.full)],
)
def test_want_intervals_cover_the_truth(tmp_path: Path, n_respondents: int) -> None:
    """43 forces × 10 categories × 30 surveys; who answers, and what is missing, depends on force and age alone."""
    home = Home(tmp_path)
    first_seed = int(np.random.default_rng().integers(1_000_000))
    truths = []
    for place in range(SURVEYS):
        wave, seed = f"survey-{place:02d}", first_seed + place
        write_accepted(
            home, "survey_answer", survey_rows(draw_survey(seed, SEEDED_WAVE, n_respondents), wave), f"survey_{place:02d}"
        )
        truths.append(survey_truth(seed, SEEDED_WAVE).assign(wave=wave))

    warehouse.build(AS_OF, home, select="+expectation_gap")

    with duckdb.connect(str(home.build_file), read_only=True) as connection:
        marts = connection.sql("from marts.expectation_gap where want_base_n > 0 and wave like 'survey-%'").df()
    found = marts.merge(pd.concat(truths), on=["wave", "force_id", "category_code"], suffixes=("", "_true"), validate="one_to_one")
    covers = (found["want_ci_low"] <= found["want_share_true"]) & (found["want_share_true"] <= found["want_ci_high"])
    by_force = found["force_id"] != "national"
    assert by_force.sum() == SURVEYS * len(FORCES) * len(CATEGORIES)
    assert 0.93 <= covers[by_force].mean() <= 0.97, f"coverage {covers[by_force].mean():.4f}, first seed {first_seed}"
    readable = by_force & (found["want_status"] == "ok")
    assert 0.93 <= covers[readable].mean() <= 0.97, f"coverage {covers[readable].mean():.4f}, first seed {first_seed}"
    # and the weights are what does it: the plain share of respondents is another number than the truth far more often
    plain = found["want_positive_n"] / found["want_base_n"]
    national = ~by_force
    weighted_error = (found["want_share"] - found["want_share_true"])[national].abs().mean()
    plain_error = (plain - found["want_share_true"])[national].abs().mean()
    assert weighted_error < 0.8 * plain_error
    print(
        f"coverage {covers[by_force].mean():.4f}, readable {covers[readable].mean():.4f}, national {covers[national].mean():.4f}, "
        f"mean error of the nation weighted {weighted_error:.4f}, unweighted {plain_error:.4f}"
    )
