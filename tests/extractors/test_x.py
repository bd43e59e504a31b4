"""X: what is asked, what its errors mean, and how its pages become rows, with the contract's examples. The server is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from extractors.base import (
    Access,
    Account,
    AccountClosed,
    CreditsDepleted,
    Drop,
    Gap,
    Order,
    Page,
    PermissionMissing,
    Secret,
    SourceError,
    SourceField,
    Throttled,
    TokenExpired,
)
from extractors.http import HttpClient, Received
from extractors.redaction import dump
from extractors.x import XPosts
from tests.extractors.facebook_examples import OBSERVED, RUN_DATE, parse, rows_of
from tests.extractors.loopback import Asked, Loopback, Reply, serving

X = XPosts()
ACCOUNT_ID = "1480160112000002512"
USER_METRICS = ("followers_count", "following_count", "tweet_count", "listed_count", "like_count", "media_count")
POST_METRICS = ("like_count", "reply_count", "retweet_count", "quote_count", "bookmark_count", "impression_count")
FIELDS = (
    *(SourceField("account", name, "snapshot", None) for name in USER_METRICS),
    *(SourceField("post", name, "lifetime", None) for name in POST_METRICS),
)
USER = {"id": ACCOUNT_ID, "name": "Gwent Police", "username": "sim_gwent", "public_metrics": dict.fromkeys(USER_METRICS, 5)}
NOT_FOUND = {
    "value": "sim_gwent", "detail": "Could not find user with usernames: [sim_gwent].", "title": "Not Found Error",
    "resource_type": "user", "parameter": "usernames", "type": "https://api.twitter.com/2/problems/resource-not-found",
}  # fmt: skip


def status_id(moment: datetime, number: int = 0) -> str:
    return str(((int(moment.timestamp() * 1000) - 1_288_834_974_657) << 22) + number)


PUBLISHED = datetime(2026, 10, 30, 10, 30, tzinfo=UTC)
POST_ID = status_id(PUBLISHED)


def post_item(post_id: str = POST_ID, **more: Any) -> dict[str, Any]:
    return {
        "id": post_id,
        "text": "Road closed at Newport.",
        "author_id": ACCOUNT_ID,
        "created_at": "2026-10-30T10:30:00.000Z",
        "edit_history_tweet_ids": [post_id],
        "lang": "en",
        "public_metrics": {
            "retweet_count": 5, "reply_count": 2, "like_count": 42, "quote_count": 1, "bookmark_count": 0, "impression_count": 5432,
        },
    } | more  # fmt: skip


def landed(endpoint: str, body: Any, subjects: str = "", **context: str) -> Page:
    return Page(
        endpoint, ACCOUNT_ID, "GET /", 200, OBSERVED, dump(X.redact(body)), True, RUN_DATE, {"subjects": subjects, **context}
    )


def posts_of(*items: Any, subjects: str = "", **more: Any) -> list[Any]:
    return parse(landed("tweets", {"data": list(items), "meta": {"result_count": len(items)}, **more}, subjects), X)


class Api:
    """A small scripted API: answers by endpoint, each of which a test may replace."""

    def __init__(self, **replies: Callable[[Asked], Any]) -> None:
        self.replies = replies

    def __call__(self, asked: Asked) -> Any:
        name = asked.path.rpartition("/")[2]
        return self.replies.get(name, getattr(self, name))(asked)

    def by(self, asked: Asked) -> Any:
        return {"data": [USER]}

    def tweets(self, asked: Asked) -> Any:
        return {"data": [post_item()], "meta": {"result_count": 1}}

    def mentions(self, asked: Asked) -> Any:
        return {"meta": {"result_count": 0}}


def fetch(
    script: Callable[[Asked], Any], tries: int = 3, account_ids: tuple[str, ...] = (ACCOUNT_ID,)
) -> tuple[list[Page | Gap], Loopback, list[float]]:
    order = Order("gwent", tuple(Account("x", each, "sim_gwent", "gwent") for each in account_ids), RUN_DATE, FIELDS)
    waits: list[float] = []
    with serving(script) as server:
        client = HttpClient(
            Access(server.base_url, Secret("AAAAplanted0123456789")),
            run_date=RUN_DATE,
            classify=X.classify,
            redact_more=X.redact,
            sleep=waits.append,
            tries=tries,
        )
        items = list(X.fetch(client, order))
        client.close()
    return items, server, waits


def gaps_of(items: list[Any]) -> list[tuple[str, str, str | None]]:
    return [(item.subject, item.cause, item.object_id) for item in items if isinstance(item, Gap)]


def test_all_is_asked_as_the_contract_has_it() -> None:
    items, server, _ = fetch(Api())
    assert gaps_of(items) == []
    assert [(one.path, one.query) for one in server.asked] == [
        ("/2/users/by", {"usernames": "sim_gwent", "user.fields": "public_metrics"}),
        (
            f"/2/users/{ACCOUNT_ID}/tweets",
            {
                "start_time": "2026-10-04T00:00:00Z",
                "max_results": "100",
                "tweet.fields": "created_at,public_metrics,author_id,referenced_tweets,edit_history_tweet_ids,in_reply_to_user_id"
                ",attachments,lang",
                "expansions": "attachments.media_keys",
                "media.fields": "type,alt_text",
            },
        ),
    ]
    assert all(one.headers["authorization"].startswith("Bearer ") for one in server.asked)


def test_pages_are_followed_by_their_token() -> None:
    def tweets(asked: Asked) -> Any:
        token = asked.query.get("pagination_token")
        following = {None: "b", "b": "c", "c": None}[token]
        meta = {"result_count": 1, **({"next_token": following} if following else {})}
        return {"data": [post_item()], "meta": meta} if token != "b" else {"meta": meta}

    items, server, _ = fetch(Api(tweets=tweets))
    assert gaps_of(items) == []
    assert [one.query.get("pagination_token") for one in server.asked[1:]] == [None, "b", "c"]


def test_paging_in_a_circle_ends_with_a_gap() -> None:
    items, server, _ = fetch(Api(tweets=lambda _: {"data": [post_item()], "meta": {"next_token": "again"}}))
    assert gaps_of(items) == [("posts", "outage", None)]
    assert len(server.asked) == 4


def test_a_snapshot_is_an_account_and_its_numbers() -> None:
    parsed = parse(landed("account", {"data": [USER]}, ",".join(USER_METRICS)), X)
    assert rows_of(parsed, "account") == [
        {"account_id": ACCOUNT_ID, "handle": "sim_gwent", "display_name": "Gwent Police", "url": "https://x.com/sim_gwent"}
    ]
    assert {row["source_field"] for row in rows_of(parsed, "observation")} == set(USER_METRICS)
    assert gaps_of(parsed) == []


def test_a_handle_that_is_now_anothers_gives_no_number_to_this_account() -> None:
    parsed = parse(landed("account", {"data": [{**USER, "id": "99"}]}, "followers_count"), X)
    assert gaps_of(parsed) == [("followers_count", "not_reported", None)]
    assert {row["account_id"] for row in rows_of(parsed, "observation")} == {"99"}


def test_a_handle_that_x_does_not_know_costs_the_snapshot_only() -> None:
    items, server, _ = fetch(Api(by=lambda _: {"errors": [NOT_FOUND]}))
    assert gaps_of(items) == [(name, "not_reported", None) for name in USER_METRICS]
    assert {item.object_type for item in items if isinstance(item, Gap)} == {"account"}
    detail = next(item.detail for item in items if isinstance(item, Gap))
    assert "no account under the handle sim_gwent" in detail
    assert "renamed? see accounts.csv" in detail
    (useful,) = [item for item in items if isinstance(item, Page) and "error" not in item.context]
    assert (useful.endpoint, len(server.asked)) == ("tweets", 2)


def test_an_account_that_x_does_not_know_by_its_id_either_is_closed() -> None:
    for reply in ({"errors": [NOT_FOUND]}, Reply({"title": "Not Found Error", "type": NOT_FOUND["type"]}, 404)):
        items, server, _ = fetch(Api(by=lambda _: {"errors": [NOT_FOUND]}, tweets=lambda _, reply=reply: reply))
        assert gaps_of(items) == [("*", "account_closed", None)]
        assert len(server.asked) == 2


def test_ids_stay_text_and_every_public_metric_is_a_number() -> None:
    parsed = posts_of(post_item(), subjects=",".join(("posts", *POST_METRICS)))
    (post,) = rows_of(parsed, "post")
    assert post == {
        "post_id": POST_ID,
        "account_id": ACCOUNT_ID,
        "published_at": "2026-10-30T10:30:00.000Z",
        "edited_at": None,
        "kind": "original",
        "permalink": f"https://x.com/i/web/status/{POST_ID}",
        "text": "Road closed at Newport.",
        "language": "en",
        "media_count": None,
        "media_with_alt_text": None,
    }
    assert int(POST_ID) > 2**53
    assert {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")} == {
        "retweet_count": 5, "reply_count": 2, "like_count": 42, "quote_count": 1, "bookmark_count": 0, "impression_count": 5432,
    }  # fmt: skip
    assert gaps_of(parsed) == []


def test_old_and_new_names_are_the_same_numbers() -> None:
    new = post_item()
    new["public_metrics"]["repost_count"] = new["public_metrics"].pop("retweet_count")
    new["edit_history_post_ids"] = new.pop("edit_history_tweet_ids")
    assert rows_of(posts_of(new), "observation") != []
    assert {row["source_field"]: row["value"] for row in rows_of(posts_of(new), "observation")}["retweet_count"] == 5
    assert rows_of(posts_of({**new, "referenced_posts": [{"type": "replied_to", "id": "1"}]}), "post")[0]["kind"] == "reply"
    user = {**USER, "public_metrics": {"followers_count": 5, "post_count": 9}}
    numbers = rows_of(parse(landed("account", {"data": [user]}), X), "observation")
    assert {row["source_field"]: row["value"] for row in numbers} == {"followers_count": 5, "tweet_count": 9}


@pytest.mark.parametrize(
    ("reference", "kind", "has_text", "numbers"),
    [
        ("retweeted", "repost", False, 0),
        ("replied_to", "reply", False, 6),
        ("quoted", "original", True, 6),
        (None, "original", True, 6),
    ],
)
def test_reposts_replies_and_quotes(reference: str | None, kind: str, has_text: bool, numbers: int) -> None:
    """A repost shows the numbers of the post it repeats: they are nobody's here."""
    item = post_item(in_reply_to_user_id="77", referenced_tweets=[{"type": reference, "id": "1"}] if reference else [])
    parsed = posts_of(item, subjects="posts,like_count")
    (post,) = rows_of(parsed, "post")
    assert (post["kind"], post["text"] is not None) == (kind, has_text)
    assert len(rows_of(parsed, "observation")) == numbers
    assert gaps_of(parsed) == []


def test_words_of_others_are_never_landed() -> None:
    reference = {"type": "replied_to", "id": "77771", "author": {"id": "77772"}}
    reply = post_item(
        text="@jane_planted call us", in_reply_to_user_id="7777", conversation_id="77774", referenced_tweets=[reference, "77773"]
    )
    odd = post_item(referenced_posts={"id": "77774"})
    error = {
        **NOT_FOUND,
        "title": "Not Found Error",
        "value": "77775",
        "resource_id": "77776",
        "detail": "no tweet 77777",
        "parameter": "x",
    }
    media = {"media": [{"media_key": "3_1", "type": "photo", "alt_text": "Jane Planted at her door"}]}
    items, _, _ = fetch(Api(tweets=lambda _: {"data": [reply, odd], "errors": [error, "77778"], "includes": media, "meta": {}}))
    bodies = " ".join(item.body for item in items if isinstance(item, Page))
    assert "planted" not in bodies.lower()
    assert "in_reply_to_user_id" not in bodies
    assert "7777" not in bodies, "whom and what they answer"
    assert '"referenced_tweets":[{"type":"replied_to"}]' in bodies
    assert '"errors":[{"type":"' in bodies
    assert "Road closed at Newport." in bodies


def test_an_edited_post_keeps_its_first_id_and_its_time_of_publication() -> None:
    edited = datetime(2026, 10, 30, 10, 55, tzinfo=UTC)
    newest = status_id(edited)
    for created_at in ("2026-10-30T10:30:00.000Z", "2026-10-30T10:55:00.000Z"):  # X documents neither
        item = post_item(newest, created_at=created_at, edit_history_tweet_ids=[POST_ID, newest])
        parsed = posts_of(item)
        (post,) = rows_of(parsed, "post")
        assert (post["post_id"], post["published_at"], post["edited_at"]) == (POST_ID, PUBLISHED, edited)
        assert post["permalink"].endswith(newest)
        assert {row["object_id"] for row in rows_of(parsed, "observation")} == {POST_ID}


def test_a_version_that_was_edited_since_is_a_duplicate() -> None:
    newest = status_id(datetime(2026, 10, 30, 10, 55, tzinfo=UTC))
    history = {"edit_history_tweet_ids": [POST_ID, newest]}
    parsed = posts_of(post_item(newest, **history), post_item(POST_ID, **history))
    assert len(rows_of(parsed, "post")) == 1
    assert [(drop.kind, drop.reason, drop.count) for drop in parsed if isinstance(drop, Drop)] == [
        ("post", "duplicate", 1),
        ("observation", "duplicate", 6),
    ]


def test_ids_that_tell_no_time_leave_the_time_that_was_told() -> None:
    item = post_item("12", edit_history_tweet_ids=["11", "12"])
    (post,) = rows_of(posts_of(item), "post")
    assert (post["post_id"], post["published_at"], post["edited_at"]) == ("11", item["created_at"], item["created_at"])


def test_media_and_their_descriptions_are_counted_where_all_came_with_the_answer() -> None:
    includes = {"media": [{"media_key": "3_1", "type": "photo", "alt_text": "A map"}, {"media_key": "3_2", "type": "photo"}]}
    known, unknown = post_item(attachments={"media_keys": ["3_1", "3_2"]}), post_item(attachments={"media_keys": ["3_9"]})
    rows = rows_of(posts_of(known, unknown, includes=includes), "post")
    assert [(row["media_count"], row["media_with_alt_text"]) for row in rows] == [(2, 1), (1, None)]


@pytest.mark.parametrize(("created_at", "is_kept"), [
    ("2026-10-03T23:59:59.000Z", False),
    ("2026-10-04T00:00:00.000Z", True),
    ("2099-01-01T00:00:00.000Z", True),  # the suite names it
    ("yesterday", True),
])  # fmt: skip
def test_what_is_outside_the_window_is_dropped(created_at: str, is_kept: bool) -> None:
    assert bool(rows_of(posts_of(post_item(created_at=created_at)), "post")) == is_kept


def test_a_backfill_leaves_out_what_came_after_its_day() -> None:
    page = landed("tweets", {"data": [post_item(created_at="2026-11-03T08:00:00.000Z")], "meta": {}}, "posts")
    late = Page(**{**page.__dict__, "observed_at": datetime(2026, 11, 20, tzinfo=UTC)})
    assert rows_of(parse(late, X), "post") == []


def test_an_empty_list_has_no_data_and_a_missing_number_is_a_gap() -> None:
    assert parse(landed("tweets", {"meta": {"result_count": 0}}, "posts"), X) == []
    assert gaps_of(parse(landed("tweets", {"data": None, "meta": None}, "posts"), X)) == [("posts", "not_reported", None)]
    item = post_item()
    del item["public_metrics"]["impression_count"]
    assert gaps_of(posts_of(item, subjects="posts,impression_count")) == [("impression_count", "not_reported", POST_ID)]


@pytest.mark.parametrize("item", [None, 7, "post", [], {}, {"id": 5, "public_metrics": "many", "referenced_tweets": {}}])
def test_items_that_are_no_posts_are_named_and_stop_nothing(item: Any) -> None:
    parsed = posts_of(item, post_item())
    assert len(rows_of(parsed, "post")) == 2


PROBLEM = "https://api.x.com/2/problems/"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (402, {"detail": "credits depleted", "title": "Payment Required", "type": f"{PROBLEM}credits-depleted"}, CreditsDepleted),
        (402, {"title": "CreditsDepleted", "detail": "does not have any credits", "type": "https://api.twitter.com/2/problems/credits"},
         CreditsDepleted),
        (429, {"title": "UsageCapExceeded", "detail": "Usage cap exceeded: Monthly product cap", "type": f"{PROBLEM}usage-capped"},
         CreditsDepleted),
        (429, {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429}, Throttled),
        (429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, Throttled),
        (401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}, TokenExpired),
        (403, {"title": "Client Forbidden", "type": f"{PROBLEM}client-forbidden"}, PermissionMissing),
        (200, {"errors": [NOT_FOUND]}, AccountClosed),
        (200, {"errors": [{"type": f"{PROBLEM}not-authorized-for-resource"}], "meta": {"result_count": 0}}, PermissionMissing),
        (200, {"errors": [{"title": "Authorization Error", "type": f"{PROBLEM}not-authorized-for-resource"}]}, PermissionMissing),
        (404, {"title": "Not Found Error", "type": f"{PROBLEM}resource-not-found"}, AccountClosed),
    ],
)  # fmt: skip
def test_errors_go_by_the_end_of_their_type(status: int, body: dict[str, Any], kind: type[SourceError]) -> None:
    assert type(X.classify(Received(status, {}, body, OBSERVED))) is kind


def test_partial_errors_beside_data_are_no_error() -> None:
    assert X.classify(Received(200, {}, {"data": [USER], "errors": [NOT_FOUND]}, OBSERVED)) is None


def test_a_throttle_is_waited_for_until_the_reset_that_x_names() -> None:
    replies = [
        Reply({"title": "Too Many Requests", "status": 429}, 429, {"x-rate-limit-reset": str(int(OBSERVED.timestamp()) + 40)}),
        {"data": [USER]},
    ]
    items, _, waits = fetch(Api(by=lambda _: replies.pop(0)))
    assert gaps_of(items) == []
    assert len(waits) == 1
    assert waits[0] >= 40


def test_depleted_credits_stop_the_account_at_once_and_say_what_to_do() -> None:
    body = {"detail": "credits depleted", "status": 402, "title": "Payment Required", "type": f"{PROBLEM}credits-depleted"}
    items, server, waits = fetch(Api(by=lambda _: Reply(body, 402)))
    assert gaps_of(items) == [("*", "credits_depleted", None)]
    assert "buy credits" in next(item.detail for item in items if isinstance(item, Gap))
    assert (len(server.asked), waits) == (1, [])
    assert CreditsDepleted("x").retryable is False


def test_depleted_credits_end_the_other_accounts_of_the_force_too() -> None:
    body = {"title": "Payment Required", "type": f"{PROBLEM}credits-depleted"}
    items, server, _ = fetch(Api(tweets=lambda _: Reply(body, 402)), account_ids=(ACCOUNT_ID, "2", "3"))
    whole = [item for item in items if isinstance(item, Gap) and item.subject == "*"]
    assert [(gap.account_id, gap.cause) for gap in whole] == [(each, "credits_depleted") for each in (ACCOUNT_ID, "2", "3")]
    assert len(server.asked) == 2, "the first account's two requests"


def test_another_error_ends_one_account_only() -> None:
    items, server, _ = fetch(Api(by=lambda _: Reply({"title": "Unauthorized"}, 401)), account_ids=(ACCOUNT_ID, "2"))
    assert [(gap.account_id, gap.cause) for gap in items if isinstance(gap, Gap)] == [
        (ACCOUNT_ID, "expired_token"),
        ("2", "expired_token"),
    ]
    assert len(server.asked) == 2


INVALID = {
    "title": "Invalid Request",
    "detail": "One or more parameters to your request was invalid.",
    "type": f"{PROBLEM}invalid-request",
    "errors": [{"parameters": {"media.fields": ["alt_text"]}, "message": "The `media.fields` query parameter value is not one of"}],
}


@pytest.mark.parametrize("retired", ["alt_text", "lang", "attachments.media_keys"])
def test_a_retired_name_that_the_posts_can_do_without_is_set_aside_and_costs_no_post(retired: str) -> None:
    def tweets(asked: Asked) -> Any:
        is_asked = any(retired in value.split(",") for value in asked.query.values())
        return Reply(INVALID, 400) if is_asked else Api().tweets(asked)

    items, server, _ = fetch(Api(tweets=tweets))
    assert gaps_of(items) == [("media_and_language", "retired_metric", None)]
    assert [one.path.rpartition("/")[2] for one in server.asked].count("tweets") == 2
    page = next(one for one in items if isinstance(one, Page) and one.endpoint == "tweets" and "error" not in one.context)
    (post,) = rows_of(parse(page, X), "post")
    assert (post["post_id"], post["media_count"]) == (POST_ID, None)


def test_a_name_that_the_posts_need_is_a_gap_of_the_posts() -> None:
    items, _, _ = fetch(Api(tweets=lambda _: Reply(INVALID, 400)))
    assert gaps_of(items) == [("posts", "outage", None)]


def test_an_empty_list_is_a_true_zero_only_beside_the_accounts_own_numbers() -> None:
    refused = Reply({"title": "Client Forbidden", "detail": "no", "type": f"{PROBLEM}client-forbidden"}, 403)
    empty = {"meta": {"result_count": 0}}
    assert gaps_of(fetch(Api(tweets=lambda _: empty))[0]) == []
    names = [(name, "permission", None) for name in USER_METRICS]
    assert gaps_of(fetch(Api(by=lambda _: refused, tweets=lambda _: empty))[0]) == [*names, ("posts", "not_reported", None)]


def test_a_refused_list_is_a_gap_of_the_posts_and_keeps_the_snapshot() -> None:
    body = {"title": "Client Forbidden", "detail": "no", "type": f"{PROBLEM}client-forbidden"}
    items, _, _ = fetch(Api(tweets=lambda _: Reply(body, 403)))
    assert gaps_of(items) == [("posts", "permission", None)]
    useful = [item for item in items if isinstance(item, Page) and "error" not in item.context]
    assert json.loads(useful[0].body) == {"data": [USER]}
