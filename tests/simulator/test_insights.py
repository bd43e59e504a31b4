"""Insights: breakdowns, Pacific days, lag, limits, and which metric is valid when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.simulator.conftest import GWENT, Asking


def daily(facebook: Asking, metric: str, **parameters: object) -> list[dict]:
    (entry,) = facebook.json(f"{GWENT}/insights", metric=metric, period="day", **parameters)["data"]
    assert (entry["name"], entry["period"]) == (metric, "day")
    return entry["values"]


def at(facebook: Asking, year: int, month: int, day: int, hour: int = 21) -> None:
    facebook.simulator.set_clock(datetime(year, month, day, hour, tzinfo=UTC))


def test_breakdown_is_flat_and_adds_up(facebook: Asking) -> None:
    parts = daily(facebook, "page_media_view", breakdown="is_from_ads", since="2026-08-03", until="2026-10-30")
    whole = daily(facebook, "page_media_view", since="2026-08-03", until="2026-10-30")
    assert len(parts) == 2 * len(whole) == 2 * 88
    for total in whole:
        split = [value for value in parts if value["end_time"] == total["end_time"]]
        assert {value["is_from_ads"] for value in split} == {"0", "1"}
        assert sum(value["value"] for value in split) == total["value"] > 0
    assert sum(value["value"] for value in parts if value["is_from_ads"] == "1") > 0
    orders = {tuple(value["is_from_ads"] for value in parts[place : place + 2]) for place in range(0, len(parts), 2)}
    assert orders == {("0", "1"), ("1", "0")}


def test_days_are_pacific_over_both_clock_changes(facebook: Asking) -> None:
    ends = [value["end_time"] for value in daily(facebook, "page_follows", since="2026-10-29", until="2026-11-02")]
    assert ends == [f"2026-{day}T0{hour}:00:00+0000" for day, hour in (("10-30", 7), ("10-31", 7), ("11-01", 7), ("11-02", 8))]
    at(facebook, 2026, 3, 20)
    ends = [value["end_time"] for value in daily(facebook, "page_follows", since="2026-03-06", until="2026-03-10")]
    assert ends == [f"2026-03-{day}T0{hour}:00:00+0000" for day, hour in (("07", 8), ("08", 8), ("09", 7), ("10", 7))]


def test_unix_times_choose_the_days_that_end_between_them(facebook: Asking) -> None:
    since = int(datetime(2026, 10, 20, 7, tzinfo=UTC).timestamp())
    values = daily(facebook, "page_follows", since=since, until=since + 2 * 86400)
    assert [value["end_time"] for value in values] == ["2026-10-21T07:00:00+0000", "2026-10-22T07:00:00+0000"]


def test_the_last_two_days_are_zero_and_filled_later(facebook: Asking) -> None:
    values = daily(facebook, "page_media_view", since="2026-10-26", until="2026-11-03")
    assert [value["end_time"][:10] for value in values][-1] == "2026-11-02"
    assert [value["value"] > 0 for value in values] == [True] * (len(values) - 2) + [False] * 2
    at(facebook, 2026, 11, 4)
    later = {
        value["end_time"]: value["value"] for value in daily(facebook, "page_media_view", since="2026-10-26", until="2026-11-03")
    }
    assert all(later[value["end_time"]] == value["value"] for value in values[:-2])
    assert all(later[value["end_time"]] > 0 for value in values[-2:])


def test_follows_of_a_day_are_the_snapshot_at_its_end(facebook: Asking) -> None:
    values = daily(facebook, "page_follows", since="2026-10-20", until="2026-10-21")
    at(facebook, 2026, 10, 21)
    assert values == [
        {"value": facebook.json(GWENT, fields="followers_count")["followers_count"], "end_time": "2026-10-21T07:00:00+0000"}
    ]


def test_ninety_days_are_the_most(facebook: Asking) -> None:
    until = date(2026, 10, 30)
    assert len(daily(facebook, "page_follows", since=str(until - timedelta(days=90)), until=str(until))) == 90
    path = f"{GWENT}/insights"
    assert facebook.error(path, metric="page_follows", since=str(until - timedelta(days=91)), until=str(until))[0] == 100
    assert facebook.error(path, metric="page_follows", since=str(until), until=str(until))[0] == 100


def test_paging_is_by_time_and_never_ends(facebook: Asking) -> None:
    body = facebook.json(f"{GWENT}/insights", metric="page_follows", since="2026-10-30", until="2026-11-02")
    for _ in range(4):
        assert body["paging"].keys() == {"previous", "next"}
        body = facebook.follow(body["paging"]["next"])
    assert body["data"][0]["values"] == []
    assert "next" in body["paging"]
    assert facebook.follow(body["paging"]["previous"])["data"][0]["name"] == "page_follows"


def test_no_metric_and_wrong_questions(facebook: Asking) -> None:
    path = f"{GWENT}/insights"
    assert facebook.error(path) == (3001, 1504028)
    assert facebook.error(path, metric="page_media_view", breakdown="is_green")[0] == 100
    assert facebook.error(path, metric="page_media_view,page_follows", breakdown="is_from_ads")[0] == 100
    assert facebook.error(path, metric="page_follows", period="week")[0] == 100


def test_one_invalid_name_fails_the_whole_request(facebook: Asking) -> None:
    answer = facebook.get(f"{GWENT}/insights", metric="page_follows,page_fans")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "(#100) The value must be a valid insights metric"
    assert answer.json()["error"]["code"] == 100


PAGE = ("page_media_view", "page_total_media_view_unique", "page_impressions", "page_impressions_unique", "page_follows")
POST = (
    "post_media_view",
    "post_total_media_view_unique",
    "post_impressions",
    "post_impressions_organic",
    "post_impressions_unique",
)
VALID = {
    date(2025, 11, 14): {PAGE[2], PAGE[3], PAGE[4], *POST[2:]},
    date(2025, 11, 15): {PAGE[0], PAGE[3], PAGE[4], POST[0], POST[4]},
    date(2026, 6, 14): {PAGE[0], PAGE[3], PAGE[4], POST[0], POST[4]},
    date(2026, 6, 15): {PAGE[0], PAGE[1], PAGE[4], POST[0], POST[1]},
}


@pytest.mark.parametrize("day", list(VALID))
def test_metrics_are_valid_by_the_clock(facebook: Asking, day: date) -> None:
    at(facebook, day.year, day.month, day.day)
    post = facebook.json(f"{GWENT}/published_posts", fields="id", limit=1)["data"][0]["id"]
    valid = {
        name
        for target, names in ((GWENT, PAGE), (post, POST))
        for name in names
        if facebook.get(f"{target}/insights", metric=name).status_code == 200
    }
    assert valid == VALID[day]


def test_the_same_post_has_other_numbers_under_other_names(facebook: Asking) -> None:
    """Views are not the older impressions, and one reach is not the other: nobody can mix them up unseen."""
    at(facebook, 2025, 11, 14)
    items = facebook.json(f"{GWENT}/published_posts", fields="id", until=1759300000, limit=10)["data"]

    def values(metric: str) -> list[int]:
        answers = [facebook.json(f"{item['id']}/insights", metric=metric) for item in items]
        return [answer["data"][0]["values"][0]["value"] for answer in answers]

    impressions, reach_before = values("post_impressions"), values("post_impressions_unique")
    at(facebook, 2026, 6, 15)
    views, reach = values("post_media_view"), values("post_total_media_view_unique")
    assert all(a < b for a, b in zip(impressions, views, strict=True))
    assert all(a < b for a, b in zip(reach_before, reach, strict=True))


def test_insights_of_a_post(facebook: Asking) -> None:
    item = facebook.json(f"{GWENT}/published_posts", fields="id,insights.metric(post_media_view)", limit=1)["data"][0]
    body = facebook.json(f"{item['id']}/insights", metric="post_media_view,post_total_media_view_unique")
    assert [entry["name"] for entry in body["data"]] == ["post_media_view", "post_total_media_view_unique"]
    views, reach = (entry["values"][0]["value"] for entry in body["data"])
    assert 0 < reach < views
    for entry in body["data"]:
        assert entry["period"] == "lifetime"
        assert entry["title"] is None
        assert "end_time" not in entry["values"][0]
        assert entry["id"].endswith(f"/insights/{entry['name']}/lifetime")
    assert body["data"][0] == item["insights"]["data"][0]
    assert facebook.error(f"{item['id']}/insights", metric="post_media_view", period="day")[0] == 100


def test_insight_ids_may_name_another_page(facebook: Asking) -> None:
    others = 0
    for force, page in (
        ("gwent", GWENT),
        ("kent", "100000020000060"),
        ("hampshire", "100000017000051"),
        ("metropolitan", "100000025000075"),
    ):
        entry = facebook.json(f"{page}/insights", force, metric="page_follows")["data"][0]
        others += not entry["id"].startswith(page)
    assert 0 < others < 4


def test_a_post_grows_to_its_plateau_and_stays(facebook: Asking) -> None:
    at(facebook, 2026, 9, 1)
    post = facebook.json(f"{GWENT}/published_posts", fields="id,created_time", limit=1)["data"][0]
    published = datetime.fromisoformat(post["created_time"])
    seen = []
    for age in (timedelta(0), timedelta(days=1), timedelta(days=3), timedelta(days=7), timedelta(days=28), timedelta(days=60)):
        facebook.simulator.set_clock(published + age)
        values = facebook.json(f"{post['id']}/insights", metric="post_media_view", breakdown="is_from_ads")["data"][0]["values"]
        seen.append(next(value["value"] for value in values if value["is_from_ads"] == "0"))
    assert seen[0] == 0
    assert seen[0] < seen[1] < seen[2] < seen[3] < seen[4] == seen[5]
    assert 0.35 < seen[1] / seen[4] < 0.65  # 1 - exp(-1 day / growth), growth between 1 and 2 days
    assert seen[3] / seen[4] > 0.96
