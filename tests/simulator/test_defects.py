"""Each kind of planted defect, as the pipeline meets it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from include.simulator.defects import (
    DEFAULT_DEFECTS,
    KIND_PLATFORMS,
    KINDS,
    SOCIAL,
    Defect,
    DefectBook,
    losses,
    removed_ids,
    removed_post,
)
from include.simulator.process import SimulatorFailed
from include.simulator.readings import PLATFORMS
from include.simulator.register import read_register
from tests.simulator.conftest import GWENT, SEED, Asking

TODAY = date(2026, 11, 2)
LIST_FIELDS = "id,created_time,shares,reactions.limit(0).summary(true),comments.limit(0).summary(true).filter(stream)"


def plant(facebook: Asking, kind: str, **detail: Any) -> None:
    facebook.simulator.plant([Defect(kind, "gwent", TODAY, TODAY, detail)])


def posts(facebook: Asking, **parameters: Any) -> dict:
    return facebook.json(f"{GWENT}/published_posts", **{"fields": LIST_FIELDS, "limit": 10, **parameters})


def test_a_defect_is_its_forces_and_its_dates_own(facebook: Asking) -> None:
    plant(facebook, "token_expired")
    assert facebook.error(GWENT) == (190, 463)
    assert facebook.json("100000020000060", "kent")["id"] == "100000020000060"
    for day in (1, 3):
        facebook.simulator.set_clock(datetime(2026, 11, day, 21, tzinfo=UTC))
        assert facebook.json(GWENT)["id"] == GWENT


def test_token_expired_says_so_everywhere(facebook: Asking) -> None:
    plant(facebook, "token_expired")
    for path in (GWENT, f"{GWENT}/published_posts", f"{GWENT}/insights?metric=page_follows", "me/accounts", f"?ids={GWENT}"):
        answer = facebook.get(path)
        assert "Session has expired on Monday, 02-Nov-26" in answer.json()["error"]["message"]
        assert (answer.json()["error"]["code"], answer.json()["error"]["error_subcode"]) == (190, 463)


def test_followers_not_reported(facebook: Asking) -> None:
    plant(facebook, "followers_not_reported")
    assert facebook.json(GWENT, fields="id,name,followers_count,fan_count").keys() == {"id", "name"}


def test_insights_permission_lost_is_an_empty_list(facebook: Asking) -> None:
    post = posts(facebook)["data"][0]["id"]
    plant(facebook, "insights_permission_lost")
    assert facebook.json(f"{GWENT}/insights", metric="page_follows") == {"data": []}
    assert facebook.json("", ids=post, fields="insights.metric(post_media_view)")[post]["insights"] == {"data": []}
    assert posts(facebook)["data"][0]["reactions"]["summary"]["total_count"] >= 0


def test_posts_permission_lost(facebook: Asking) -> None:
    plant(facebook, "posts_permission_lost")
    assert facebook.error(f"{GWENT}/published_posts") == (10, None)
    assert facebook.json(GWENT)["id"] == GWENT


@pytest.mark.parametrize("status", [400, 403])
def test_throttle_of_the_page(facebook: Asking, status: int) -> None:
    plant(facebook, "throttle", count=3, code=80001, regain_minutes=7, status=status)
    for _ in range(3):
        answer = facebook.get(GWENT)
        assert answer.status_code == status
        assert answer.json()["error"]["code"] == 80001
        (usage,) = json.loads(answer.headers["x-business-use-case-usage"]).values()
        assert usage[0]["estimated_time_to_regain_access"] == 7
        assert usage[0]["call_count"] > 100
    assert facebook.json(GWENT)["id"] == GWENT


def test_throttle_of_the_app_is_over_after_two_requests(facebook: Asking) -> None:
    plant(facebook, "throttle")
    answers = [facebook.get(GWENT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 200]
    assert answers[0].json()["error"]["message"] == "(#32) Page request limit reached"
    assert json.loads(answers[0].headers["x-app-usage"])["call_count"] == 100


def test_throttle_all_day(facebook: Asking) -> None:
    plant(facebook, "throttle", count=None, endpoint="published_posts")
    assert all(facebook.error(f"{GWENT}/published_posts")[0] == 32 for _ in range(6))
    assert facebook.json(GWENT)["id"] == GWENT


def test_server_error_once(facebook: Asking) -> None:
    plant(facebook, "server_error", endpoint="snapshot")
    posts(facebook)
    answer = facebook.get(GWENT)
    assert answer.status_code == 500
    assert (answer.json()["error"]["code"], answer.json()["error"]["is_transient"]) == (1, True)
    assert facebook.json(GWENT)["id"] == GWENT


def test_too_much_data_wants_less(facebook: Asking) -> None:
    plant(facebook, "too_much_data", limit=20)
    answer = facebook.get(f"{GWENT}/published_posts", limit=21)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 1)
    assert "reduce the amount of data" in answer.json()["error"]["message"]
    assert len(posts(facebook, limit=20)["data"]) == 20


def test_truncated_page(facebook: Asking) -> None:
    plant(facebook, "truncated_page")
    answer = facebook.get(f"{GWENT}/published_posts", fields=LIST_FIELDS)
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()
    assert answer.text.startswith('{"data":[{"id":')
    assert facebook.json(GWENT)["id"] == GWENT


def test_html_page(facebook: Asking) -> None:
    plant(facebook, "html_page", endpoint="snapshot", count=1)
    answer = facebook.get(GWENT)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert facebook.json(GWENT)["id"] == GWENT


@pytest.mark.parametrize("kind", ["text_number", "negative_count"])
def test_spoilt_counts(facebook: Asking, kind: str) -> None:
    def spoilt(value: int) -> object:
        return str(value) if kind == "text_number" else -(value or 1)

    good_page, good = facebook.json(GWENT, fields="followers_count"), posts(facebook, fields=LIST_FIELDS + ",status_type")
    plant(facebook, kind)
    assert facebook.json(GWENT, fields="followers_count")["followers_count"] == spoilt(good_page["followers_count"])
    plant(facebook, kind, field="reactions")
    bad = posts(facebook, fields=LIST_FIELDS + ",status_type")
    place = next(place for place, item in enumerate(good["data"]) if item["status_type"] != "shared_story")
    before, after = (body["data"][place]["reactions"]["summary"]["total_count"] for body in (good, bad))
    assert after == spoilt(before)
    bad["data"][place]["reactions"]["summary"]["total_count"] = before
    assert bad == good
    plant(facebook, kind, field="post_media_view")
    post = good["data"][place]["id"]
    asked = {"metric": "post_media_view", "breakdown": "is_from_ads"}
    values = facebook.json(f"{post}/insights", **asked)["data"][0]["values"]
    (organic,) = (value["value"] for value in values if value["is_from_ads"] == "0")
    assert isinstance(organic, str) if kind == "text_number" else organic < 0


@pytest.mark.parametrize(
    ("kind", "owner", "created"), [("future_date", GWENT, "2099"), ("unknown_account_post", "999000000000001", "2026")]
)
def test_planted_posts_stand_before_the_real_ones(facebook: Asking, kind: str, owner: str, created: str) -> None:
    good = posts(facebook, limit=100)["data"]
    plant(facebook, kind)
    body = posts(facebook)
    planted, *rest = body["data"]
    assert planted["id"].startswith(f"{owner}_")
    assert planted["created_time"].startswith(created)
    assert len(rest) == 9
    assert rest + facebook.follow(body["paging"]["next"])["data"] == good[:19]
    answer = facebook.json("", ids=f"{planted['id']},{good[0]['id']}", fields="insights.metric(post_media_view)")
    assert len(answer) == 2


def test_duplicate_page_comes_twice_and_nothing_is_lost(facebook: Asking) -> None:
    good = posts(facebook, limit=100)["data"]
    plant(facebook, "duplicate_page")
    first = posts(facebook)
    second = facebook.follow(first["paging"]["next"])
    third = facebook.follow(second["paging"]["next"])
    assert first["data"] == second["data"] == good[:10]
    assert first["paging"]["cursors"]["after"] != second["paging"]["cursors"]["after"]
    assert third["data"] == good[10:20]


def test_duplicate_of_an_only_page(facebook: Asking) -> None:
    plant(facebook, "duplicate_page")
    since = int(datetime(2026, 10, 20, tzinfo=UTC).timestamp())
    first = posts(facebook, since=since, limit=100)
    second = facebook.follow(first["paging"]["next"])
    assert first["data"] == second["data"] != []
    assert "next" not in second["paging"]


def test_unmapped_field(facebook: Asking) -> None:
    plant(facebook, "unmapped_field", name="page_loud_views")
    entries = facebook.json(f"{GWENT}/insights", metric="page_media_view", breakdown="is_from_ads")["data"]
    assert [entry["name"] for entry in entries] == ["page_media_view", "page_loud_views"]
    post = posts(facebook)["data"][0]["id"]
    plant(facebook, "unmapped_field", object_type="post")
    entries = facebook.json(f"{post}/insights", metric="post_media_view")["data"]
    assert [entry["name"] for entry in entries] == ["post_media_view", "post_media_view_new"]


def test_metric_retired_fails_the_whole_request(facebook: Asking) -> None:
    plant(facebook, "metric_retired", metric="page_follows")
    assert facebook.error(f"{GWENT}/insights", metric="page_media_view,page_follows") == (100, None)
    assert facebook.json(f"{GWENT}/insights", metric="page_media_view")["data"][0]["name"] == "page_media_view"


def test_too_few_viewers(facebook: Asking) -> None:
    post = posts(facebook)["data"][0]["id"]
    plant(facebook, "too_few_viewers")
    assert facebook.error(f"{post}/insights", metric="post_total_media_view_unique") == (200, 1504029)
    assert facebook.json(f"{post}/insights", metric="post_media_view")["data"][0]["values"]


def test_wrong_defects_are_refused(facebook: Asking) -> None:
    with pytest.raises(ValueError, match="unknown kind of defect 'gremlins'"):
        Defect("gremlins", "gwent", TODAY, TODAY)
    with pytest.raises(ValueError, match=r"ends .* before it begins"):
        Defect("throttle", "gwent", TODAY, TODAY - timedelta(days=1))
    with pytest.raises(ValueError, match="hidden_likes is no defect of 'x', but of instagram, youtube"):
        Defect("hidden_likes", "gwent", TODAY, TODAY, platform="x")
    with pytest.raises(ValueError, match="unknown endpoint 'posts'"):
        Defect("throttle", "gwent", TODAY, TODAY, {"endpoint": "posts"})
    with pytest.raises(SimulatorFailed, match="has no offset"):
        facebook.simulator.set_clock(datetime(2026, 11, 2))  # noqa: DTZ001  (the point of the test)


def test_defects_survive_json() -> None:
    assert KINDS.keys() == KIND_PLATFORMS.keys()
    for kind, platform in ((name, where) for name, places in KIND_PLATFORMS.items() for where in places):
        detail = {"count": 2, "endpoint": "snapshot", "metric": "page_follows"}
        defect = Defect(kind, "gwent", TODAY, TODAY, detail, platform)
        assert Defect.from_json(json.loads(json.dumps(defect.to_json()))) == defect


def test_default_defects_are_where_they_are_promised() -> None:
    planted = {defect.kind: defect for defect in DEFAULT_DEFECTS(TODAY)}
    followers, token = planted["followers_not_reported"], planted["token_expired"]
    assert (followers.force_id, followers.first_date, followers.last_date) == ("gwent", date(2026, 10, 1), date(2026, 10, 31))
    assert (token.force_id, token.first_date, token.last_date) == ("dyfed-powys", date(2026, 9, 7), date(2026, 9, 7))
    weekly = {TODAY - timedelta(weeks=week) for week in range(14)}
    assert all(planted[kind].first_date in weekly for kind in ("throttle", "duplicate_page"))


def test_losses_name_what_no_retry_brings() -> None:
    def lost(kind: str, **detail: Any) -> tuple[bool, bool, bool, bool]:
        found = losses([Defect(kind, "gwent", TODAY, TODAY, detail)], "gwent", TODAY)
        return found.snapshot, found.posts, found.post_insights, found.page_insights

    assert lost("token_expired") == (True, True, True, True)
    assert lost("throttle") == lost("server_error") == lost("duplicate_page") == (False, False, False, False)
    assert lost("throttle", count=None) == (True, True, True, True)
    assert lost("posts_permission_lost") == lost("html_page") == (False, True, True, False)
    assert lost("insights_permission_lost") == (False, False, True, True)
    assert lost("truncated_page", endpoint="snapshot") == lost("text_number") == (True, False, False, False)
    assert losses([Defect("token_expired", "kent", TODAY, TODAY)], "gwent", TODAY).posts is False


def test_a_removed_post_is_the_same_for_all_that_ask_and_back_after_its_last_date() -> None:
    register = read_register(only_forces=("gwent",))
    for platform in SOCIAL:
        world = PLATFORMS[platform].world(SEED, register)
        account = next(iter(world.accounts.values()))
        defect = Defect("removed_post", "gwent", TODAY, TODAY, {"age_days": 16}, platform)
        post = removed_post(world, account, defect)
        assert post is not None
        assert post.is_original
        book = DefectBook([defect])
        assert removed_ids(book, world, account, TODAY) == {post.post_id}
        assert removed_ids(book, world, account, TODAY + timedelta(days=1)) == set()
