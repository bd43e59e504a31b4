"""The Facebook Pages contract: shapes, paging, limits, authentication, errors."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from include.simulator.process import SimulatorProcess
from tests.simulator.conftest import CITY, GWENT, MET, Asking

LIST_FIELDS = (
    "id,message,created_time,permalink_url,status_type,shares,reactions.limit(0).summary(true),"
    "comments.limit(0).summary(true).filter(stream)"
)


def all_pages(facebook: Asking, page: str, force: str, **parameters: object) -> list[dict]:
    body = facebook.json(f"{page}/published_posts", force, **parameters)
    pages = [body]
    while "next" in body.get("paging", {}):
        body = facebook.follow(body["paging"]["next"])
        pages.append(body)
    return pages


def test_snapshot_has_the_asked_fields_and_no_others(facebook: Asking) -> None:
    node = facebook.json(GWENT, fields="id,name,username,link,followers_count,fan_count")
    assert list(node) == ["id", "name", "username", "link", "followers_count", "fan_count"]
    assert (node["id"], node["username"]) == (GWENT, "sim.gwent")
    assert node["followers_count"] > node["fan_count"] > 0
    assert facebook.json(GWENT, fields="followers_count").keys() == {"followers_count", "id"}


def test_headers_carry_the_clock_and_the_usage(facebook: Asking) -> None:
    facebook.simulator.set_clock(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
    good = facebook.get(GWENT, fields="name")
    assert good.headers["date"] == "Sun, 29 Mar 2026 01:30:00 GMT"
    assert good.headers["x-simulated"] == "true"
    (usage,) = json.loads(good.headers["x-business-use-case-usage"]).values()
    assert usage[0]["type"] == "pages"
    assert usage[0]["estimated_time_to_regain_access"] == 0
    assert "x-app-usage" not in good.headers
    bad = facebook.get(GWENT, fields="no_such_field")
    assert json.loads(bad.headers["x-app-usage"]).keys() == {"call_count", "total_time", "total_cputime"}
    assert "x-business-use-case-usage" not in bad.headers
    assert bad.headers["x-simulated"] == "true"


def test_a_renamed_page_answers_with_the_handle_of_the_day(facebook: Asking) -> None:
    page = "100000017000051"
    facebook.simulator.set_clock(datetime(2026, 9, 14, 21, tzinfo=UTC))
    assert facebook.json(page, "hampshire", fields="username")["username"] == "sim.hampshire.constabulary"
    facebook.simulator.set_clock(datetime(2026, 9, 15, 21, tzinfo=UTC))
    assert facebook.json(page, "hampshire", fields="username")["username"] == "sim.hampshire"


def test_a_merged_page_is_unknown_after_its_last_day_and_its_successor_gains(facebook: Asking) -> None:
    merged, successor = "100000009000028", "100000009000027"
    force = "devon-and-cornwall"
    facebook.simulator.set_clock(datetime(2026, 9, 20, 21, tzinfo=UTC))
    moved = facebook.json(merged, force, fields="followers_count")["followers_count"]
    before = facebook.json(successor, force, fields="followers_count")["followers_count"]
    facebook.simulator.set_clock(datetime(2026, 9, 21, 21, tzinfo=UTC))
    gained = facebook.json(successor, force, fields="followers_count")["followers_count"] - before
    assert 0.6 * moved < gained < 0.8 * moved
    for path in (merged, f"{merged}/published_posts", f"{merged}/insights?metric=page_follows"):
        assert facebook.error(path, force) == (100, 33)


def test_posts_have_the_shape_of_the_contract(facebook: Asking) -> None:
    body = facebook.json(f"{MET}/published_posts", "metropolitan", fields=LIST_FIELDS, limit=100)
    items = body["data"]
    assert len(items) == 100
    assert [item["created_time"] for item in items] == sorted((item["created_time"] for item in items), reverse=True)
    for item in items:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", item["created_time"])
        assert re.fullmatch(rf"{MET}_\d+", item["id"])
        assert item["permalink_url"] == f"https://www.facebook.com/{MET}/posts/{item['id'].split('_')[1]}"
        assert item["reactions"].keys() == item["comments"].keys() == {"data", "summary"}
        assert item["reactions"]["summary"]["viewer_reaction"] == "NONE"
        assert item["comments"]["summary"].keys() == {"order", "total_count", "can_comment"}
        assert item.get("shares", {"count": 1})["count"] > 0
    kinds = {item["status_type"] for item in items}
    assert kinds == {"added_photos", "mobile_status_update", "added_video", "shared_story"}
    assert any("message" not in item for item in items)
    assert any("message" in item for item in items)


def test_shares_are_absent_where_there_are_none(facebook: Asking) -> None:
    items = facebook.json(f"{CITY}/published_posts", "city-of-london", fields="shares,reactions.summary(true)", limit=60)["data"]
    assert any("shares" not in item for item in items)
    assert any("shares" in item for item in items)


def test_comments_without_filter_leave_replies_out(facebook: Asking) -> None:
    def totals(field: str) -> list[int]:
        items = facebook.json(f"{MET}/published_posts", "metropolitan", fields=field)["data"]
        return [item["comments"]["summary"]["total_count"] for item in items]

    stream, top = totals("comments.limit(0).summary(true).filter(stream)"), totals("comments.limit(0).summary(true)")
    assert all(a >= b for a, b in zip(stream, top, strict=True))
    assert sum(stream) > sum(top)


def test_aliases_of_fields_are_kept(facebook: Asking) -> None:
    item = facebook.json(f"{GWENT}/published_posts", fields="id,reactions.type(LOVE).limit(0).summary(total_count).as(love)")[
        "data"
    ][0]
    assert item.keys() == {"id", "love"}
    assert "total_count" in item["love"]["summary"]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_paging_reaches_every_post_once(facebook: Asking, limit: int) -> None:
    span = {"since": 1790000000, "until": 1793653200}
    pages = all_pages(facebook, GWENT, "gwent", fields="id,created_time", limit=limit, **span)
    found = [item["id"] for page in pages for item in page["data"]]
    (whole,) = all_pages(facebook, GWENT, "gwent", fields="id,created_time", limit=100, **span)
    assert len(found) > 15
    assert found == [item["id"] for item in whole["data"]]
    assert len(set(found)) == len(found)
    assert all(len(page["data"]) == limit for page in pages[:-1])
    assert len({page["paging"]["cursors"]["after"] for page in pages}) == len(pages)


def test_paging_goes_back_to_the_first_post_of_a_page(facebook: Asking) -> None:
    """Kent's cadets began on 2017-01-01 and are closed after 2025: read on their last day, to the end."""
    facebook.simulator.set_clock(datetime(2025, 12, 31, 21, tzinfo=UTC))
    pages = all_pages(facebook, "100000020000061", "kent", fields="created_time", limit=100)
    times = [item["created_time"] for page in pages for item in page["data"]]
    assert times == sorted(times, reverse=True)
    assert "2017-01-01" <= times[-1] < "2017-02-15"
    assert 1.5 < len(times) / (9 * 52) < 5


def test_next_embeds_token_and_newest_version(facebook: Asking) -> None:
    following = facebook.json(f"{GWENT}/published_posts", version="v21.0", fields="id", limit=2)["paging"]["next"]
    parts = urlsplit(following)
    assert parts.path.startswith("/facebook/v26.0/")
    assert parse_qs(parts.query)["access_token"] == [facebook.tokens["gwent"]]


def test_an_empty_edge_has_no_paging(facebook: Asking) -> None:
    assert facebook.json(f"{GWENT}/published_posts", since=1793653199, until=1793653200) == {"data": []}


def test_posts_to_come_are_not_listed(facebook: Asking) -> None:
    facebook.simulator.set_clock(datetime(2026, 5, 4, 12, tzinfo=UTC))
    items = facebook.json(f"{GWENT}/published_posts", fields="created_time,id", until=1999999999)["data"]
    assert items[0]["created_time"] <= "2026-05-04T12:00:00+0000"
    facebook.simulator.set_clock(datetime(2026, 5, 1, 12, tzinfo=UTC))
    assert facebook.error(f"{items[0]['id']}/insights", metric="post_media_view") == (100, 33)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"limit": 101}, 100),
        ({"limit": 0}, 100),
        ({"limit": "many"}, 100),
        ({"after": "!!"}, 100),
        ({"since": "yesterday"}, 100),
        ({"fields": "id,no_such_field"}, 100),
        ({"fields": "reactions.limit(0"}, 2500),
    ],
)
def test_wrong_parameters_of_the_list(facebook: Asking, parameters: dict, code: int) -> None:
    assert facebook.error(f"{GWENT}/published_posts", **parameters)[0] == code


def test_many_ids_at_once(facebook: Asking) -> None:
    ids = [item["id"] for item in facebook.json(f"{GWENT}/published_posts", fields="id", limit=51)["data"]]
    asked = {"fields": "insights.metric(post_media_view).period(lifetime).breakdown(is_from_ads)"}
    answer = facebook.json("", ids=",".join(ids[:50]), **asked)
    assert list(answer) == ids[:50]
    (entry,) = answer[ids[0]]["insights"]["data"]
    assert (entry["name"], entry["period"], entry["title"]) == ("post_media_view", "lifetime", "post_media_view")
    assert {value["is_from_ads"] for value in entry["values"]} == {"0", "1"}
    assert "/insights/" not in entry["id"]
    assert "&#039;" in entry["description"]
    assert facebook.error("", ids=",".join(ids), **asked)[0] == 100
    assert facebook.error("", ids=f"{ids[0]},{GWENT}_1", **asked) == (100, 33)
    pages = facebook.json("", ids=GWENT, fields="followers_count")
    assert pages[GWENT]["followers_count"] == facebook.json(GWENT, fields="followers_count")["followers_count"]


def test_me_accounts_lists_the_open_pages_of_the_token(facebook: Asking) -> None:
    body = facebook.json("me/accounts", "devon-and-cornwall", fields="id,name,access_token,followers_count", limit=100)
    assert [page["id"] for page in body["data"]] == ["100000009000027"]
    assert body["data"][0]["access_token"] == facebook.tokens["devon-and-cornwall"]
    facebook.simulator.set_clock(datetime(2026, 9, 1, 21, tzinfo=UTC))
    assert len(facebook.json("me/accounts", "devon-and-cornwall")["data"]) == 2


def test_tokens(facebook: Asking) -> None:
    assert facebook.error(GWENT, None) == (190, 467)
    assert facebook.error(GWENT, None, access_token="EAASwrong") == (190, 467)
    assert facebook.json(GWENT, None, access_token=facebook.tokens["gwent"])["id"] == GWENT
    for path in (GWENT, f"{GWENT}/published_posts", f"{GWENT}/insights?metric=page_follows"):
        assert facebook.error(path, "kent") == (210, None)


@pytest.mark.parametrize("version", ["v19.0", "v23.0", "v25", "v26.0"])
def test_versions(facebook: Asking, version: str) -> None:
    assert facebook.json(GWENT, version=version)["name"] == "Gwent Police (simulated)"


@pytest.mark.parametrize("path", ["v18.0/100000016000048", "nothing", "v26.0/100000016000048/feed_of_nothing", "v26.0/"])
def test_unknown_paths(facebook: Asking, path: str) -> None:
    answer = facebook.session.get(
        f"{facebook.simulator.base_url('facebook')}/{path}", params={"access_token": facebook.tokens["gwent"]}, timeout=30
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == 2500


def test_control_wants_its_key(simulator: SimulatorProcess, facebook: Asking) -> None:
    answer = facebook.session.put(f"{simulator.root_url}/_control/clock", json={"now": "2030-01-01T00:00:00+00:00"}, timeout=30)
    assert answer.status_code == 403
    assert facebook.get(GWENT).headers["date"].startswith("Mon, 02 Nov 2026")


def test_requests_are_counted(simulator: SimulatorProcess, facebook: Asking) -> None:
    before = simulator.requests()
    facebook.json(GWENT)
    facebook.error(GWENT, None)
    after = simulator.requests()
    assert after["total"] - before["total"] == 2
    assert after["by_endpoint"]["snapshot"] - before["by_endpoint"].get("snapshot", 0) == 2
    assert after["by_force"]["gwent"] - before["by_force"].get("gwent", 0) == 1
