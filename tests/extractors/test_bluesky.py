"""Bluesky: what is asked, what its errors mean, and how its pages become rows, with the contract's examples. The server is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

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
    Secret,
    SourceError,
    SourceField,
    Throttled,
    TokenExpired,
)
from extractors.bluesky import Bluesky
from extractors.http import HttpClient, Received
from extractors.redaction import dump, redact
from tests.extractors.facebook_examples import OBSERVED, RUN_DATE, parse, rows_of
from tests.extractors.loopback import Asked, Loopback, Reply, serving

BLUESKY = Bluesky()
DID = "did:plc:simgwent222222222222222"
CITIZEN = "did:plc:citizen2222222222222222"
USER_COUNTS = ("followersCount", "followsCount", "postsCount")
POST_COUNTS = ("replyCount", "repostCount", "likeCount", "quoteCount", "bookmarkCount")
FIELDS = (
    *(SourceField("account", name, "snapshot", None) for name in USER_COUNTS),
    *(SourceField("post", name, "lifetime", None) for name in POST_COUNTS),
)
SUBJECTS = ",".join(("posts", *POST_COUNTS))
PROFILE = {
    "did": DID, "handle": "sim-gwent.bsky.social", "displayName": "Gwent Police", "description": "Call 999.", "avatar": "https://a",
    "followersCount": 1205, "followsCount": 40, "postsCount": 312, "associated": {"lists": 0},
    "indexedAt": "2024-01-26T00:21:48.805Z",
    "createdAt": "2023-04-24T20:33:53.045Z", "viewer": {"muted": False}, "labels": [], "pinnedPost": {"uri": "at://x", "cid": "c"},
}  # fmt: skip
STRANGER = {"did": CITIZEN, "handle": "janedoe.bsky.social", "displayName": "Jane Doe", "avatar": "https://cdn/Jane"}
OTHERS_URI = f"at://{CITIZEN}/app.bsky.feed.post/3lpjanejanej2"
REPLY_REF = {"root": {"cid": "c", "uri": OTHERS_URI}, "parent": {"cid": "c", "uri": OTHERS_URI}}
REPOST = {
    "$type": "app.bsky.feed.defs#reasonRepost",
    "by": {**PROFILE, "description": None},
    "indexedAt": "2026-10-29T08:00:00.500Z",
}
PIN = {"$type": "app.bsky.feed.defs#reasonPin"}


def uri(key: str = "3lpkxxxxxxx2a", did: str = DID) -> str:
    return f"at://{did}/app.bsky.feed.post/{key}"


def item(
    key: str = "3lpkxxxxxxx2a", created: str = "2026-10-30T10:30:00.561858Z", record: Any = None, **more: Any
) -> dict[str, Any]:
    """A feedViewPost in the shape of the recorded answer. record: what its record has beside or instead."""
    words = {"$type": "app.bsky.feed.post", "createdAt": created, "langs": ["en"], "text": "Road closed at Newport."}
    post = {
        "uri": uri(key), "cid": "bafy", "author": {"did": DID, "handle": "sim-gwent.bsky.social"}, "record": words | (record or {}),
        "replyCount": 2, "repostCount": 5, "likeCount": 42, "quoteCount": 1, "bookmarkCount": 0,
        "indexedAt": "2026-10-30T10:30:01.912Z", "labels": [],
    }  # fmt: skip
    return {"post": post, **more}


def of_a_citizen(**more: Any) -> dict[str, Any]:
    """Somebody else's post, with words and counts that are not the account's."""
    found = item(**more)
    found["post"] |= {"uri": OTHERS_URI, "author": STRANGER, "likeCount": 9_999_999}
    found["post"]["record"] |= {"text": "Jane Doe's own words"}
    return found


def landed(endpoint: str, body: Any, subjects: str = "", **context: str) -> Page:
    text = dump(BLUESKY.redact(redact(body, own_items=BLUESKY.own_items)))
    return Page(endpoint, DID, "GET /", 200, OBSERVED, text, True, RUN_DATE, {"subjects": subjects, **context})


def posts_of(*items: Any, subjects: str = "") -> list[Any]:
    return parse(landed("posts", {"feed": list(items), "cursor": "c"}, subjects), BLUESKY)


class Api:
    """A network with one account: its profile, and its feed in pages."""

    def __init__(self, *pages: list[Any], profile: Any = PROFILE, feed: Any = None) -> None:
        self.pages, self.profile, self.feed = pages or ([item()],), profile, feed

    def __call__(self, asked: Asked) -> Any:
        if asked.path == "/xrpc/app.bsky.actor.getProfile":
            return self.profile
        assert asked.path == "/xrpc/app.bsky.feed.getAuthorFeed"
        if self.feed is not None:
            return self.feed
        number = int(asked.query.get("cursor", "0"))
        body: dict[str, Any] = {"feed": self.pages[number]}
        return body | {"cursor": str(number + 1)} if number + 1 < len(self.pages) else body


def fetch(script: Callable[[Asked], Any], tries: int = 2) -> tuple[list[Page | Gap], Loopback]:
    order = Order("gwent", (Account("bluesky", DID, "sim-gwent.bsky.social", "gwent"),), RUN_DATE, FIELDS)
    with serving(script) as server:
        client = HttpClient(
            Access(server.base_url),
            run_date=RUN_DATE,
            classify=BLUESKY.classify,
            redact_more=BLUESKY.redact,
            own_items=BLUESKY.own_items,
            sleep=lambda seconds: None,
            tries=tries,
        )
        items = list(BLUESKY.fetch(client, order))
        client.close()
    return items, server


def gaps_of(items: list[Any]) -> list[tuple[str, str, str | None]]:
    return [(each.subject, each.cause, each.object_id) for each in items if isinstance(each, Gap)]


def test_all_is_asked_by_the_did_and_without_a_token() -> None:
    items, server = fetch(Api())
    assert gaps_of(items) == []
    assert [(one.path, one.query) for one in server.asked] == [
        ("/xrpc/app.bsky.actor.getProfile", {"actor": DID}),
        ("/xrpc/app.bsky.feed.getAuthorFeed", {"actor": DID, "limit": "50", "filter": "posts_with_replies"}),
    ]
    assert all("authorization" not in one.headers for one in server.asked)


def test_paging_goes_back_by_the_cursor_until_the_window_begins() -> None:
    old = item("3old", "2026-09-30T10:00:00Z")
    items, server = fetch(Api([item()], [item("3b")], [item("3c"), old], [item("3never")]))
    assert [one.query.get("cursor") for one in server.asked[1:]] == [None, "1", "2"]
    assert gaps_of(items) == []
    pinned = item("3pin", "2026-01-01T10:00:00Z", reason=PIN)
    _, server = fetch(Api([pinned], [item()]))
    assert len(server.asked) == 3, "a pin stands out of order: it does not say where the list is"
    late = {**old, "post": {**old["post"], "indexedAt": "2026-10-30T10:00:00Z"}}
    _, server = fetch(Api([late], [item()]))
    assert len(server.asked) == 2, "a post that says it is old is sorted as old"


def test_paging_in_a_circle_ends_with_a_gap_and_keeps_what_came() -> None:
    items, server = fetch(lambda asked: PROFILE if "getProfile" in asked.path else {"feed": [item()], "cursor": "again"})
    assert gaps_of(items) == [("posts", "outage", None)]
    assert len(server.asked) < 6


RATE = {"RateLimit-Limit": "3000", "RateLimit-Remaining": "0", "RateLimit-Reset": "1793653504", "RateLimit-Policy": "3000;w=300"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "ExpiredToken", "message": "Token has expired"}, TokenExpired),
        (401, {"error": "AuthMissing", "message": "Authentication Required"}, TokenExpired),
        (400, {"error": "AccountTakedown", "message": "Account has been suspended"}, AccountClosed),
        (400, {"error": "InvalidRequest", "message": "Profile not found"}, AccountClosed),
        (400, {"error": "InvalidRequest", "message": "Error: actor must be a valid did or a handle"}, None),
        (400, {"error": "BlockedActor", "message": "Requester has blocked actor"}, PermissionMissing),
        (403, None, PermissionMissing),
        (429, {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, Throttled),
        (502, {"error": "UpstreamFailure", "message": "Upstream Failure"}, Outage),
        (400, {"error": "UpstreamFailure"}, Outage),
        (500, {"error": ["odd"], "message": {"odd": 1}}, None),
        (200, {"error": "none of these", "feed": []}, None),
    ],
)
def test_what_errors_mean(status: int, body: Any, kind: type[SourceError] | None) -> None:
    error = BLUESKY.classify(Received(status, {}, body, OBSERVED))
    assert type(error) is (kind or type(None))


def test_a_throttle_waits_until_the_instant_that_the_header_names() -> None:
    observed = datetime.fromtimestamp(1793653504 - 90, UTC)
    error = BLUESKY.classify(Received(429, CaseInsensitiveDict(RATE), {"error": "RateLimitExceeded"}, observed))
    assert isinstance(error, Throttled)
    assert error.reset_seconds == 90
    for headers in ({}, {"RateLimit-Reset": "soon"}):
        error = BLUESKY.classify(Received(429, CaseInsensitiveDict(headers), {"error": "RateLimitExceeded"}, observed))
        assert isinstance(error, Throttled)
        assert error.reset_seconds is None


def test_the_announced_limit_is_an_addresss_whatever_the_token() -> None:
    observed = datetime.fromtimestamp(1793653504 - 90, UTC)
    [window] = BLUESKY.limits.read(Received(200, CaseInsensitiveDict(RATE), {}, observed))
    assert (window.limit, window.remaining, window.counted_by) == (3000, 0, "app")
    assert window.resets_at == datetime.fromtimestamp(1793653504, UTC)


def test_what_fails_is_a_gap_and_the_rest_goes_on() -> None:
    names = [(name, "outage", None) for name in USER_COUNTS]
    items, _ = fetch(Api(profile=Reply({"error": "UpstreamFailure"}, 502)))
    assert gaps_of(items) == names
    items, _ = fetch(Api(feed=Reply({"error": "BlockedByActor", "message": "no"}, 400)))
    assert gaps_of(items) == [("posts", "permission", None)]
    items, server = fetch(Api(profile=Reply({"error": "AccountTakedown", "message": "Account has been suspended"}, 400)))
    assert gaps_of(items) == [("*", "account_closed", None)]
    assert len(server.asked) == 1
    items, server = fetch(Api(profile=Reply({"error": "ExpiredToken", "message": "Token has expired"}, 400)))
    assert gaps_of(items) == [("*", "expired_token", None)]


def test_an_empty_list_is_a_true_zero_only_beside_the_accounts_own_numbers() -> None:
    refused = Reply({"error": "UpstreamFailure"}, 502)
    assert gaps_of(fetch(Api([]))[0]) == []
    names = [(name, "outage", None) for name in USER_COUNTS]
    assert gaps_of(fetch(Api([], profile=refused))[0]) == [*names, ("posts", "not_reported", None)]


@pytest.mark.parametrize("body", [PROFILE, {"profiles": [PROFILE]}])
def test_a_profile_alone_or_in_a_list(body: Any) -> None:
    parsed = parse(landed("account", body, ",".join(USER_COUNTS)), BLUESKY)
    [account] = rows_of(parsed, "account")
    assert (account["account_id"], account["handle"], account["display_name"]) == (DID, "sim-gwent.bsky.social", "Gwent Police")
    counts = {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")}
    assert counts == {"followersCount": 1205, "followsCount": 40, "postsCount": 312}
    assert gaps_of(parsed) == []


@pytest.mark.parametrize(
    "body", [{"did": DID, "handle": "h.bsky.social"}, {"profiles": []}, {}, {"did": DID, "followersCount": None}]
)
def test_a_count_that_did_not_come_is_a_gap_and_never_zero(body: Any) -> None:
    """Only did and handle are required; getProfiles leaves out whom it does not know."""
    parsed = parse(landed("account", body, "followersCount"), BLUESKY)
    assert rows_of(parsed, "observation") == []
    assert gaps_of(parsed) == [("followersCount", "not_reported", None)]
    bare = item()
    for name in POST_COUNTS:
        del bare["post"][name]
    parsed = posts_of(bare, subjects=SUBJECTS)
    assert gaps_of(parsed) == [(name, "not_reported", uri()) for name in POST_COUNTS]
    assert len(rows_of(parsed, "post")) == 1


def test_the_profile_of_another_account_is_named() -> None:
    parsed = parse(landed("account", {**PROFILE, "did": CITIZEN}, "followersCount"), BLUESKY)
    assert all("other_account" in row["_defect"] for row in rows_of(parsed, "account") + rows_of(parsed, "observation"))
    assert gaps_of(parsed) == [("followersCount", "not_reported", None)]


def test_a_post_with_its_counts() -> None:
    parsed = posts_of(item(), subjects=SUBJECTS)
    [post] = rows_of(parsed, "post")
    assert post == {
        "post_id": uri(),
        "account_id": DID,
        "published_at": "2026-10-30T10:30:00.561858Z",
        "kind": "original",
        "permalink": f"https://bsky.app/profile/{DID}/post/3lpkxxxxxxx2a",
        "text": "Road closed at Newport.",
        "language": "en",
        "media_count": 0,
        "media_with_alt_text": 0,
    }
    counts = {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")}
    assert counts == {"replyCount": 2, "repostCount": 5, "likeCount": 42, "quoteCount": 1, "bookmarkCount": 0}
    assert gaps_of(parsed) == []


@pytest.mark.parametrize(
    ("created", "indexed", "published"),
    [
        ("2026-10-30T10:30:00.912Z", "2026-10-30T10:30:01.5Z", "2026-10-30T10:30:00.912Z"),
        ("2026-12-24T10:30:00Z", "2026-10-30T10:30:01.912Z", "2026-10-30T10:30:01.912Z"),
        ("2099-01-01T00:00:00.000Z", "2026-10-30T10:30:01Z", "2026-10-30T10:30:01Z"),
        ("2026-10-30T12:00:00+02:00", "2026-10-30T10:30:01Z", "2026-10-30T12:00:00+02:00"),
        ("yesterday", "2026-10-30T10:30:01Z", "2026-10-30T10:30:01Z"),
        ("2026-10-30T10:30:00Z", None, "2026-10-30T10:30:00Z"),
    ],
)
def test_a_post_is_published_when_it_says_or_when_it_was_seen_if_that_is_earlier(
    created: str, indexed: Any, published: str
) -> None:
    found = item(created=created)
    found["post"]["indexedAt"] = indexed
    assert rows_of(posts_of(found), "post")[0]["published_at"] == published


def test_a_repost_has_an_id_of_its_own_and_nothing_of_the_post_that_it_repeats() -> None:
    own = f"at://{DID}/app.bsky.feed.repost/3lprepost2222"
    with_id, without = of_a_citizen(reason={**REPOST, "uri": own}), of_a_citizen(reason=REPOST)
    page = landed("posts", {"feed": [with_id, without]}, SUBJECTS)
    assert not [word for word in (CITIZEN, "Jane", "9999999", OTHERS_URI) if word in page.body]
    parsed = parse(page, BLUESKY)
    first, second = rows_of(parsed, "post")
    assert first == {"post_id": own, "account_id": DID, "published_at": "2026-10-29T08:00:00.500Z", "kind": "repost"}
    assert second["post_id"] == f"repost:{DID}:2026-10-29T08:00:00.500Z", "stable: account and time"
    assert rows_of(parsed, "observation") == []
    assert gaps_of(parsed) == []
    own_again = item(reason={**REPOST, "uri": own})
    assert rows_of(posts_of(own_again), "post")[0]["kind"] == "repost", "of an own post too: it is counted where it was published"


def test_a_reason_that_is_not_known_lands_no_words_and_is_named() -> None:
    page = landed("posts", {"feed": [of_a_citizen(reason={"$type": "app.bsky.feed.defs#reasonNew"})]})
    assert "Jane" not in page.body
    assert "reason_unknown" in rows_of(parse(page, BLUESKY), "post")[0]["_defect"]


def test_a_pin_is_the_accounts_own_post_out_of_order() -> None:
    parsed = posts_of(item(reason=PIN), subjects=SUBJECTS)
    assert rows_of(parsed, "post")[0]["kind"] == "original"
    assert len(rows_of(parsed, "observation")) == 5
    parsed = posts_of(item("3old", "2026-01-01T10:00:00Z", reason=PIN), item())
    assert next(each for each in parsed if isinstance(each, Drop)).reason == "outside_window"
    assert len(rows_of(parsed, "post")) == 1


def test_a_reply_keeps_its_counts_and_lands_neither_words_nor_whom_it_answers() -> None:
    seen = {"uri": OTHERS_URI, "author": STRANGER, "record": {"text": "Jane Doe asks"}}
    mention = [{"index": {"byteStart": 0}, "features": [{"$type": "app.bsky.richtext.facet#mention", "did": CITIZEN}]}]
    record = {"text": "@janedoe.bsky.social Dear Jane", "reply": REPLY_REF, "facets": mention}
    for found in (item(record=record, reply={"root": seen, "parent": seen, "grandparentAuthor": STRANGER}), item(record=record)):
        page = landed("posts", {"feed": [found]}, SUBJECTS)
        assert not [word for word in (CITIZEN, "Jane", "jane") if word in page.body]
        parsed = parse(page, BLUESKY)
        [post] = rows_of(parsed, "post")
        assert (post["kind"], post["text"]) == ("reply", None)
        assert len(rows_of(parsed, "observation")) == 5


def test_a_post_that_answers_nobody_is_no_reply() -> None:
    """As some write it: with a member that is null."""
    page = landed("posts", {"feed": [{**item(record={"text": "Own words", "reply": None}), "reply": None, "reason": None}]})
    [post] = rows_of(parse(page, BLUESKY), "post")
    assert (post["kind"], post["text"]) == ("original", "Own words")


def test_half_a_sign_spoils_no_page() -> None:
    facets = [{"index": {"byteStart": 0, "byteEnd": 3}, "features": [{"did": CITIZEN}]}]
    posts = [item(record={"text": "@ja \ud83d", **more}) for more in ({}, {"facets": facets})]
    page = landed("posts", {"feed": posts})
    assert [post["text"] for post in rows_of(parse(page, BLUESKY), "post")] == ["@ja ?", "@… ���"]


def test_of_an_answer_that_is_a_list_nothing_is_landed() -> None:
    assert landed("posts", [item()]).body == "[]"


def test_handles_in_own_words_are_not_landed() -> None:
    text = "Diolch, @janedoe.bsky.social – ac i @sim-gwent.bsky.social! #Gwent"
    start = len(b"Diolch, ")
    features = [{"$type": "app.bsky.richtext.facet#mention", "did": CITIZEN}]
    facets = [
        {"index": {"byteStart": start, "byteEnd": start + len("@janedoe.bsky.social")}, "features": features},
        {"index": {"byteStart": 0, "byteEnd": 4}, "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "Gwent"}]},
        {"index": None, "features": features},
        7,
    ]
    page = landed("posts", {"feed": [item(record={"text": text, "facets": facets})]})
    [post] = rows_of(parse(page, BLUESKY), "post")
    assert post["text"] == "Diolch, @… – ac i @sim-gwent.bsky.social! #Gwent"


IMAGES = {"$type": "app.bsky.embed.images", "images": [{"alt": "Jane at a desk", "image": {}}, {"alt": "", "image": {}}]}
QUOTED = {"$type": "app.bsky.embed.record", "record": {"uri": OTHERS_URI, "cid": "c"}}
CARD = {"$type": "app.bsky.embed.external", "external": {"uri": "https://x/jane", "title": "Jane Doe", "description": "Jane"}}


@pytest.mark.parametrize(
    ("embed", "media", "described"),
    [
        (IMAGES, 2, 1),
        ({"$type": "app.bsky.embed.video", "video": {"ref": {}}}, 1, 0),
        ({"$type": "app.bsky.embed.video", "video": {"ref": {}}, "alt": "A film of Jane"}, 1, 1),
        ({"$type": "app.bsky.embed.recordWithMedia", "media": IMAGES, "record": QUOTED}, 2, 1),
        (QUOTED, 0, 0),
        (CARD, 0, 0),
    ],
)
def test_media_and_their_descriptions_are_counted_and_not_landed(embed: Any, media: int, described: int) -> None:
    """A post that quotes another is an original: its words are the force's own."""
    page = landed("posts", {"feed": [item(record={"embed": embed})]})
    assert not [word for word in (CITIZEN, "Jane", "jane") if word in page.body]
    [post] = rows_of(parse(page, BLUESKY), "post")
    assert (post["kind"], post["media_count"], post["media_with_alt_text"]) == ("original", media, described)


def test_posts_out_of_the_window_are_dropped_by_name() -> None:
    parsed = posts_of(item("3a", "2026-10-03T23:59:59Z"), item("3b", "2026-10-04T00:00:00Z"))
    assert [(each.kind, each.reason, each.count) for each in parsed if isinstance(each, Drop)] == [
        ("post", "outside_window", 1),
        ("observation", "outside_window", 5),
    ]
    assert [row["post_id"] for row in rows_of(parsed, "post")] == [uri("3b")]


def test_a_number_that_nobody_knows_is_passed_on_by_its_name() -> None:
    found = item()
    found["post"] |= {"viewCount": 7, "likeCount": "42", "post_hugs": 3, "isLoud": True, "rootAuthorId": 41}
    counts = {row["source_field"]: row["value"] for row in rows_of(posts_of(found), "observation")}
    assert (counts["viewCount"], counts["likeCount"], counts["post_hugs"]) == (7, "42", 3)
    assert counts.keys() == {*POST_COUNTS, "viewCount", "post_hugs"}, "a name for a truth is no number, and an id nobody's count"
    page = landed("posts", {"feed": [found]})
    assert "rootAuthorId" not in page.body
    assert BLUESKY.count(page)["observation"] == len(counts)
    of_account = landed("account", {**PROFILE, "fans": 9})
    assert "fans" in {row["source_field"] for row in rows_of(parse(of_account, BLUESKY), "observation")}
    assert BLUESKY.count(of_account)["observation"] == len(USER_COUNTS) + 1


@pytest.mark.parametrize("body", [{"feed": None}, {"feed": {}}, {"cursor": "c"}, []])
def test_an_answer_without_a_list_is_a_gap(body: Any) -> None:
    assert gaps_of(parse(landed("posts", body), BLUESKY)) == [("posts", "not_reported", None)]


@pytest.mark.parametrize("found", [None, 7, [], {}, {"post": None}, {"post": {"record": 5}}, {"post": {"uri": 5, "record": {}}}])
def test_an_item_that_is_no_post_is_named_and_breaks_nothing(found: Any) -> None:
    parsed = posts_of(found, item())
    assert len(rows_of(parsed, "post")) == 2


def test_every_word_that_is_landed_is_named() -> None:
    """What the network may add stays out until somebody has looked at it."""
    body = {"feed": [item(brandNew={"name": "Jane"}, record={"brandNew": "Jane"})], "feedContext": "Jane"}
    body["feed"][0]["post"] |= {"threadgate": {"record": {"text": "Jane"}}, "viewer": {"like": OTHERS_URI}}
    page = landed("posts", body)
    assert not [word for word in (CITIZEN, "Jane") if word in page.body]
    assert json.loads(page.body)["feed"][0]["post"].keys() == {"uri", "indexedAt", "record", *POST_COUNTS}


def test_a_post_of_another_account_lands_that_it_came_and_nothing_of_whom() -> None:
    items, _ = fetch(Api([of_a_citizen(), item()]))
    page = next(each for each in items if isinstance(each, Page) and each.endpoint == "posts")
    assert not [word for word in (CITIZEN, "Jane", "9999999") if word in page.body]
    parsed = parse(page, BLUESKY)
    assert [row["account_id"] for row in rows_of(parsed, "post")] == [None, DID]
    assert ["other_account" in row.get("_defect", "") for row in rows_of(parsed, "post")] == [True, False]
    assert gaps_of(parsed) == [], "what it lacks is no hole of the account's"
    assert all(CITIZEN not in str(gap) for gap in parsed if isinstance(gap, Gap))
    items, _ = fetch(Api(profile={**PROFILE, **STRANGER}))
    page = next(each for each in items if isinstance(each, Page) and each.endpoint == "account")
    assert page.body == '{"did":"***"}'
    assert "other_account" in rows_of(parse(page, BLUESKY), "account")[0]["_defect"]


# --- mentions ---


def hashed(value: str) -> str:
    """In the place of the keyed hash: as long, and not to be mistaken for what it stands for."""
    return value.encode().hex()[-32:].rjust(32, "0")


WITH_CONTACTS = Bluesky(pseudonym=hashed)
NEIGHBOUR_URI = "at://did:plc:neighbour22222222222222/app.bsky.feed.post/3lpneighbour"


def mention(key: str = "3lpjanejanej2", parent: str | None = None, did: str = CITIZEN, **more: Any) -> dict[str, Any]:
    """A postView of the search, in the shape of the lexicon."""
    facet = {"index": {"byteStart": 0, "byteEnd": 9}, "features": [{"$type": "app.bsky.richtext.facet#mention", "did": DID}]}
    record = {
        "$type": "app.bsky.feed.post", "createdAt": "2026-10-30T10:00:00.000Z", "facets": [facet],
        "text": "@sim-gwent Jane Doe here, can you call me? https://example.org/jane",
        **({"reply": {"root": {"cid": "c", "uri": parent}, "parent": {"cid": "c", "uri": parent}}} if parent else {}),
    }  # fmt: skip
    seen = {"uri": uri(key, did), "cid": "c", "author": STRANGER, "record": record, "indexedAt": "2026-10-30T10:00:01.000Z"}
    return seen | more


class Network(Api):
    """The same network for one who is logged in: it can be searched. search: the answers, page by page."""

    def __init__(self, *search: Any, **of_api: Any) -> None:
        super().__init__(*of_api.pop("pages", ()), **of_api)
        self.search = search

    def __call__(self, asked: Asked) -> Any:
        if asked.path != "/xrpc/app.bsky.feed.searchPosts":
            return super().__call__(asked)
        number = int(asked.query.get("cursor", "0"))
        found = self.search[number]
        if not isinstance(found, list):
            return found
        return {"posts": found, **({"cursor": str(number + 1)} if number + 1 < len(self.search) else {})}


def fetch_contacts(script: Callable[[Asked], Any], token: str | None = "AAAAplanted0123456789") -> tuple[list[Any], Loopback]:
    order = Order("gwent", (Account("bluesky", DID, "sim-gwent.bsky.social", "gwent"),), RUN_DATE, FIELDS)
    with serving(script) as server:
        client = HttpClient(
            Access(server.base_url, Secret(token) if token else None), run_date=RUN_DATE, classify=WITH_CONTACTS.classify,
            redact_more=WITH_CONTACTS.redact, own_items=WITH_CONTACTS.own_items, sleep=lambda seconds: None, tries=2,
        )  # fmt: skip
        items = list(WITH_CONTACTS.fetch(client, order))
        client.close()
    return items, server


def messages_of(items: list[Any]) -> list[dict[str, Any]]:
    pages = [each for each in items if isinstance(each, Page)]
    found = rows_of([row for page in pages for row in parse(page, WITH_CONTACTS)], "message")
    assert sum(WITH_CONTACTS.count(page)["message"] for page in pages) == len(found), "the independent count"
    return found


def answer_to(parent: str, text: str = "@janedoe.bsky.social Jane, we will", key: str = "3lpreplyreply") -> dict[str, Any]:
    ref = {"root": {"cid": "c", "uri": parent}, "parent": {"cid": "c", "uri": parent}}
    return item(key, "2026-10-30T11:00:00Z", {"text": text, "reply": ref}, reply={"parent": {"author": STRANGER}})


def test_a_mention_and_its_answer_become_keys_times_and_decisions() -> None:
    said = mention()
    items, server = fetch_contacts(Network([said], pages=[[answer_to(said["uri"])]]))
    assert gaps_of(items) == []
    inbound, outbound = messages_of(items)
    assert inbound == {
        "account_id": DID,
        "message_key": hashed(f"message bluesky {said['uri']}"),
        "reply_to_key": None,
        "direction": "inbound",
        "created_at": "2026-10-30T10:00:00.000Z",
        "is_automatic": None,
        "wants_answer": True,
        "rule_version": 1,
    }
    assert (outbound["direction"], outbound["is_automatic"]) == ("outbound", False)
    assert outbound["reply_to_key"] == inbound["message_key"]
    (asked,) = [one for one in server.asked if one.path.endswith("searchPosts")]
    assert asked.query == {
        "q": "*", "mentions": DID, "sort": "latest", "since": "2026-10-04T00:00:00Z", "limit": "100",
    }  # fmt: skip


def test_nothing_of_a_person_is_landed_of_mentions_or_answers() -> None:
    said = [
        mention(),
        mention("3lpjanejanej3", NEIGHBOUR_URI),
        mention("3lpjanejanej4", uri("3lpown")),
        "janedoe",
        {"uri": "janedoe"},
    ]
    items, _ = fetch_contacts(Network(said, [mention("3lpjanejanej5", OTHERS_URI)], pages=[[answer_to(said[0]["uri"])]]))
    pages = [each for each in items if isinstance(each, Page)]
    for page in pages:
        landed_page = f"{page.request} {page.body} {dict(page.context)}".lower()
        for person in (CITIZEN, "jane", "neighbour", "example.org", "aaaaplanted"):
            assert person not in landed_page, (person, page.endpoint)
    keys = [row["reply_to_key"] for row in messages_of(items) if row["direction"] == "inbound"]
    own, same_person = hashed(f"message bluesky {uri('3lpown')}"), hashed(f"message bluesky {OTHERS_URI}")
    assert keys == [None, None, own, None, None, same_person], "of a third person's words nothing is told"


def test_what_is_no_contact_is_none() -> None:
    own_thread = answer_to(uri("3lpown"), key="3lpthread")
    gone = answer_to(f"at://{CITIZEN}/app.bsky.feed.post/3lpgonegonego")
    reposted = {**of_a_citizen(reply={}), "reason": REPOST}
    items, _ = fetch_contacts(Network([mention("3lpown2", did=DID)], pages=[[own_thread, gone, reposted]]))
    (only,) = messages_of(items)
    assert (only["direction"], only["reply_to_key"]) == ("outbound", None), "what was deleted does not come back with the answer"
    (mentions,) = [each for each in items if isinstance(each, Page) and each.endpoint == "mentions"]
    assert json.loads(mentions.body) == {"posts": [], "left_out": 1}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Reply(b"<html>Forbidden jane</html>", 403, {"Content-Type": "text/html"}), "permission"),
        (Reply(status=403, body={"error": "Forbidden", "message": "janedoe.bsky.social"}), "permission"),
        (Reply(status=401, body={"error": "AuthMissing", "message": "Authentication Required"}), "expired_token"),
        (Reply(status=502, body={"error": "UpstreamFailure", "message": "x"}), "outage"),
    ],
)
def test_a_search_that_is_refused_is_a_gap_of_messages_alone(answer: Any, cause: str) -> None:
    items, _ = fetch_contacts(Network(answer))
    assert gaps_of(items) == [("messages", cause, None)]
    assert [each.endpoint for each in items if isinstance(each, Page) and "error" not in each.context] == ["account", "posts"]
    assert "jane" not in "".join(each.body for each in items if isinstance(each, Page) and each.endpoint == "mentions").lower()


def test_an_answer_without_a_list_of_mentions_is_a_gap() -> None:
    items, _ = fetch_contacts(Network({"hitsTotal": 0}))
    found = [row for page in items if isinstance(page, Page) for row in parse(page, WITH_CONTACTS) if isinstance(row, Gap)]
    assert ("messages", "not_reported") in [(each.subject, each.cause) for each in found]


def test_without_a_token_mentions_are_not_asked_for_and_are_a_gap() -> None:
    items, server = fetch_contacts(Api([answer_to(OTHERS_URI)]), token=None)
    assert gaps_of(items) == [("messages", "permission", None)]
    assert not [one for one in server.asked if "searchPosts" in one.path]
    assert [row["reply_to_key"] for row in messages_of(items)] == [None]
