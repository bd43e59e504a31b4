"""Mastodon: what is asked, what errors mean, and how pages become rows, with the contract's examples. The server is real."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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
    Page,
    PermissionMissing,
    SourceError,
    SourceField,
    Throttled,
)
from extractors.http import HttpClient, Received
from extractors.mastodon import Mastodon
from extractors.redaction import dump, redact
from tests.extractors.facebook_examples import OBSERVED, RUN_DATE, parse, rows_of
from tests.extractors.loopback import Asked, Loopback, Reply, serving

MASTODON = Mastodon()
ACCOUNT_ID, SERVER = "109302436954721982", "social.police.example"
ACCOUNT = Account("mastodon", ACCOUNT_ID, f"sim_gwent@{SERVER}", "gwent")
USER_COUNTS, POST_COUNTS = (
    ("followers_count", "following_count", "statuses_count"),
    ("favourites_count", "replies_count", "reblogs_count"),
)
FIELDS = (
    *(SourceField("account", name, "snapshot", None) for name in USER_COUNTS),
    *(SourceField("post", name, "lifetime", None) for name in (*POST_COUNTS, "quotes_count")),
)
SUBJECTS = ",".join(("posts", *POST_COUNTS, "quotes_count"))
LOOKED_UP = {
    "id": ACCOUNT_ID, "username": "sim_gwent", "acct": "sim_gwent", "display_name": "Gwent Police", "locked": False, "bot": False,
    "created_at": "2022-11-07T00:00:00.000Z", "note": "<p>Call 999, says Jane Doe</p>", "url": f"https://{SERVER}/@sim_gwent",
    "followers_count": 1205, "following_count": 40, "statuses_count": 312, "last_status_at": "2025-06-24",
    "fields": [{"name": "Press officer", "value": "Jane Doe"}], "emojis": [],
}  # fmt: skip
CITIZEN = {
    "id": "110000000000000001",
    "username": "janedoe",
    "acct": "janedoe@citizens.example",
    "url": "https://citizens.example/@janedoe",
}
OTHERS = ("110000000000000001", "janedoe", "Jane", "citizens.example", "113000000000000001")


def status(number: int = 113191408914362368, created: str = "2026-10-30T17:35:19.898Z", **more: Any) -> dict[str, Any]:
    return {
        "id": str(number), "created_at": created, "in_reply_to_id": None, "in_reply_to_account_id": None, "sensitive": False,
        "visibility": "public", "language": "en", "uri": f"https://{SERVER}/users/sim_gwent/statuses/{number}",
        "url": f"https://{SERVER}/@sim_gwent/{number}", "replies_count": 2, "reblogs_count": 5, "favourites_count": 42,
        "edited_at": None, "content": "<p>Road closed &amp; diverted<br />at Newport.</p><p>Thank you.</p>", "reblog": None,
        "account": LOOKED_UP, "media_attachments": [], "mentions": [], "tags": [], "emojis": [], "card": None, "poll": None,
    } | more  # fmt: skip


def landed(endpoint: str, body: Any, subjects: str = "", **context: str) -> Page:
    text = dump(MASTODON.redact(redact(body, own_items=MASTODON.own_items)))
    facts = {"subjects": subjects, "server": SERVER, **context}
    return Page(endpoint, ACCOUNT_ID, "GET /", 200, OBSERVED, text, True, RUN_DATE, facts)


def posts_of(*items: Any, subjects: str = "") -> list[Any]:
    return parse(landed("posts", list(items), subjects), MASTODON)


def gaps_of(items: list[Any]) -> list[tuple[str, str, str | None]]:
    return [(each.subject, each.cause, each.object_id) for each in items if isinstance(each, Gap)]


class Api:
    """A server with one account, whose statuses come in pages with the header Link, and end with an empty one without it."""

    def __init__(self, *pages: list[Any], lookup: Any = LOOKED_UP, statuses: Any = None, link: str | None = None) -> None:
        self.pages, self.lookup, self.statuses, self.link = pages or ([status()],), lookup, statuses, link

    def __call__(self, asked: Asked) -> Any:
        if asked.path == "/api/v1/accounts/lookup":
            return self.lookup
        assert asked.path == f"/api/v1/accounts/{ACCOUNT_ID}/statuses"
        if self.statuses is not None:
            return self.statuses
        number = int(asked.query.get("max_id", "0")) if int(asked.query.get("max_id", "0")) < 10 else len(self.pages)
        if number >= len(self.pages):
            return []
        there = f"http://{asked.headers['host']}{asked.path}?exclude_reblogs=FALSE&limit=40"
        link = self.link if self.link is not None else f'<{there}&max_id={number + 1}>; rel="next", <{there}&min_id=9>; rel="prev"'
        return Reply(self.pages[number], headers={"Link": link} if link else {})


def fetch(script: Callable[[Asked], Any], tries: int = 1) -> tuple[list[Page | Gap], Loopback]:
    with serving(script) as server:
        client = HttpClient(
            Access(server.base_url),
            run_date=RUN_DATE,
            classify=MASTODON.classify,
            redact_more=MASTODON.redact,
            own_items=MASTODON.own_items,
            sleep=lambda seconds: None,
            tries=tries,
        )
        items = list(MASTODON.fetch(client, Order("gwent", (ACCOUNT,), RUN_DATE, FIELDS)))
        client.close()
    return items, server


def test_each_account_is_asked_at_its_own_server() -> None:
    assert MASTODON.base_url(ACCOUNT, "https://{instance}") == f"https://{SERVER}"
    assert MASTODON.base_url(ACCOUNT, "http://127.0.0.1:1/mastodon") == f"http://127.0.0.1:1/mastodon/{SERVER}"


def test_paging_follows_the_link_until_the_empty_page() -> None:
    items, server = fetch(Api([status()], [status(5), status(4)]))
    assert gaps_of(items) == []
    assert [(one.path.rpartition("/")[2], one.query.get("max_id")) for one in server.asked] == [
        ("lookup", None),
        ("statuses", None),
        ("statuses", "1"),
        ("statuses", "2"),
    ]
    assert server.asked[0].query == {"acct": "sim_gwent"}
    assert server.asked[1].query == {"limit": "40"}
    assert all("authorization" not in one.headers for one in server.asked)


def test_paging_ends_where_the_window_begins() -> None:
    _, server = fetch(Api([status(), status(5, "2026-09-30T10:00:00.000Z")], [status(4)]))
    assert len(server.asked) == 2


def test_a_link_to_another_host_is_not_followed() -> None:
    items, server = fetch(Api(link='<https://elsewhere.example/api?max_id=1>; rel="next"'))
    assert gaps_of(items) == [("posts", "outage", None)]
    assert "elsewhere.example" in next(each.detail for each in items if isinstance(each, Gap))
    assert len(server.asked) == 2


@pytest.mark.parametrize("link", ["", "nonsense", '<>; rel="prev"', ";;,<"])
def test_without_a_link_the_last_id_says_where(link: str) -> None:
    items, server = fetch(Api(link=link))
    assert [one.query.get("max_id") for one in server.asked[1:]] == [None, "113191408914362368"]
    assert gaps_of(items) == []


def test_paging_in_a_circle_ends_with_a_gap() -> None:
    same = [status()]
    items, server = fetch(lambda asked: LOOKED_UP if "lookup" in asked.path else same)
    assert gaps_of(items) == [("posts", "outage", None)]
    assert len(server.asked) < 6


RATE = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-11-02T21:05:00.377431Z"}


@pytest.mark.parametrize(
    ("status_code", "body", "kind"),
    [
        (404, {"error": "Record not found"}, AccountClosed),
        (410, {"error": "Gone"}, AccountClosed),
        (404, None, None),
        (401, {"error": "This API requires an authenticated user"}, PermissionMissing),
        (403, None, PermissionMissing),
        (429, {"error": "Too many requests"}, Throttled),
        (429, None, Throttled),
        (503, {"error": "Remote data could not be fetched"}, None),
        (200, {"error": "odd"}, None),
        (200, [], None),
    ],
)
def test_what_errors_mean(status_code: int, body: Any, kind: type[SourceError] | None) -> None:
    error = MASTODON.classify(Received(status_code, {}, body, OBSERVED))
    assert type(error) is (kind or type(None))


def test_a_throttle_waits_until_the_instant_that_the_header_names() -> None:
    """HTML or not: hosts stand before servers."""
    reset = datetime(2026, 11, 2, 21, 5, 0, 377431, tzinfo=UTC)
    for body in (None, {"error": "Too many requests"}):
        error = MASTODON.classify(Received(429, CaseInsensitiveDict(RATE), body, reset - timedelta(seconds=60)))
        assert isinstance(error, Throttled)
        assert error.reset_seconds == 60
    for headers in ({}, {"X-RateLimit-Reset": "soon"}):
        error = MASTODON.classify(Received(429, CaseInsensitiveDict(headers), None, OBSERVED))
        assert isinstance(error, Throttled)
        assert error.reset_seconds is None
    [window] = MASTODON.limits.read(Received(200, CaseInsensitiveDict(RATE), [], OBSERVED))
    assert (window.limit, window.remaining, window.resets_at) == (300, 0, reset)


def test_what_fails_is_a_gap_and_the_rest_goes_on() -> None:
    refused = Reply({"error": "This API requires an authenticated user"}, 401)
    items, _ = fetch(Api(lookup=refused, statuses=refused))
    assert gaps_of(items) == [*((name, "permission", None) for name in USER_COUNTS), ("posts", "permission", None)]
    gone = Reply({"error": "Record not found"}, 404)
    items, _ = fetch(Api(lookup=gone))
    assert gaps_of(items) == [(name, "not_reported", None) for name in USER_COUNTS], "a rename: the list goes by the id"
    items, _ = fetch(Api(lookup=gone, statuses=gone))
    assert gaps_of(items) == [("*", "account_closed", None)]
    page = Reply(b"<html>Just a moment, Jane</html>", 404, {"Content-Type": "text/html"})
    items, _ = fetch(Api(statuses=page))
    assert gaps_of(items) == [("posts", "outage", None)], "a page for people does not say that an account is gone"


def test_an_empty_list_is_a_true_zero_only_beside_the_accounts_own_numbers() -> None:
    refused = Reply({"error": "This API requires an authenticated user"}, 401)
    assert gaps_of(fetch(Api(statuses=[]))[0]) == []
    names = [(name, "permission", None) for name in USER_COUNTS]
    assert gaps_of(fetch(Api(lookup=refused, statuses=[]))[0]) == [*names, ("posts", "not_reported", None)]


def test_an_account_with_its_numbers_and_nobody_else() -> None:
    page = landed("account", LOOKED_UP, ",".join(USER_COUNTS))
    assert not [word for word in OTHERS if word in page.body]
    parsed = parse(page, MASTODON)
    [account] = rows_of(parsed, "account")
    assert account == {
        "account_id": ACCOUNT_ID,
        "handle": f"sim_gwent@{SERVER}",
        "display_name": "Gwent Police",
        "url": f"https://{SERVER}/@sim_gwent",
    }
    assert {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")} == {
        "followers_count": 1205,
        "following_count": 40,
        "statuses_count": 312,
    }
    assert gaps_of(parsed) == []
    bare = {name: value for name, value in LOOKED_UP.items() if name != "followers_count"}
    assert gaps_of(parse(landed("account", bare, "followers_count"), MASTODON)) == [("followers_count", "not_reported", None)]
    other = parse(landed("account", {**LOOKED_UP, "id": "1"}, "followers_count"), MASTODON)
    assert "other_account" in rows_of(other, "account")[0]["_defect"]
    assert gaps_of(other) == [("followers_count", "not_reported", None)]


def test_a_status_with_its_counts() -> None:
    parsed = posts_of(status(), subjects=SUBJECTS)
    [post] = rows_of(parsed, "post")
    assert post == {
        "post_id": f"113191408914362368@{SERVER}",
        "account_id": ACCOUNT_ID,
        "published_at": "2026-10-30T17:35:19.898Z",
        "edited_at": None,
        "kind": "original",
        "permalink": f"https://{SERVER}/@sim_gwent/113191408914362368",
        "text": "Road closed & diverted\nat Newport.\n\nThank you.",
        "language": "en",
        "media_count": 0,
        "media_with_alt_text": 0,
    }
    counts = {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")}
    assert counts == {"replies_count": 2, "reblogs_count": 5, "favourites_count": 42}
    assert gaps_of(parsed) == [], "older servers have no quotes_count: no hole"
    newer = posts_of(status(quotes_count=3, edited_at="2026-10-30T18:00:00.000Z"), subjects=SUBJECTS)
    assert rows_of(newer, "post")[0]["edited_at"] == "2026-10-30T18:00:00.000Z"
    assert {"quotes_count": 3}.items() <= {row["source_field"]: row["value"] for row in rows_of(newer, "observation")}.items()
    without = status()
    del without["replies_count"]
    assert gaps_of(posts_of(without, subjects=SUBJECTS)) == [("replies_count", "not_reported", f"113191408914362368@{SERVER}")]


def test_a_reblog_lands_that_it_is_one_and_nothing_of_what_it_repeats() -> None:
    other = status(113000000000000001, account=CITIZEN, content="<p>Jane Doe's words</p>", favourites_count=987654)
    reblog = status(7, reblog=other, content="<p>Jane Doe's words</p>", favourites_count=0, reblogs_count=987654)
    page = landed("posts", [reblog], SUBJECTS)
    assert not [word for word in (*OTHERS, "987654") if word in page.body]
    parsed = parse(page, MASTODON)
    created = "2026-10-30T17:35:19.898Z"
    assert rows_of(parsed, "post") == [
        {"post_id": f"7@{SERVER}", "account_id": ACCOUNT_ID, "published_at": created, "kind": "repost"}
    ]
    assert rows_of(parsed, "observation") == []
    assert gaps_of(parsed) == []


LINK = '<span class="h-card"><a href="https://citizens.example/@janedoe" class="u-url mention">@<span>janedoe</span></a></span>'
TAG = '<a href="https://x.example/tags/Gwent" class="mention hashtag" rel="tag">#<span>Gwent</span></a>'


@pytest.mark.parametrize("answered", [{"in_reply_to_id": "113000000000000001"}, {"in_reply_to_account_id": CITIZEN["id"]}])
def test_a_reply_keeps_its_counts_and_lands_neither_words_nor_whom_it_answers(answered: dict[str, Any]) -> None:
    page = landed("posts", [status(content=f"<p>{LINK} Dear Jane</p>", mentions=[CITIZEN], **answered)], SUBJECTS)
    assert not [word for word in OTHERS if word in page.body]
    parsed = parse(page, MASTODON)
    assert (rows_of(parsed, "post")[0]["kind"], rows_of(parsed, "post")[0]["text"]) == ("reply", None)
    assert len(rows_of(parsed, "observation")) == 3


def test_handles_in_own_words_are_not_landed() -> None:
    page = landed("posts", [status(content=f"<p>Thank you {LINK} and all of {TAG}</p>", mentions=[CITIZEN])])
    assert not [word for word in OTHERS if word in page.body]
    assert rows_of(parse(page, MASTODON), "post")[0]["text"] == "Thank you @… and all of #Gwent"


@pytest.mark.parametrize("tag", ["p", "span"])
def test_the_address_of_a_quoted_post_is_not_landed(tag: str) -> None:
    link = "https://citizens.example/@janedoe/1"
    quoted = f'<{tag} class="quote-inline">RE: <a href="{link}">{link}</a></{tag}>'
    page = landed("posts", [status(content=f"<p>Thank you</p>{quoted}<p>All safe</p>")])
    assert not [word for word in OTHERS if word in page.body]
    assert rows_of(parse(page, MASTODON), "post")[0]["text"] == "Thank you\n\nAll safe"


def test_media_and_their_descriptions_are_counted_and_not_landed() -> None:
    media = [{"id": "1", "type": "image", "description": "Jane at a desk"}, {"id": "2", "type": "image", "description": None}]
    page = landed("posts", [status(media_attachments=media)])
    assert "Jane" not in page.body
    [post] = rows_of(parse(page, MASTODON), "post")
    assert (post["media_count"], post["media_with_alt_text"]) == (2, 1)


def test_words_that_are_not_public_are_not_landed() -> None:
    page = landed("posts", [status(visibility="private")])
    assert "Newport" not in page.body


def test_posts_out_of_the_window_are_dropped_by_name() -> None:
    parsed = posts_of(status(1, "2026-10-03T23:59:59.999Z"), status(2, "2026-10-04T00:00:00.000Z"))
    assert [(each.kind, each.reason, each.count) for each in parsed if isinstance(each, Drop)] == [
        ("post", "outside_window", 1),
        ("observation", "outside_window", 3),
    ]


def test_a_status_of_another_account_and_a_number_that_nobody_knows_are_passed_on_by_name() -> None:
    parsed = posts_of({"account": CITIZEN}, subjects="favourites_count")
    [post] = rows_of(parsed, "post")
    assert "other_account" in post["_defect"]
    assert gaps_of(parsed) == [], "what it lacks is no hole of the account's"
    counts = {
        row["source_field"]: row["value"] for row in rows_of(posts_of(status(loud_count=7, replies_count="2")), "observation")
    }
    assert (counts["loud_count"], counts["replies_count"]) == (7, "2")
    page = landed("posts", [status(post_hugs=3, is_loud=True, quoted_account_id=41, odd=float("nan"))])
    counts = {row["source_field"]: row["value"] for row in rows_of(parse(page, MASTODON), "observation")}
    assert counts.keys() == {*POST_COUNTS, "post_hugs"}, "a name for a truth is no number, and an id nobody's count"
    assert "quoted_account_id" not in page.body
    assert MASTODON.count(page)["observation"] == len(counts)


@pytest.mark.parametrize("body", [{}, {"id": "1"}, {"statuses": 5}])
def test_an_answer_without_a_list_is_a_gap(body: Any) -> None:
    assert gaps_of(parse(landed("posts", body), MASTODON)) == [("posts", "not_reported", None)]


@pytest.mark.parametrize("found", [None, 7, [], {}, {"id": 5, "account": 7}, {"id": "1", "media_attachments": [None]}])
def test_an_item_that_is_no_status_is_named_and_breaks_nothing(found: Any) -> None:
    assert len(rows_of(posts_of(found, status()), "post")) == 2


def test_an_empty_list_is_no_gap() -> None:
    assert posts_of(subjects=SUBJECTS) == []


def test_a_status_of_another_account_lands_that_it_came_and_nothing_of_whom() -> None:
    items, _ = fetch(Api([status(113000000000000001, account=CITIZEN, content="<p>Jane Doe's words</p>"), status()]))
    page = next(each for each in items if isinstance(each, Page) and each.endpoint == "posts")
    assert not [word for word in OTHERS if word in page.body]
    first, second = rows_of(parse(page, MASTODON), "post")
    assert "other_account" in first["_defect"]
    assert "_defect" not in second
    items, _ = fetch(Api(lookup={**LOOKED_UP, **CITIZEN}))
    page = next(each for each in items if isinstance(each, Page) and each.endpoint == "account")
    assert page.body == '{"id":"***"}'
    assert "other_account" in rows_of(parse(page, MASTODON), "account")[0]["_defect"]
