"""Facebook Pages: contract tests. The bodies are the contract's examples; the server is real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from extractors.base import (
    Access,
    Account,
    AccountClosed,
    Drop,
    Gap,
    Order,
    Outage,
    Page,
    PermissionMissing,
    Refused,
    RetiredMetric,
    Row,
    Secret,
    SourceError,
    SourceField,
    Throttled,
    TokenExpired,
    TooFewViewers,
)
from extractors.facebook import FacebookPages
from extractors.http import HttpClient, Received
from extractors.meta import TooMuchAsked
from tests.extractors.loopback import Asked, Loopback, Reply, serving

RUN_DATE = date(2026, 11, 2)
OBSERVED = datetime(2026, 11, 2, 21, 0, 4, tzinfo=UTC)
PAGE_ID = "19292868552"
FACEBOOK = FacebookPages()

FIELDS = (
    SourceField("account", "followers_count", "snapshot", None),
    SourceField("account", "fan_count", "snapshot", None),
    SourceField("account", "page_follows", "day", None),
    SourceField("account", "page_media_view", "day", "is_from_ads"),
    SourceField("account", "page_total_media_view_unique", "day", None),
    SourceField("post", "reactions.summary.total_count", "lifetime", None),
    SourceField("post", "comments.summary.total_count", "lifetime", None),
    SourceField("post", "shares.count", "lifetime", None),
    SourceField("post", "post_media_view", "lifetime", "is_from_ads"),
    SourceField("post", "post_total_media_view_unique", "lifetime", None),
)

SNAPSHOT = {
    "id": PAGE_ID,
    "name": "Airbyte",
    "username": "AirbyteHQ",
    "link": f"https://www.facebook.com/{PAGE_ID}",
    "fan_count": 270,
    "followers_count": 320,
}

RETIRED = Reply(
    {"error": {"message": "(#100) The value must be a valid insights metric", "type": "OAuthException", "code": 100}}, 400
)
TOO_FEW = Reply(
    {"error": {"message": "(#200) Too few people", "type": "OAuthException", "code": 200, "error_subcode": 1504029}}, 400
)
EXPIRED = Reply(
    {"error": {"message": "Error validating access token: Session has expired", "code": 190, "error_subcode": 463}}, 401
)


def post_item(number: int, created: str = "2026-10-30T19:09:52+0000", **more: Any) -> dict[str, Any]:
    return {
        "id": f"{PAGE_ID}_{number}",
        "created_time": created,
        "message": "Singaporean logistics company …",
        "permalink_url": f"https://www.facebook.com/{PAGE_ID}/posts/{number}/",
        "status_type": "added_photos",
        "shares": {"count": 10},
        "comments": {"data": [], "summary": {"order": "chronological", "total_count": 13, "can_comment": True}},
        "reactions": {"data": [], "summary": {"total_count": 125, "viewer_reaction": "NONE"}},
    } | more


def page(endpoint: str, body: Any, subjects: str = "", **context: str) -> Page:
    from extractors.redaction import dump, redact

    return Page(endpoint, PAGE_ID, "GET /", 200, OBSERVED, dump(redact(body)), True, RUN_DATE, {"subjects": subjects, **context})


def rows_of(parsed: list[Any], kind: str) -> list[dict[str, Any]]:
    return [dict(item.values) for item in parsed if isinstance(item, Row) and item.kind == kind]


def parse(landed: Page) -> list[Any]:
    """Parse, and check the law of conservation on the way."""
    parsed = list(FACEBOOK.parse(landed))
    left: Counter[str] = Counter()
    for item in parsed:
        if isinstance(item, Row):
            left[item.kind] += item.values.get("origin") != "absent_is_zero"
        elif isinstance(item, Drop):
            left[item.kind] += item.count
    assert +left == +FACEBOOK.count(landed), "what the page holds, counted by JSON paths"
    return parsed


# --- a page becomes rows ---


def test_a_snapshot_is_an_account_and_its_numbers() -> None:
    parsed = parse(page("account", SNAPSHOT, "followers_count,fan_count"))
    assert rows_of(parsed, "account") == [
        {"account_id": PAGE_ID, "handle": "AirbyteHQ", "display_name": "Airbyte", "url": f"https://www.facebook.com/{PAGE_ID}"}
    ]
    numbers = rows_of(parsed, "observation")
    assert [(row["source_field"], row["period"], row["value"], row["origin"]) for row in numbers] == [
        ("followers_count", "snapshot", 320, "reported"),
        ("fan_count", "snapshot", 270, "reported"),
    ]


def test_a_count_that_is_not_there_is_a_gap_and_no_zero() -> None:
    body = {name: value for name, value in SNAPSHOT.items() if name != "followers_count"}
    parsed = parse(page("account", body, "followers_count,fan_count"))
    assert [(gap.subject, gap.cause) for gap in parsed if isinstance(gap, Gap)] == [("followers_count", "not_reported")]
    assert [row["source_field"] for row in rows_of(parsed, "observation")] == ["fan_count"]


LIST_FIELDS = "posts,reactions.summary.total_count,comments.summary.total_count,shares.count"


def test_a_post_and_its_counts() -> None:
    parsed = parse(page("published_posts", {"data": [post_item(1)]}, LIST_FIELDS, page="1"))
    (post,) = rows_of(parsed, "post")
    assert post == {
        "post_id": f"{PAGE_ID}_1",
        "account_id": PAGE_ID,
        "published_at": "2026-10-30T19:09:52+0000",
        "kind": "original",
        "permalink": f"https://www.facebook.com/{PAGE_ID}/posts/1/",
        "text": "Singaporean logistics company …",
    }
    assert {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")} == {
        "shares.count": 10,
        "reactions.summary.total_count": 125,
        "comments.summary.total_count": 13,
    }


@pytest.mark.parametrize(
    ("status_type", "kind", "has_text"),
    [
        ("shared_story", "repost", False),
        ("added_video", "video", False),
        ("mobile_status_update", "original", True),
        (None, "original", True),
    ],
)
def test_only_originals_have_text(status_type: str | None, kind: str, has_text: bool) -> None:
    (post,) = rows_of(parse(page("published_posts", {"data": [post_item(1, status_type=status_type)]}, LIST_FIELDS)), "post")
    assert (post["kind"], post["text"] is not None) == (kind, has_text)


def test_absent_shares_are_zero_by_contract_and_absent_reactions_are_a_gap() -> None:
    item = post_item(1)
    del item["shares"], item["reactions"]
    parsed = parse(page("published_posts", {"data": [item]}, LIST_FIELDS))
    by_field = {row["source_field"]: (row["value"], row["origin"]) for row in rows_of(parsed, "observation")}
    assert by_field == {"shares.count": (0, "absent_is_zero"), "comments.summary.total_count": (13, "reported")}
    assert [(gap.subject, gap.cause, gap.object_id) for gap in parsed if isinstance(gap, Gap)] == [
        ("reactions.summary.total_count", "not_reported", f"{PAGE_ID}_1")
    ]


def test_shares_that_were_not_asked_for_are_not_zero() -> None:
    item = post_item(1)
    del item["shares"]
    parsed = parse(page("published_posts", {"data": [item]}, "posts,reactions.summary.total_count"))
    assert "shares.count" not in {row["source_field"] for row in rows_of(parsed, "observation")}


def test_an_empty_list_is_an_answer() -> None:
    assert parse(page("published_posts", {"data": []}, LIST_FIELDS)) == []


def test_a_post_before_the_window_is_dropped_and_counted() -> None:
    parsed = parse(
        page(
            "published_posts",
            {"data": [post_item(1, "2026-10-03T23:59:59+0000"), post_item(2, "2026-10-04T00:00:00+0000")]},
            LIST_FIELDS,
        )
    )
    drops = [(drop.kind, drop.reason, drop.count) for drop in parsed if isinstance(drop, Drop)]
    assert drops == [("post", "outside_window", 1), ("observation", "outside_window", 3)]
    assert [post["post_id"] for post in rows_of(parsed, "post")] == [f"{PAGE_ID}_2"]


@pytest.mark.parametrize("created", ["2099-01-01T00:00:00+0000", "last Tuesday", 1793400000, None])
def test_a_time_that_cannot_be_right_passes_as_it_came_for_the_suite_to_judge(created: Any) -> None:
    (post,) = rows_of(parse(page("published_posts", {"data": [post_item(1, created)]}, LIST_FIELDS)), "post")
    assert post["published_at"] == created


@pytest.mark.parametrize("value", ["125", -3, {"like": 2}, 1.5, True])
def test_a_count_of_a_wrong_kind_passes_as_it_came(value: Any) -> None:
    parsed = parse(
        page("published_posts", {"data": [post_item(1, reactions={"data": [], "summary": {"total_count": value}})]}, LIST_FIELDS)
    )
    assert {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")}["reactions.summary.total_count"] == value


@pytest.mark.parametrize("item", [None, 7, "post", [], {}, {"id": None}, {"id": 5, "shares": 3, "comments": {"summary": []}}])
def test_an_item_that_is_no_post_is_not_lost(item: Any) -> None:
    (post,) = rows_of(parse(page("published_posts", {"data": [item]}, LIST_FIELDS)), "post")
    assert post.get("account_id") is None


def test_a_post_of_another_page_names_that_page() -> None:
    (post,) = rows_of(parse(page("published_posts", {"data": [post_item(1, id="999_1")]}, LIST_FIELDS)), "post")
    assert post["account_id"] == "999"


def test_a_daily_value_belongs_to_the_pacific_day_before_its_end_time() -> None:
    body = {
        "data": [
            {
                "name": "page_media_view",
                "period": "day",
                "values": [
                    {"value": 25, "end_time": "2026-03-02T08:00:00+0000", "is_from_ads": "0"},
                    {"value": 0, "end_time": "2026-03-02T08:00:00+0000", "is_from_ads": "1"},
                    {"value": 66226, "end_time": "2026-03-10T07:00:00+0000", "is_from_ads": "0"},
                ],
                "title": None,
                "id": "615000000001/insights/page_media_view/day",
            }
        ],
        "paging": {"next": "https://graph.facebook.com/v26.0/1/insights?since=1583910000"},
    }
    rows = rows_of(parse(page("account_insights", body, "page_media_view", breakdown="is_from_ads")), "observation")
    assert [(row["metric_date"], row["breakdown_value"], row["value"]) for row in rows] == [
        (date(2026, 3, 1), "0", 25),  # 08:00 UTC: midnight in winter time
        (date(2026, 3, 1), "1", 0),
        (date(2026, 3, 9), "0", 66226),  # 07:00 UTC: midnight in summer time
    ]
    assert {(row["day_tz"], row["object_id"], row["breakdown"]) for row in rows} == {
        ("America/Los_Angeles", PAGE_ID, "is_from_ads")
    }


@pytest.mark.parametrize("end_time", ["soon", "2026-03-10T07:00:00", 1583910000])
def test_an_end_time_that_is_none_becomes_the_rows_defect(end_time: Any) -> None:
    from include.records import to_table

    body = {"data": [{"name": "page_follows", "period": "day", "values": [{"value": 1, "end_time": end_time}]}]}
    rows = rows_of(parse(page("account_insights", body, "page_follows")), "observation")
    assert "metric_date: expected a date" in to_table("observation", rows).column("_defect")[0].as_py()


def test_post_insights_go_by_the_id_that_was_asked() -> None:
    post_id = "1202888116239414_137"
    body = {
        post_id: {
            "id": post_id,
            "insights": {
                "data": [
                    {
                        "name": "post_media_view",
                        "period": "lifetime",
                        "values": [{"value": 528, "is_from_ads": "0"}, {"value": 0, "is_from_ads": "1"}],
                        "title": "post_media_view",
                        "description": "your post&#039;s media",
                        "id": "105872884133170_137",
                    }
                ]
            },
        }
    }
    rows = rows_of(parse(page("post_insights", body, "post_media_view", ids=post_id, breakdown="is_from_ads")), "observation")
    assert [(row["object_id"], row["account_id"], row["breakdown_value"], row["value"], row["metric_date"]) for row in rows] == [
        (post_id, PAGE_ID, "0", 528, None),
        (post_id, PAGE_ID, "1", 0, None),
    ]


def test_two_periods_of_one_name_are_two_numbers() -> None:
    values = [{"value": 5}], [{"value": 2, "end_time": "2026-10-30T07:00:00+0000"}]
    data = [
        {"name": "post_video_views", "period": period, "values": v} for period, v in zip(("lifetime", "day"), values, strict=True)
    ]
    rows = rows_of(
        parse(page("post_insights", {"1_1": {"insights": {"data": data}}}, "post_video_views", ids="1_1")), "observation"
    )
    assert [(row["period"], row["value"]) for row in rows] == [("lifetime", 5), ("day", 2)]


def test_an_empty_list_of_insights_is_a_missing_permission_of_each_name() -> None:
    parsed = parse(page("account_insights", {"data": []}, "page_follows,page_total_media_view_unique"))
    assert [(gap.subject, gap.cause, gap.object_id) for gap in parsed] == [
        ("page_follows", "permission", None),
        ("page_total_media_view_unique", "permission", None),
    ]
    parsed = parse(
        page("post_insights", {"1_1": {"insights": {"data": []}, "id": "1_1"}, "1_2": {"id": "1_2"}}, "v", ids="1_1,1_2,1_3")
    )
    assert [(gap.object_id, gap.cause) for gap in parsed] == [
        ("1_1", "permission"),
        ("1_2", "not_reported"),
        ("1_3", "not_reported"),
    ]


def test_a_metric_that_nobody_asked_for_is_not_lost() -> None:
    data = [
        {"name": name, "period": "day", "values": [{"value": 1, "end_time": "2026-10-30T07:00:00+0000"}]}
        for name in ("page_follows", "page_new")
    ]
    rows = rows_of(parse(page("account_insights", {"data": data}, "page_follows")), "observation")
    assert [row["source_field"] for row in rows] == ["page_follows", "page_new"]


def test_an_error_page_holds_no_records() -> None:
    landed = page("published_posts", {"error": {"code": 190, "message": "m"}}, LIST_FIELDS, error="expired_token")
    assert parse(landed) == []


# --- what Meta's errors mean ---


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"code": 190, "error_subcode": 463}, TokenExpired),
        (401, {"code": 190, "error_subcode": 467}, TokenExpired),
        (400, {"code": 32, "message": "(#32) Page request limit reached"}, Throttled),
        (403, {"code": 4, "message": "(#4) Application request limit reached"}, Throttled),
        (400, {"code": 80001}, Throttled),
        (403, {"code": 10}, PermissionMissing),
        (400, {"code": 210}, PermissionMissing),
        (400, {"code": 200}, PermissionMissing),
        (400, {"code": 200, "error_subcode": 1504029}, TooFewViewers),
        (400, {"code": 100, "message": "(#100) The value must be a valid insights metric"}, RetiredMetric),
        (400, {"code": 100, "message": "(#100) Tried accessing nonexisting field (fan_count) on node type (Page)"}, RetiredMetric),
        (400, {"code": 100, "error_subcode": 33, "message": "Unsupported get request."}, AccountClosed),
        (400, {"code": 100, "message": "(#100) Param limit must be positive"}, Refused),
        (400, {"code": 3001, "error_subcode": 1504028}, Refused),
        (500, {"code": 1, "message": "Please reduce the amount of data you're asking for, then retry your request"}, TooMuchAsked),
        (500, {"code": 2}, Outage),
        (400, {"code": 999, "is_transient": True}, Outage),
    ],
)  # fmt: skip
def test_errors_go_by_code_and_message_and_not_by_status(status: int, error: dict[str, Any], kind: type[SourceError]) -> None:
    for any_status in (status, 200, 403):
        found = FACEBOOK.classify(Received(any_status, {}, {"error": {"message": "", **error}}, OBSERVED))
        assert type(found) is kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-business-use-case-usage": '{"1":[{"type":"pages","call_count":97,"estimated_time_to_regain_access":3}]}'}, 180),
        ({"x-business-use-case-usage": "{broken", "Retry-After": "8"}, 8),
        ({"x-app-usage": '{"call_count":100}'}, None),
    ],
)
def test_the_reset_is_the_platforms_own(headers: dict[str, str], seconds: float | None) -> None:
    found = FACEBOOK.classify(Received(400, headers, {"error": {"code": 80001, "message": "calm down"}}, OBSERVED))
    assert isinstance(found, Throttled)
    assert found.reset_seconds == seconds


# --- what is asked ---


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

    def published_posts(self, asked: Asked) -> Any:
        return {"data": [post_item(1), post_item(2)]}

    def batch(self, asked: Asked) -> Any:
        names = asked.query["fields"].split("metric(")[1].split(")")[0].split(",")
        entry = {
            "insights": {
                "data": [{"name": name, "period": "lifetime", "values": [{"value": 7, "is_from_ads": "0"}]} for name in names]
            }
        }
        return {post_id: {"id": post_id, **entry} for post_id in asked.query["ids"].split(",")}

    def insights(self, asked: Asked) -> Any:
        return {
            "data": [
                {"name": name, "period": "day", "values": [{"value": 5, "end_time": "2026-11-01T07:00:00+0000"}]}
                for name in asked.query["metric"].split(",")
            ]
        }


def fetch(script: Callable[[Asked], Any], accounts: tuple[str, ...] = (PAGE_ID,)) -> tuple[list[Page | Gap], Loopback]:
    order = Order(
        "gwent", tuple(Account("facebook", account_id, "sim.gwent", "gwent") for account_id in accounts), RUN_DATE, FIELDS
    )
    with serving(script) as server:
        access = Access(server.base_url, Secret("EAAplanted0123456789abcdef"))
        client = HttpClient(access, run_date=RUN_DATE, classify=FACEBOOK.classify, sleep=lambda _: None, tries=3)
        items = list(FACEBOOK.fetch(client, order))
        client.close()
    return items, server


def gaps_of(items: list[Page | Gap]) -> list[tuple[str, str, str | None]]:
    return [(item.subject, item.cause, item.object_id) for item in items if isinstance(item, Gap)]


def useful(items: list[Page | Gap]) -> Counter[str]:
    return Counter(item.endpoint for item in items if isinstance(item, Page) and "error" not in item.context)


def test_all_is_asked_as_the_contract_has_it() -> None:
    items, server = fetch(Graph())
    assert gaps_of(items) == []
    asked = [(one.path, one.query) for one in server.asked]
    assert asked == [
        (f"/v26.0/{PAGE_ID}", {"fields": "id,name,username,link,followers_count,fan_count"}),
        (
            f"/v26.0/{PAGE_ID}/published_posts",
            {
                "fields": "id,message,created_time,permalink_url,status_type,reactions.limit(0).summary(true),"
                "comments.limit(0).summary(true).filter(stream),shares",
                "since": str(int(datetime(2026, 10, 4, tzinfo=UTC).timestamp())),
                "until": str(int(datetime(2026, 11, 3, tzinfo=UTC).timestamp())),
                "limit": "50",
            },
        ),
        (
            "/v26.0/",
            {"ids": f"{PAGE_ID}_1,{PAGE_ID}_2", "fields": "insights.metric(post_total_media_view_unique).period(lifetime)"},
        ),
        (
            "/v26.0/",
            {
                "ids": f"{PAGE_ID}_1,{PAGE_ID}_2",
                "fields": "insights.metric(post_media_view).period(lifetime).breakdown(is_from_ads)",
            },
        ),
        (
            f"/v26.0/{PAGE_ID}/insights",
            {"metric": "page_follows,page_total_media_view_unique", "period": "day", "since": "2026-10-19", "until": "2026-11-02"},
        ),
        (
            f"/v26.0/{PAGE_ID}/insights",
            {
                "metric": "page_media_view",
                "period": "day",
                "since": "2026-10-19",
                "until": "2026-11-02",
                "breakdown": "is_from_ads",
            },
        ),
    ]
    for item in items:
        assert isinstance(item, Page)
        parse(item)


def test_pages_are_followed_to_the_end_also_over_empty_and_short_ones() -> None:
    pages = {None: ([post_item(1)], "b"), "b": ([], "c"), "c": ([post_item(2)], None)}

    def posts(asked: Asked) -> Any:
        data, following = pages[asked.query.get("after")]
        link = f"http://{asked.headers['host']}{asked.path}?access_token=EAAplanted0123456789abcdef&limit=50&after={following}"
        return {"data": data, "paging": {"cursors": {"after": "x"}, **({"next": link} if following else {})}}

    items, server = fetch(Graph(published_posts=posts))
    assert useful(items)["published_posts"] == 3
    assert server.asked[4].query["ids"] == f"{PAGE_ID}_1,{PAGE_ID}_2"
    assert not [one for one in server.asked if "access_token" in one.query]


def test_a_page_served_twice_is_landed_twice_and_what_follows_is_not_lost() -> None:
    served: Counter[str | None] = Counter()

    def posts(asked: Asked) -> Any:
        after = asked.query.get("after")
        served[after] += 1
        link = f"http://{asked.headers['host']}{asked.path}?after=b"
        if after is None or served[after] == 1:
            return {"data": [post_item(1)], "paging": {"next": link}}
        return {"data": [post_item(2)]}

    items, _ = fetch(Graph(published_posts=posts))
    assert useful(items)["published_posts"] == 3
    assert gaps_of(items) == []


def test_paging_in_a_circle_ends_with_a_gap() -> None:
    def posts(asked: Asked) -> Any:
        following = "c" if asked.query.get("after") == "b" else "b"
        return {"data": [post_item(1)], "paging": {"next": f"http://{asked.headers['host']}{asked.path}?after={following}"}}

    items, server = fetch(Graph(published_posts=posts))
    assert gaps_of(items) == [("posts", "outage", None)]
    assert len([one for one in server.asked if one.path.endswith("published_posts")]) == 5
    assert useful(items)["post_insights"] == 2, "what the list did hold is read on"


def test_a_list_without_end_is_bounded() -> None:
    def posts(asked: Asked) -> Any:
        number = int(asked.query.get("after", "0")) + 1
        return {"data": [], "paging": {"next": f"http://{asked.headers['host']}{asked.path}?after={number}"}}

    items, server = fetch(Graph(published_posts=posts))
    assert gaps_of(items) == [("posts", "outage", None)]
    assert len([one for one in server.asked if one.path.endswith("published_posts")]) == 200


def test_a_next_link_to_another_host_is_a_gap() -> None:
    items, _ = fetch(
        Graph(published_posts=lambda _: {"data": [post_item(1)], "paging": {"next": "https://graph.facebook.com/x?after=2"}})
    )
    assert gaps_of(items) == [("posts", "outage", None)]


def test_one_retired_name_costs_only_itself() -> None:
    def insights(asked: Asked) -> Any:
        return RETIRED if "page_follows" in asked.query["metric"].split(",") else Graph().insights(asked)

    items, server = fetch(Graph(insights=insights))
    assert gaps_of(items) == [("page_follows", "retired_metric", None)]
    asked = [one.query["metric"] for one in server.asked if one.path.endswith("/insights")]
    assert asked == ["page_follows,page_total_media_view_unique", "page_follows", "page_total_media_view_unique", "page_media_view"]


def test_a_retired_name_is_not_asked_of_every_batch_of_posts() -> None:
    def batch(asked: Asked) -> Any:
        return RETIRED if "post_total_media_view_unique" in asked.query["fields"] else Graph().batch(asked)

    many = {"data": [post_item(number) for number in range(120)]}
    items, server = fetch(Graph(batch=batch, published_posts=lambda _: many))
    assert gaps_of(items) == [("post_total_media_view_unique", "retired_metric", None)]
    sizes = [len(one.query["ids"].split(",")) for one in server.asked if "ids" in one.query]
    assert sizes == [50, 50, 50, 20], "the retired name once, the other one of each batch"


def test_too_few_viewers_of_one_post_cost_no_other_post() -> None:
    bad = f"{PAGE_ID}_3"

    def batch(asked: Asked) -> Any:
        return TOO_FEW if "unique" in asked.query["fields"] and bad in asked.query["ids"].split(",") else Graph().batch(asked)

    items, _ = fetch(Graph(batch=batch, published_posts=lambda _: {"data": [post_item(number) for number in range(8)]}))
    assert gaps_of(items) == [("post_total_media_view_unique", "too_few_viewers", bad)]
    seen = [
        row["object_id"]
        for item in items
        if isinstance(item, Page) and item.endpoint == "post_insights"
        for row in rows_of(parse(item), "observation")
        if row["source_field"] == "post_total_media_view_unique"
    ]
    assert sorted(seen) == sorted(f"{PAGE_ID}_{number}" for number in range(8) if number != 3)


def test_a_post_that_is_gone_costs_no_other_post() -> None:
    bad = f"{PAGE_ID}_1"
    gone = Reply({"error": {"message": "Unsupported get request.", "code": 100, "error_subcode": 33}}, 400)
    items, _ = fetch(Graph(batch=lambda asked: gone if bad in asked.query["ids"].split(",") else Graph().batch(asked)))
    assert gaps_of(items) == [("post_total_media_view_unique", "not_reported", bad), ("post_media_view", "not_reported", bad)]


def test_an_expired_token_ends_the_account_and_the_next_one_is_tried() -> None:
    def script(asked: Asked) -> Any:
        return EXPIRED if asked.path.startswith(f"/v26.0/{PAGE_ID}") else Graph()(asked)

    items, server = fetch(script, (PAGE_ID, "42"))
    assert gaps_of(items) == [("*", "expired_token", None)]
    assert len([one for one in server.asked if PAGE_ID in one.path]) == 1
    assert useful(items)["account_insights"] == 2


def test_a_token_that_expires_in_the_middle_of_a_list_leaves_the_list_open() -> None:
    def posts(asked: Asked) -> Any:
        link = f"http://{asked.headers['host']}{asked.path}?after=b"
        return EXPIRED if "after" in asked.query else {"data": [post_item(1)], "paging": {"next": link}}

    items, _ = fetch(Graph(published_posts=posts))
    assert gaps_of(items) == [("posts", "expired_token", None), ("*", "expired_token", None)]
    assert useful(items) == {"account": 1, "published_posts": 1}


def test_without_the_permission_for_comments_the_posts_are_still_listed() -> None:
    refused = Reply({"error": {"message": "(#10) requires pages_read_engagement", "code": 10}}, 403)

    def posts(asked: Asked) -> Any:
        if "reactions" in asked.query["fields"]:
            return refused
        return {"data": [{name: value for name, value in post_item(1).items() if name not in ("reactions", "comments")}]}

    items, _ = fetch(Graph(published_posts=posts))
    assert gaps_of(items) == [
        ("reactions.summary.total_count", "permission", None),
        ("comments.summary.total_count", "permission", None),
    ]
    (listed,) = [item for item in items if isinstance(item, Page) and item.endpoint == "published_posts" and item.status == 200]
    assert [row["source_field"] for row in rows_of(parse(listed), "observation")] == ["shares.count"]


def test_a_list_that_is_refused_altogether_is_a_gap_and_the_rest_goes_on() -> None:
    items, _ = fetch(Graph(published_posts=lambda _: Reply({"error": {"message": "(#10)", "code": 10}}, 403)))
    assert ("posts", "permission", None) in gaps_of(items)
    assert useful(items) == {"account": 1, "account_insights": 2}


def test_half_as_many_posts_are_asked_where_meta_cannot_answer() -> None:
    heavy = Reply(
        {"error": {"message": "Please reduce the amount of data you're asking for, then retry your request", "code": 1}}, 500
    )
    items, server = fetch(
        Graph(published_posts=lambda asked: heavy if int(asked.query["limit"]) > 12 else Graph().published_posts(asked))
    )
    assert [one.query["limit"] for one in server.asked if one.path.endswith("published_posts")] == ["50", "25", "12"]
    assert gaps_of(items) == []


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Reply(b'{"data":[{"id":"192'), id="truncated"),
        pytest.param(Reply(b"<!DOCTYPE html><p>Sorry", headers={"Content-Type": "text/html"}), id="HTML"),
    ],
)
def test_an_unreadable_list_costs_only_the_posts(bad: Reply) -> None:
    items, _ = fetch(Graph(published_posts=lambda _: bad))
    assert gaps_of(items) == [("posts", "outage", None)]
    assert useful(items) == {"account": 1, "account_insights": 2}


def test_a_host_that_is_down_ends_the_account_at_once() -> None:
    order = Order("gwent", (Account("facebook", PAGE_ID, "sim.gwent", "gwent"),), RUN_DATE, FIELDS)
    with serving(Graph()) as server:
        gone = server.base_url
    client = HttpClient(Access(gone), run_date=RUN_DATE, classify=FACEBOOK.classify, sleep=lambda _: None, tries=2)
    assert gaps_of(list(FACEBOOK.fetch(client, order))) == [("*", "outage", None)]


def test_metrics_are_asked_only_of_this_accounts_readable_posts() -> None:
    odd = [
        post_item(1),
        post_item(2, id="999_2"),
        post_item(3, id="19292868552_3,x"),
        post_item(4, "2020-01-01T00:00:00+0000"),
        {"id": 5},
        None,
    ]
    _, server = fetch(Graph(published_posts=lambda _: {"data": odd}))
    assert {one.query["ids"] for one in server.asked if "ids" in one.query} == {f"{PAGE_ID}_1"}
