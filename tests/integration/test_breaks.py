"""A small world over the platforms' breaks.

Facebook: 2025-11-15 (impressions end, views begin), 2026-06-15 (another count of reach). Instagram: 2025-12-03 (reposts join the
interactions).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from include.simulator.truth import post_truth
from tests.integration.worlds import WholeWorld, run_world

FORCES = ("gwent", "kent", "surrey")
VIEWS_BEGIN, REACH_BREAK = date(2025, 11, 15), date(2026, 6, 15)
RUN_DATES = [
    *(date(2025, 10, 20) + timedelta(weeks=week) for week in range(8)),
    *(date(2026, 5, 25) + timedelta(weeks=week) for week in range(7)),
]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> WholeWorld:
    folder = tmp_path_factory.mktemp("breaks")
    return run_world(
        folder, RUN_DATES, forces=FORCES, platforms=("facebook", "instagram"), with_files=False, with_publication=False
    )


@pytest.fixture(scope="module")
def posts(broken: WholeWorld) -> pd.DataFrame:
    return originals(broken, "facebook")


def originals(broken: WholeWorld, platform: str) -> pd.DataFrame:
    import duckdb

    with duckdb.connect(str(broken.home.build_file), read_only=True) as connection:
        sql = "select * from marts.fct_post where is_original and platform = ? order by post_id"
        frame = connection.execute(sql, [platform]).df()
    frame["reading_date"] = pd.to_datetime(frame["reading_observed_at"], utc=True).dt.date
    return frame


def test_the_world_has_posts_on_both_sides(posts: pd.DataFrame) -> None:
    published = pd.to_datetime(posts["published_date"]).dt.date
    for border in (VIEWS_BEGIN, REACH_BREAK):
        assert (published < border).sum() > 20
        assert (published >= border).sum() > 20


def test_impressions_and_views_are_two_series_broken_on_the_first_day(posts: pd.DataFrame) -> None:
    # who was read for the last time before the break has impressions only, and the other way round
    published = pd.to_datetime(posts["published_date"]).dt.date
    long_before = posts[published < VIEWS_BEGIN - timedelta(days=14)]
    after = posts[published >= VIEWS_BEGIN]
    assert long_before["impressions_legacy"].notna().any()
    assert long_before["views"].isna().all()
    assert after["views"].notna().any()
    assert after["impressions_legacy"].isna().all()
    assert after["latest_impressions_legacy"].isna().all()


def test_reach_is_two_source_fields_of_two_versions(posts: pd.DataFrame) -> None:
    read = posts[posts["reach_unique"].notna()]
    fields = set(zip(read["reach_source_field"], read["reach_metric_version"], strict=True))
    assert fields == {("post_impressions_unique", 1), ("post_total_media_view_unique", 2)}
    before = read["reading_date"] < REACH_BREAK
    assert (read.loc[before, "reach_source_field"] == "post_impressions_unique").all()
    assert (read.loc[~before, "reach_source_field"] == "post_total_media_view_unique").all()


OF_PLATFORM = {
    "facebook": ("interactions", "views", "impressions_legacy", "reach_unique"),
    "instagram": ("interactions", "reposts", "saves", "views", "reach_unique"),
}


@pytest.mark.parametrize("platform", OF_PLATFORM)
def test_every_number_equals_the_truth(broken: WholeWorld, platform: str) -> None:
    truth = post_truth(broken.seed, broken.as_of, broken.instants, forces=FORCES, platform=platform)
    truth = truth.set_index("post_id").sort_index()
    truth = truth[truth["is_original"]]
    mart = originals(broken, platform).set_index("post_id").sort_index()
    assert list(mart.index) == list(truth.index), f"world {broken.seed}"
    for metric in OF_PLATFORM[platform]:
        np.testing.assert_array_equal(mart[metric].to_numpy(float), truth[metric].to_numpy(float), err_msg=metric)
        assert mart[metric].notna().any(), metric


@pytest.mark.parametrize(
    ("platform", "metric", "broken_months"),
    [
        ("facebook", "views", {date(2025, 11, 1)}),
        ("facebook", "interactions", set()),
        ("instagram", "interactions", {date(2025, 11, 1), date(2025, 12, 1)}),
        ("instagram", "views", set()),
    ],
)
def test_the_month_of_the_break_says_so(broken: WholeWorld, platform: str, metric: str, broken_months: set[date]) -> None:
    """Posts of late November are read after 3 December, and have reposts in their interactions."""
    import duckdb

    with duckdb.connect(str(broken.home.build_file), read_only=True) as connection:
        sql = (
            "select distinct month from marts.hmicfrs_metrics where is_break and metric = ? and platform = ? and force_id = 'gwent'"
        )
        rows = connection.execute(sql, [metric, platform]).fetchall()
    assert {month for (month,) in rows} == broken_months
