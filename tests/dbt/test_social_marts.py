"""The social marts over the autumn world: every value here is worked by hand from what tests/dbt/conftest.py plants."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from include import registry
from tests.dbt.conftest import CITY, CLEVELAND, CORNWALL, DEVON, GWENT, HAMPSHIRE
from tests.dbt.world import Marts

GWENT_RESIDENTS = 601_686


def test_every_force_month_and_metric_has_a_row_for_the_platform_and_for_all(autumn_marts: Marts) -> None:
    found = autumn_marts.rows(
        "select platform, count(*), count(distinct force_id), count(distinct month), count(distinct metric) "
        "from marts.hmicfrs_metrics group by platform order by platform"
    )
    assert found == [(platform, 43 * 3 * 15, 43, 3, 15) for platform in sorted(("all", *registry.current().platforms))]
    assert autumn_marts.rows("select count(*) from marts.dim_force") == [(43,)]


def test_a_reading_is_the_first_observation_in_the_span(autumn_marts: Marts) -> None:
    columns = (
        "reading_observed_at, reading_status, reactions, comments, shares, interactions, views, latest_interactions, latest_views"
    )
    assert autumn_marts.post("g-september", columns) == (
        datetime(2026, 9, 21, 21, 0, 4, tzinfo=UTC), "ok", 10, 2, 1, 13, 500, 36, 900,
    )  # fmt: skip
    followers, rate, age = autumn_marts.post("g-september", "followers_at_posting, engagement_rate_by_followers, reading_age_hours")
    assert (followers, rate) == (1000, 13 / 1000)
    assert age == pytest.approx(13 * 24 + 11 + 4 / 3600, abs=1e-9)


def test_a_post_with_a_part_missing_has_no_interactions(autumn_marts: Marts) -> None:
    assert autumn_marts.post("g-no-shares", "reactions, shares, interactions, views, reading_status") == (8, None, None, 100, "ok")


def test_a_young_post_shows_its_latest_and_is_provisional(autumn_marts: Marts) -> None:
    columns = "reading_status, reading_observed_at, interactions, views, followers_at_posting"
    assert autumn_marts.post("g-winter-midnight", columns) == ("provisional", None, 7, 70, 1500)


def test_an_old_post_that_was_not_read_in_the_span_shows_nothing(autumn_marts: Marts) -> None:
    columns = "reading_status, reactions, interactions, views, latest_interactions, latest_views"
    assert autumn_marts.post("g-missed", columns) == ("missing", None, None, None, 4, 40)


def test_the_month_of_a_post_is_londons(autumn_marts: Marts) -> None:
    columns = "published_date, published_month"
    assert autumn_marts.post("g-summer-midnight", columns) == (date(2026, 10, 1), date(2026, 10, 1))
    assert autumn_marts.post("g-winter-midnight", columns) == (date(2026, 10, 31), date(2026, 10, 1))


def test_a_repost_is_kept_in_its_latest_version_and_counted_nowhere(autumn_marts: Marts) -> None:
    assert autumn_marts.post("g-repost", "kind, is_original, permalink, text, first_seen_at, last_seen_at") == (
        "repost", False, "https://example.org/new", None,
        datetime(2026, 10, 12, 21, 0, 4, tzinfo=UTC), datetime(2026, 10, 19, 21, 0, 4, tzinfo=UTC),
    )  # fmt: skip
    assert autumn_marts.month("gwent", "2026-10", "posts_published") == (3, "ok")


def test_months_of_gwent(autumn_marts: Marts) -> None:
    month = autumn_marts.month
    assert month("gwent", "2026-09", "followers_end") == (1200, "ok")
    assert month("gwent", "2026-10", "followers_end") == (1500, "ok")
    assert month("gwent", "2026-11", "followers_end") == (1600, "provisional")
    value, numerator, denominator = month("gwent", "2026-10", "followers_per_1k_population", "value, numerator, denominator")
    assert (numerator, denominator) == (1000 * 1500, GWENT_RESIDENTS)
    assert value == pytest.approx(1000 * 1500 / GWENT_RESIDENTS, rel=1e-15)
    assert month("gwent", "2026-09", "interactions", "value, status, base_n, coverage") == (13, "partial", 1, 0.5)
    assert month("gwent", "2026-09", "views", "value, status, base_n, coverage") == (600, "ok", 2, 1.0)
    assert month("gwent", "2026-10", "interactions", "value, status, base_n, coverage") == (23 + 7, "partial", 2, 2 / 3)
    assert month("gwent", "2026-10", "views", "value, status, base_n, coverage, gap_cause") == (
        70, "partial", 1, 1 / 3, "too_few_viewers",
    )  # fmt: skip
    assert month("gwent", "2026-10", "engagement_rate_by_followers", "numerator, denominator, value, base_n") == (
        30, 1200 + 1500, 30 / 2700, 2,
    )  # fmt: skip


def test_coverage_counts_account_runs_with_posts_and_a_count_of_the_day(autumn_marts: Marts) -> None:
    """21 September without followers; in October one late, one not reported."""
    columns = "value, numerator, denominator, status"
    assert autumn_marts.month("gwent", "2026-09", "metric_coverage", columns) == (0.75, 3, 4, "ok")
    assert autumn_marts.month("gwent", "2026-10", "metric_coverage", columns) == (0.5, 2, 4, "ok")
    assert autumn_marts.month("devon-and-cornwall", "2026-09", "metric_coverage", columns) == (1.0, 6, 6, "ok")
    assert autumn_marts.month("hampshire", "2026-10", "metric_coverage", columns) == (0.0, 0, 4, "ok")


def test_lists_without_a_post_are_a_true_zero_and_no_list_is_none(autumn_marts: Marts) -> None:
    columns = "value, status, gap_cause"
    for metric in ("posts_published", "interactions", "views"):
        assert autumn_marts.month("city-of-london", "2026-10", metric, columns) == (0, "ok", None)
        assert autumn_marts.month("hampshire", "2026-10", metric, columns) == (None, "missing", "expired_token")
        assert autumn_marts.month("kent", "2026-10", metric, columns) == (None, "missing", "not_collected")
        # what was stopped at the gate is no empty list
        assert autumn_marts.month("cleveland", "2026-11", metric, columns) == (None, "missing", "quarantined")
    assert autumn_marts.month("city-of-london", "2026-10", "engagement_rate_by_followers", columns) == (
        None,
        "not_applicable",
        None,
    )


def test_the_city_has_no_rate_per_head(autumn_marts: Marts) -> None:
    assert autumn_marts.month("city-of-london", "2026-10", "followers_end") == (900, "ok")
    assert autumn_marts.month("city-of-london", "2026-10", "followers_per_1k_population") == (None, "not_applicable")


def test_a_list_that_missed_the_end_of_the_month_makes_it_partial(autumn_marts: Marts) -> None:
    assert autumn_marts.month("devon-and-cornwall", "2026-10", "posts_published", "value, status, gap_cause") == (
        1, "partial", "not_collected",
    )  # fmt: skip


def test_a_merger_is_a_break_and_only_open_accounts_are_counted(autumn_marts: Marts) -> None:
    assert autumn_marts.month("devon-and-cornwall", "2026-09", "followers_end", "value, status, base_n, is_break") == (
        5700, "ok", 1, True,
    )  # fmt: skip
    assert autumn_marts.month("devon-and-cornwall", "2026-10", "followers_end", "is_break") == (False,)
    assert autumn_marts.month("hampshire", "2026-09", "views", "is_break", platform="all") == (True,)
    broken = autumn_marts.rows(
        "select account_id, metric_date from marts.fct_metric_daily "
        f"where is_break and account_id in ('{DEVON}', '{CORNWALL}', '{CITY}')"
    )
    assert broken == [(DEVON, date(2026, 9, 21))]


def test_national_values_are_weighted(autumn_marts: Marts) -> None:
    assert autumn_marts.month("gwent", "2026-10", "interactions", "national_value") == (30 + 115,)
    assert autumn_marts.month("gwent", "2026-10", "posts_published", "national_value") == (4,)
    assert autumn_marts.month("kent", "2026-10", "engagement_rate_by_followers", "national_value") == ((30 + 115) / (2700 + 5700),)
    assert autumn_marts.month("gwent", "2026-10", "followers_end", "national_value") == (None,)
    rate = 1000 * (1500 + 5700) / (GWENT_RESIDENTS + 1_840_161)
    assert autumn_marts.month("gwent", "2026-10", "followers_per_1k_population", "national_value")[0] == pytest.approx(
        rate, rel=1e-12
    )


def test_all_platforms_together_hold_only_what_can_be_added(autumn_marts: Marts) -> None:
    for metric in ("posts_published", "views", "interactions", "metric_coverage"):
        columns = "value, numerator, denominator"
        assert autumn_marts.month("gwent", "2026-10", metric, columns, "all") == autumn_marts.month(
            "gwent", "2026-10", metric, columns
        )
        # the force has open accounts on other platforms too, and nothing was collected of them
        assert autumn_marts.month("gwent", "2026-10", metric, "status", "all") == ("partial",), metric
    for metric in ("followers_end", "followers_per_1k_population", "engagement_rate_by_followers"):
        assert autumn_marts.month("gwent", "2026-10", metric, "value, status", "all") == (None, "not_applicable")


def test_a_late_count_is_of_the_day_it_was_seen_and_planned_days_without_one_say_why(autumn_marts: Marts) -> None:
    days = autumn_marts.rows(
        "select metric_date, value, status, gap_cause from marts.fct_metric_daily "
        f"where account_id = '{GWENT}' and metric = 'followers_end' order by metric_date"
    )
    assert days == [
        (date(2026, 9, 7), 1000, "ok", None),
        (date(2026, 9, 14), 1100, "ok", None),
        (date(2026, 9, 21), None, "missing", "throttled"),
        (date(2026, 9, 28), 1200, "ok", None),
        (date(2026, 10, 5), None, "missing", "not_collected"),
        (date(2026, 10, 7), 1300, "ok", None),
        (date(2026, 10, 12), 1400, "ok", None),
        (date(2026, 10, 19), None, "missing", "not_reported"),
        (date(2026, 10, 26), 1500, "ok", None),
        (date(2026, 11, 2), 1600, "ok", None),
    ]


def test_daily_totals_are_provisional_inside_the_lag_and_revised_after_it(autumn_marts: Marts) -> None:
    days = autumn_marts.rows(
        "select metric, metric_date, value, status, is_revised, day_tz, source_field from marts.fct_metric_daily "
        f"where account_id = '{GWENT}' and metric like 'account_views%' order by metric, metric_date"
    )
    zone, field = "America/Los_Angeles", "page_media_view"
    assert days == [
        ("account_views", date(2026, 10, 20), 310, "ok", True, zone, field),
        ("account_views", date(2026, 10, 24), 50, "ok", False, zone, field),
        ("account_views", date(2026, 10, 31), 0, "provisional", False, zone, field),
        ("account_views_paid", date(2026, 10, 24), 7, "ok", False, zone, field),
    ]


def test_daily_sums_over_posts_stand_on_londons_date_and_add_up_to_the_month(autumn_marts: Marts) -> None:
    days = autumn_marts.rows(
        "select metric_date, value, status from marts.fct_metric_daily "
        f"where account_id = '{GWENT}' and metric = 'interactions' and metric_date >= date '2026-10-01' order by metric_date"
    )
    assert days == [(date(2026, 10, 1), 23, "partial"), (date(2026, 10, 31), 7, "provisional")]


def test_the_ledger_knows_every_hole_and_what_closed_it(autumn_marts: Marts) -> None:
    ledger = autumn_marts.rows(
        "select account_id, run_date, subject, object_id, metric, cause, is_open, closed_at from marts.gap_ledger "
        f"where account_id <> '{HAMPSHIRE}' and platform = 'facebook' order by all"
    )
    closed_at = datetime(2026, 10, 26, 22, tzinfo=UTC)
    assert ledger == sorted(
        [
            (CLEVELAND, date(2026, 11, 2), "*", None, None, "quarantined", True, None),
            (CORNWALL, date(2026, 9, 21), "posts", None, None, "account_closed", True, None),
            (DEVON, date(2026, 10, 26), "*", None, None, "throttled", False, closed_at),
            (DEVON, date(2026, 10, 26), "posts", None, None, "throttled", False, closed_at),
            (DEVON, date(2026, 11, 2), "*", None, None, "not_collected", True, None),
            (GWENT, date(2026, 9, 21), "followers_count", None, "followers_end", "throttled", True, None),
            (GWENT, date(2026, 10, 5), "followers_count", None, "followers_end", "not_collected", True, None),
            (GWENT, date(2026, 10, 12), "post_media_view", "g-summer-midnight", "views", "too_few_viewers", True, None),
            (GWENT, date(2026, 10, 12), "posts", "g-missed", None, "post_removed", True, None),
            (GWENT, date(2026, 10, 19), "followers_count", None, "followers_end", "not_reported", True, None),
        ],
        key=lambda row: row[:3],
    )
    assert autumn_marts.rows(
        "select count(*), count(*) filter (where is_open and cause = 'expired_token') from marts.gap_ledger "
        f"where account_id = '{HAMPSHIRE}'"
    ) == [(9, 9)]


def test_collection_health_sums_the_ledger(autumn_marts: Marts) -> None:
    health = autumn_marts.rows(
        "select force_id, run_date, planned_accounts, collected_accounts, landed, derived_zero, accepted, quarantined, dropped, "
        "open_gaps, metric_coverage, status from marts.collection_health "
        "where run_date = date '2026-11-02' or (force_id = 'devon-and-cornwall' and run_date = date '2026-09-07') order by all"
    )
    last, nothing = date(2026, 11, 2), (None,) * 5
    assert health == [
        ("city-of-london", last, 1, 1, *nothing, 0, 1.0, "ok"),
        ("cleveland", last, 1, 0, 8, 0, 0, 8, 0, 1, 0.0, "missing"),
        ("devon-and-cornwall", date(2026, 9, 7), 2, 2, *nothing, 0, 1.0, "ok"),
        ("devon-and-cornwall", last, 1, 0, *nothing, 1, 0.0, "missing"),
        ("gwent", last, 1, 1, 13, 1, 11, 1, 2, 0, 1.0, "ok"),
        ("hampshire", last, 1, 0, *nothing, 1, 0.0, "missing"),
    ]


def test_numbers_that_feed_no_metric_are_kept_for_reconciliation(autumn_marts: Marts) -> None:
    pairs = autumn_marts.rows(
        "select metric_date, source_field, value, preferred_value, difference from intermediate.int_metric_reconciliation "
        "order by metric_date limit 2"
    )
    assert pairs == [
        (date(2026, 9, 7), "fan_count", 990, 1000, -10),
        (date(2026, 9, 14), "fan_count", 1090, 1100, -10),
    ]


def test_everything_from_the_simulator_says_so(autumn_marts: Marts) -> None:
    for table in ("fct_post", "fct_metric_daily", "gap_ledger", "collection_health", "dim_account"):
        assert autumn_marts.rows(f"select bool_and(is_simulated), count(*) > 0 from marts.{table}") == [(True, True)], table
    assert autumn_marts.month("gwent", "2026-10", "views", "is_simulated") == (True,)


def test_contacts_that_nobody_collects_are_missing_and_only_a_channel_has_none(autumn_marts: Marts) -> None:
    found = autumn_marts.rows(
        "select distinct platform, status, gap_cause from marts.hmicfrs_metrics where month = date '2026-10-01' "
        "and metric in (select metric from intermediate.int_metric_inputs where basis = 'contacts') "
        "and platform in ('mastodon', 'youtube', 'threads', 'linkedin', 'tiktok', 'nextdoor', 'whatsapp') "
        "and (platform, force_id) in (select platform, force_id from marts.dim_account where status = 'open')"
    )
    asked_nobody = ["linkedin", "mastodon", "nextdoor", "threads", "tiktok", "youtube"]
    assert sorted(found) == sorted(
        [*((one, "missing", "not_collected") for one in asked_nobody), ("whatsapp", "not_applicable", None)]
    )
