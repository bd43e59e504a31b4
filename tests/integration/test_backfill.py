"""A backfill asks today about days long past: it gives what daily runs would have given where the platform still has it.

The same run dates are collected twice: each on its day, and all of them with the clock at the last one, as `airflow backfill
create` does. Nothing is invented: a follower count of today is not one of September, nor is a post's count of today that of its
second week.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from unittest.mock import patch

import duckdb
import pandas as pd
import pytest

from extractors.base import SourceError
from include import warehouse
from include.collect import collect_force, plan
from include.run import simulated_connections
from include.settings import Home, run_instant
from include.simulator.process import SimulatorProcess
from include.validation import RunReport, validate_run
from tests.integration.worlds import at_home, drawn_seed

FORCES = ("gwent", "kent", "surrey")
PLATFORMS = ("facebook", "instagram", "x")
RUN_DATES = tuple(date(2026, month, day) for month, day in ((9, 7), (9, 21), (10, 5), (10, 19), (11, 2)))
AS_OF = RUN_DATES[-1]

pytestmark = pytest.mark.full


@dataclass(frozen=True)
class Both:
    """The marts of both homes, and the reports of the backfill's runs."""

    seed: int
    daily: dict[str, pd.DataFrame]
    backfilled: dict[str, pd.DataFrame]
    reports: tuple[RunReport, ...]


def collect(simulator: SimulatorProcess, home: Home, is_backfill: bool) -> list[RunReport]:
    reports = []
    for day in RUN_DATES:
        simulator.set_clock(run_instant(AS_OF if is_backfill else day))
        for platform in PLATFORMS:
            for force_id in plan(platform, day, FORCES, home):
                try:
                    collect_force(platform, force_id, day, home)
                except SourceError as error:
                    print(f"{platform} {force_id} {day}: {error}")
            reports.append(validate_run(platform, day, home=home))
    return reports


def marts(home: Home) -> dict[str, pd.DataFrame]:
    warehouse.build(AS_OF, home, tests="none")
    with duckdb.connect(str(home.build_file), read_only=True) as connection:
        tables = ("fct_metric_daily", "fct_post", "hmicfrs_metrics", "gap_ledger")
        return {name: connection.execute(f"from marts.{name} where force_id in ?", [list(FORCES)]).df() for name in tables}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    seed, folder = drawn_seed(), tmp_path_factory.mktemp("backfill")
    with (
        at_home(folder),
        SimulatorProcess(seed, forces=FORCES) as simulator,
        patch.dict(os.environ, simulated_connections(simulator)),
    ):
        daily, backfilled = Home(folder / "daily"), Home(folder / "backfilled")
        collect(simulator, daily, is_backfill=False)
        reports = collect(simulator, backfilled, is_backfill=True)
        yield Both(seed, marts(daily), marts(backfilled), tuple(reports))


def test_an_answer_of_today_about_a_day_long_past_passes_the_gate(both: Both) -> None:
    assert len(both.reports) == len(RUN_DATES) * len(PLATFORMS)
    for report in both.reports:
        assert not report.quarantined, report
        assert not report.stopped, report
        assert report.accepted > 0, report
        assert not report.failed, report


def test_daily_series_are_what_daily_runs_would_have_given(both: Both) -> None:
    key = ["platform", "force_id", "account_id", "metric", "metric_version", "metric_date"]
    series = {"account_views", "account_views_paid", "account_reach_unique", "account_views_total"}
    sides = [frame[frame["metric"].isin(series)] for frame in (both.daily["fct_metric_daily"], both.backfilled["fct_metric_daily"])]
    rows = sides[0].merge(sides[1], on=key, how="outer", suffixes=("_daily", ""), indicator=True, validate="one_to_one")
    assert set(rows["platform"]) == {"facebook", "instagram"}
    assert len(rows) > 400
    known = rows[rows["status_daily"] == "ok"]
    odd = known[(known["_merge"] != "both") | (known["value"] != known["value_daily"]) | (known["status"] != "ok")]
    assert len(known) > 300
    assert odd.empty, f"world {both.seed}:\n{odd[[*key, 'value_daily', 'value', 'status_daily', 'status', '_merge']].head(20)}"
    # the last days before a run, not settled when it asked, and too old for the next one two weeks later: a backfill has them too
    more = rows[(rows["status_daily"] != "ok") & (rows["status"] == "ok")]
    assert set(more["status_daily"].fillna("absent")) <= {"partial", "absent"}
    assert not both.backfilled["fct_metric_daily"]["is_revised"].any()


def test_posts_are_all_there_and_no_count_of_today_stands_for_the_reading_age(both: Both) -> None:
    key = ["platform", "post_id"]
    rows = both.daily["fct_post"].merge(
        both.backfilled["fct_post"], on=key, how="outer", suffixes=("_daily", ""), indicator=True, validate="one_to_one"
    )
    assert (rows["_merge"] == "both").all(), f"world {both.seed}"
    published = pd.to_datetime(rows["published_at"], utc=True)
    instant = pd.Timestamp(run_instant(AS_OF))
    old = rows[published <= instant - pd.Timedelta(days=14)]
    assert len(old) > 100
    assert old["interactions"].isna().all(), "no reading in their second week: it was not asked then, and cannot be now"
    assert old["reading_observed_at"].isna().all()
    assert set(old.loc[old["is_original"].astype(bool), "reading_status"]) == {"missing"}
    assert old.loc[old["is_original"].astype(bool), "latest_interactions"].notna().mean() > 0.9, (
        "what is known today is kept as such"
    )
    young = rows[(published > instant - pd.Timedelta(days=14)) & (published <= instant - pd.Timedelta(days=7))]
    assert len(young) > 10
    same = (young["interactions"] == young["interactions_daily"]) | (
        young["interactions"].isna() & young["interactions_daily"].isna()
    )
    assert same.all(), "of these the daily run of today is the first reading as well"


def test_followers_of_months_past_are_missing_and_never_todays(both: Both) -> None:
    months = both.backfilled["hmicfrs_metrics"]
    months = months[(months["metric"] == "followers_end") & months["platform"].isin(PLATFORMS)]
    past = months[pd.to_datetime(months["month"]) < "2026-11-01"]
    assert len(past) == len(FORCES) * len(PLATFORMS) * 2
    assert past["value"].isna().all(), f"world {both.seed}"
    assert set(past["status"]) == {"missing"}
    assert set(past["gap_cause"]) == {"not_collected"}
    now = months[pd.to_datetime(months["month"]) >= "2026-11-01"]
    daily = both.daily["hmicfrs_metrics"]
    daily = daily[daily["metric"] == "followers_end"]
    same = now.merge(daily, on=["platform", "force_id", "month", "metric"], suffixes=("", "_daily"))
    assert len(same) == len(FORCES) * len(PLATFORMS)
    assert (same["value"] == same["value_daily"]).all()


def test_the_number_of_posts_of_each_month_is_that_of_daily_runs(both: Both) -> None:
    sides = []
    for tables in (both.daily, both.backfilled):
        rows = tables["hmicfrs_metrics"]
        rows = rows[(rows["metric"] == "posts_published") & rows["platform"].isin(PLATFORMS)]
        sides.append(rows.set_index(["platform", "force_id", "month"]).sort_index()[["value", "status"]])
    pd.testing.assert_frame_equal(sides[0], sides[1], obj=f"world {both.seed}")
