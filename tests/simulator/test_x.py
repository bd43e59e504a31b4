"""The X API v2 contract: shapes, paging, retweets and edits, limits in every answer, errors, defects."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from include.simulator.defects import Defect
from include.simulator.register import read_register
from include.simulator.x_world import XWorld
from tests.simulator.conftest import SEED, Asking, account_id

TODAY = date(2026, 11, 2)
GWENT, MET = account_id("x", "gwent"), account_id("x", "metropolitan")
FIELDS = "created_at,public_metrics,conversation_id,in_reply_to_user_id,referenced_tweets,attachments,lang,author_id"
METRICS = ["retweet_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count"]


def ask(x: Asking, path: str, force: str | None = "gwent", **parameters: Any) -> requests.Response:
    named = {name.replace("__", "."): value for name, value in parameters.items()}
    return x.get(path, force, version="2", **named)


def timeline(x: Asking, account: str = MET, **parameters: Any) -> dict[str, Any]:
    answer = ask(x, f"users/{account}/tweets", **{"max_results": 100, "tweet__fields": FIELDS, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


def plant(x: Asking, kind: str, first: date = TODAY, **detail: Any) -> None:
    x.simulator.plant([Defect(kind, "gwent", first, max(first, TODAY), detail, "x")])


def reference(item: dict[str, Any]) -> str | None:
    return item["referenced_tweets"][0]["type"] if "referenced_tweets" in item else None


def test_users_by_names_who_is_not_there(x: Asking) -> None:
    body = ask(x, "users/by", usernames="sim_gwent,nosuchuser", user__fields="public_metrics,verified_type").json()
    (user,) = body["data"]
    assert user.keys() == {"id", "name", "username", "public_metrics", "verified_type"}
    assert (user["id"], user["username"]) == (GWENT, "sim_gwent")
    assert list(user["public_metrics"]) == [
        *("followers_count", "following_count", "tweet_count", "listed_count", "like_count", "media_count")
    ]
    (error,) = body["errors"]
    assert error == {
        "value": "nosuchuser",
        "detail": "Could not find user with usernames: [nosuchuser].",
        "title": "Not Found Error",
        "resource_type": "user",
        "parameter": "usernames",
        "resource_id": "nosuchuser",
        "type": "https://api.twitter.com/2/problems/resource-not-found",
    }
    assert ask(x, "users/by", usernames="nosuchuser").json().keys() == {"errors"}
    assert ask(x, "users/by", usernames="SIM_GWENT").json() == {
        "data": [{"id": GWENT, "name": "Gwent Police (simulated)", "username": "sim_gwent"}]
    }


def test_a_merged_account_is_gone_after_its_last_day(x: Asking) -> None:
    merged = account_id("x", "devon-and-cornwall", "sim_torbay_dc")
    x.simulator.set_clock(datetime(2026, 9, 20, 21, tzinfo=UTC))
    assert timeline(x, merged)["meta"]["result_count"] > 5
    x.simulator.set_clock(datetime(2026, 9, 21, 21, tzinfo=UTC))
    assert timeline(x, merged).keys() == {"errors"}
    assert ask(x, "users/by", usernames="sim_torbay_dc").json().keys() == {"errors"}


def test_posts_have_the_shape_of_the_contract(x: Asking) -> None:
    body = timeline(x)
    items = body["data"]
    assert body["meta"]["result_count"] == len(items) == 100
    assert (body["meta"]["newest_id"], body["meta"]["oldest_id"]) == (items[0]["id"], items[-1]["id"])
    for item in items:
        assert int(item["id"]) > 2**53
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", item["created_at"])
        assert item["edit_history_tweet_ids"][-1] == item["id"]
        assert list(item["public_metrics"]) == METRICS
        assert len(item["text"]) <= 280
        assert (reference(item) == "replied_to") == ("in_reply_to_user_id" in item)
    assert {reference(item) for item in items} == {None, "quoted", "replied_to", "retweeted"}
    own = {item["id"] for item in items}
    assert any(item["conversation_id"] in own for item in items if reference(item) == "replied_to")
    assert timeline(x, tweet__fields="")["data"][0].keys() == {"id", "text", "edit_history_tweet_ids"}
    assert "source" not in timeline(x, tweet__fields="source")["data"][0]


def test_a_retweet_counts_the_originals_retweets_and_nothing_else(x: Asking) -> None:
    retweets = [item for item in timeline(x)["data"] if reference(item) == "retweeted"]
    assert len(retweets) > 5
    for item in retweets:
        assert item["text"].startswith("RT @")
        counts = dict(item["public_metrics"])
        assert counts.pop("retweet_count") >= 0
        assert set(counts.values()) == {0}
    assert max(item["public_metrics"]["retweet_count"] for item in retweets) > 100


def test_exclude(x: Asking) -> None:
    kinds = {reference(item) for item in timeline(x, exclude="replies,retweets")["data"]}
    assert kinds == {None, "quoted"}
    assert "retweeted" not in {reference(item) for item in timeline(x, exclude="retweets")["data"]}


@pytest.mark.parametrize("size", [5, 17, 100])
def test_paging_reaches_every_post_once(x: Asking, size: int) -> None:
    span = {"start_time": "2026-10-01T00:00:00Z", "end_time": "2026-11-01T00:00:00Z"}
    whole = [item["id"] for item in timeline(x, GWENT, **span)["data"]]
    assert 30 < len(whole) < 100
    bodies = [timeline(x, GWENT, max_results=size, **span)]
    while "next_token" in bodies[-1]["meta"]:
        bodies.append(timeline(x, GWENT, max_results=size, pagination_token=bodies[-1]["meta"]["next_token"], **span))
    assert [item["id"] for body in bodies for item in body["data"]] == whole
    if len(bodies) > 1:
        back = timeline(x, GWENT, max_results=size, pagination_token=bodies[1]["meta"]["previous_token"], **span)
        assert back["data"] == bodies[0]["data"]


def test_no_posts_is_no_data(x: Asking) -> None:
    body = timeline(x, start_time="2026-11-02T20:59:58Z", end_time="2026-11-02T20:59:59Z")
    assert body == {"meta": {"result_count": 0}}


def test_depth_ends_at_3200_posts(x: Asking) -> None:
    world = XWorld(SEED, read_register())
    begin = int(datetime(2022, 1, 1, tzinfo=UTC).timestamp())
    assert len(world.posts(world.accounts[MET], begin, begin + 4 * 365 * 86_400)) > 3200
    found, token = 0, {}
    for _ in range(40):
        body = timeline(x, tweet__fields="", **token)
        found += body["meta"]["result_count"]
        if "next_token" not in body["meta"]:
            break
        token = {"pagination_token": body["meta"]["next_token"]}
    assert found == 3200


def test_ten_to_twenty_five_posts_a_week() -> None:
    world = XWorld(SEED, read_register())
    begin = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
    rates = {one: len(world.posts(one, begin, begin + 8 * 7 * 86_400 - 1)) / 8 for one in world.accounts.values() if one.is_main}
    assert 7 < min(rates.values()) < max(rates.values()) < 31
    posts = world.posts(world.accounts[MET], begin, begin + 20 * 7 * 86_400)
    assert all(world.post(one) is post for post in posts for one in post.ids)
    shares = {kind: sum(post.kind == kind for post in posts) / len(posts) for kind in ("original", "quote", "reply", "retweet")}
    assert all(abs(share - wanted) < 0.08 for share, wanted in zip(shares.values(), (0.5, 0.1, 0.25, 0.15), strict=True))


def test_an_edited_post_has_its_newest_id_and_the_older_is_gone(x: Asking) -> None:
    world = XWorld(SEED, read_register())
    begin = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
    post = next(one for one in world.posts(world.accounts[MET], begin, begin + 120 * 86_400) if one.edited_at)
    seen = []
    for moment in (post.published_at + 60, post.edited_at[0]):
        x.simulator.set_clock(datetime.fromtimestamp(moment, UTC))
        (item,) = [one for one in timeline(x, tweet__fields="created_at")["data"] if post.ids[0] in one["edit_history_tweet_ids"]]
        seen.append(item)
    assert [item["id"] for item in seen] == list(post.ids[:2])
    assert seen[1]["edit_history_tweet_ids"] == list(post.ids[:2])
    assert seen[0]["created_at"] == seen[1]["created_at"]
    body = ask(x, "tweets", ids=",".join(post.ids[:2])).json()
    assert [item["id"] for item in body["data"]] == [post.ids[1]]
    assert [error["resource_id"] for error in body["errors"]] == [post.ids[0]]


def test_lookup_of_posts(x: Asking) -> None:
    items = timeline(x)["data"]
    ids = [item["id"] for item in items]
    assert ask(x, "tweets", ids=",".join(ids), tweet__fields=FIELDS).json()["data"] == items
    body = ask(x, "tweets", ids="1").json()
    assert body.keys() == {"errors"}
    assert body["errors"][0]["detail"] == "Could not find tweet with ids: [1]."
    body = ask(x, "tweets", ids=ids[0], tweet__fields="promoted_metrics").json()
    assert len(body["errors"]) == 5
    assert body["errors"][0]["type"].endswith("/problems/disallowed-resource")


def test_media_are_included(x: Asking) -> None:
    body = timeline(x, expansions="attachments.media_keys", media__fields="type,alt_text")
    keys = [key for item in body["data"] for key in item.get("attachments", {}).get("media_keys", [])]
    assert [entry["media_key"] for entry in body["includes"]["media"]] == keys
    assert {entry["type"] for entry in body["includes"]["media"]} == {"photo", "video"}
    assert 0 < sum("alt_text" in entry for entry in body["includes"]["media"]) < len(keys)
    assert "includes" not in timeline(x)


def test_every_answer_says_what_is_left(x: Asking) -> None:
    x.simulator.set_clock(datetime(2026, 11, 2, 21, 4, tzinfo=UTC))
    for path, limit in ((f"users/{MET}/tweets", 10_000), ("users/by?usernames=sim_met", 300), ("tweets?ids=1", 3500)):
        answer = ask(x, path)
        assert answer.headers["x-rate-limit-limit"] == str(limit)
        assert answer.headers["x-rate-limit-remaining"] == str(limit - 1)
        assert answer.headers["x-rate-limit-reset"] == str(int(datetime(2026, 11, 2, 21, 15, tzinfo=UTC).timestamp()))
        assert (answer.headers["date"], answer.headers["x-simulated"]) == ("Mon, 02 Nov 2026 21:04:00 GMT", "true")
    assert "x-rate-limit-limit" in ask(x, "users/by", usernames="not a name").headers
    assert "x-rate-limit-limit" in ask(x, "users/by", None).headers


def test_the_limit_is_real_and_ends_when_the_clock_is_set(x: Asking) -> None:
    statuses = [ask(x, "users/by", usernames="sim_gwent").status_code for _ in range(302)]
    assert statuses == [200] * 300 + [429] * 2
    assert ask(x, "users/by", "kent", usernames="sim_gwent").status_code == 200
    x.simulator.set_clock(datetime(2026, 11, 2, 21, tzinfo=UTC))
    assert ask(x, "users/by", usernames="sim_gwent").status_code == 200


@pytest.mark.parametrize(
    ("path", "parameters", "name"),
    [
        (f"users/{MET}/tweets", {"max_results": 3}, "max_results"),
        (f"users/{MET}/tweets", {"max_results": 101}, "max_results"),
        (f"users/{MET}/tweets", {"pagination_token": "junk!"}, "pagination_token"),
        (f"users/{MET}/tweets", {"start_time": "yesterday"}, "start_time"),
        (f"users/{MET}/tweets", {"exclude": "ads"}, "exclude"),
        (f"users/{MET}/tweets", {"tweet__fields": "post_count"}, "tweet.fields"),
        (f"users/{MET}/tweets", {"since_id": "x"}, "since_id"),
        ("users/by", {"usernames": "much_too_long_a_name"}, "usernames"),
        ("users/by", {}, "usernames"),
        ("tweets", {}, "ids"),
    ],
)
def test_wrong_parameters(x: Asking, path: str, parameters: dict[str, Any], name: str) -> None:
    answer = ask(x, path, **parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json; charset=utf-8")
    assert answer.json()["title"] == "Invalid Request"
    assert name in answer.json()["errors"][0]["parameters"]


def test_tokens(x: Asking) -> None:
    answer = ask(x, "users/by", None, usernames="sim_gwent")
    assert answer.status_code == 401
    assert answer.json() == {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
    assert ask(x, f"users/{MET}/tweets", "kent").status_code == 200  # public: any token reads any account
    assert ask(x, "nothing").status_code == 404


@pytest.mark.parametrize(
    ("form", "status", "problem"),
    [("2026", 402, "credits-depleted"), ("enrolled", 402, "credits"), ("usage_capped", 429, "usage-capped")],
)
def test_credits_depleted(x: Asking, form: str, status: int, problem: str) -> None:
    plant(x, "credits_depleted", form=form)
    for path in ("users/by?usernames=sim_gwent", f"users/{GWENT}/tweets", "tweets?ids=1"):
        answer = ask(x, path)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, problem)
    assert ask(x, f"users/{GWENT}/tweets", "kent").status_code == 200


@pytest.mark.parametrize(("form", "key"), [("v2", "title"), ("v1", "errors")])
def test_throttle_in_both_bodies(x: Asking, form: str, key: str) -> None:
    plant(x, "throttle", form=form, regain_minutes=5)
    for _ in range(2):
        answer = ask(x, f"users/{GWENT}/tweets")
        assert answer.status_code == 429
        assert key in answer.json()
        assert answer.headers["x-rate-limit-remaining"] == "0"
        assert int(answer.headers["x-rate-limit-reset"]) == int(datetime(2026, 11, 2, 21, 5, tzinfo=UTC).timestamp())
    assert ask(x, f"users/{GWENT}/tweets").status_code == 200


def test_other_refusals(x: Asking) -> None:
    plant(x, "token_expired")
    assert ask(x, f"users/{GWENT}/tweets").status_code == 401
    plant(x, "server_error")
    assert [ask(x, f"users/{GWENT}/tweets").status_code for _ in range(2)] == [503, 200]
    plant(x, "posts_permission_lost")
    answer = ask(x, f"users/{GWENT}/tweets")
    assert (answer.status_code, answer.json()["reason"]) == (403, "client-not-enrolled")
    assert ask(x, "users/by", usernames="sim_gwent").status_code == 200
    plant(x, "followers_not_reported")
    assert "public_metrics" not in ask(x, "users/by", usernames="sim_gwent", user__fields="public_metrics").json()["data"][0]
    plant(x, "html_page")
    assert ask(x, f"users/{GWENT}/tweets").text.startswith("<!DOCTYPE html>")
    plant(x, "truncated_page")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        ask(x, f"users/{GWENT}/tweets").json()


def test_edited_post_changes_its_id_from_that_day_on(x: Asking) -> None:
    def listed(moment: datetime) -> dict[str, dict[str, Any]]:
        x.simulator.set_clock(moment)
        return {item["edit_history_tweet_ids"][0]: item for item in timeline(x, GWENT)["data"]}

    now, before = datetime(2026, 11, 2, 21, tzinfo=UTC), datetime(2026, 10, 26, 21, tzinfo=UTC)
    clean = listed(now)
    plant(x, "edited_post", age_days=8)
    earlier, later = listed(before), listed(now)
    assert later.keys() == clean.keys()
    (edited,) = [one for one in later if later[one]["id"] != clean[one]["id"]]
    assert earlier[edited]["id"] == clean[edited]["id"]
    assert later[edited]["edit_history_tweet_ids"] == [*clean[edited]["edit_history_tweet_ids"], later[edited]["id"]]
    assert later[edited]["public_metrics"] == clean[edited]["public_metrics"]
    body = ask(x, "tweets", ids=f"{clean[edited]['id']},{later[edited]['id']}").json()
    assert [item["id"] for item in body["data"]] == [later[edited]["id"]]
    assert len(body["errors"]) == 1
    assert listed(now + timedelta(days=3))[edited]["id"] == later[edited]["id"]


def test_spoilt_lists(x: Asking) -> None:
    good = timeline(x, GWENT, max_results=10)
    plant(x, "duplicate_page")
    first = timeline(x, GWENT, max_results=10)
    second = timeline(x, GWENT, max_results=10, pagination_token=first["meta"]["next_token"])
    assert first["data"] == second["data"] == good["data"]
    assert second["meta"]["next_token"] != first["meta"]["next_token"]
    plant(x, "text_number", field="like_count")
    spoilt = [item for item in timeline(x, GWENT)["data"] if isinstance(item["public_metrics"]["like_count"], str)]
    assert len(spoilt) == 1
    assert reference(spoilt[0]) in (None, "quoted")
    plant(x, "unmapped_field", name="loud_count")
    assert "loud_count" in timeline(x, GWENT)["data"][0]["public_metrics"]
    plant(x, "future_date")
    assert timeline(x, GWENT)["data"][0]["created_at"].startswith("2099")
    plant(x, "unknown_account_post")
    assert timeline(x, GWENT)["data"][0]["author_id"] == "1999999999999999999"
