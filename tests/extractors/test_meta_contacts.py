"""Comments on Facebook and Instagram: what is landed of them, in both platforms' shapes, and what refusals become."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extractors import meta_contacts
from extractors.base import Drop, Gap, Page, Row
from extractors.contacts import Contacts
from extractors.http import Received
from extractors.meta import classify
from extractors.redaction import dump
from tests.extractors.facebook_examples import OBSERVED, RUN_DATE
from tests.extractors.test_contacts import hashed

CONTACTS = Contacts("facebook", hashed)
PAGE, HANDLE, POST = "112704783733939", "sim.gwent", "112704783733939_122"
PUBLISHED = {POST: "2026-10-20T10:00:00+0000"}
JANE, JOE = {"id": "5551", "name": "Jane Doe"}, {"id": "5552", "name": "Joe Public"}


def comment(comment_id: str, who: dict[str, str] | None, text: str, time: str = "2026-10-20T11:00:00+0000", **more: Any) -> Any:
    return {"id": comment_id, "created_time": time, "message": text, **({"from": who} if who else {}), **more}


def landed(*comments: Any, **more: Any) -> dict[str, Any]:
    body = {POST: {"id": POST, "comments": {"data": list(comments), "paging": {"cursors": {"after": "5551"}}}, **more}}
    made = meta_contacts.for_landing(body, CONTACTS, PAGE, HANDLE, PUBLISHED)
    shown = dump(made)
    for person in ("5551", "5552", "Jane", "Joe", "c1", "c2", "c3", POST):
        assert person not in shown
    return made


def key(message_id: str) -> str:
    return hashed(f"message facebook {message_id}")


def test_a_comment_and_the_pages_answer() -> None:
    inbound, outbound = landed(
        comment("c1", JANE, "When does it open, asks Jane?"),
        comment("c2", {"id": PAGE, "name": "Gwent Police"}, "At nine.", "2026-10-20T12:00:00+0000", parent={"id": "c1"}),
    )["data"]
    assert (inbound["direction"], inbound["wants_answer"], inbound["reply_to_key"]) == ("inbound", True, key(POST))
    assert (outbound["direction"], outbound["is_automatic"], outbound["reply_to_key"]) == ("outbound", False, key("c1"))
    assert inbound["created_at"] == "2026-10-20T11:00:00+0000"


def test_who_answers_whom() -> None:
    """The same person goes on; somebody else joins in, which is a comment on the post; the page's own first word is none."""
    made = landed(
        comment("c1", JANE, "hello"),
        comment("c2", JANE, "and more", parent={"id": "c1"}),
        comment("c3", JOE, "me too", parent={"id": "c1"}),
        comment("c4", {"id": PAGE}, "We open at nine."),
        comment("c5", None, "nobody says who"),
    )
    assert [one["reply_to_key"] for one in made["data"]] == [key(POST), key("c1"), key(POST), key(POST)]
    assert made["left_out"] == 1


def test_late_comments_are_left_out() -> None:
    made = landed(
        comment("c1", JANE, "in time", "2026-11-03T10:00:00+0000"), comment("c2", JANE, "too late", "2026-11-03T10:00:01+0000")
    )
    assert [one["message_key"] for one in made["data"]] == [key("c1")]


def test_an_answer_is_one_to_what_the_person_said_last_before_it() -> None:
    """All answers stand under the comment that began the thread, whomever they are to."""
    us = {"id": PAGE}
    made = landed(
        comment("c1", JANE, "is it open?", "2026-10-20T11:00:00+0000"),
        comment("c3", JOE, "and at night?", "2026-10-20T11:05:00+0000", parent={"id": "c1"}),
        comment("c4", us, "It is.", "2026-10-20T11:10:00+0000", parent={"id": "c1"}),
        comment("c2", JANE, "until when?", "2026-10-20T12:00:00+0000", parent={"id": "c1"}),
        comment("c5", us, "Until six.", "2026-10-20T12:30:00+0000", parent={"id": "c1"}),
    )["data"]
    answers = [one["reply_to_key"] for one in made if one["direction"] == "outbound"]
    assert answers == [key("c1"), key("c2")]


def test_a_thread_goes_over_pages_in_either_order() -> None:
    question = comment("c1", JANE, "is it open?", "2026-10-20T11:00:00+0000")
    answer = comment("c2", {"id": PAGE}, "It is.", "2026-10-20T12:00:00+0000", parent={"id": "c1"})
    for first, second in ((question, answer), (answer, question)):
        seen = meta_contacts.Seen()
        pages = [
            meta_contacts.for_landing({"data": [one]}, CONTACTS, PAGE, HANDLE, PUBLISHED, POST, seen) for one in (first, second)
        ]
        made = [one for page_ in pages for one in page_["data"]]
        assert {one["message_key"]: one["reply_to_key"] for one in made} == {key("c1"): key(POST), key("c2"): key("c1")}
        assert all(page_["left_out"] >= 0 for page_ in pages)


def test_an_answer_after_the_fortnight_counts_for_a_comment_of_it() -> None:
    made = landed(
        comment("c1", JANE, "in time?", "2026-11-02T10:00:00+0000"),
        comment("c2", JOE, "too late?", "2026-11-03T11:00:00+0000"),
        comment("c4", {"id": PAGE}, "Yes.", "2026-11-04T10:00:00+0000", parent={"id": "c1"}),
        comment("c5", {"id": PAGE}, "Indeed.", "2026-11-04T10:00:00+0000", parent={"id": "c2"}),
    )["data"]
    assert [(one["message_key"], one["reply_to_key"]) for one in made] == [(key("c1"), key(POST)), (key("c4"), key("c1"))]


@pytest.mark.parametrize("parent", [{"id": {"a": 1}}, {"id": ["c1"]}, {"id": 7}, "c1"])
def test_a_parent_of_another_kind_breaks_nothing(parent: Any) -> None:
    made = landed(comment("c1", JANE, "open?"), comment("c2", {"id": PAGE}, "Yes.", parent=parent))
    assert [one["message_key"] for one in made["data"]] == [key("c1")]


def test_instagram_nests_answers_and_names_users() -> None:
    body = {
        POST: {
            "comments": {
                "data": [
                    {
                        "id": "c1", "username": "jane.doe", "timestamp": "2026-10-20T11:00:00+0000", "text": "where?",
                        "replies": {"data": [
                            {"id": "c2", "username": HANDLE, "timestamp": "2026-10-20T11:00:07+0000", "text": "Automated reply."},
                            {"id": "c3", "username": "jane.doe", "timestamp": "2026-10-20T11:05:00+0000", "text": "thanks"},
                        ]},
                    }
                ]
            }
        }
    }  # fmt: skip
    made = meta_contacts.for_landing(body, CONTACTS, PAGE, HANDLE, PUBLISHED)["data"]
    assert [(one["direction"], one["reply_to_key"]) for one in made] == [
        ("inbound", key(POST)), ("outbound", key("c1")), ("inbound", key("c1")),
    ]  # fmt: skip
    assert made[1]["is_automatic"] is True
    assert "jane" not in dump(made)


def test_a_posts_next_page_is_a_list_of_its_own() -> None:
    body = {"data": [comment("c1", JANE, "x")], "paging": {"next": "https://graph.facebook.com/v26.0/1/comments?after=5551"}}
    made = meta_contacts.for_landing(body, CONTACTS, PAGE, HANDLE, PUBLISHED, POST)
    assert [one["reply_to_key"] for one in made["data"]] == [key(POST)]
    assert meta_contacts.next_page(body) == body["paging"]["next"]
    assert list(meta_contacts.next_pages({POST: {"comments": body}, "x": 7, "y": {"comments": {"data": []}}})) == [
        (POST, body["paging"]["next"])
    ]


@pytest.mark.parametrize(
    "body", [{}, {POST: None}, {POST: {"comments": "Jane"}}, {POST: {"comments": {"data": ["Jane", 7, None]}}}, ["Jane"]]
)
def test_what_has_another_shape_lands_nothing_of_it(body: Any) -> None:
    assert "Jane" not in dump(meta_contacts.for_landing(body, CONTACTS, PAGE, HANDLE, PUBLISHED))


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ({"code": 10, "message": "(#10) Jane Doe, pages_read_user_content"}, "permission"),
        ({"code": 190, "error_subcode": 463, "message": "Jane"}, "expired_token"),
        ({"code": 80001, "message": "Jane"}, "throttled"),
        ({"code": 100, "error_subcode": 33, "message": "Object with ID 'c1' does not exist"}, "account_closed"),
        ({"code": 100, "message": "(#100) Tried accessing nonexisting field (from) on node type (Jane)"}, "retired_metric"),
        ({"code": 1, "message": "Please reduce the amount of data, Jane"}, "outage"),
    ],
)
def test_an_error_keeps_its_code_and_not_its_sentence(error: dict[str, Any], cause: str) -> None:
    made = meta_contacts.for_landing({"error": error}, CONTACTS, PAGE, HANDLE, PUBLISHED)
    assert "Jane" not in dump(made)
    assert "c1" not in dump(made)
    problem = classify(Received(400, {}, made, OBSERVED))
    assert problem is not None
    assert problem.cause == cause


def page(body: Any) -> Page:
    return Page("comments", PAGE, "GET /", 200, OBSERVED, dump(body), True, RUN_DATE, {"subjects": "messages"})


def test_rows_of_a_landed_page_and_their_independent_count() -> None:
    body = landed(comment("c1", JANE, "x"), comment("c2", JANE, "x", "2026-10-21T11:00:00+0000"))
    late = {**body["data"][1], "created_at": "2026-11-03T00:00:00+0000"}
    of_late = Page("comments", PAGE, "GET /", 200, OBSERVED.replace(day=4), dump({"data": [late]}), True, RUN_DATE, {})
    assert [type(one) for one in meta_contacts.parse(page(body))] == [Row, Row]
    assert meta_contacts.count(page(body)) == {"message": 2}
    assert [type(one) for one in meta_contacts.parse(of_late)] == [Drop]
    found = list(meta_contacts.parse(page({"something": 1})))
    assert [type(one) for one in found] == [Gap]
    assert json.loads(page(body).body)["left_out"] == 0
