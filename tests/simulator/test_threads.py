"""The Threads contract: its own version and paths, both shapes of insights, reposts, the first day, defects."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from include.simulator.defects import Defect
from include.simulator.register import read_register
from include.simulator.threads_world import ThreadsWorld
from tests.simulator.conftest import SEED, Asking, account_id

TODAY = date(2026, 11, 2)
GWENT, MET = account_id("threads", "gwent"), account_id("threads", "metropolitan")
FIELDS = "id,text,timestamp,permalink,media_type,media_product_type"
METRICS = "views,likes,replies,reposts,quotes,shares"


def good(threads: Asking, path: str, force: str = "metropolitan", **parameters: Any) -> dict[str, Any]:
    return threads.json(path, force, version="v1.0", **parameters)


def posts(threads: Asking, **parameters: Any) -> dict[str, Any]:
    return good(threads, f"{MET}/threads", **{"fields": FIELDS, "limit": 100, **parameters})


def plant(threads: Asking, kind: str, **detail: Any) -> None:
    threads.simulator.plant([Defect(kind, "metropolitan", TODAY, TODAY, detail, "threads")])


def total(body: dict[str, Any]) -> dict[str, int]:
    return {entry["name"]: entry["total_value"]["value"] for entry in body["data"]}


def test_the_profile_has_names_and_no_numbers(threads: Asking) -> None:
    assert good(threads, GWENT, "gwent", fields="id,username,name") == {
        "id": GWENT, "username": "sim.gwent", "name": "Gwent Police (simulated)",
    }  # fmt: skip
    assert threads.error(GWENT, fields="followers_count", version="v1.0")[0] == 100
    assert threads.error(MET, "gwent", fields="id", version="v1.0")[0] == 10, "a token reads its own force's account"
    assert threads.error(GWENT, fields="id", version="v26.0")[0] == 2500, "the versions of Threads are its own"


def test_posts_are_newest_first_with_reposts_among_them(threads: Asking) -> None:
    body = posts(threads)
    times = [item["timestamp"] for item in body["data"]]
    assert times == sorted(times, reverse=True)
    kinds = {item["media_type"] for item in body["data"]}
    assert kinds == {"TEXT_POST", "IMAGE", "VIDEO", "CAROUSEL_ALBUM", "REPOST_FACADE"}
    assert {item["media_product_type"] for item in body["data"]} == {"THREADS"}
    first = posts(threads, limit=7)
    assert "/v1.0/" in first["paging"]["next"]
    second = threads.follow(first["paging"]["next"])
    assert [*first["data"], *second["data"]] == body["data"][:14]


def test_insights_of_a_post_are_lifetime_values_and_empty_of_a_repost(threads: Asking) -> None:
    body = posts(threads)["data"]
    own = next(item for item in body if item["media_type"] == "TEXT_POST")
    found = good(threads, f"{own['id']}/insights", metric=METRICS)["data"]
    assert [(entry["name"], entry["period"]) for entry in found] == [(name, "lifetime") for name in METRICS.split(",")]
    assert all(list(entry["values"][0]) == ["value"] for entry in found)
    repost = next(item for item in body if item["media_type"] == "REPOST_FACADE")
    assert good(threads, f"{repost['id']}/insights", metric=METRICS) == {"data": []}
    assert threads.error(f"{own['id']}/insights", "metropolitan", metric="saves", version="v1.0")[0] == 100
    assert threads.error("", "metropolitan", ids=own["id"], fields="id", version="v1.0")[0] == 2500, "it takes no list of ids"


def test_views_come_by_day_and_the_rest_as_totals(threads: Asking) -> None:
    since, until = datetime(2026, 10, 1, 7, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)
    span = {"since": int(since.timestamp()), "until": int(until.timestamp())}
    views, *totals = good(threads, f"{MET}/threads_insights", metric="views,likes,clicks,followers_count", **span)["data"]
    world = ThreadsWorld(SEED, read_register())
    account = world.accounts[MET]
    # the last whole day that has been over for 48 hours at 21:00 on 2 November is 30 October
    assert [value["end_time"][:10] for value in views["values"]][-1] == "2026-10-31"
    assert [value["value"] for value in views["values"]] == [world.day(account, date(2026, 10, day)).views for day in range(1, 31)]
    assert {entry["name"]: entry["total_value"]["value"] for entry in totals} == {
        "likes": sum(world.day(account, date(2026, 10, day)).likes for day in range(1, 31)),
        "clicks": sum(world.day(account, date(2026, 10, day)).views // 200 for day in range(1, 31)),
        "followers_count": world.followers(account, TODAY),
    }
    old = good(threads, f"{MET}/threads_insights", metric="followers_count", since=1_712_991_600, until=1_713_078_000)
    assert total(old) == {"followers_count": world.followers(account, TODAY)}, "of now, whatever span is asked for"


def test_there_is_nothing_from_before_the_first_day(threads: Asking) -> None:
    threads.simulator.set_clock(datetime(2024, 4, 18, 21, tzinfo=UTC))
    span = {"since": int(datetime(2024, 4, 1, tzinfo=UTC).timestamp()), "until": int(datetime(2024, 4, 18, tzinfo=UTC).timestamp())}
    (views,) = good(threads, f"{MET}/threads_insights", metric="views", **span)["data"]
    assert [value["end_time"] for value in views["values"]] == ["2024-04-14T07:00:00+0000", "2024-04-15T07:00:00+0000",
                                                                "2024-04-16T07:00:00+0000"]  # fmt: skip
    threads.simulator.set_clock(datetime(2023, 7, 1, 21, tzinfo=UTC))
    assert threads.error(MET, "metropolitan", fields="id", version="v1.0")[0] == 100


def test_defects(threads: Asking) -> None:
    newest = next(item["id"] for item in posts(threads)["data"] if item["media_type"] != "REPOST_FACADE")
    plant(threads, "insights_permission_lost")
    assert good(threads, f"{newest}/insights", metric="views") == {"data": []}
    assert good(threads, f"{MET}/threads_insights", metric="followers_count") == {"data": []}
    plant(threads, "followers_not_reported")
    assert good(threads, f"{MET}/threads_insights", metric="followers_count") == {"data": []}
    plant(threads, "metric_retired", metric="quotes")
    assert threads.error(f"{newest}/insights", "metropolitan", metric=METRICS, version="v1.0")[0] == 100
    plant(threads, "text_number", field="likes")
    (entry,) = good(threads, f"{newest}/insights", metric="likes")["data"]
    assert isinstance(entry["values"][0]["value"], str)
    plant(threads, "throttle")
    assert threads.error(MET, "metropolitan", fields="id", version="v1.0")[0] == 4
    plant(threads, "future_date")
    assert posts(threads)["data"][0]["timestamp"].startswith("2099")
    with pytest.raises(ValueError, match="unknown_account_post is no defect of 'threads'"):
        plant(threads, "unknown_account_post")
