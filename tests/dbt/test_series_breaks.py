"""Over 2025-11-15 and 2026-06-15: two series each time, and nothing that joins them."""

from __future__ import annotations

from datetime import date

from tests.dbt.conftest import GWENT
from tests.dbt.world import Marts


def test_impressions_and_views_are_two_series_of_posts(breaks_marts: Marts) -> None:
    assert breaks_marts.post("b-impressions", "impressions_legacy, views, latest_impressions_legacy, latest_views") == (
        800,
        None,
        800,
        950,
    )
    assert breaks_marts.post("b-views", "impressions_legacy, views, latest_impressions_legacy, latest_views") == (
        None,
        120,
        90,
        120,
    )


def test_a_post_keeps_the_version_of_reach_it_was_read_with(breaks_marts: Marts) -> None:
    columns = "reach_unique, reach_source_field, reach_metric_version, latest_reach_unique"
    assert breaks_marts.post("b-reach-before", columns) == (50, "post_impressions_unique", 1, 75)
    assert breaks_marts.post("b-reach-since", columns) == (30, "post_total_media_view_unique", 2, 30)


def test_daily_reach_has_two_versions_and_the_second_starts_with_a_break(breaks_marts: Marts) -> None:
    days = breaks_marts.rows(
        "select metric_version, metric_date, value, source_field, is_break from marts.fct_metric_daily "
        f"where account_id = '{GWENT}' and metric = 'account_reach_unique' order by all"
    )
    before, since = "page_impressions_unique", "page_total_media_view_unique"
    assert days == [
        (1, date(2026, 6, 13), 53, before, False),
        (1, date(2026, 6, 14), 54, before, False),
        (2, date(2026, 6, 14), 74, since, True),
        (2, date(2026, 6, 15), 75, since, False),
        (2, date(2026, 6, 16), 76, since, False),
    ]


def test_daily_sums_know_which_series_a_post_could_have(breaks_marts: Marts) -> None:
    days = breaks_marts.rows(
        "select metric, metric_date, value, status, is_break from marts.fct_metric_daily "
        "where metric in ('views', 'impressions_legacy') and metric_date < date '2026-01-01' order by all"
    )
    assert days == [
        ("impressions_legacy", date(2025, 11, 2), 800, "ok", False),
        ("views", date(2025, 11, 5), 120, "ok", True),
    ]


def test_months_before_a_metric_exists_have_none_and_its_first_month_is_partial(breaks_marts: Marts) -> None:
    columns = "value, status, is_break, coverage"
    assert breaks_marts.month("gwent", "2025-10", "views", columns) == (None, "not_applicable", False, None)
    assert breaks_marts.month("gwent", "2025-11", "views", columns) == (120, "partial", True, 0.5)
    assert breaks_marts.month("gwent", "2026-05", "views", columns) == (60, "ok", False, 1.0)
    assert breaks_marts.month("gwent", "2025-11", "interactions", columns) == (3 + 6, "ok", False, 1.0)
