"""Instagram: what is asked, and how its pages become rows, with the contract's examples. The server is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from extractors.base import Access, Account, Drop, Gap, Order, Page, Secret, SourceField
from extractors.http import HttpClient
from extractors.instagram import Instagram
from extractors.redaction import dump
from tests.extractors.facebook_examples import OBSERVED, RUN_DATE, parse, rows_of
from tests.extractors.loopback import Asked, Loopback, Reply, serving

USER_ID = "17841407673135339"
INSTAGRAM = Instagram()
POST_METRICS = ("likes", "comments", "shares", "reposts", "saved", "views", "reach")
FIELDS = (
    SourceField("account", "followers_count", "snapshot", None),
    SourceField("account", "media_count", "snapshot", None),
    SourceField("account", "reach", "day", None),
    SourceField("account", "views", "day", None),
    *(SourceField("post", name, "lifetime", None) for name in (*POST_METRICS, "like_count", "comments_count")),
)
SNAPSHOT = {
    "id": USER_ID,
    "name": "Facebook for Developers",
    "username": "facebookfordevelopers",
    "followers_count": 64363,
    "media_count": 427,
}
NOT_THIS_TYPE = Reply(
    {
        "error": {
            "message": "(#100) The Media Insights API does not support the views metric for this media product type.",
            "code": 100,
        }
    },
    400,
)
TOO_FEW = Reply({"error": {"message": "(#10) Not enough viewers for the media to show insights", "code": 10}}, 400)


def media_item(number: int, timestamp: str = "2026-10-30T08:25:28+0000", **more: Any) -> dict[str, Any]:
    item = {
        "id": f"1790000000000{number:04d}",
        "caption": "Have you seen this van?",
        "media_type": "IMAGE",
        "media_product_type": "FEED",
        "timestamp": timestamp,
        "permalink": f"https://www.instagram.com/p/{number}/",
        "like_count": 40,
        "comments_count": 3,
    }
    return item | more


def landed(endpoint: str, body: Any, subjects: str = "", **context: str) -> Page:
    return Page(endpoint, USER_ID, "GET /", 200, OBSERVED, dump(body), True, RUN_DATE, {"subjects": subjects, **context})


class Graph:
    """A small scripted Graph API: answers by endpoint, each of which a test may replace."""

    def __init__(self, **replies: Callable[[Asked], Any]) -> None:
        self.replies = replies

    def __call__(self, asked: Asked) -> Any:
        _, version, *rest = asked.path.split("/")
        assert version == "v26.0"
        name = rest[1] if len(rest) > 1 else ("batch" if "ids" in asked.query else "snapshot")
        return self.replies.get(name, getattr(self, name))(asked)

    def snapshot(self, asked: Asked) -> Any:
        return SNAPSHOT

    def media(self, asked: Asked) -> Any:
        return {"data": [media_item(1), media_item(2)]}

    def batch(self, asked: Asked) -> Any:
        names = asked.query["fields"].removeprefix("insights.metric(").removesuffix(")").split(",")
        data = [{"name": name, "period": "lifetime", "values": [{"value": 7}]} for name in names]
        return {media_id: {"id": media_id, "insights": {"data": data}} for media_id in asked.query["ids"].split(",")}

    def insights(self, asked: Asked) -> Any:
        if asked.query.get("metric_type") == "total_value":
            return {"data": [{"name": "views", "period": "day", "total_value": {"value": 812}}]}
        return {"data": [{"name": "reach", "period": "day", "values": [{"value": 5, "end_time": "2026-11-01T07:00:00+0000"}]}]}


def fetch(script: Callable[[Asked], Any], fields: tuple[SourceField, ...] | None = None) -> tuple[list[Page | Gap], Loopback]:
    order = Order("gwent", (Account("instagram", USER_ID, "sim_gwent", "gwent"),), RUN_DATE, fields or FIELDS)
    with serving(script) as server:
        client = HttpClient(
            Access(server.base_url, Secret("EAAplanted0123456789abcdef")),
            run_date=RUN_DATE,
            classify=INSTAGRAM.classify,
            redact_more=INSTAGRAM.redact,
            sleep=lambda _: None,
            tries=3,
        )
        items = list(INSTAGRAM.fetch(client, order))
        client.close()
    return items, server


def gaps_of(items: list[Any]) -> list[tuple[str, str, str | None]]:
    return [(item.subject, item.cause, item.object_id) for item in items if isinstance(item, Gap)]


def test_all_is_asked_as_the_contract_has_it() -> None:
    items, server = fetch(Graph())
    assert gaps_of(items) == []
    unix = {name: str(int(moment.timestamp())) for name, moment in {
        "window_start": datetime(2026, 10, 4, tzinfo=UTC), "window_end": datetime(2026, 11, 3, tzinfo=UTC),
        "series_start": datetime(2026, 10, 19, 7, tzinfo=UTC), "series_end": datetime(2026, 11, 2, 8, tzinfo=UTC),
        "day_start": datetime(2026, 10, 30, 7, tzinfo=UTC), "day_end": datetime(2026, 10, 31, 7, tzinfo=UTC),
    }.items()}  # fmt: skip
    list_fields = "id,caption,media_type,media_product_type,timestamp,permalink,like_count,comments_count"
    assert [(one.path, one.query) for one in server.asked] == [
        (f"/v26.0/{USER_ID}", {"fields": "id,username,name,followers_count,media_count"}),
        (
            f"/v26.0/{USER_ID}/media",
            {"fields": list_fields, "since": unix["window_start"], "until": unix["window_end"], "limit": "50"},
        ),
        (
            "/v26.0/",
            {"ids": "17900000000000001,17900000000000002", "fields": f"insights.metric({','.join(POST_METRICS)})"},
        ),
        (
            f"/v26.0/{USER_ID}/insights",
            {"metric": "reach", "period": "day", "since": unix["series_start"], "until": unix["series_end"]},
        ),
        (
            f"/v26.0/{USER_ID}/insights",
            {
                "metric": "views",
                "metric_type": "total_value",
                "period": "day",
                "since": unix["day_start"],
                "until": unix["day_end"],
            },
        ),
    ]
    for item in items:
        assert isinstance(item, Page)
        parse(item, INSTAGRAM)


def test_a_snapshot_is_an_account_and_its_numbers() -> None:
    parsed = parse(landed("account", SNAPSHOT, "followers_count,media_count"), INSTAGRAM)
    assert rows_of(parsed, "account") == [
        {
            "account_id": USER_ID,
            "handle": "facebookfordevelopers",
            "display_name": "Facebook for Developers",
            "url": "https://www.instagram.com/facebookfordevelopers/",
        }
    ]
    assert {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")} == {
        "followers_count": 64363,
        "media_count": 427,
    }


@pytest.mark.parametrize(
    ("media_type", "product", "kind"),
    [
        ("IMAGE", "FEED", "original"),
        ("CAROUSEL_ALBUM", "FEED", "original"),
        ("VIDEO", "FEED", "video"),
        ("VIDEO", "REELS", "reel"),
        ("IMAGE", "STORY", "story"),
        ("IMAGE", None, "original"),
        ("VIDEO", None, "video"),
        ("HOLOGRAM", "FEED", "HOLOGRAM"),
        ("IMAGE", "THREADS", "THREADS"),
        ("VIDEO", "AD", "AD"),  # one that was landed nevertheless: the suite names it
    ],
)
def test_what_kind_of_post_a_media_is(media_type: str, product: str | None, kind: str) -> None:
    body = {"data": [media_item(1, media_type=media_type, media_product_type=product)]}
    (post,) = rows_of(parse(landed("media", body, "posts"), INSTAGRAM), "post")
    assert post["kind"] == kind


def test_ads_are_not_landed_and_nothing_is_asked_about_them() -> None:
    ads = [media_item(number, media_product_type="AD", caption="Buy planted") for number in (7, 8)]
    items, server = fetch(Graph(media=lambda _: {"data": [ads[0], media_item(1), ads[1]]}))
    (page,) = [item for item in items if isinstance(item, Page) and item.endpoint == "media"]
    assert [row["post_id"] for row in rows_of(parse(page, INSTAGRAM), "post")] == [media_item(1)["id"]]
    assert json.loads(page.body)["_left_out"] == {"ads": 2}
    assert "planted" not in page.body
    assert [one.query["ids"] for one in server.asked if "ids" in one.query] == [media_item(1)["id"]]


def test_hidden_likes_are_neither_zero_nor_a_hole() -> None:
    item = media_item(1)
    del item["like_count"], item["caption"]
    parsed = parse(landed("media", {"data": [item]}, "posts,like_count,comments_count"), INSTAGRAM)
    assert gaps_of(parsed) == []
    assert {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")} == {"comments_count": 3}
    assert rows_of(parsed, "post")[0]["text"] is None


def test_a_count_that_is_not_there_is_a_gap_and_no_zero() -> None:
    item = media_item(1, like_count=None)
    del item["comments_count"]
    parsed = parse(landed("media", {"data": [item]}, "posts,like_count,comments_count"), INSTAGRAM)
    assert gaps_of(parsed) == [("like_count", "not_reported", item["id"]), ("comments_count", "not_reported", item["id"])]
    assert rows_of(parsed, "observation") == []


def test_a_media_that_instagram_has_not_counted_yet_is_no_hole_and_an_older_one_is() -> None:
    def batch(asked: Asked) -> Any:
        return {media_id: {"insights": {"data": []}} for media_id in asked.query["ids"].split(",")}

    young, old = media_item(1, "2026-10-31T00:00:00+0000"), media_item(2, "2026-10-30T23:59:59+0000")
    items, _ = fetch(Graph(media=lambda _: {"data": [young, old]}, batch=batch))
    (page,) = [item for item in items if isinstance(item, Page) and item.endpoint == "post_insights"]
    assert gaps_of(parse(page, INSTAGRAM)) == [(name, "not_reported", old["id"]) for name in POST_METRICS]


def test_media_from_before_the_window_are_dropped_and_counted() -> None:
    parsed = parse(landed("media", {"data": [media_item(1, "2026-10-03T23:59:59+0000")]}, "posts"), INSTAGRAM)
    assert [(drop.kind, drop.reason, drop.count) for drop in parsed if isinstance(drop, Drop)] == [
        ("post", "outside_window", 1),
        ("observation", "outside_window", 2),
    ]


def test_both_shapes_of_insights_are_read() -> None:
    """A parser that reads only `values` silently loses every total."""
    values = {"data": [{"name": "reach", "period": "day", "values": [{"value": 11, "end_time": "2026-10-31T07:00:00+0000"}]}]}
    total = {"data": [{"name": "views", "period": "day", "total_value": {"value": 812}}]}
    (series,) = rows_of(parse(landed("account_insights", values, "reach"), INSTAGRAM), "observation")
    (day,) = rows_of(parse(landed("account_insights", total, "views", metric_date="2026-10-30"), INSTAGRAM), "observation")
    assert (series["value"], series["metric_date"], series["day_tz"]) == (11, date(2026, 10, 30), "America/Los_Angeles")
    assert (day["value"], day["metric_date"], day["day_tz"]) == (812, "2026-10-30", "America/Los_Angeles")
    media = {"17900000000000001": {"insights": {"data": [{"name": "views", "period": "lifetime", "total_value": {"value": 9}}]}}}
    (post,) = rows_of(parse(landed("post_insights", media, "views", ids="17900000000000001"), INSTAGRAM), "observation")
    assert (post["object_id"], post["value"], post["metric_date"], post["day_tz"]) == ("17900000000000001", 9, None, None)


def test_the_parts_of_a_total_are_kept_apart_with_and_without_the_total() -> None:
    """follows_and_unfollows has only parts; profile_activity by action has both."""
    by_action = {"dimension_keys": ["action_type"], "results": [{"dimension_values": ["bio_link_clicked"], "value": 11}]}
    by_two = {
        "dimension_keys": ["follow_type", "media_product_type"],
        "results": [
            {"dimension_values": ["FOLLOWER", "REELS"], "value": 3},
            {"dimension_values": ["NON_FOLLOWER", "REELS"], "value": 0},
            {"dimension_values": ["UNKNOWN", "REELS"]},
        ],
    }
    data = [
        {"name": "profile_activity", "period": "day", "total_value": {"value": 11, "breakdowns": [by_action]}},
        {"name": "follows_and_unfollows", "period": "day", "total_value": {"breakdowns": [by_two]}},
    ]
    names = "profile_activity,follows_and_unfollows"
    rows = rows_of(parse(landed("account_insights", {"data": data}, names, metric_date="2026-10-30"), INSTAGRAM), "observation")
    assert [(row["source_field"], row["breakdown"], row["breakdown_value"], row["value"], row["metric_date"]) for row in rows] == [
        ("profile_activity", None, None, 11, "2026-10-30"),
        ("profile_activity", "action_type", "bio_link_clicked", 11, "2026-10-30"),
        ("follows_and_unfollows", "follow_type,media_product_type", "FOLLOWER,REELS", 3, "2026-10-30"),
        ("follows_and_unfollows", "follow_type,media_product_type", "NON_FOLLOWER,REELS", 0, "2026-10-30"),
    ]


@pytest.mark.parametrize("data", [[], [{"name": "views", "period": "day", "total_value": {}}]])
def test_no_number_is_a_gap_and_no_zero(data: list[Any]) -> None:
    parsed = parse(landed("account_insights", {"data": data}, "views", metric_date="2026-10-30"), INSTAGRAM)
    assert gaps_of(parsed) == [("views", "not_reported", None)]
    assert rows_of(parsed, "observation") == []


@pytest.mark.parametrize(("refusal", "cause"), [(NOT_THIS_TYPE, "not_reported"), (TOO_FEW, "too_few_viewers")])
def test_one_media_that_has_no_such_number_costs_no_other_its_own(refusal: Reply, cause: str) -> None:
    def batch(asked: Asked) -> Any:
        bad = "17900000000000003" in asked.query["ids"] and "views" in asked.query["fields"]
        return refusal if bad else Graph().batch(asked)

    items, _ = fetch(Graph(media=lambda _: {"data": [media_item(number) for number in range(1, 6)]}, batch=batch))
    assert gaps_of(items) == [("views", cause, "17900000000000003")]
    pages = [item for item in items if isinstance(item, Page) and item.endpoint == "post_insights" and "error" not in item.context]
    got = {(row["object_id"], row["source_field"]) for page in pages for row in rows_of(parse(page, INSTAGRAM), "observation")}
    assert len(got) == 5 * len(POST_METRICS) - 1


def test_a_retired_metric_is_found_by_halving_and_not_asked_again() -> None:
    def batch(asked: Asked) -> Any:
        if "reposts" in asked.query["fields"]:
            return Reply({"error": {"message": "(#100) metric[3] must be one of the following values: reach", "code": 100}}, 400)
        return Graph().batch(asked)

    items, _ = fetch(Graph(batch=batch))
    assert gaps_of(items) == [("reposts", "retired_metric", None)]


def test_an_expired_token_ends_the_account() -> None:
    expired = Reply({"error": {"message": "Session has expired", "code": 190, "error_subcode": 463}}, 401)
    items, server = fetch(Graph(snapshot=lambda _: expired))
    assert gaps_of(items) == [("*", "expired_token", None)]
    assert len(server.asked) == 1


VALID = "reach, likes, comments, shares, saved, views, total_interactions, reposts"


def test_a_name_that_the_error_gives_away_costs_two_calls_more() -> None:
    """Halving seven names takes six."""

    def batch(asked: Asked) -> Any:
        if "saved" in asked.query["fields"]:
            valid = VALID.replace("saved, ", "")
            return Reply({"error": {"message": f"(#100) metric[4] must be one of the following values: {valid}", "code": 100}}, 400)
        return Graph().batch(asked)

    items, server = fetch(Graph(batch=batch))
    assert gaps_of(items) == [("saved", "retired_metric", None)]
    assert len([one for one in server.asked if "ids" in one.query]) == 3


def test_each_type_of_media_is_asked_for_what_it_has() -> None:
    """profile_visits are of pictures only: asked of a film, they would fail all that is asked with them."""
    pictures = frozenset({"IMAGE", "CAROUSEL_ALBUM"})
    fields = (
        SourceField("post", "views", "lifetime", None),
        SourceField("post", "profile_visits", "lifetime", None, pictures),
    )
    media = [{**media_item(number), "media_type": said} for number, said in ((1, "IMAGE"), (2, "VIDEO"), (3, None))]
    items, server = fetch(Graph(media=lambda _: {"data": media}), fields)
    asked = {one.query["ids"]: one.query["fields"] for one in server.asked if "ids" in one.query}
    ids = [one["id"] for one in media]
    assert asked == {f"{ids[0]},{ids[2]}": "insights.metric(views,profile_visits)", ids[1]: "insights.metric(views)"}
    assert not [gap for gap in gaps_of(items) if gap[0] == "profile_visits"]
