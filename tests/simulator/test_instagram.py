"""The Instagram contract: shapes, paging, hidden likes, both shapes of insights, limits, errors, defects."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.simulator.defects import Defect
from include.simulator.instagram_world import InstagramWorld
from include.simulator.register import read_register
from include.simulator.truth import account_day_truth
from tests.simulator.conftest import SEED, Asking, account_id

TODAY = date(2026, 11, 2)
GWENT, MET = account_id("instagram", "gwent"), account_id("instagram", "metropolitan")
MEDIA = "id,caption,media_type,media_product_type,timestamp,permalink,shortcode,like_count,comments_count"
OCTOBER = {"period": "day", "since": "2026-10-05", "until": "2026-10-12"}


def media(instagram: Asking, **parameters: Any) -> list[dict[str, Any]]:
    return instagram.json(f"{GWENT}/media", **{"fields": MEDIA, "limit": 100, **parameters})["data"]


def plant(instagram: Asking, kind: str, **detail: Any) -> None:
    instagram.simulator.plant([Defect(kind, "gwent", TODAY, TODAY, detail, "instagram")])


def values(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {entry["name"]: entry["values"][0]["value"] for entry in entries}


def test_snapshot(instagram: Asking) -> None:
    node = instagram.json(GWENT, fields="id,username,name,followers_count,follows_count,media_count,website")
    assert list(node) == ["id", "username", "name", "followers_count", "follows_count", "media_count", "website"]
    assert (node["id"], node["username"]) == (GWENT, "sim_gwent")
    assert instagram.error(GWENT, fields="fan_count") == (100, None)
    answer = instagram.get(GWENT)
    (usage,) = json.loads(answer.headers["x-business-use-case-usage"]).values()
    assert usage[0]["type"] == "instagram"
    assert (answer.headers["date"], answer.headers["x-simulated"]) == ("Mon, 02 Nov 2026 21:00:00 GMT", "true")


def test_media_have_the_shape_of_the_contract(instagram: Asking) -> None:
    items = instagram.json(f"{MET}/media", "metropolitan", fields=MEDIA + ",children", limit=100)["data"]
    assert len(items) == 100
    assert [item["timestamp"] for item in items] == sorted((item["timestamp"] for item in items), reverse=True)
    for item in items:
        assert re.fullmatch(r"18\d{15}", item["id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", item["timestamp"])
        assert item["permalink"].endswith(f"/{item['shortcode']}/")
        assert ("children" in item) == (item["media_type"] == "CAROUSEL_ALBUM")
    kinds = {(item["media_type"], item["media_product_type"]) for item in items}
    assert kinds >= {("IMAGE", "FEED"), ("CAROUSEL_ALBUM", "FEED"), ("VIDEO", "REELS")}
    assert "STORY" not in {item["media_product_type"] for item in items}
    assert 0 < sum("caption" not in item for item in items) < 20


def test_likes_are_hidden_by_some_posts_and_accounts_and_stay_in_the_insights(instagram: Asking) -> None:
    world = InstagramWorld(SEED, read_register())
    hiding = [account for account in world.accounts.values() if world.hides_all_likes(account)]
    assert 0 < len(hiding) < 10
    hidden = {item["id"] for item in media(instagram) if "like_count" not in item}
    assert 0 < len(hidden) < 20
    one = min(hidden)
    (entry,) = instagram.json(f"{one}/insights", metric="likes")["data"]
    assert entry["values"][0]["value"] > 0
    shown = next(item for item in media(instagram)[20:] if "like_count" in item)
    assert values(instagram.json(f"{shown['id']}/insights", metric="likes,comments")["data"]) == {
        "likes": shown["like_count"],
        "comments": shown["comments_count"],
    }


def test_paging_reaches_every_medium_once(instagram: Asking) -> None:
    span = {"since": 1785000000, "until": 1793653200}
    whole = [item["id"] for item in media(instagram, **span)]
    body = instagram.json(f"{GWENT}/media", fields="id", limit=7, **span)
    found = [item["id"] for item in body["data"]]
    while "next" in body["paging"]:
        assert body["paging"]["cursors"].keys() == {"before", "after"}
        body = instagram.follow(body["paging"]["next"])
        found += [item["id"] for item in body["data"]]
    assert found == whole
    assert 40 < len(whole) < 100
    assert instagram.json(f"{GWENT}/media", since=1793653199, until=1793653200) == {"data": []}
    assert instagram.error(f"{GWENT}/media", limit=101) == (100, None)


def test_three_to_six_media_a_week() -> None:
    world = InstagramWorld(SEED, read_register())
    begin = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
    rates = [len(world.posts(one, begin, begin + 40 * 7 * 86_400 - 1)) / 40 for one in world.accounts.values()]
    assert 2.4 < min(rates) < max(rates) < 7
    assert all(world.post(post.post_id) is post for post in world.posts(world.accounts[GWENT], begin, begin + 30 * 86_400))
    assert world.post("18") is world.post("17841400000000000") is world.post("1899999999" + "0" * 7) is None


def test_media_insights_are_values(instagram: Asking) -> None:
    one = media(instagram)[30]["id"]
    names = "views,reach,likes,comments,saved,shares,reposts,total_interactions,total_likes,total_comments,total_views"
    entries = instagram.json(f"{one}/insights", metric=names)["data"]
    assert [entry["name"] for entry in entries] == names.split(",")
    for entry in entries:
        assert entry.keys() == {"name", "period", "values", "title", "description", "id"}
        assert (entry["period"], entry["id"]) == ("lifetime", f"{one}/insights/{entry['name']}/lifetime")
    found = values(entries)
    assert found["total_interactions"] == sum(found[name] for name in ("likes", "comments", "shares", "reposts", "saved"))
    batch = instagram.json("", ids=one, fields=f"insights.metric({names})")
    assert batch[one]["insights"]["data"] == entries
    activity = instagram.json(f"{picture(instagram)}/insights", metric="profile_activity", breakdown="action_type")["data"][0]
    assert "values" not in activity
    assert activity["total_value"]["breakdowns"][0]["dimension_keys"] == ["action_type"]


def picture(instagram: Asking) -> str:
    return next(item["id"] for item in media(instagram)[20:] if item["media_type"] == "IMAGE")


def test_organic_and_with_ads_are_two_numbers(instagram: Asking) -> None:
    ids = [item["id"] for item in media(instagram)[20:70]]
    answer = instagram.json("", ids=",".join(ids), fields="insights.metric(views,total_views,likes,total_likes)")
    found = [values(node["insights"]["data"]) for node in answer.values()]
    assert all(one["total_views"] >= one["views"] for one in found)
    assert 0 < sum(one["total_views"] > one["views"] for one in found) < 15
    assert any(one["total_likes"] > one["likes"] for one in found)


def test_insights_of_the_first_hours_are_empty(instagram: Asking) -> None:
    newest = media(instagram)[0]
    published = datetime.fromisoformat(newest["timestamp"])
    instagram.simulator.set_clock(published + timedelta(minutes=30))
    assert instagram.json(f"{newest['id']}/insights", metric="views") == {"data": []}
    assert instagram.json("", ids=newest["id"], fields="insights.metric(views)")[newest["id"]]["insights"] == {"data": []}
    assert "comments_count" in media(instagram)[0]
    instagram.simulator.set_clock(published + timedelta(hours=48))
    assert values(instagram.json(f"{newest['id']}/insights", metric="views")["data"])["views"] > 0


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("views,nonsense", r"metric\[1\] must be one of the following values: reach, views"),
        ("views,ig_reels_avg_watch_time", "does not support the ig_reels_avg_watch_time metric for this media product type"),
        ("views,navigation", "does not support the navigation metric for this media product type"),
        ("views,impressions", "Starting from version 22 and above, the impressions metric is no longer supported"),
        ("", "The parameter metric is required"),
    ],
)
def test_one_bad_metric_cancels_the_batch(instagram: Asking, metric: str, message: str) -> None:
    answer = instagram.get(f"{picture(instagram)}/insights", metric=metric)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == 100
    assert re.search(message, answer.json()["error"]["message"])


def test_video_metrics_are_of_video_alone(instagram: Asking) -> None:
    reel = next(item["id"] for item in media(instagram)[20:] if item["media_product_type"] == "REELS")
    assert values(instagram.json(f"{reel}/insights", metric="ig_reels_video_view_total_time")["data"]).popitem()[1] > 0
    assert instagram.error(f"{reel}/insights", metric="profile_visits") == (100, None)
    both = f"{reel},{picture(instagram)}"
    assert instagram.error("", ids=both, fields="insights.metric(profile_visits)") == (100, None)


def test_impressions_end_on_the_day_itself(instagram: Asking) -> None:
    instagram.simulator.set_clock(datetime(2025, 4, 20, 21, tzinfo=UTC))
    one = media(instagram)[20]["id"]
    assert values(instagram.json(f"{one}/insights", metric="impressions")["data"])["impressions"] > 0
    assert instagram.error(f"{one}/insights", metric="reposts") == (100, None)
    instagram.simulator.set_clock(datetime(2025, 4, 21, 21, tzinfo=UTC))
    assert instagram.error(f"{one}/insights", metric="impressions") == (100, None)


def test_media_from_before_the_conversion_have_no_insights(instagram: Asking) -> None:
    instagram.simulator.set_clock(datetime(2016, 1, 10, 21, tzinfo=UTC))
    old = media(instagram, until=int(datetime(2015, 12, 31, tzinfo=UTC).timestamp()))[0]["id"]
    assert instagram.error(f"{old}/insights", metric="views") == (100, 2108006)


def test_reach_comes_as_values_and_everything_else_as_a_total(instagram: Asking) -> None:
    (reach,) = instagram.json(f"{GWENT}/insights", metric="reach", **OCTOBER)["data"]
    assert "total_value" not in reach
    assert [value["end_time"] for value in reach["values"]] == [f"2026-10-{day:02}T07:00:00+0000" for day in range(6, 13)]
    names = "views,accounts_engaged,total_interactions,likes,comments,shares,saves,replies,reposts,profile_links_taps"
    entries = instagram.json(f"{GWENT}/insights", metric=names, metric_type="total_value", **OCTOBER)["data"]
    assert [entry["name"] for entry in entries] == names.split(",")
    assert all("values" not in entry and entry["total_value"]["value"] >= 0 for entry in entries)
    truth = account_day_truth(
        SEED, date(2026, 10, 5), date(2026, 10, 11), datetime(2026, 11, 2, 21, tzinfo=UTC), ("gwent",), platform="instagram"
    )
    assert entries[0]["total_value"]["value"] == (truth["account_views"] + truth["account_views_paid"]).sum()
    assert [value["value"] for value in reach["values"]] == truth["account_reach_unique"].tolist()
    (unique,) = instagram.json(f"{GWENT}/insights", metric="reach", metric_type="total_value", **OCTOBER)["data"]
    assert truth["account_reach_unique"].max() < unique["total_value"]["value"] < truth["account_reach_unique"].sum()


def test_breakdowns_add_up_and_show_the_ads(instagram: Asking) -> None:
    asked = {"metric": "views", "metric_type": "total_value", "breakdown": "media_product_type"}
    spans = [{"since": f"2026-{month:02}-01", "until": f"2026-{month:02}-29"} for month in (9, 10)]
    totals = [instagram.json(f"{GWENT}/insights", **asked, **span)["data"][0]["total_value"] for span in spans]
    shares = [{one["dimension_values"][0]: one["value"] for one in total["breakdowns"][0]["results"]} for total in totals]
    assert [sum(share.values()) for share in shares] == [total["value"] for total in totals]
    assert all(share.keys() >= {"FEED", "REELS"} for share in shares)
    assert any("AD" in share for share in shares)
    (follows,) = instagram.json(f"{GWENT}/insights", metric="follows_and_unfollows", metric_type="total_value", **OCTOBER)["data"]
    assert follows["total_value"] == {}


def test_days_that_are_not_filled_are_absent(instagram: Asking) -> None:
    span = {"since": "2026-10-28", "until": "2026-11-02", "period": "day"}
    (reach,) = instagram.json(f"{GWENT}/insights", metric="reach", **span)["data"]
    assert [value["end_time"][:10] for value in reach["values"]] == ["2026-10-29", "2026-10-30", "2026-10-31"]
    fresh = {"since": "2026-11-01", "until": "2026-11-02", "period": "day"}
    assert instagram.json(f"{GWENT}/insights", metric="views", metric_type="total_value", **fresh) == {"data": []}


@pytest.mark.parametrize(
    "parameters",
    [
        {"metric": "views"},
        {"metric": "follower_count", "metric_type": "total_value"},
        {"metric": "reach", "since": "2026-09-01", "until": "2026-10-02"},
        {"metric": "reach", "since": "2026-10-02", "until": "2026-10-02"},
        {"metric": "impressions"},
        {"metric": "reach,nonsense"},
        {"metric": "reach", "breakdown": "age"},
    ],
)
def test_refused_account_insights(instagram: Asking, parameters: dict[str, str]) -> None:
    assert instagram.error(f"{GWENT}/insights", **parameters) == (100, None)


def test_tokens_open_their_own_account_alone(instagram: Asking) -> None:
    assert instagram.error(GWENT, None) == (190, 467)
    assert instagram.error(GWENT, "kent") == (10, None)
    assert instagram.error("17841400000000001") == (100, 33)
    assert instagram.error("18999999990000000/insights", metric="views") == (100, 33)
    assert set(instagram.tokens.values()).isdisjoint(instagram.simulator.tokens("facebook").values())


def test_defects_are_their_platforms_own(instagram: Asking) -> None:
    instagram.simulator.plant([Defect("token_expired", "gwent", TODAY, TODAY)])
    assert instagram.json(GWENT)["id"] == GWENT
    plant(instagram, "token_expired")
    assert instagram.error(GWENT) == (190, 463)
    assert Asking(instagram.simulator).json("100000016000048")["id"] == "100000016000048"


def test_hidden_likes(instagram: Asking) -> None:
    plant(instagram, "hidden_likes")
    assert not any("like_count" in item for item in media(instagram))
    assert all("comments_count" in item for item in media(instagram))


def test_throttle_of_the_account(instagram: Asking) -> None:
    plant(instagram, "throttle", regain_minutes=3)
    for _ in range(2):
        answer = instagram.get(GWENT)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 80002)
        (usage,) = json.loads(answer.headers["x-business-use-case-usage"]).values()
        assert (usage[0]["type"], usage[0]["estimated_time_to_regain_access"]) == ("instagram", 3)
    assert instagram.json(GWENT)["id"] == GWENT


def test_other_defects(instagram: Asking) -> None:
    one = picture(instagram)
    good = media(instagram, limit=10)
    plant(instagram, "metric_retired", metric="views")
    assert instagram.error(f"{one}/insights", metric="views,reach") == (100, None)
    assert values(instagram.json(f"{one}/insights", metric="reach")["data"])["reach"] > 0
    plant(instagram, "insights_permission_lost")
    assert instagram.json(f"{one}/insights", metric="reach") == {"data": []}
    plant(instagram, "posts_permission_lost")
    assert instagram.error(f"{GWENT}/media") == (10, None)
    plant(instagram, "followers_not_reported")
    assert instagram.json(GWENT, fields="id,followers_count") == {"id": GWENT}
    plant(instagram, "unmapped_field", object_type="post", name="loud_views")
    assert [entry["name"] for entry in instagram.json(f"{one}/insights", metric="reach")["data"]] == ["reach", "loud_views"]
    plant(instagram, "duplicate_page")
    first = instagram.json(f"{GWENT}/media", fields=MEDIA, limit=10)
    assert instagram.follow(first["paging"]["next"])["data"] == first["data"] == good
    plant(instagram, "text_number", field="views")
    spoilt = next(item["id"] for item in media(instagram))
    entries = instagram.json(f"{spoilt}/insights", metric="views")["data"]
    assert entries == [] or isinstance(entries[0]["values"][0]["value"], str)


@pytest.mark.parametrize(("kind", "created"), [("future_date", "2099"), ("unknown_account_post", "2026")])
def test_planted_media_stand_first(instagram: Asking, kind: str, created: str) -> None:
    good = media(instagram)
    plant(instagram, kind)
    planted, *rest = media(instagram)
    assert planted["timestamp"].startswith(created)
    assert rest == good[:99]
    answer = instagram.json("", ids=f"{planted['id']},{good[0]['id']}", fields="insights.metric(views)")
    assert len(answer) == 2
