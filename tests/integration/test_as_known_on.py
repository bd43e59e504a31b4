"""Any month as known on any date: the June figures as of 3 July and as of 3 August differ by what the platforms revised since.

And by what was announced as provisional on 3 July: posts that had not been out for their 14 days. That is left out by rule (a row
that says `provisional`), and compared with the truth as of each date instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from unittest.mock import patch

import duckdb
import pandas as pd
import pytest

from include import warehouse
from include.contract import TABLES
from include.run import simulated_connections
from include.settings import Home, run_instant
from include.simulator.defects import Defect
from include.simulator.process import SimulatorProcess
from include.simulator.truth import month_truth
from tests.integration.worlds import at_home, collect_day, drawn_seed

FORCES = ("gwent", "kent", "surrey")
PLATFORMS = ("facebook", "instagram")
JULY, AUGUST = date(2026, 7, 3), date(2026, 8, 3)
RUN_DATES = (date(2026, 6, 12), date(2026, 6, 19), date(2026, 6, 26), JULY, date(2026, 7, 10), AUGUST)
LAST = date(2026, 12, 31)
VIEWS, REACH = "account_views", "account_reach_unique"


def revision(force: str, revised_on: date, day: str, add: int, platform: str = "facebook") -> Defect:
    return Defect("late_revision", force, revised_on, LAST, {"day": day, "add": add}, platform)


SINCE_JULY = [
    revision("gwent", date(2026, 7, 7), "2026-06-28", 41),
    revision("kent", date(2026, 7, 4), "2026-06-30", -7),
    revision("kent", date(2026, 7, 9), "2026-06-27", 5),
    revision("surrey", date(2026, 7, 6), "2026-06-29", 13, "instagram"),
]
KNOWN_BEFORE = revision("gwent", date(2026, 6, 15), "2026-06-08", 3)
NEVER_SEEN = revision("gwent", date(2026, 7, 20), "2026-06-20", 9)
"""So late that the platform's daily totals of that day are no longer read again (14 days): what is not asked is not known."""

DEFECTS = [*SINCE_JULY, KNOWN_BEFORE, NEVER_SEEN]
Marts = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Known:
    """The marts as of both dates, from all data there is in August, and the home as it stood on 3 July."""

    seed: int
    july: Marts
    august: Marts
    july_home: Home


def marts(home: Home, as_of: date) -> Marts:
    """Builds without dbt's own tests, which only read."""
    warehouse.build(as_of, home, tests="none")
    with duckdb.connect(str(home.build_file), read_only=True) as connection:
        tables = [table.name for table in TABLES if table.name != "publications"]
        return {name: connection.execute(f"from marts.{name} order by all").df() for name in tables}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    seed, folder = drawn_seed(), tmp_path_factory.mktemp("known")
    with (
        at_home(folder) as home,
        SimulatorProcess(seed, forces=FORCES, defects=DEFECTS) as simulator,
        patch.dict(os.environ, simulated_connections(simulator)),
    ):
        for day in RUN_DATES:
            collect_day(simulator, day, FORCES, PLATFORMS)
            if day == JULY:
                july_home = Home(shutil.copytree(home.path, folder / "july"))
        yield Known(seed, marts(home, JULY), marts(home, AUGUST), july_home)


def of_june(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    days = pd.to_datetime(frame[column])
    return frame[(days >= "2026-06-01") & (days < "2026-07-01")]


def both(known: Known, table: str, column: str, key: list[str]) -> pd.DataFrame:
    """The June rows of a table, as known on both dates, side by side."""
    july, august = (of_june(each[table], column) for each in (known.july, known.august))
    return july.merge(august, on=key, how="outer", suffixes=("_july", "_august"), indicator=True, validate="one_to_one")


def differing(rows: pd.DataFrame, name: str) -> pd.Series:
    july, august = rows[f"{name}_july"], rows[f"{name}_august"]
    return (july != august) & ~(july.isna() & august.isna())


DAY_KEY = ["force_id", "platform", "account_id", "metric", "metric_version", "metric_date"]


def test_the_daily_figures_of_june_differ_exactly_by_the_planted_revisions(known: Known) -> None:
    rows = both(known, "fct_metric_daily", "metric_date", DAY_KEY)
    final = rows[rows["status_july"].isin(["ok"])]
    assert len(final) > 200
    changed = final[differing(final, "value") | differing(final, "status")]
    found = {
        (row.platform, row.force_id, row.metric, str(row.metric_date)[:10], row.value_august - row.value_july)
        for row in changed.itertuples()
    }
    metric = {"facebook": VIEWS, "instagram": REACH}
    planted = {(each.platform, each.force_id, metric[each.platform], each.detail["day"], each.detail["add"]) for each in SINCE_JULY}
    assert found == planted, f"world {known.seed}"
    assert set(changed["status_august"]) == {"ok"}
    # what was not final on 3 July: sums over posts that were not out for 14 days, and the rows of no earlier run
    others = rows[~rows["status_july"].isin(["ok"])]
    of_posts = others[others["metric"].isin(["interactions", "views", "posts_published"])]
    assert (pd.to_datetime(of_posts["metric_date"]) > "2026-06-18").all()
    rest = others[~others["metric"].isin(["interactions", "views", "posts_published"])]
    assert not differing(rest, "value").any(), "nothing else was open on 3 July and was filled later"


def test_revised_says_which_and_since_when(known: Known) -> None:
    def revised(tables: Marts) -> set[tuple[str, str, str]]:
        rows = of_june(tables["fct_metric_daily"], "metric_date")
        rows = rows[rows["is_revised"].fillna(False).astype(bool)]
        return {(row.platform, row.force_id, str(row.metric_date)[:10]) for row in rows.itertuples()}

    before = {(each.platform, each.force_id, each.detail["day"]) for each in (KNOWN_BEFORE,)}
    since = {(each.platform, each.force_id, each.detail["day"]) for each in SINCE_JULY}
    assert revised(known.july) == before, f"world {known.seed}"
    assert revised(known.august) == before | since, f"world {known.seed}"


def test_a_post_whose_reading_was_final_has_the_same_reading_ever_after(known: Known) -> None:
    rows = both(known, "fct_post", "published_date", ["platform", "post_id"])
    assert (rows["_merge"] == "both").all(), "no June post is found or lost in July"
    final = rows[rows["reading_status_july"] == "ok"]
    assert len(final) > 20
    for name in ("interactions", "reactions", "comments", "views", "reach_unique", "reading_observed_at", "reading_status"):
        assert not differing(final, name).any(), f"world {known.seed}: {name}"
    # 3 July 21:00 less 14 days; a reading may also have fallen between 7 and 14 days already
    open_ones = rows[rows["reading_status_july"] != "ok"]
    assert (pd.to_datetime(open_ones["published_at_july"], utc=True) > pd.Timestamp("2026-06-19 21:00", tz="UTC")).all()
    assert set(open_ones["reading_status_august"]) <= {"ok"}


MONTH_KEY = ["force_id", "platform", "metric"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_months_figures_equal_the_truth_as_of_each_date(known: Known, platform: str) -> None:
    """So their difference is the truth's: provisional figures that became final, and none that was final."""
    instants = [run_instant(day) for day in RUN_DATES]
    june = {}
    for as_of, tables in ((JULY, known.july), (AUGUST, known.august)):
        truth = month_truth(platform, known.seed, as_of, instants, DEFECTS, FORCES)
        truth = truth[pd.to_datetime(truth["month"]) == "2026-06-01"]
        mart = tables["hmicfrs_metrics"]
        mart = mart[(mart["platform"] == platform) & (pd.to_datetime(mart["month"]) == "2026-06-01")]
        rows = truth.merge(mart, on=MONTH_KEY, suffixes=("_true", ""), validate="one_to_one")
        assert len(rows) == len(truth) > 10
        exact = rows[rows["metric"] != "engagement_rate_by_followers"]
        wrong = exact[(exact["value"] != exact["value_true"]) & ~(exact["value"].isna() & exact["value_true"].isna())]
        assert wrong.empty, f"world {known.seed}, as of {as_of}:\n{wrong[[*MONTH_KEY, 'value_true', 'value']]}"
        assert list(rows["status"]) == list(rows["status_true"]), f"world {known.seed}, as of {as_of}"
        june[as_of] = rows.set_index(MONTH_KEY)
    final = june[JULY]["status"] == "ok"
    assert final.any()
    assert (june[JULY].loc[final, "value"] == june[AUGUST].loc[final, "value"]).all()
    # but for the rates of engagement: of posts before the first run no follower count is known
    others = june[JULY][~final].drop(index="engagement_rate_by_followers", level="metric")
    assert set(others["status"]) == {"provisional"}


@pytest.mark.full
def test_as_of_3_july_built_in_august_is_what_was_built_on_3_july(known: Known) -> None:
    then = marts(known.july_home, JULY)
    for name, frame in then.items():
        pd.testing.assert_frame_equal(known.july[name], frame, obj=f"world {known.seed}: {name}")
