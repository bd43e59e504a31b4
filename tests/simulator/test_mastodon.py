"""Accounts on the simulated Mastodon servers: shapes, paging by Link, limits in the headers, errors, defects."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests

from include.simulator.clock import Clock
from include.simulator.defects import Defect
from include.simulator.mastodon import MastodonInstances
from include.simulator.mastodon_world import MastodonWorld, server_of
from include.simulator.register import read_register
from include.simulator.service import Question
from tests.simulator.conftest import SEED, Asking, account_id

TODAY = date(2026, 11, 2)
GWENT = account_id("mastodon", "gwent")
REGISTER = read_register(only_forces=("gwent",))
ACCOUNT = REGISTER.accounts["mastodon"][GWENT]
SERVER = server_of(ACCOUNT)
LOOKUP, STATUSES = "api/v1/accounts/lookup", f"api/v1/accounts/{GWENT}/statuses"


def ask(mastodon: Asking, path: str, server: str = SERVER, **parameters: Any) -> requests.Response:
    return mastodon.get(path, None, version=server, **parameters)


def statuses(mastodon: Asking, **parameters: Any) -> list[dict[str, Any]]:
    answer = ask(mastodon, STATUSES, **{"limit": 40, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


def plant(mastodon: Asking, kind: str, **detail: Any) -> None:
    mastodon.simulator.plant([Defect(kind, "gwent", TODAY, TODAY, detail, "mastodon")])


def test_an_account_is_found_at_its_own_server_alone(mastodon: Asking) -> None:
    body = ask(mastodon, LOOKUP, acct="sim_gwent").json()
    assert (body["id"], body["acct"]) == (GWENT, "sim_gwent")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", body["last_status_at"])
    assert ask(mastodon, LOOKUP, acct=f"sim_gwent@{SERVER}").json() == body
    for server, path, acct in ((SERVER, LOOKUP, "nobody"), ("other.example", LOOKUP, "sim_gwent"), ("other.example", STATUSES, "")):
        answer = ask(mastodon, path, server, acct=acct)
        assert (answer.status_code, answer.content) == (404, b'{"error":"Record not found"}')


def test_paging_by_the_link_to_an_empty_page_without_one(mastodon: Asking) -> None:
    mastodon.simulator.set_clock(datetime(2023, 1, 20, 21, tzinfo=UTC))  # an account of three weeks
    answer = ask(mastodon, STATUSES, limit=4)
    seen: list[str] = []
    while answer.json():
        seen += [one["id"] for one in answer.json()]
        assert answer.links["prev"]["url"].endswith(f"min_id={answer.json()[0]['id']}")
        answer = mastodon.session.get(answer.links["next"]["url"], timeout=30)
    assert "link" not in answer.headers
    assert len(seen) == len(set(seen)) > 4
    assert seen == sorted(seen, key=int, reverse=True)
    mastodon.simulator.set_clock(datetime(2026, 11, 2, 21, tzinfo=UTC))


def test_reblogs_replies_edits_and_mentions_are_there(mastodon: Asking) -> None:
    items = [*(first := statuses(mastodon)), *statuses(mastodon, max_id=first[-1]["id"])]
    reblogs = [one for one in items if one["reblog"]]
    replies = [one for one in items if one["in_reply_to_id"]]
    assert reblogs
    assert replies
    assert all(one["favourites_count"] == 0 < one["reblog"]["favourites_count"] for one in reblogs)
    assert all("simcitizen" in one["reblog"]["account"]["username"] for one in reblogs)
    assert all("simcitizen" in one["content"] for one in replies)
    assert [one for one in items if one["mentions"] and not one["in_reply_to_id"]], "in own words too"
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["created_at"]) for one in items)
    assert len(statuses(mastodon, exclude_reblogs="true", exclude_replies="true", limit=80)) == 40
    one = first[0]
    assert ask(mastodon, f"api/v1/statuses/{one['id']}").json() == one
    assert ask(mastodon, "api/v1/statuses/1").status_code == 404


def test_only_newer_servers_count_quotes() -> None:
    register = read_register()
    world = MastodonWorld(SEED, register)
    pages = MastodonInstances(world, "secret", Clock(datetime(2026, 11, 2, 21, tzinfo=UTC)))
    have = set()
    for server, accounts in world.by_server.items():
        path = f"/{server}/api/v1/accounts/{accounts[0].account_id}/statuses"
        have.add("quotes_count" in pages.answer(Question(path)).body[0])
    assert have == {True, False}


def test_the_limit_is_told_and_kept_by_each_server(mastodon: Asking) -> None:
    answer = ask(mastodon, LOOKUP, acct="nobody")
    assert answer.headers["x-ratelimit-limit"] == "300"
    assert answer.headers["x-ratelimit-reset"] == "2026-11-02T21:05:00.000000Z"
    left = int(answer.headers["x-ratelimit-remaining"])
    for _ in range(left):
        answer = ask(mastodon, LOOKUP, acct="nobody")
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (404, "0")
    answer = ask(mastodon, LOOKUP, acct="sim_gwent")
    assert (answer.status_code, answer.json()) == (429, {"error": "Too many requests"})
    assert ask(mastodon, LOOKUP, "other.example", acct="nobody").status_code == 404
    mastodon.simulator.set_clock(datetime(2026, 11, 2, 21, tzinfo=UTC))
    assert ask(mastodon, LOOKUP, acct="sim_gwent").headers["x-ratelimit-remaining"] == "299"


def test_defects(mastodon: Asking) -> None:
    plant(mastodon, "posts_permission_lost")
    answer = ask(mastodon, STATUSES)
    assert (answer.status_code, answer.json()) == (401, {"error": "This API requires an authenticated user"})
    assert ask(mastodon, LOOKUP, acct="sim_gwent").status_code == 200
    plant(mastodon, "throttle", count=1)
    assert [ask(mastodon, STATUSES).status_code for _ in range(2)] == [429, 200]
    plant(mastodon, "throttle", form="html")
    assert "html" in ask(mastodon, STATUSES).headers["content-type"]
    plant(mastodon, "server_error")
    assert ask(mastodon, STATUSES).status_code == 503
    plant(mastodon, "followers_not_reported")
    assert "followers_count" not in ask(mastodon, LOOKUP, acct="sim_gwent").json()
    plant(mastodon, "text_number")
    assert isinstance(ask(mastodon, LOOKUP, acct="sim_gwent").json()["followers_count"], str)
    plant(mastodon, "unmapped_field")
    assert "loud_count" in statuses(mastodon)[0]
    plant(mastodon, "unknown_account_post")
    assert statuses(mastodon)[0]["account"]["id"] == "109999999999999999"
    plant(mastodon, "future_date")
    assert statuses(mastodon)[0]["created_at"].startswith("2099")
    plant(mastodon, "duplicate_page")
    first = ask(mastodon, STATUSES, limit=10)
    assert mastodon.session.get(first.links["next"]["url"], timeout=30).json() == first.json()
    plant(mastodon, "truncated_page")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        ask(mastodon, STATUSES).json()
    plant(mastodon, "html_page")
    assert "html" in ask(mastodon, STATUSES).headers["content-type"]


def test_a_removed_post_is_in_no_list_and_not_found(mastodon: Asking) -> None:
    before = {one["id"] for one in statuses(mastodon)}
    plant(mastodon, "removed_post")
    (gone,) = before - {one["id"] for one in statuses(mastodon)}
    assert ask(mastodon, f"api/v1/statuses/{gone}").status_code == 404
    mastodon.simulator.plant([])
    assert ask(mastodon, f"api/v1/statuses/{gone}").status_code == 200


def test_a_post_is_found_by_id_and_server() -> None:
    world = MastodonWorld(SEED, REGISTER)
    for post in world.week(ACCOUNT, date(2026, 10, 26)):
        assert world.post(post.post_id) is post
    assert world.post("1@nowhere.example") is None
