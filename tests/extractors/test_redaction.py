"""Redaction: planted secrets and planted people are gone, and what is counted stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.redaction import UndeclaredList, dump, redact, redact_text, redact_url, unreadable_body

TOKEN = "EAAplantedTokenThatMustNeverBeSeen0123456789"

POSTS: dict[str, Any] = {
    "data": [
        {
            "id": "19292868552_10158349356748553",
            "created_time": "2021-07-09T19:09:52+0000",
            "message": "Witnesses to call 101",
            "from": {"name": "Jane Doe", "id": "1"},
            "message_tags": [{"name": "John Roe", "id": "2"}],
            "story": "The Page shared Jane Doe's post.",
            "shares": {"count": 10},
            "comments": {
                "data": [{"message": "I saw it, ring me on 01632 960000", "from": {"name": "Jane Doe"}}],
                "summary": {"order": "chronological", "total_count": 13, "can_comment": True},
            },
            "love": {"data": [{"id": "3", "name": "Ann Poe"}], "summary": {"total_count": 6}},
        }
    ],
    "paging": {
        "cursors": {"before": "b", "after": "a"},
        "next": f"https://graph.facebook.com/v10.0/19292868552/feed?access_token={TOKEN}&pretty=0&limit=5&after=a",
    },
}


def test_people_are_gone_and_their_number_stays() -> None:
    post = redact(POSTS)["data"][0]
    text = dump(post)
    assert not [name for name in ("Jane", "Doe", "Roe", "Poe", "01632") if name in text]
    assert post["comments"] == {"data": [], "summary": {"order": "chronological", "total_count": 13, "can_comment": True}}
    assert post["love"] == {"data": [], "summary": {"total_count": 6}}
    assert post["message"] == "Witnesses to call 101"
    assert len(redact(POSTS)["data"]) == 1, "the posts themselves are no list of people"


PERSON = {"id": "3", "name": "Jane Doe"}


@pytest.mark.parametrize(
    "member",
    [
        {"comments": [{"message": "Ring Jane Doe", "id": "1_2"}]},
        {"comments": {"data": [{"message": "Jane"}], "paging": {"next": "https://x/Jane"}, "summary": {"total_count": 2}}},
        {"comments": "Jane"},
        {"love": {"data": [{"name": "Jane Doe"}]}},
        {"like": [PERSON]},
        {"heart_eyes": {"data": [{"name": "Jane Doe"}]}},
        {"to": {"data": [PERSON]}},
        {"to": "Jane"},
        {"from": PERSON},
        {"tags": ["Jane Doe"]},
        {"attachments": {"data": [{"title": "Jane Doe's photo", "description": "Jane"}]}},
        {"attachments": [{"title": "Jane Doe's photo"}]},
        {"sharedposts": {"data": [{"id": "9_9", "message": "Jane"}]}},
        {"anything": PERSON},
        {"anything": [PERSON, {"message": "Jane", "id": "8"}]},
        {"anything": {"deeper": [{"deeper": {"username": "Jane"}}]}},
        {"reactions": {"data": [], "summary": {"total_count": 2, "text": "Jane and 2 others"}}},
        {"insights": {"data": [{"name": "Jane Doe", "period": "day"}]}},
        {"insights": {"data": [{"name": "post_media_view", "values": [{"value": 1, "by": PERSON}], "from": "Jane"}]}},
    ],
)
def test_below_a_post_nobody_is_left_under_whatever_name(member: dict[str, Any]) -> None:
    post = {"id": "1_1", "message": "Our own words", **member}
    for body in ({"data": [post]}, {"1_1": post}, post, {"data": post}, [post]):
        redacted = redact(body)
        assert "Jane" not in dump(redacted)
        assert "Our own words" in dump(redacted)


def test_people_beside_the_items_are_gone() -> None:
    assert "Jane" not in dump(redact({"data": [], "includes": {"users": [PERSON], "tweets": [{"id": "4", "text": "Jane"}]}}))


@pytest.mark.parametrize(
    "body",
    [
        {"id": "1", "name": "Gwent Police", "username": "gwent", "followers_count": 7, "link": "https://x/1"},
        {"data": [{"id": "1", "name": "Kent Police", "username": "kent", "public_metrics": {"followers_count": 7}}]},
        {
            "data": [
                {
                    "id": "5",
                    "text": "Our words",
                    "public_metrics": {"like_count": 3},
                    "referenced_tweets": [{"type": "quoted", "id": "4"}],
                    "attachments": {"media_keys": ["3_1", "3_2"]},
                    "edit_history_tweet_ids": ["5"],
                }
            ],
            "meta": {"result_count": 1, "next_token_is": "no secret"},
        },
        {
            "1_1": {
                "id": "1_1",
                "insights": {"data": [{"name": "views", "period": "lifetime", "values": [{"value": 1}], "id": "x"}]},
            }
        },
        {"data": [{"name": "reach", "period": "day", "title": "Reach", "total_value": {"value": 4}, "id": "1/insights/reach/day"}]},
        {"data": [{"id": "1_1", "shares": {"count": 10}, "like_count": 4, "comments": 3, "caption": "Our words"}]},
        {"error": {"message": "(#100) no", "code": 100, "error_subcode": 33}},
        {"errors": [{"message": "no", "title": "Not Found", "detail": "Could not find user"}]},
        [{"week": "1793577600", "statuses": "3"}],
        {"items": [{"article": "Mastodon", "timestamp": "2026010100", "views": 5}]},
    ],
)
def test_what_is_our_own_or_counts_stays_as_it_came(body: Any) -> None:
    assert redact(body) == body


def test_the_next_link_loses_its_token_and_nothing_else() -> None:
    following = redact(POSTS)["paging"]["next"]
    assert following == "https://graph.facebook.com/v10.0/19292868552/feed?pretty=0&limit=5&after=a"


def test_values_of_members_with_secret_names_are_gone() -> None:
    body = {"access_token": "a", "data": [{"id": "1", "access_token": "b", "appsecret_proof": "c"}], "client_secret": "d"}
    assert redact(body) == {"data": [{"id": "1"}]}


def test_a_token_in_a_sentence_is_gone_known_or_not() -> None:
    assert redact_text("Malformed access token pl+nted/1", ("pl+nted/1",)) == "Malformed access token ***"
    assert redact_text("see ?t=pl%2Bnted%2F1", ("pl+nted/1",)) == "see ?t=***"
    assert TOKEN not in redact_text(f"Malformed access token {TOKEN}")


def test_a_cursor_is_no_secret() -> None:
    url = "https://graph.facebook.com/v26.0/1/feed?__paging_token=enc_1&since=2"
    assert redact_url(url) == url
    assert redact_url("https://x/cb#access_token=abc&state=1") == "https://x/cb#state=1"


def test_what_is_random_in_each_answer_does_not_change_the_hash() -> None:
    answers = [{"error": {"code": 190, "message": "m", "fbtrace_id": trace}} for trace in ("Fz54k3", "AmFGcW")]
    assert dump(redact(answers[0])) == dump(redact(answers[1]))


def test_a_body_that_is_no_json_leaves_only_its_length_hash_and_type() -> None:
    note = json.loads(unreadable_body(b"<html>Jane</html>", 'text/html; charset="<Jane>"'))["_unreadable"]
    assert (note["length"], note["content_type"]) == (17, "text/html")
    assert set(note) == {"length", "sha256", "content_type"}


def test_half_a_surrogate_pair_can_be_landed() -> None:
    assert dump(json.loads('"caf\\ud83d"')).encode() == b'"caf?"'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["data", "summary", "comments", "token"]), inner),
    max_leaves=20,
)


@given(json_values, st.text(alphabet="abcdef0123456789", min_size=12, max_size=30))
def test_no_shape_of_json_lets_the_token_through(value: Any, token: str) -> None:
    planted = {"anything": value, f"k{token}": [f"x{token}y", {"access_token": token, "url": f"http://h/?access_token={token}"}]}
    redacted = redact(planted, (token,))
    assert token not in dump(redacted)
    assert redact(redacted, (token,)) == redacted, "redacting again changes nothing"


SNIPPET = {"title": "Road closed", "tags": ["x"]}
ITEMS = {"kind": "list", "items": [{"id": "v1", "snippet": SNIPPET, "owner": PERSON, "quoted": PERSON}]}


def test_own_items_stand_where_the_source_says() -> None:
    """Words of the ways that are named, and of nothing else; every step of a way is named."""
    [item] = redact(ITEMS, own_items=("items", "items.snippet"))["items"]
    assert item == {"id": "v1", "snippet": {"title": "Road closed"}, "quoted": {}}
    assert redact(ITEMS, own_items=("items",))["items"] == [{"id": "v1", "snippet": {}, "quoted": {}}]
    feed = {"feed": [{"post": {"record": {"text": "Own"}, "author": PERSON}, "reason": {"by": PERSON}}], "cursor": "c"}
    [item] = redact(feed, own_items=("feed", "feed.post", "feed.post.record"))["feed"]
    assert item == {"post": {"record": {"text": "Own"}}, "reason": {"by": {}}}


@pytest.mark.parametrize("body", [{"items": [{"id": "1", "title": "Own"}]}, {"nextPageToken": "a", "items": [PERSON, PERSON]}])
def test_a_list_that_nobody_declared_is_not_emptied_silently(body: Any) -> None:
    with pytest.raises(UndeclaredList, match=r"'items'.*own_items"):
        redact(body)
    assert redact(body, own_items=("items",))["items"]


@pytest.mark.parametrize(
    "body",
    [
        {"id": "1", "name": "Gwent Police", "viewers": [PERSON]},  # the answer itself is the own item
        {"data": [], "viewers": [PERSON]},
        {"comments": [PERSON]},
        {"error": {"message": "no"}, "violations": [PERSON]},
        {"items": []},
    ],
)
def test_a_list_beside_what_was_asked_goes_as_before(body: Any) -> None:
    assert "Jane" not in dump(redact(body))
