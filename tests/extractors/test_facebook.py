"""Facebook Pages: what is asked, and what one bad answer costs. The server is real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from extractors.base import (
    Access,
    Account,
    Gap,
    Order,
    Page,
    Secret,
)
from extractors.http import HttpClient
from tests.extractors.facebook_examples import (
    EXPIRED,
    FACEBOOK,
    FIELDS,
    PAGE_ID,
    RETIRED,
    RUN_DATE,
    SNAPSHOT,
    TOO_FEW,
    parse,
    post_item,
    rows_of,
)
from tests.extractors.loopback import Asked, Loopback, Reply, serving


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


def test_a_name_that_is_refused_in_words_that_nobody_knows_costs_only_itself() -> None:
    strange = Reply({"error": {"message": "(#100) Pas une métrique", "type": "OAuthException", "code": 100}}, 400)

    def insights(asked: Asked) -> Any:
        return strange if "page_follows" in asked.query["metric"].split(",") else Graph().insights(asked)

    items, _ = fetch(Graph(insights=insights))
    assert gaps_of(items) == [("page_follows", "outage", None)]


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


def test_a_name_that_one_account_found_dead_is_not_asked_of_the_forces_other_account() -> None:
    def insights(asked: Asked) -> Any:
        return RETIRED if "page_follows" in asked.query["metric"].split(",") else Graph().insights(asked)

    items, server = fetch(Graph(insights=insights), accounts=("100000000000001", "100000000000002"))
    gaps = [(item.account_id, item.cause) for item in items if isinstance(item, Gap) and item.subject == "page_follows"]
    assert gaps == [("100000000000001", "retired_metric"), ("100000000000002", "retired_metric")]
    asked = [one.path.split("/")[2] for one in server.asked if "page_follows" in one.query.get("metric", "")]
    assert set(asked) == {"100000000000001"}


def test_an_empty_list_is_no_zero_while_nothing_shows_that_the_permission_holds() -> None:
    broken = Reply({"error": {"message": "An unknown error occurred", "code": 1}}, 500)
    items, _ = fetch(Graph(published_posts=lambda _: {"data": []}, insights=lambda _: broken))
    assert ("posts", "not_reported", None) in gaps_of(items)
    items, _ = fetch(Graph(published_posts=lambda _: {"data": []}))
    assert gaps_of(items) == [], "the insights have numbers: nothing was published"
