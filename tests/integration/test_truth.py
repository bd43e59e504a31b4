"""The marts equal the simulator's truth, for a world seed drawn at test time, platform by platform; and again on a second run.

Over all 43 forces in `make test-full`, over sixteen in `make test` (conftest.py).
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from include import registry
from include.contract import TABLES
from include.publish import publish
from include.run import simulated_connections
from include.settings import run_instant
from include.simulator.process import SimulatorProcess
from include.simulator.response_truth import planted_people
from include.simulator.survey import survey_truth
from include.simulator.truth import account_day_truth, month_truth, post_truth
from include.simulator.truth_days import mastodon_truth, wikimedia_truth
from include.warehouse import build
from tests.integration.traces import traces
from tests.integration.worlds import PLATFORMS, WholeWorld, at_home, collect_day, collect_files, collect_open_signals
from tests.simulator.test_truth import published_originals

pytestmark = pytest.mark.timeout(1800)

EXACT = ("followers_end", "posts_published", "interactions", "views")


@pytest.fixture(scope="module", params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def months(world: WholeWorld, platform: str) -> pd.DataFrame:
    """Truth beside mart. Grain: force × month × metric."""
    truth = month_truth(platform, world.seed, world.as_of, world.instants, world.defects, world.forces)
    mart = world.query("select * from marts.hmicfrs_metrics where platform = ?", platform)
    truth["month"] = pd.to_datetime(truth["month"])
    mart["month"] = pd.to_datetime(mart["month"])
    keys = ["force_id", "month", "metric"]
    both = truth.merge(mart, on=keys, how="left", suffixes=("_true", ""), validate="one_to_one", indicator=True)
    assert (both["_merge"] == "both").all(), both.loc[both["_merge"] != "both", keys]
    return both


@pytest.mark.parametrize("metric", EXACT)
def test_counts_equal_the_truth_exactly(world: WholeWorld, platform: str, months: pd.DataFrame, metric: str) -> None:
    rows = months[months["metric"] == metric]
    assert rows["force_id"].nunique() == world.force_count
    assert rows["month"].nunique() == 4
    wrong = rows[~((rows["value"] == rows["value_true"]) | (rows["value"].isna() & rows["value_true"].isna()))]
    assert wrong.empty, f"world {world.seed}\n{wrong[['force_id', 'month', 'value_true', 'value', 'status_true', 'status']]}"
    closed = rows[rows["month"] < pd.Timestamp(world.as_of.replace(day=1))]
    if metric in LACKING[platform]:
        assert set(rows["status"]) == {"not_applicable"}
        return
    assert closed["value"].notna().sum() >= world.force_count * 3 - 6, "only planted holes may be empty"


def test_engagement_rates_equal_the_truth(world: WholeWorld, months: pd.DataFrame) -> None:
    rows = months[months["metric"] == "engagement_rate_by_followers"]
    assert rows["value"].notna().sum() > world.force_count * 3 - 12
    assert (rows["value"].isna() == rows["value_true"].isna()).all()
    np.testing.assert_allclose(rows["value"], rows["value_true"], rtol=1e-12, err_msg=f"world {world.seed}")


def test_statuses_say_what_was_lost(months: pd.DataFrame) -> None:
    rows = months[months["metric"].isin(EXACT)]
    wrong = rows[rows["status"] != rows["status_true"]]
    assert wrong.empty, wrong[["force_id", "month", "metric", "status_true", "status", "value"]]


def test_a_month_that_says_ok_has_every_post_that_was_published(world: WholeWorld, platform: str, months: pd.DataFrame) -> None:
    """Against the world's own posts, whatever any run has seen."""
    published = published_originals(world.seed, world.forces, sorted({month.date() for month in months["month"]}), platform)
    rows = months[(months["metric"] == "posts_published") & (months["status"] == "ok")]
    assert len(rows) >= world.force_count * 3 - 2
    expected = [published[row.force_id, row.month.date()] for row in rows.itertuples()]
    assert list(rows["value"]) == expected, f"world {world.seed}"
    partial = months[(months["metric"] == "posts_published") & (months["status"] == "partial")]
    merged = {("devon-and-cornwall", "account_closed")} if platform in ("facebook", "x") else set()
    assert set(zip(partial["force_id"], partial["gap_cause"], strict=True)) == merged


COUNTS = (
    "reactions",
    "comments",
    "shares",
    "reposts",
    "quotes",
    "interactions",
    "saves",
    "views",
    "reach_unique",
    "followers_at_posting",
)
LACKING = {
    "facebook": {"reposts", "quotes", "saves"},
    "instagram": {"quotes"},
    "x": {"shares", "reach_unique"},
    "bluesky": {"shares", "reach_unique", "views"},
    "youtube": {"shares", "reposts", "quotes", "saves", "reach_unique"},
    "mastodon": {"shares", "quotes", "saves", "reach_unique", "views"},
    "threads": {"saves", "reach_unique"},
}
"""Numbers that a platform does not have."""

FEWEST_POSTS = {"youtube": 1_000, "threads": 1_000}
"""Seen in fourteen weeks; of the others more than 3,000."""


def test_every_post_equals_the_truth(world: WholeWorld, platform: str) -> None:
    """Edited posts once; reposts, replies and stories in no count."""
    known = post_truth(world.seed, world.as_of, world.instants, world.defects, world.forces, platform=platform)
    truth = known.set_index("post_id").sort_index()
    mart = world.query("select * from marts.fct_post where platform = ?", platform).set_index("post_id").sort_index()
    assert list(mart.index) == list(truth.index), f"world {world.seed}"
    assert len(mart) > FEWEST_POSTS.get(platform, 3_000) * world.force_count / 43
    np.testing.assert_array_equal(mart["is_original"].to_numpy(bool), truth["is_original"].to_numpy(bool))
    originals = mart["is_original"]
    for metric in COUNTS:
        found, true = (frame.loc[originals.to_numpy(bool), metric].to_numpy(float) for frame in (mart, truth))
        np.testing.assert_array_equal(found, true, err_msg=f"world {world.seed} {metric}")
        assert np.isnan(found).all() == (metric in LACKING[platform]), metric


def test_deleted_posts_are_marked(world: WholeWorld, platform: str) -> None:
    """By the first list that should hold them and does not; their readings stand, and so do the counts of their month."""
    known = post_truth(world.seed, world.as_of, world.instants, world.defects, world.forces, platform=platform)
    truth = known.set_index("post_id")["deleted_at"]
    mart = world.query("select post_id, deleted_at from marts.fct_post where platform = ?", platform).set_index("post_id")
    expected, found = truth.dropna(), mart["deleted_at"].dropna()
    assert set(found.index) == set(expected.index), f"world {world.seed}"
    # one was planted; where posts are rare, the newest of that age may be older than any list
    assert (platform not in FEWEST_POSTS) <= len(expected) <= 1
    late = pd.to_datetime(found, utc=True) - expected.reindex(found.index)
    assert late.between(pd.Timedelta(0), pd.Timedelta(minutes=5)).all(), late


def test_what_only_one_platform_does_is_there(world: WholeWorld) -> None:
    """The worlds hold the oddities that the equalities above are about."""
    posts = world.query("select platform, kind, count(*) as n from marts.fct_post group by all").set_index(["platform", "kind"])[
        "n"
    ]
    assert {("x", "repost"), ("x", "reply"), ("x", "original"), ("instagram", "reel")} <= set(posts.index)
    assert {("youtube", "video"), ("threads", "original"), ("threads", "video"), ("threads", "repost")} <= set(posts.index)
    rounded = world.query("select value from marts.hmicfrs_metrics where platform = 'youtube' and metric = 'followers_end'")[
        "value"
    ]
    assert (rounded.dropna() >= 1000).sum() > world.force_count
    assert all(value % 10 ** (len(str(int(value))) - 3) == 0 for value in rounded.dropna() if value >= 1000), "three figures"
    for platform in ("bluesky", "mastodon"):
        assert {(platform, kind) for kind in ("original", "reply", "repost")} <= set(posts.index)
    accepted = world.home.accepted / "post" / "x"
    edited = pd.concat([pd.read_parquet(path) for path in accepted.glob("*.parquet")])
    edited = edited[edited["edited_at"].notna()]
    assert (edited["edited_at"] > edited["published_at"]).all()
    assert edited["post_id"].nunique() > 20


def test_the_accounts_daily_views_equal_the_truth(world: WholeWorld) -> None:
    truth = account_day_truth(world.seed, world.run_dates[1], world.run_dates[-2], world.instants[-1], world.forces)
    mart = world.query(
        "select * from marts.fct_metric_daily where metric = 'account_views' and value is not null and platform = 'facebook'"
    )
    for frame in (truth, mart):
        frame["metric_date"] = pd.to_datetime(frame["metric_date"])
    both = truth.merge(mart, on=["account_id", "metric_date"], how="inner", suffixes=("_true", ""))
    final = both[both["status"] == "ok"]
    assert len(final) > world.force_count * 75
    assert (final["value"] == final["account_views"]).all(), f"world {world.seed}"
    # days that no run has seen filled, and none will: the page was merged away, the token had expired
    lost = both[both["status"] != "ok"]
    assert set(zip(lost["force_id"], lost["status"], lost["gap_cause"], strict=True)) == {
        ("devon-and-cornwall", "partial", "account_closed"),
        ("dyfed-powys", "partial", "expired_token"),
    }


def test_instagrams_daily_numbers_equal_the_truth(world: WholeWorld) -> None:
    """Reach as a series of days, views as the total of one settled day of each run."""
    truth = account_day_truth(world.seed, world.run_dates[0], world.as_of, world.instants[-1], world.forces, platform="instagram")
    truth = truth.assign(account_views_total=truth["account_views"] + truth["account_views_paid"])
    mart = world.query(
        "select * from marts.fct_metric_daily where platform = 'instagram' and value is not null and day_tz <> 'Europe/London'"
    )
    for frame in (truth, mart):
        frame["metric_date"] = pd.to_datetime(frame["metric_date"])
    for metric, least in (("account_reach_unique", world.force_count * 80), ("account_views_total", world.force_count * 12)):
        both = mart[mart["metric"] == metric].merge(truth, on=["account_id", "metric_date"], suffixes=("", "_true"))
        assert len(both) > least, metric
        assert (both["value"] == both[metric]).all(), f"world {world.seed} {metric}"
        assert set(both["status"]) == {"ok"}


def test_the_daily_views_of_threads_equal_the_truth(world: WholeWorld) -> None:
    """And its followers are of the moment of asking, on no day of the platform's."""
    truth = account_day_truth(world.seed, world.run_dates[0], world.as_of, world.instants[-1], world.forces, platform="threads")
    mart = world.query(
        "select * from marts.fct_metric_daily where platform = 'threads' and value is not null and day_tz <> 'Europe/London'"
    )
    assert set(mart["metric"]) == {"account_views_total"}
    for frame in (truth, mart):
        frame["metric_date"] = pd.to_datetime(frame["metric_date"])
    both = mart.merge(truth, on=["account_id", "metric_date"], suffixes=("", "_true"))
    assert len(both) > world.force_count * 80
    assert (both["value"] == both["account_views"]).all(), f"world {world.seed}"
    assert set(both["status"]) == {"ok"}


def test_the_open_signals_equal_the_truth(world: WholeWorld) -> None:
    """Every day and every week that was there: as accepted, and as the weeks that the statistics see."""
    import duckdb

    rows = registry.current().tables["horizon_watchlist"]
    articles = {row["asked_as"].partition("/")[2]: row["channel"] for row in rows if row["source"] == "signals_wikimedia"}
    first, last = world.as_of - timedelta(days=98), world.as_of - timedelta(days=2)
    views = wikimedia_truth(world.seed, articles, first, last)
    found = duckdb.sql(f"from read_parquet('{world.home.accepted}/signal/signals_wikimedia/*.parquet')").df()
    days = dict(zip(zip(found["channel"], pd.to_datetime(found["period_start"]).dt.date, strict=True), found["value"], strict=True))
    assert days == {(articles[row.article], row.day): row.views for row in views.itertuples()}
    assert len(days) > 87 * len(articles)
    with duckdb.connect(str(world.home.build_file), read_only=True) as connection:
        weeks = connection.execute("select * from intermediate.int_signal_weekly where series like 'mastodon_social_%'").df()
    activity = mastodon_truth(world.seed, ["mastodon.social"], world.as_of - timedelta(days=77), world.as_of - timedelta(days=1))
    assert len(weeks) == 2 * 11
    for week in weeks.itertuples():
        start = pd.Timestamp(week.week_start).date()
        of_week = activity[(activity["day"] >= start) & (activity["day"] < start + timedelta(days=7))]
        assert week.value == of_week[week.series.removeprefix("mastodon_social_")].sum(), (world.seed, week)
    trends = world.query("select * from marts.horizon_trends where source <> 'signals_fediverse'")
    assert len(trends) == len(rows) - 2
    assert trends["is_simulated"].all()
    assert trends.loc[trends["source"] == "signals_mastodon", "direction"].notna().all()


def test_a_follower_count_that_was_not_reported_is_missing_and_never_zero(world: WholeWorld) -> None:
    planted = next(defect for defect in world.defects if defect.kind == "followers_not_reported")
    row = world.query(
        """
        select * from marts.hmicfrs_metrics
        where metric = 'followers_end' and force_id = ? and platform = 'facebook' and month = ?
        """,
        planted.force_id,
        planted.first_date,
    ).iloc[0]
    assert pd.isna(row["value"])
    assert row["status"] == "missing"
    assert row["gap_cause"] == "not_reported"
    ledger = world.query(
        "select run_date, cause, is_open from marts.gap_ledger where force_id = ? and subject = 'followers_count' "
        "and platform = 'facebook'",
        planted.force_id,
    )
    due = [day for day in world.run_dates if planted.first_date <= day <= planted.last_date]
    assert list(pd.to_datetime(ledger["run_date"]).sort_values().dt.date) == due
    assert set(ledger["cause"]) == {"not_reported"}
    assert ledger["is_open"].all()
    zeros = world.query("select count(*) as n from marts.fct_metric_daily where metric = 'followers_end' and value = 0")
    assert zeros["n"].iloc[0] == 0


def test_an_expired_token_is_in_the_ledger_by_its_cause(world: WholeWorld) -> None:
    planted = next(defect for defect in world.defects if defect.kind == "token_expired")
    ledger = world.query(
        "select distinct force_id, run_date, subject from marts.gap_ledger where cause = 'expired_token' and subject = '*'"
    )
    assert set(ledger["force_id"]) == {planted.force_id}
    assert [day.date() for day in pd.to_datetime(ledger["run_date"]).unique()] == [planted.first_date]


def test_no_gap_was_found_that_was_not_planted(world: WholeWorld) -> None:
    # data.police.uk, too, lists only the forces that the world has
    causes = world.query("select platform, cause, force_id from marts.gap_ledger where source <> 'police_uk' group by all")
    found = set(zip(causes["platform"], causes["cause"], causes["force_id"], strict=True))
    # of a video that is gone YouTube says so, if it lists it before a younger one
    assert found - {("youtube", "post_removed", "surrey")} == {
        ("facebook", "not_reported", "gwent"),
        ("facebook", "expired_token", "dyfed-powys"),
        ("facebook", "account_closed", "devon-and-cornwall"),
        ("x", "account_closed", "devon-and-cornwall"),
    }


def test_conservation_holds_for_every_batch_and_kind(world: WholeWorld) -> None:
    import duckdb

    rows = duckdb.sql(f"from read_parquet('{world.home.accepted}/conservation/*/*.parquet')").df()
    assert len(rows) > world.force_count * 3 * 14 * len(PLATFORMS)
    left = rows["landed"] + rows["derived_zero"]
    right = rows["accepted"] + rows["quarantined"] + rows["dropped_duplicate"] + rows["dropped_outside_window"]
    assert (left == right).all()
    assert not rows["is_stopped"].any()
    assert (rows["derived_zero"] > 0).any(), "shares that are absent are zeros by contract, typed as such"
    assert (rows["dropped_duplicate"] > 0).any(), "the planted duplicate page"


def test_every_table_of_the_contract_is_published_with_every_force(world: WholeWorld) -> None:
    for table in TABLES:
        rows = world.query(f"select * from marts.{table.name}")
        assert len(rows) > 0, table.name
        assert "is_simulated" in rows.columns, table.name
        parquet = world.home.published / "parquet" / table.name
        assert len(pd.read_parquet(parquet)) == len(rows), table.name
        if table.every_force:
            assert rows.loc[~rows["force_id"].isin(["national"]), "force_id"].nunique() == 43, table.name


def test_simulated_figures_say_so_and_the_real_series_does_not(world: WholeWorld) -> None:
    for table in ("hmicfrs_metrics", "fct_post", "fct_metric_daily", "expectation_gap"):
        figure = {"hmicfrs_metrics": "value", "fct_metric_daily": "value"}.get(table, "is_simulated")
        told = world.query(f"select bool_and(is_simulated) as simulated from marts.{table} where {figure} is not null")
        assert told["simulated"].iloc[0], table
    trends = world.query("select source, bool_or(is_simulated) as simulated from marts.horizon_trends group by source")
    assert dict(zip(trends["source"], trends["simulated"], strict=True)) == {
        "signals_fediverse": False, "signals_mastodon": True, "signals_wikimedia": True,
    }  # fmt: skip


def test_the_real_fediverse_series(world: WholeWorld) -> None:
    row = world.query("select * from marts.horizon_trends where channel = 'fediverse' and series = 'users'").iloc[0]
    assert str(row["step_date"])[:10] == "2019-07-04"
    assert row["step_size"] == 991_816
    assert row["direction"] == "up"
    assert row["trend_p_value"] is None or pd.isna(row["trend_p_value"])
    assert row["not_computed_reason"] == "not_yet_computed"


def test_the_surveys_want_shares_are_near_their_truth(world: WholeWorld) -> None:
    """One survey; the coverage over many is tests/dbt_survey/test_want_coverage.py."""
    truth = survey_truth(world.seed, "2026-autumn")
    mart = world.query("select * from marts.expectation_gap where audience = 'all'")
    both = truth.merge(mart, on=["force_id", "category_code"], suffixes=("_true", ""), validate="one_to_one")
    assert len(both) == 44 * 10
    shown = both[both["want_share"].notna()]
    covered = shown["want_share_true"].between(shown["want_ci_low"], shown["want_ci_high"])
    assert covered.mean() > 0.9, f"world {world.seed}"
    small = both[both["force_id"] == "city-of-london"]
    assert set(small["want_status"]) == {"unreliable"}
    assert set(mart["activity_status"]) == {"missing"}
    assert mart["activity_share"].isna().all()


def test_no_person_and_no_token_stays_in_any_file(world: WholeWorld) -> None:
    """Planted tokens, names and addresses of respondents, and everybody who turned to a force, in every file under the state
    folder, compressed ones too.

    The dropped export itself is what people put there; it is not the pipeline's to rewrite.
    """
    strangers = [b"sim_citizen", b"sim_partner", b"did:plc:citizen", b"sim.citizen"]  # quoted, answered and reposted
    planted = [token.encode() for token in world.tokens] + [b"@example.org", b"192.0.2.", *strangers]
    export = next((world.home.inbox / "survey" / "processed").glob("*.csv")).read_bytes()
    assert b"@example.org" in export, "the export does hold what must not go on"
    assert b"192.0.2." in export
    first, last = run_instant(world.run_dates[0] - timedelta(days=40)), run_instant(world.as_of)
    looked = Counter[str]()
    found = traces(world.home, planted_people(world.seed, first, last), looked, planted)
    assert looked[".gz"] > 500
    assert looked[".parquet"] > 20
    assert not found, found[:5]


def test_a_second_run_changes_nothing(world: WholeWorld) -> None:
    tables = [table for table in TABLES if table.name != "publications"]
    before = {table.name: world.query(f"select * from marts.{table.name} order by {', '.join(table.key)}") for table in tables}
    landed = sorted(world.home.landing.rglob("*.gz"))
    with (
        at_home(world.home.path.parent) as home,
        SimulatorProcess(seed=world.seed, defects=world.defects, forces=world.forces) as simulator,
    ):
        with patch.dict(os.environ, simulated_connections(simulator)):
            collect_day(simulator, world.as_of, world.forces)
            collect_files(home, world.run_dates, world.seed)
            collect_open_signals(world.as_of)
        build(world.as_of, tests="none")
        publish(world.as_of)
    assert sorted(world.home.landing.rglob("*.gz")) == landed, "the same answers have the same name"
    for table in tables:
        again = world.query(f"select * from marts.{table.name} order by {', '.join(table.key)}")
        pd.testing.assert_frame_equal(before[table.name], again, obj=table.name)
    assert len(world.query("select * from marts.publications")) == 2
