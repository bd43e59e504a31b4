"""The AT Protocol contract as the simulator speaks it: profiles, feeds, reasons, limits in the headers, errors, defects."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from include.simulator.bluesky import BlueskyAppView
from include.simulator.bluesky_world import BlueskyWorld, instant_of, record_key
from include.simulator.clock import Clock
from include.simulator.defects import Defect
from include.simulator.register import read_register
from include.simulator.service import Question
from tests.simulator.conftest import SEED, Asking, account_id

TODAY = date(2026, 11, 2)
GWENT, MET = account_id("bluesky", "gwent"), account_id("bluesky", "metropolitan")
PROFILE, PROFILES, FEED = "app.bsky.actor.getProfile", "app.bsky.actor.getProfiles", "app.bsky.feed.getAuthorFeed"
SEARCH = "app.bsky.feed.searchPosts"
COUNTS = ["replyCount", "repostCount", "likeCount", "quoteCount", "bookmarkCount"]


def ask(bluesky: Asking, name: str, force: str | None = "gwent", **parameters: Any) -> requests.Response:
    return bluesky.get(name, force, version="xrpc", **parameters)


def feed(bluesky: Asking, actor: str = MET, **parameters: Any) -> dict[str, Any]:
    answer = ask(bluesky, FEED, actor=actor, **{"limit": 100, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


def plant(bluesky: Asking, kind: str, **detail: Any) -> None:
    bluesky.simulator.plant([Defect(kind, "gwent", TODAY, TODAY, detail, "bluesky")])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def reason(item: dict[str, Any]) -> str:
    return item.get("reason", {}).get("$type", "").rpartition("#")[2]


def test_a_profile_by_did_and_by_handle(bluesky: Asking) -> None:
    body = ask(bluesky, PROFILE, actor=GWENT).json()
    assert ask(bluesky, PROFILE, actor="sim-gwent.bsky.social").json() == body
    assert (body["did"], body["handle"]) == (GWENT, "sim-gwent.bsky.social")
    assert all(isinstance(body[name], int) for name in ("followersCount", "followsCount", "postsCount"))
    many = ask(bluesky, PROFILES, actors=[GWENT, "did:plc:nobody", MET]).json()["profiles"]
    assert [one["did"] for one in many] == [GWENT, MET], "who is unknown is left out"


@pytest.mark.parametrize(
    ("name", "parameters", "error", "message"),
    [
        (PROFILE, {"actor": "did:plc:nobody"}, "InvalidRequest", "Profile not found"),
        (PROFILE, {"actor": "nonsense"}, "InvalidRequest", "Error: actor must be a valid did or a handle"),
        (PROFILES, {"actors": ["a.b"] * 26}, "InvalidRequest", "Error: actors must not have more than 25 elements"),
        (FEED, {"actor": GWENT, "limit": 101}, "InvalidRequest", "Error: limit can not be greater than 100"),
        (FEED, {"actor": GWENT, "cursor": "!"}, "InvalidRequest", "Error: malformed cursor"),
    ],
)
def test_what_is_refused(bluesky: Asking, name: str, parameters: dict[str, Any], error: str, message: str) -> None:
    answer = ask(bluesky, name, **parameters)
    assert (answer.status_code, answer.json()) == (400, {"error": error, "message": message})


def test_the_feed_goes_back_page_by_page_and_ends_without_a_cursor(bluesky: Asking) -> None:
    whole: list[dict[str, Any]] = []
    body = feed(bluesky, limit=30)
    for _ in range(4):
        whole += body["feed"]
        body = feed(bluesky, limit=30, cursor=body["cursor"])
    assert whole[:100] == feed(bluesky)["feed"]
    uris = [item["reason"]["uri"] if reason(item) else item["post"]["uri"] for item in whole]
    assert len(set(uris)) == len(uris) == 120
    times = [instant_of(uri.rpartition("/")[2]) for uri in uris]
    assert times == sorted(times, reverse=True)
    media = feed(bluesky, filter="posts_with_media", limit=10)["feed"]
    assert all("images" in str(item["post"]["record"]["embed"]) for item in media)
    assert not [item for item in feed(bluesky, filter="posts_no_replies")["feed"] if "reply" in item]


def test_reposts_replies_quotes_and_pins_are_there(bluesky: Asking) -> None:
    items = feed(bluesky)["feed"]
    reposts = [item for item in items if reason(item) == "reasonRepost"]
    replies = [item for item in items if "reply" in item]
    assert reposts
    assert replies
    for item in reposts:
        assert item["reason"]["by"]["did"] == MET
        assert item["post"]["author"]["did"].startswith("did:plc:citizen"), "somebody else's post, with its counts"
        assert item["post"]["likeCount"] >= 30
    for item in replies:
        assert item["reply"]["parent"]["author"]["did"].startswith("did:plc:citizen")
        assert item["post"]["record"]["reply"]["parent"]["uri"] == item["reply"]["parent"]["uri"]
    own = [item for item in items if not reason(item)]
    assert [name for name in own[0]["post"] if name.endswith("Count")] == COUNTS
    assert {item["post"]["author"]["did"] for item in own} == {MET}
    assert any("recordWithMedia" in str(item) for item in own)
    front = feed(bluesky, includePins="true")["feed"]
    assert (reason(front[0]), front[1:]) == ("reasonPin", items)


def test_clients_say_when_with_a_fraction_of_their_own_and_some_are_late(bluesky: Asking) -> None:
    records = [item["post"] for item in feed(bluesky)["feed"] if not reason(item)]
    said = [post["record"]["createdAt"] for post in records]
    assert {len(match[1]) for one in said if (match := re.search(r"\.(\d+)Z", one))} == {3, 6}
    delays = [moment(post["record"]["createdAt"]) - moment(post["indexedAt"]) for post in records]
    assert 0 < sum(delay > timedelta(minutes=1) for delay in delays) < 30
    clock = datetime(2026, 11, 2, 21, tzinfo=UTC)
    assert all(moment(post["indexedAt"]) <= clock + timedelta(seconds=1) for post in records)


def test_the_limit_is_told_with_a_token_and_kept(bluesky: Asking) -> None:
    answer = ask(bluesky, PROFILE, actor=GWENT)
    assert (answer.headers["ratelimit-limit"], answer.headers["ratelimit-policy"]) == ("3000", "3000;w=300")
    left, reset = int(answer.headers["ratelimit-remaining"]), int(answer.headers["ratelimit-reset"])
    assert 0 < reset - datetime(2026, 11, 2, 21, tzinfo=UTC).timestamp() <= 300
    assert int(ask(bluesky, PROFILE, "kent", actor=GWENT).headers["ratelimit-remaining"]) == left - 1, "one address, one window"
    open_answer = ask(bluesky, PROFILE, None, actor=GWENT)
    assert open_answer.status_code == 200
    assert not [name for name in open_answer.headers if name.lower().startswith("ratelimit")]


def test_request_3001_of_a_window_is_refused_and_a_new_window_is_whole() -> None:
    clock = Clock(datetime(2026, 11, 2, 21, tzinfo=UTC))
    view = BlueskyAppView(BlueskyWorld(SEED, read_register(only_forces=("gwent",))), "secret", clock)
    question = Question(f"/xrpc/{PROFILE}", {"actor": GWENT}, next(iter(view.holders)))
    answers = [view.answer(question) for _ in range(3001)]
    assert [(one.status, one.headers["ratelimit-remaining"]) for one in answers[-2:]] == [(200, "0"), (429, "0")]
    assert answers[-1].body["error"] == "RateLimitExceeded"
    assert view.answer(replace(question, token=None)).status == 200
    clock.set(datetime(2026, 11, 2, 21, 5, tzinfo=UTC))
    assert view.answer(question).headers["ratelimit-remaining"] == "2999"


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("token_expired", 400, "ExpiredToken"),
        ("throttle", 429, "RateLimitExceeded"),
        ("server_error", 502, "UpstreamFailure"),
        ("account_taken_down", 400, "AccountTakedown"),
        ("posts_permission_lost", 400, "BlockedByActor"),
    ],
)
def test_defects_that_refuse(bluesky: Asking, kind: str, status: int, error: str) -> None:
    plant(bluesky, kind)
    answer = ask(bluesky, FEED, actor=GWENT)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ask(bluesky, FEED, "kent", actor=MET).status_code == 200


def test_defects_in_what_is_answered(bluesky: Asking) -> None:
    plant(bluesky, "followers_not_reported")
    assert "followersCount" not in ask(bluesky, PROFILE, actor=GWENT).json()
    plant(bluesky, "text_number", field="followersCount")
    assert isinstance(ask(bluesky, PROFILE, actor=GWENT).json()["followersCount"], str)
    plant(bluesky, "unmapped_field")
    assert "loudCount" in feed(bluesky, GWENT)["feed"][0]["post"]
    plant(bluesky, "unknown_account_post")
    assert feed(bluesky, GWENT)["feed"][0]["post"]["uri"].startswith("at://did:plc:citizen")
    bluesky.simulator.plant([])
    before = [item["post"]["uri"] for item in feed(bluesky, GWENT)["feed"]]
    plant(bluesky, "removed_post")
    assert len(set(before) - {item["post"]["uri"] for item in feed(bluesky, GWENT)["feed"]}) == 1
    plant(bluesky, "duplicate_page")
    first = feed(bluesky, GWENT, limit=10)
    assert feed(bluesky, GWENT, limit=10, cursor=first["cursor"])["feed"] == first["feed"]
    plant(bluesky, "truncated_page")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        ask(bluesky, FEED, actor=GWENT).json()
    plant(bluesky, "html_page")
    assert "html" in ask(bluesky, FEED, actor=GWENT).headers["content-type"]


def test_a_post_is_found_by_its_uri_and_keys_tell_their_time() -> None:
    world = BlueskyWorld(SEED, read_register(only_forces=("gwent",)))
    assert instant_of(record_key(1793653504, 5)) == 1793653504
    account = world.accounts[GWENT]
    for post in world.week(account, date(2026, 10, 26)):
        assert world.post(post.post_id) is post
    assert world.post("at://did:plc:nobody/app.bsky.feed.post/3aaaaaaaaaaaa") is None


def test_mentions_are_found_by_who_is_logged_in(bluesky: Asking) -> None:
    """Newest first, page by page, each naming the account; and what the feed's replies answer is among them."""
    asked = {"q": "*", "mentions": GWENT, "sort": "latest", "since": "2026-10-04T00:00:00Z"}
    whole = ask(bluesky, SEARCH, limit=100, **asked).json()["posts"]
    assert len(whole) > 3
    times = [post["record"]["createdAt"] for post in whole]
    assert times == sorted(times, reverse=True)
    assert min(times) >= "2026-10-04"
    assert all(post["record"]["facets"][0]["features"][0]["did"] == GWENT for post in whole)
    pages, cursor = [], {}
    for _ in range(len(whole)):
        body = ask(bluesky, SEARCH, limit=2, **asked, **cursor).json()
        pages += body["posts"]
        if "cursor" not in body:
            break
        cursor = {"cursor": body["cursor"]}
    assert pages == whole
    answered = {one["reply"]["parent"]["uri"] for one in feed(bluesky, GWENT)["feed"] if "reply" in one and not reason(one)}
    assert answered & {post["uri"] for post in whole}
    refused = bluesky.get(SEARCH, None, version="xrpc", **asked)
    assert (refused.status_code, refused.headers["Content-Type"].split(";")[0]) == (403, "text/html")
    assert ask(bluesky, SEARCH, mentions=GWENT).status_code == 400, "a search wants a q"
    plant(bluesky, "messages_permission_lost")
    assert ask(bluesky, SEARCH, **asked).json()["error"] == "Forbidden"
