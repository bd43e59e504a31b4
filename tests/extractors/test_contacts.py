"""What is kept of public contacts: the rules, and X's mentions and replies, from the contract's shapes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from extractors.base import Gap, Page
from extractors.contacts import Contacts, is_automatic, wants_answer
from extractors.x import XPosts
from tests.extractors.facebook_examples import RUN_DATE, parse, rows_of
from tests.extractors.loopback import Asked, Reply
from tests.extractors.test_x import ACCOUNT_ID, FIELDS, Api, post_item, status_id
from tests.extractors.test_x import PUBLISHED as MOMENT


def hashed(value: str) -> str:
    """In the place of the keyed hash: as long, and not to be mistaken for what it stands for."""
    return value.encode().hex()[-32:].rjust(32, "0")


X = XPosts(pseudonym=hashed)
CITIZEN, NEIGHBOUR = "1500000000123456789", "1500000000987654321"
MENTION_ID = status_id(MOMENT)
TEXT = "@sim_gwent My name is Jane Doe, can you call me? https://example.org/jane"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@gwentpolice is the A48 open?", True),
        ("My bike was stolen from the station", True),
        ("please send somebody", True),
        ("I'd like to report a van", True),
        ("Mae angen cymorth arnaf", True),
        ("Thank you so much!! 🙏", False),
        ("thanks?", False),
        ("Diolch yn fawr @gwent", False),
        ("👏👏👏", False),
        ("@gwent @kent #hero", False),
        ("", False),
        ("Lovely picture https://x.com/a?b=c", False),
        ("you do nothing about anything", False),
    ],
)
def test_what_wants_an_answer(text: str, wanted: bool) -> None:
    assert wants_answer(text) is wanted


@pytest.mark.parametrize(
    ("text", "seconds", "same", "automatic"),
    [
        ("Thank you. This is an automated reply.", None, 1, True),
        ("This account is not monitored 24/7, call 101", 90_000, 1, True),
        ("Neges awtomatig: ffoniwch 101", None, 1, True),
        ("We will look into it", 8, 2, True),
        ("We will look into it", 8, 1, False),
        ("We will look into it", 61, 3, False),
        ("We will look into it", -5, 3, False),
        ("We will look into it", None, 3, False),
        ("The machine is being repaired; the officer will call", 30, 1, False),
    ],
)
def test_what_a_machine_has_said(text: str, seconds: float | None, same: int, automatic: bool) -> None:
    assert is_automatic(text, seconds, same) is automatic


def mention(message_id: str = MENTION_ID, **more: Any) -> dict[str, Any]:
    return {
        "id": message_id,
        "text": TEXT,
        "author_id": CITIZEN,
        "conversation_id": message_id,
        "created_at": "2026-10-30T10:30:00.000Z",
        "edit_history_tweet_ids": [message_id],
        "public_metrics": {"retweet_count": 0, "reply_count": 1},
        **more,
    }


def reply(post_id: str, text: str, to: str, created_at: str, **more: Any) -> dict[str, Any]:
    references = {"referenced_tweets": [{"type": "replied_to", "id": to}], "in_reply_to_user_id": CITIZEN}
    return post_item(post_id, text=text, created_at=created_at, **references, **more)


class Mentions(Api):
    """The scripted API with mentions; `listed` are the items."""

    def __init__(self, *listed: Any, timeline: tuple[Any, ...] = (), **replies: Any) -> None:
        super().__init__(**replies)
        self.listed, self.timeline = listed, timeline

    def mentions(self, asked: Asked) -> Any:
        users = [{"id": CITIZEN, "name": "Jane Doe", "username": "janedoe"}]
        if len(self.listed) > 1 and "pagination_token" not in asked.query:
            return {
                "data": list(self.listed[:1]), "includes": {"users": users},
                "meta": {"result_count": 1, "newest_id": MENTION_ID, "oldest_id": MENTION_ID, "next_token": f"after-{MENTION_ID}"},
            }  # fmt: skip
        rest = list(self.listed[1:] if len(self.listed) > 1 else self.listed)
        return {"data": rest, "meta": {"result_count": len(rest)}} if rest else {"meta": {"result_count": 0}}

    def tweets(self, asked: Asked) -> Any:
        return {"data": list(self.timeline), "meta": {"result_count": len(self.timeline)}}


def fetched(api: Mentions) -> tuple[list[Page], list[Gap]]:
    from extractors.base import Access, Account, Order, Secret
    from extractors.http import HttpClient
    from tests.extractors.loopback import serving

    order = Order("gwent", (Account("x", ACCOUNT_ID, "sim_gwent", "gwent"),), RUN_DATE, FIELDS)
    with serving(api) as server:
        client = HttpClient(
            Access(server.base_url, Secret("AAAAplanted0123456789")), run_date=RUN_DATE, classify=X.classify, redact_more=X.redact,
            sleep=lambda seconds: None, tries=2,
        )  # fmt: skip
        items = list(X.fetch(client, order))
        client.close()
    return [item for item in items if isinstance(item, Page)], [item for item in items if isinstance(item, Gap)]


def messages_of(pages: list[Page]) -> list[dict[str, Any]]:
    rows = [item for page in pages for item in parse(page, X)]
    return rows_of(rows, "message")


def test_a_mention_and_its_answer_become_keys_times_and_decisions() -> None:
    answer_id = status_id(MOMENT, 7)
    pages, gaps = fetched(
        Mentions(mention(), timeline=(reply(answer_id, "@janedoe We will", MENTION_ID, "2026-10-30T11:00:00.000Z"),))
    )
    assert not gaps
    inbound, outbound = messages_of(pages)
    assert inbound == {
        "account_id": ACCOUNT_ID,
        "message_key": hashed(f"message x {MENTION_ID}"),
        "reply_to_key": None,
        "direction": "inbound",
        "created_at": "2026-10-30T10:30:00.000Z",
        "is_automatic": None,
        "wants_answer": True,
        "rule_version": 1,
    }
    assert (outbound["direction"], outbound["is_automatic"], outbound["wants_answer"]) == ("outbound", False, None)
    assert outbound["reply_to_key"] == inbound["message_key"]
    counted = sum((X.count(page)["message"] for page in pages), 0)
    assert counted == 2, "the independent count"


def test_an_edited_mention_is_one_message_and_its_answer_finds_it() -> None:
    """Every edit gives a new id, and only the newest is listed. The force answered the first version."""
    newest = status_id(MOMENT, 3)
    edited = mention(newest, created_at="2026-10-30T10:50:00.000Z", edit_history_tweet_ids=[MENTION_ID, newest])
    for to in (MENTION_ID, newest):
        own = reply(status_id(MOMENT, 9), "We will", to, "2026-10-30T11:00:00.000Z")
        pages, _ = fetched(Mentions(edited, timeline=(own,)))
        inbound, outbound = messages_of(pages)
        assert inbound["message_key"] == hashed(f"message x {MENTION_ID}")
        assert outbound["reply_to_key"] == inbound["message_key"]
        assert datetime.fromisoformat(inbound["created_at"]) == MOMENT.replace(microsecond=0)


def test_a_version_that_has_been_edited_since_is_no_message_of_its_own() -> None:
    newest = status_id(MOMENT, 3)
    history = [MENTION_ID, newest]
    pages, _ = fetched(Mentions(mention(newest, edit_history_tweet_ids=history), mention(edit_history_tweet_ids=history)))
    assert [one["message_key"] for one in messages_of(pages)] == [hashed(f"message x {MENTION_ID}")]


def test_an_edited_answer_is_one_answer() -> None:
    first, newest = status_id(MOMENT, 8), status_id(MOMENT, 9)
    own = reply(newest, "We will", MENTION_ID, "2026-10-30T11:00:00.000Z", edit_history_tweet_ids=[first, newest])
    _, outbound = messages_of(fetched(Mentions(mention(), timeline=(own,)))[0])
    assert outbound["message_key"] == hashed(f"message x {first}")


def test_nothing_of_a_person_is_landed_on_any_page_or_gap() -> None:
    listed = (
        mention(),
        mention(status_id(MOMENT, 1), in_reply_to_user_id=NEIGHBOUR, referenced_tweets=[{"type": "replied_to", "id": NEIGHBOUR}]),
        mention(status_id(MOMENT, 2), created_at=f"@janedoe {CITIZEN}"),
        "janedoe",
    )
    own = reply(status_id(MOMENT, 9), "@janedoe Jane Doe, we will", MENTION_ID, "2026-10-30T11:00:00.000Z")
    pages, _ = fetched(Mentions(*listed, timeline=(own,)))
    mentions = [page for page in pages if page.endpoint == "mentions"]
    assert len(mentions) == 2
    for page in pages:
        landed = f"{page.request} {page.body} {dict(page.context)}"
        for person in (CITIZEN, NEIGHBOUR, MENTION_ID, status_id(MOMENT, 1), "janedoe", "Jane", "example.org", "AAAAplanted"):
            assert person not in landed, (person, page.endpoint)
    assert "pagination_token" not in mentions[1].request
    kept = {"message_key", "reply_to_key", "direction", "created_at", "is_automatic", "wants_answer", "rule_version"}
    assert all(set(item) == kept for page in mentions for item in json.loads(page.body)["data"])


def test_what_is_no_contact_is_left_out_and_counted() -> None:
    own = mention(author_id=ACCOUNT_ID)
    passed_on = mention(status_id(MOMENT, 3), referenced_tweets=[{"type": "retweeted", "id": "12345"}])
    pages, gaps = fetched(Mentions(own, passed_on))
    assert not gaps
    assert messages_of(pages) == []
    assert [json.loads(page.body)["meta"]["left_out"] for page in pages if page.endpoint == "mentions"] == [1, 1]


def test_a_thread_is_the_forces_own_post_or_the_same_persons_words() -> None:
    def to(other: str, whose: str, number: int) -> dict[str, Any]:
        return mention(
            status_id(MOMENT, number), in_reply_to_user_id=whose, referenced_tweets=[{"type": "replied_to", "id": other}]
        )

    pages, _ = fetched(Mentions(to("11", ACCOUNT_ID, 1), to("22", CITIZEN, 2), to("33", NEIGHBOUR, 3)))
    keys = [row["reply_to_key"] for row in messages_of(pages)]
    assert keys == [hashed("message x 11"), hashed("message x 22"), None]


def test_a_reply_names_only_what_is_there_in_this_run() -> None:
    """The reply outlives what it answers: a deleted message must not come back with it."""
    gone = reply(status_id(MOMENT, 9), "@janedoe yes", "1999999999999999998", "2026-10-30T11:00:00.000Z")
    own_thread = post_item(
        status_id(MOMENT, 8), referenced_tweets=[{"type": "replied_to", "id": "5"}], in_reply_to_user_id=ACCOUNT_ID
    )
    pages, _ = fetched(Mentions(mention(), timeline=(gone, own_thread)))
    outbound = [row for row in messages_of(pages) if row["direction"] == "outbound"]
    assert [row["reply_to_key"] for row in outbound] == [None], "and the account's own thread is no contact"


def test_a_machine_answers_at_once_and_everybody_the_same() -> None:
    first, second = status_id(MOMENT), status_id(MOMENT, 4 << 22)
    words = ("@a We will be in touch.", "@b We will be in touch.")
    timeline = tuple(
        reply(status_id(MOMENT, 100 + n), text, to, "2026-10-30T10:30:09.000Z")
        for n, (text, to) in enumerate(zip(words, (first, second), strict=True))
    )
    pages, _ = fetched(Mentions(mention(first), mention(second), timeline=timeline))
    assert [row["is_automatic"] for row in messages_of(pages) if row["direction"] == "outbound"] == [True, True]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Reply({"title": "No", "type": "https://api.x.com/2/problems/client-forbidden", "detail": CITIZEN}, 403), "permission"),
        (Reply({"errors": [{"code": 88, "message": f"Rate limit exceeded by {CITIZEN}"}]}, 429), "throttled"),
        (Reply({"title": "Service Unavailable", "status": 503, "detail": f"not for {CITIZEN}"}, 503), "outage"),
        (Reply({"title": "Unauthorized", "status": 401, "detail": CITIZEN}, 401), "expired_token"),
        (Reply({"errors": [{"detail": CITIZEN, "type": "https://api.x.com/2/problems/resource-not-found"}]}), "account_closed"),
        (Reply({"something": CITIZEN}), "not_reported"),
        (Reply(b"<html>1500000000123456789</html>", 200), "outage"),
    ],
)  # fmt: skip
def test_mentions_that_cannot_be_had_are_a_gap_of_their_own(answer: Reply, cause: str) -> None:
    pages, gaps = fetched(Mentions(timeline=(post_item(),), mentions=lambda asked: answer))
    found = [*gaps, *(item for page in pages for item in parse(page, X) if isinstance(item, Gap))]
    assert [(gap.subject, gap.cause, gap.account_id) for gap in found] == [("messages", cause, ACCOUNT_ID)]
    assert CITIZEN not in "".join(f"{page.body}{page.request}" for page in pages) + "".join(gap.detail for gap in found)
    assert any(page.endpoint == "tweets" for page in pages), "the posts are had all the same"


def test_the_key_of_a_message_is_of_its_platform() -> None:
    assert Contacts("x", hashed).key("1") != Contacts("bluesky", hashed).key("1")
    assert Contacts("x", hashed).key(None) is None
