"""The contracts of the open series: Wikimedia page views and the activity of Mastodon instances."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from include.simulator.clock import START
from include.simulator.defects import EVERYONE, Defect
from include.simulator.process import SimulatorProcess
from include.simulator.signals_world import FIRST_DAY, article_begins
from include.simulator.truth_days import mastodon_truth, wikimedia_truth
from tests.simulator.conftest import SEED

TODAY = date(2026, 11, 2)
NAMED = "project/1.0 (https://www.example.org; contact)"
ARTICLE = "Mastodon_(social_network)"


@pytest.fixture
def open_signals(simulator: SimulatorProcess) -> SimulatorProcess:
    simulator.set_clock(START)
    simulator.plant([])
    return simulator


def pageviews(simulator: SimulatorProcess, first: str, last: str, who: str | None = NAMED, **parts: str) -> requests.Response:
    named = {
        "project": "en.wikipedia",
        "access": "all-access",
        "agent": "user",
        "article": ARTICLE,
        "granularity": "daily",
        **parts,
    }
    path = "/".join((*named.values(), first, last))
    url = f"{simulator.base_url('wikimedia')}/api/rest_v1/metrics/pageviews/per-article/{path}"
    return requests.get(url, headers={"User-Agent": who} if who is not None else {}, timeout=30)


def activity(simulator: SimulatorProcess, host: str = "mastodon.example") -> requests.Response:
    return requests.get(f"{simulator.base_url('mastodon')}/{host}/api/v1/instance/activity", timeout=30)


def plant(simulator: SimulatorProcess, platform: str, kind: str, **detail: Any) -> None:
    simulator.plant([Defect(kind, EVERYONE, TODAY, TODAY, detail, platform)])


def test_daily_views_are_the_series_itself(open_signals: SimulatorProcess) -> None:
    answer = pageviews(open_signals, "20250101", "20261102")
    assert (answer.status_code, answer.headers["x-simulated"]) == (200, "true")
    items = answer.json()["items"]
    assert list(items[0]) == ["project", "article", "granularity", "timestamp", "access", "agent", "views"]
    assert (items[0]["timestamp"][-2:], items[0]["project"], items[0]["article"]) == ("00", "en.wikipedia", ARTICLE)
    truth = wikimedia_truth(SEED, [ARTICLE], date(2025, 1, 1), date(2026, 10, 31))
    assert [(item["timestamp"][:8], item["views"]) for item in items] == [
        (f"{row.day:%Y%m%d}", row.views) for row in truth.itertuples()
    ]
    assert 0 < 669 - len(items) < 20  # some days are missing, and none of them is 0


def test_the_last_day_is_a_day_behind(open_signals: SimulatorProcess) -> None:
    for hour, last in ((datetime(2026, 11, 2, 23, 59, tzinfo=UTC), "20261031"), (datetime(2026, 11, 3, tzinfo=UTC), "20261101")):
        open_signals.set_clock(hour)
        assert pageviews(open_signals, "20261020", "20261110").json()["items"][-1]["timestamp"] == last + "00"


def test_series_begin_in_july_2015_or_later_and_have_a_week(open_signals: SimulatorProcess) -> None:
    articles = [f"Article_{number}" for number in range(40)]
    begins = [article_begins(SEED, article) for article in articles]
    assert 10 < sum(begin == FIRST_DAY for begin in begins) < 30
    old, young = articles[begins.index(FIRST_DAY)], articles[begins.index(max(begins))]
    first = pageviews(open_signals, "20150101", "20150731", article=old).json()["items"][0]["timestamp"]
    assert "2015070100" <= first <= "2015070300"
    before = max(begins) - timedelta(days=1)
    assert pageviews(open_signals, "20150701", f"{before:%Y%m%d}", article=young).status_code == 404
    views = wikimedia_truth(SEED, [old], date(2025, 1, 6), date(2026, 1, 4)).assign(
        weekday=lambda frame: [day.weekday() for day in frame["day"]]
    )
    means = views.groupby("weekday")["views"].mean()
    assert means.max() > 1.1 * means.min()


def test_parts_are_less_than_the_whole_and_months_are_whole(open_signals: SimulatorProcess) -> None:
    def total(**parts: str) -> int:
        return sum(item["views"] for item in pageviews(open_signals, "20260801", "20261015", **parts).json()["items"])

    assert total(access="desktop") < total() < total(agent="all-agents")
    months = pageviews(open_signals, "20260801", "20261015", granularity="monthly").json()["items"]
    assert [month["timestamp"] for month in months] == ["2026080100", "2026090100"]
    truth = wikimedia_truth(SEED, [ARTICLE], date(2026, 8, 1), date(2026, 8, 31))
    assert months[0]["views"] == truth["views"].sum()
    problem = pageviews(open_signals, "20261002", "20261015", granularity="monthly")
    assert (problem.status_code, problem.json()["detail"]) == (400, "no full months between dates")


@pytest.mark.parametrize("agent", ["", "python-requests/2.32", None, "curl/8.0", "Python-urllib/3.11"])
def test_whoever_does_not_say_who_asks_is_refused(open_signals: SimulatorProcess, agent: str | None) -> None:
    answer = pageviews(open_signals, "20261001", "20261002", agent)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/plain")


def test_problems(open_signals: SimulatorProcess) -> None:
    for parts, status in (
        ({"article": "mastodon"}, 404),  # titles are case-sensitive
        ({"project": "xx.nothing"}, 404),
        ({"agent": "robot"}, 400),
        ({"granularity": "hourly"}, 400),
    ):
        answer = pageviews(open_signals, "20261001", "20261002", **parts)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json().keys() == {"detail", "method", "status", "title", "type", "uri"}
    assert pageviews(open_signals, "20261301", "20261401").status_code == 400
    assert pageviews(open_signals, "20261002", "20261001").status_code == 400


def test_a_slash_in_a_title_is_part_of_it(open_signals: SimulatorProcess) -> None:
    items = pageviews(open_signals, "20261001", "20261005", article="AC%2FDC").json()
    again = pageviews(open_signals, "20261001", "20261005", article="ACDC").json()
    assert items != again
    assert items.get("items", [{"article": "AC/DC"}])[0]["article"] == "AC/DC"


def test_too_many_requests(open_signals: SimulatorProcess) -> None:
    answers = [pageviews(open_signals, "20261001", "20261002", "someone without an address") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].headers["content-type"].startswith("text/plain")
    assert int(answers[-1].headers["retry-after"]) == 60
    assert pageviews(open_signals, "20261001", "20261002").status_code == 200


def test_twelve_weeks_newest_first(open_signals: SimulatorProcess) -> None:
    answer = activity(open_signals)
    rows = answer.json()
    assert len(rows) == 12
    assert all(list(row) == ["week", "statuses", "logins", "registrations"] for row in rows)
    assert all(isinstance(value, str) and value.isdigit() for row in rows for value in row.values())
    now = int(START.timestamp())
    assert [int(row["week"]) for row in rows] == [now - back * 7 * 86_400 for back in range(12)]
    truth = mastodon_truth(SEED, ["mastodon.example"], date(2026, 8, 1), date(2026, 11, 2)).set_index("day")
    for back, row in enumerate(rows[1:], start=1):
        first = TODAY - timedelta(weeks=back)
        week = truth.loc[first : first + timedelta(days=6)]
        assert [int(row[name]) for name in ("statuses", "logins", "registrations")] == [
            week[name].sum() for name in ("statuses", "logins", "registrations")
        ]
    assert 0 < int(rows[0]["statuses"]) < truth.loc[TODAY, "statuses"]  # today's first hours
    assert activity(open_signals, "another.example").json() != rows


def test_limits_of_an_instance(open_signals: SimulatorProcess) -> None:
    headers = activity(open_signals, "limits.example").headers
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("300", "299")
    assert headers["X-RateLimit-Reset"] == "2026-11-02T21:05:00.000000Z"
    plant(open_signals, "mastodon", "throttle", count=1)
    answer = activity(open_signals)
    assert (answer.status_code, answer.json()) == (429, {"error": "Too many requests"})
    assert activity(open_signals).status_code == 200


def test_an_instance_can_have_its_activity_disabled(open_signals: SimulatorProcess) -> None:
    plant(open_signals, "mastodon", "activity_disabled", host="closed.example")
    closed = activity(open_signals, "closed.example")
    assert (closed.status_code, closed.content) == (404, b""), "Mastodon answers with a head only"
    assert activity(open_signals).status_code == 200


@pytest.mark.parametrize(
    ("platform", "ask"), [("wikimedia", lambda s: pageviews(s, "20261001", "20261002")), ("mastodon", activity)]
)
def test_defects_of_open_signals(open_signals: SimulatorProcess, platform: str, ask: Any) -> None:
    plant(open_signals, platform, "server_error")
    assert [ask(open_signals).status_code for _ in range(2)] == [503, 200]
    plant(open_signals, platform, "html_page")
    assert ask(open_signals).text.startswith("<!DOCTYPE html>")
    plant(open_signals, platform, "truncated_page")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        ask(open_signals).json()


def test_open_signals_have_no_tokens_and_go_by_the_name_of_their_source(simulator: SimulatorProcess) -> None:
    assert simulator.tokens("wikimedia") == simulator.tokens("signals_mastodon") == {}
    assert simulator.base_url("signals_wikimedia") == simulator.base_url("wikimedia")
    by_platform = simulator.requests()["by_platform"]
    assert by_platform.keys() == {
        "facebook",
        "instagram",
        "x",
        "bluesky",
        "youtube",
        "threads",
        "wikimedia",
        "mastodon",
        "police_uk",
    }
    assert by_platform["mastodon"]["by_endpoint"]["instance_activity"] > 0
