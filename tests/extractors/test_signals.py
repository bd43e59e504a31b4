"""The open signals: what is asked of which host, and how their pages become rows. The servers are real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from extractors.base import Access, Drop, Gap, Page, SignalOrder, SignalSource, WatchedSeries
from extractors.http import HttpClient
from extractors.redaction import dump
from extractors.signals_mastodon import MastodonActivity
from extractors.signals_wikimedia import WikimediaViews
from tests.extractors.facebook_examples import OBSERVED, RUN_DATE, parse, rows_of
from tests.extractors.loopback import Asked, Loopback, Reply, serving

WIKIMEDIA, MASTODON = WikimediaViews(), MastodonActivity()
BLUESKY = WatchedSeries("bluesky", "wikipedia_views", "en.wikipedia/Bluesky")
AC_DC = WatchedSeries("bands", "wikipedia_views", "en.wikipedia/AC/DC")
LOGINS = WatchedSeries("mastodon", "social_logins", "mastodon.social/logins")
STATUSES = WatchedSeries("mastodon", "social_statuses", "mastodon.social/statuses")


def fetch(
    source: SignalSource, script: Callable[[Asked], Any], *series: WatchedSeries, run_date: date = RUN_DATE
) -> tuple[list[Page | Gap], Loopback]:
    with serving(script) as server:
        client = HttpClient(
            Access(server.base_url),
            run_date=run_date,
            classify=source.classify,
            contact="https://insight.example",
            sleep=lambda _: None,
            tries=2,
        )
        items = list(source.fetch(client, SignalOrder(run_date, series)))
        client.close()
    return items, server


def gaps_of(items: list[Any]) -> list[tuple[str, str]]:
    return [(item.subject, item.cause) for item in items if isinstance(item, Gap)]


def landed(body: Any, **context: str) -> Page:
    return Page("x", None, "GET /", 200, OBSERVED, dump(body), True, RUN_DATE, context)


def views(*items: Any) -> Page:
    return landed({"items": list(items)}, subjects=BLUESKY.subject, channel="bluesky", series="wikipedia_views")


def view(timestamp: str, number: Any) -> dict[str, Any]:
    return {"project": "en.wikipedia", "article": "Bluesky", "granularity": "daily", "timestamp": timestamp, "views": number}


# Wikimedia


def test_views_are_asked_by_title_and_in_the_name_of_somebody() -> None:
    items, server = fetch(WIKIMEDIA, lambda _: {"items": [view("2026110100", 13137)]}, BLUESKY, AC_DC)
    assert gaps_of(items) == []
    base = "/api/rest_v1/metrics/pageviews/per-article/en.wikipedia/all-access/user"
    assert [one.path for one in server.asked] == [
        f"{base}/Bluesky/daily/20260727/20261101",
        f"{base}/AC%2FDC/daily/20260727/20261101",
    ]
    assert all(one.headers["user-agent"] == "police-social-insight/0.1 (+https://insight.example)" for one in server.asked)
    assert all("authorization" not in one.headers for one in server.asked)


@pytest.mark.parametrize("later", range(7))
def test_a_first_run_on_any_weekday_has_thirteen_whole_weeks_although_yesterday_is_not_there_yet(later: int) -> None:
    run_date = RUN_DATE + timedelta(days=later)
    _, server = fetch(WIKIMEDIA, lambda _: {"items": [view("2026110100", 1)]}, BLUESKY, run_date=run_date)
    first = date.fromisoformat(server.asked[0].path.split("/")[-2])
    there = [first + timedelta(days=number) for number in range((run_date - first).days - 1)]
    weeks = Counter(day.isocalendar()[:2] for day in there)
    assert sum(days == 7 for days in weeks.values()) == 13


def test_days_become_rows_and_missing_days_stay_missing() -> None:
    parsed = parse(views(view("2026103000", 7), view("2026110100", 9)), WIKIMEDIA)
    assert rows_of(parsed, "signal") == [
        {"channel": "bluesky", "series": "wikipedia_views", "period": "day", "is_stock": False, "period_start": day, "value": value}
        for day, value in (("2026-10-30", 7), ("2026-11-01", 9))
    ]


@pytest.mark.parametrize("item", [None, 7, "day", {}, {"timestamp": 5, "views": "many"}])
def test_what_is_no_day_passes_as_it_came(item: Any) -> None:
    assert len(rows_of(parse(views(item), WIKIMEDIA), "signal")) == 1


def test_an_article_without_views_is_a_gap_and_costs_no_other_its_own() -> None:
    def script(asked: Asked) -> Any:
        return (
            Reply({"detail": "we do not have data", "status": 404}, 404)
            if "Bluesky" in asked.path
            else {"items": [view("2026110100", 1)]}
        )

    items, _ = fetch(WIKIMEDIA, script, BLUESKY, AC_DC)
    assert gaps_of(items) == [("bluesky/wikipedia_views", "not_reported")]
    assert [item.context["subjects"] for item in items if isinstance(item, Page) and "error" not in item.context] == [AC_DC.subject]


def test_a_throttle_in_plain_text_is_a_throttle() -> None:
    items, _ = fetch(WIKIMEDIA, lambda _: Reply(b"too many", 429, {"Content-Type": "text/plain", "Retry-After": "1"}), BLUESKY)
    assert gaps_of(items) == [("bluesky/wikipedia_views", "throttled")]


def test_a_refused_user_agent_is_said_after_one_request_with_what_to_do() -> None:
    text = Reply(b"Please set a user-agent and respect our robot policy https://w.wiki/4wJS.", 403, {"Content-Type": "text/plain"})
    items, server = fetch(WIKIMEDIA, lambda _: text, BLUESKY, AC_DC)
    assert gaps_of(items) == [(BLUESKY.subject, "permission"), (AC_DC.subject, "permission")]
    assert all("set INSIGHT_CONTACT" in item.detail for item in items if isinstance(item, Gap))
    assert len(server.asked) == 1


# Mastodon


def week(day: datetime, **numbers: Any) -> dict[str, Any]:
    return {"week": str(int(day.timestamp())), **({"statuses": "1173", "logins": "841", "registrations": "0"} | numbers)}


def activity(*weeks: Any) -> Page:
    return landed(list(weeks), subjects=f"{LOGINS.subject},{STATUSES.subject}", logins=LOGINS.subject, statuses=STATUSES.subject)


def test_every_server_is_its_own_host() -> None:
    assert MASTODON.base_url(LOGINS, None) == "https://mastodon.social"
    assert MASTODON.base_url(LOGINS, "http://127.0.0.1:1/mastodon") == "http://127.0.0.1:1/mastodon/mastodon.social"
    assert WIKIMEDIA.base_url(BLUESKY, None) == "https://wikimedia.org"


def test_one_request_gives_all_numbers_of_a_server() -> None:
    items, server = fetch(MASTODON, lambda _: [week(datetime(2026, 10, 26, 21, tzinfo=UTC))], LOGINS, STATUSES)
    assert [one.path for one in server.asked] == ["/api/v1/instance/activity"]
    (page,) = [item for item in items if isinstance(item, Page)]
    assert {(row["series"], row["value"]) for row in rows_of(parse(page, MASTODON), "signal")} == {
        ("social_logins", 841.0),
        ("social_statuses", 1173.0),
    }


def test_the_week_that_is_not_over_is_dropped_and_the_others_begin_on_their_own_day() -> None:
    starts = [datetime(2026, 11, 2, 21, tzinfo=UTC), datetime(2026, 10, 26, 21, tzinfo=UTC), datetime(2026, 10, 19, 21, tzinfo=UTC)]
    parsed = parse(activity(*(week(start) for start in starts)), MASTODON)
    logins = [row for row in rows_of(parsed, "signal") if row["series"] == "social_logins"]
    assert [(row["period_start"], row["period"], row["value"], row["is_stock"]) for row in logins] == [
        (date(2026, 10, 26), "week", 841.0, False),
        (date(2026, 10, 19), "week", 841.0, False),
    ]
    assert [(drop.kind, drop.reason) for drop in parsed if isinstance(drop, Drop)] == [("signal", "outside_window")] * 2


@pytest.mark.parametrize(
    "item", [None, 7, [], {"week": "soon", "logins": "1", "statuses": "2"}, {"week": None, "logins": 3, "statuses": "-4"}]
)
def test_what_is_no_week_passes_as_it_came(item: Any) -> None:
    assert rows_of(parse(activity(item), MASTODON), "signal")


def test_a_number_that_is_not_there_is_a_gap_and_no_zero() -> None:
    item = week(datetime(2026, 10, 26, 21, tzinfo=UTC))
    del item["logins"]
    parsed = parse(activity(item), MASTODON)
    assert gaps_of(parsed) == [("mastodon/social_logins", "not_reported")]
    assert [row["series"] for row in rows_of(parsed, "signal")] == ["social_statuses"]


NOT_JSON = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(b"", 404), "retired_metric"),
        (Reply(b"<html>", 404, NOT_JSON), "retired_metric"),
        (Reply({"error": "Not Found"}, 404), "retired_metric"),
        (Reply({"error": "This method requires an authenticated user"}, 401), "permission"),
        (Reply(b"", 401), "permission"),
        (Reply(b"", 403), "permission"),
    ],
)
def test_a_server_that_does_not_show_it_is_a_gap_of_all_its_series_and_not_asked_again(reply: Reply, cause: str) -> None:
    items, server = fetch(MASTODON, lambda _: reply, LOGINS, STATUSES)
    assert gaps_of(items) == [(LOGINS.subject, cause), (STATUSES.subject, cause)]
    assert len(server.asked) == 1
