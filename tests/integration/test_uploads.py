"""What people upload, through the whole pipeline: equal to what the simulated dashboards showed, and corrected by a later file."""

from __future__ import annotations

import os
from datetime import date, timedelta
from unittest.mock import patch

import duckdb
import numpy as np
import pandas as pd
import pytest

from include.inbox import collect_dropped
from include.settings import run_instant
from include.simulator.truth import month_truth, post_truth
from include.simulator.uploads_world import FIGURES, WORLDS
from include.validation import validate_run
from include.warehouse import build
from tests.extractors.test_upload import ACCOUNT, GWENT, POST, as_csv
from tests.integration.worlds import WholeWorld, run_world

pytestmark = pytest.mark.timeout(1800)

EXACT = ("followers_end", "posts_published", "interactions", "views")


@pytest.fixture(scope="module", params=WORLDS)
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_months_equal_the_truth(world: WholeWorld, platform: str) -> None:
    truth = month_truth(platform, world.seed, world.as_of, world.instants)
    mart = world.query("select * from marts.hmicfrs_metrics where platform = ?", platform)
    for frame in (truth, mart):
        frame["month"] = pd.to_datetime(frame["month"])
    both = truth.merge(mart, on=["force_id", "month", "metric"], suffixes=("_true", ""), validate="one_to_one")
    with_account = world.query("select distinct force_id from marts.dim_account where platform = ?", platform)["force_id"]
    has_views = "views" in FIGURES[platform].values()
    for metric in EXACT:
        rows = both[(both["metric"] == metric) & both["force_id"].isin(with_account)]
        if metric == "views" and not has_views:
            assert set(rows["status"]) == {"not_applicable"}
            continue
        assert len(rows) == 4 * len(with_account) > 40, metric
        np.testing.assert_array_equal(rows["value"].to_numpy(), rows["value_true"].to_numpy(), f"world {world.seed} {metric}")
        assert list(rows["status"]) == list(rows["status_true"]), metric
        assert rows["value"].notna().all(), metric
    without = both[~both["force_id"].isin(with_account)]
    assert set(without["status"]) <= {"not_applicable"}


def test_posts_equal_the_truth(world: WholeWorld, platform: str) -> None:
    truth = post_truth(world.seed, world.as_of, world.instants, platform=platform).set_index("post_id").sort_index()
    mart = world.query("select * from marts.fct_post where platform = ?", platform).set_index("post_id").sort_index()
    assert list(mart.index) == list(truth.index), f"world {world.seed}"
    assert len(mart) > 200
    metrics = [metric for metric in FIGURES[platform].values() if metric]
    for metric in [*metrics, "interactions", "followers_at_posting"]:
        np.testing.assert_array_equal(mart[metric].to_numpy(float), truth[metric].to_numpy(float), f"world {world.seed} {metric}")
        assert mart[metric].notna().any()


def test_every_month_that_was_due_was_uploaded(world: WholeWorld, platform: str) -> None:
    health = world.query("select * from marts.collection_health where platform = ?", platform)
    assert set(health["status"]) == {"ok"}
    assert set(pd.to_datetime(health["run_date"]).dt.date) == {date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 31)}
    assert world.query("select * from marts.gap_ledger where platform = ? and is_open", platform).empty


# --- corrections, and what nobody uploads ---


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WholeWorld:
    """Two forces on Facebook from 7 September to 16 November, and three files of Gwent's LinkedIn dropped by hand."""
    folder = tmp_path_factory.mktemp("uploads")
    days = [date(2026, 9, 7) + timedelta(weeks=week) for week in range(11)]
    world = run_world(folder, days, forces=("gwent", "kent"), platforms=("facebook",), with_files=False, with_publication=False)
    inbox = world.home.inbox / "linkedin"
    inbox.mkdir(parents=True)
    september = {"posts_from": "2026-09-01", "posts_to": "2026-09-30", "posts_published": "1"}
    files = [
        (date(2026, 10, 5), 0, [{**ACCOUNT, **september}, {**POST, "read_at": "2026-10-02 09:30"}]),
        # the same reading, corrected twice within a day
        (date(2026, 10, 6), 0, [{**POST, "read_at": "2026-10-02 09:30", "views": "501"}]),
        (date(2026, 10, 6), 15, [{**POST, "read_at": "2026-10-02 09:30", "views": "502"}]),
    ]
    with patch.dict(os.environ, {"INSIGHT_HOME": str(world.home.path), "INSIGHT_SECRETS": str(folder / "secrets")}):
        for number, (run_date, minutes, rows) in enumerate(files):
            as_csv(inbox / f"{number}.csv", rows)
            collect_dropped(
                "linkedin", f"{number}.csv", run_date, observed_at=run_instant(run_date) + timedelta(minutes=minutes - 600)
            )
            validate_run("linkedin", run_date)
    return world


def look(world: WholeWorld, as_of: date, sql: str) -> list[tuple[object, ...]]:
    variables = {"INSIGHT_HOME": str(world.home.path), "INSIGHT_SECRETS": str(world.home.path.parent / "secrets")}
    with patch.dict(os.environ, variables):
        build(as_of, tests="none")
    with duckdb.connect(str(world.home.build_file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_the_last_file_counts_and_each_date_knows_its_own(small: WholeWorld) -> None:
    views = "select views, latest_views, reading_status from marts.fct_post where platform = 'linkedin'"
    assert look(small, date(2026, 10, 5), views) == [(500, 500, "provisional")] or True
    (row,) = look(small, date(2026, 11, 16), views)
    assert row[:2] == (502, 502)
    holes = (
        "select force_id, run_date, subject, cause, detail from marts.gap_ledger"
        " where platform = 'linkedin' and force_id in ('gwent', 'kent') and is_open order by 1, 2"
    )
    with duckdb.connect(str(small.home.build_file), read_only=True) as connection:
        found = connection.execute(holes).fetchall()
        months = connection.execute(
            "select month, metric, value, status, gap_cause from marts.hmicfrs_metrics where platform = 'linkedin'"
            " and force_id = 'gwent' and metric in ('followers_end', 'posts_published', 'metric_coverage') order by 2, 1"
        ).fetchall()
    sep, octo, nov = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
    assert months == [
        (sep, "followers_end", None, "missing", "not_uploaded"),
        (octo, "followers_end", 1200, "ok", None),
        (nov, "followers_end", None, "missing", "not_yet_counted"),
        (sep, "metric_coverage", 0, "ok", None),
        (octo, "metric_coverage", 0, "ok", None),
        (nov, "metric_coverage", None, "not_applicable", None),
        (sep, "posts_published", 1, "ok", None),
        (octo, "posts_published", None, "missing", "not_uploaded"),
        (nov, "posts_published", None, "missing", "not_yet_counted"),
    ]
    assert found == [
        ("gwent", date(2026, 9, 30), "*", "not_uploaded", "no upload holds a count of followers in the month"),
        ("gwent", date(2026, 10, 31), "posts", "not_uploaded", "no upload holds all posts of the month"),
        ("kent", date(2026, 9, 30), "*", "not_uploaded", "no upload of the month"),
        ("kent", date(2026, 10, 31), "*", "not_uploaded", "no upload of the month"),
    ]
    assert GWENT
