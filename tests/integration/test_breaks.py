"""A small world over the platform's breaks: 2025-11-15 (impressions end, views begin), 2026-06-15 (another count of reach)."""

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
    return run_world(tmp_path_factory.mktemp("breaks"), RUN_DATES, forces=FORCES, with_files=False, with_publication=False)


@pytest.fixture(scope="module")
def posts(broken: WholeWorld) -> pd.DataFrame:
    import duckdb

    with duckdb.connect(str(broken.home.build_file), read_only=True) as connection:
        frame = connection.sql("select * from marts.fct_post where is_original order by post_id").df()
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


def test_every_number_equals_the_truth(broken: WholeWorld, posts: pd.DataFrame) -> None:
    truth = post_truth(broken.seed, broken.as_of, broken.instants, forces=FORCES).set_index("post_id").sort_index()
    truth = truth[truth["is_original"]]
    mart = posts.set_index("post_id").sort_index()
    assert list(mart.index) == list(truth.index), f"world {broken.seed}"
    for metric in ("interactions", "views", "impressions_legacy", "reach_unique"):
        np.testing.assert_array_equal(mart[metric].to_numpy(float), truth[metric].to_numpy(float), err_msg=metric)
        assert mart[metric].notna().any(), metric


def test_the_month_of_the_break_says_so(broken: WholeWorld) -> None:
    import duckdb

    with duckdb.connect(str(broken.home.build_file), read_only=True) as connection:
        rows = connection.sql(
            """
            select distinct month, is_break from marts.hmicfrs_metrics
            where metric = 'views' and platform = 'facebook' order by month
            """
        ).df()
    breaks = dict(zip(pd.to_datetime(rows["month"]).dt.date, rows["is_break"], strict=True))
    assert breaks[date(2025, 11, 1)]
    assert not breaks[date(2026, 6, 1)]
