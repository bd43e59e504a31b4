"""The YouTube Data API contract: shapes, paging, what is absent, units of the day, errors, defects."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests

from include.simulator.clock import Clock
from include.simulator.defects import Defect
from include.simulator.register import read_register
from include.simulator.service import Question
from include.simulator.youtube import YouTubeData
from include.simulator.youtube_world import YouTubeWorld, rounded
from tests.simulator.conftest import SEED, Asking, account_id

TODAY = date(2026, 11, 2)
GWENT, MET = account_id("youtube", "gwent"), account_id("youtube", "metropolitan")


def ask(youtube: Asking, endpoint: str, force: str | None = "gwent", **parameters: Any) -> requests.Response:
    return youtube.get(endpoint, force, version="youtube/v3", **parameters)


def good(youtube: Asking, endpoint: str, **parameters: Any) -> dict[str, Any]:
    answer = ask(youtube, endpoint, **parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def uploads(youtube: Asking, channel: str = GWENT, **parameters: Any) -> dict[str, Any]:
    asked = {"part": "contentDetails", "playlistId": f"UU{channel[2:]}", "maxResults": 50, **parameters}
    return good(youtube, "playlistItems", **asked)


def newest(youtube: Asking, count: int = 5) -> list[str]:
    return [item["contentDetails"]["videoId"] for item in uploads(youtube)["items"][:count]]


def videos(youtube: Asking, *ids: str) -> list[dict[str, Any]]:
    return good(youtube, "videos", part="snippet,statistics,contentDetails", id=",".join(ids))["items"]


def plant(youtube: Asking, kind: str, **detail: Any) -> None:
    youtube.simulator.plant([Defect(kind, "gwent", TODAY, TODAY, detail, "youtube")])


def reason(answer: requests.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["errors"][0]["reason"]


def test_a_channel_has_text_for_counts_and_three_figures_of_subscribers(youtube: Asking) -> None:
    body = good(youtube, "channels", part="id,snippet,statistics,contentDetails", id=f"{GWENT},{MET},UCnobody")
    assert body["kind"] == "youtube#channelListResponse"
    assert body["pageInfo"] == {"totalResults": 2, "resultsPerPage": 5}
    world = YouTubeWorld(SEED, read_register())
    for item in body["items"]:
        statistics = item["statistics"]
        assert statistics["hiddenSubscriberCount"] is False
        assert all(isinstance(statistics[name], str) for name in ("viewCount", "subscriberCount", "videoCount"))
        exact = world.followers(world.accounts[item["id"]], TODAY)
        assert re.fullmatch(r"[1-9]\d{0,2}0*", statistics["subscriberCount"])
        assert 0 <= exact - int(statistics["subscriberCount"]) < exact / 100
        assert item["contentDetails"]["relatedPlaylists"] == {"likes": "", "uploads": f"UU{item['id'][2:]}"}
    by_handle = good(youtube, "channels", part="id", forHandle="@sim.gwent")
    assert [item["id"] for item in by_handle["items"]] == [GWENT]


@pytest.mark.parametrize(("exact", "shown"), [(0, 0), (7, 7), (999, 999), (1000, 1000), (1009, 1000), (19_999, 19_900)])
def test_subscribers_are_rounded_down(exact: int, shown: int) -> None:
    assert rounded(exact) == shown


def test_no_match_has_no_list_at_all(youtube: Asking) -> None:
    body = good(youtube, "channels", part="id", id="UCnobody")
    assert body["pageInfo"]["totalResults"] == 0
    assert "items" not in body


def test_uploads_are_newest_first_and_end_without_a_token(youtube: Asking) -> None:
    whole = uploads(youtube)
    times = [datetime.fromisoformat(item["contentDetails"]["videoPublishedAt"]) for item in whole["items"]]
    assert times == sorted(times, reverse=True)
    assert times[0] <= datetime(2026, 11, 2, 21, tzinfo=UTC)
    first = uploads(youtube, maxResults=30)
    second = uploads(youtube, maxResults=20, pageToken=first["nextPageToken"])
    assert [*first["items"], *second["items"]] == whole["items"]
    forms = {item["contentDetails"]["videoPublishedAt"][19:] for item in whole["items"]}
    assert forms == {"Z", ".000Z"}
    youtube.simulator.set_clock(datetime(2015, 2, 1, 21, tzinfo=UTC))
    assert "nextPageToken" not in uploads(youtube)


def test_videos_have_counts_as_text_and_a_duration(youtube: Asking) -> None:
    ids = newest(youtube, 3)
    found = videos(youtube, *ids, "nosuchvideo")
    assert [item["id"] for item in found] == ids, "ids that it does not know are dropped without a word"
    for item in found:
        assert list(item["statistics"]) == ["viewCount", "likeCount", "commentCount", "favoriteCount"]
        assert all(value.isdecimal() for value in item["statistics"].values())
        assert re.fullmatch(r"PT(\d+M)?(\d+S)?", item["contentDetails"]["duration"])
        assert item["snippet"]["channelId"] == GWENT
    later = youtube.simulator
    later.set_clock(datetime(2026, 11, 9, 21, tzinfo=UTC))
    grown = videos(youtube, *ids)
    assert all(
        int(new["statistics"]["viewCount"]) > int(old["statistics"]["viewCount"]) for new, old in zip(grown, found, strict=True)
    )


def test_what_is_wrong_is_said_in_the_envelope(youtube: Asking) -> None:
    assert reason(ask(youtube, "channels", part="id", force=None, id=GWENT)) == (400, "badRequest")
    assert reason(ask(youtube, "channels", id=GWENT)) == (400, "missingRequiredParameter")
    assert reason(ask(youtube, "channels", part="id")) == (400, "missingRequiredParameter")
    assert reason(ask(youtube, "channels", part="insights", id=GWENT)) == (400, "unknownPart")
    assert reason(ask(youtube, "playlistItems", part="id", playlistId="UUnobody")) == (404, "playlistNotFound")
    assert reason(ask(youtube, "playlistItems", part="id", playlistId=f"UU{GWENT[2:]}", pageToken="?")) == (400, "invalidPageToken")
    assert reason(ask(youtube, "videos", part="id", id=",".join(["x"] * 51))) == (400, "invalidFilters")
    assert reason(ask(youtube, "search", part="id")) == (404, "notFound")


@pytest.mark.parametrize(
    ("kind", "detail", "expected"),
    [
        ("token_expired", {}, (400, "badRequest")),
        ("token_expired", {"form": "old"}, (400, "keyInvalid")),
        ("throttle", {}, (403, "rateLimitExceeded")),
        ("throttle", {"form": "user"}, (429, "userRateLimitExceeded")),
        ("throttle", {"form": "quota"}, (403, "quotaExceeded")),
        ("server_error", {}, (500, "backendError")),
    ],
)
def test_refusals(youtube: Asking, kind: str, detail: dict[str, Any], expected: tuple[int, str]) -> None:
    plant(youtube, kind, **detail)
    assert reason(ask(youtube, "channels", part="id", id=GWENT)) == expected
    assert ask(youtube, "channels", part="id", id=GWENT, force="kent").status_code == 200, "defects go by the force that asks"


def test_the_units_of_a_day_are_the_projects_and_new_at_midnight_pacific() -> None:
    """Without the network: it is many requests. Refused ones cost as much."""
    clock = Clock(datetime(2026, 11, 2, 21, tzinfo=UTC))
    service = YouTubeData(YouTubeWorld(SEED, read_register()), "secret", clock)
    good = [Question("/youtube/v3/channels", {"part": "id", "id": GWENT}, token) for token in service.holders]
    bad = Question("/youtube/v3/channels", {}, good[0].token)
    assert [service.answer(good[0]).status, *(service.answer(bad).status for _ in range(9_998))] == [200, *[400] * 9_998]
    assert service.answer(good[1]).status == 200
    used_up = service.answer(good[2])
    assert (used_up.status, used_up.body["error"]["errors"][0]["reason"]) == (403, "quotaExceeded")
    clock.set(datetime(2026, 11, 3, 7, 59, tzinfo=UTC))
    assert service.answer(good[0]).status == 403
    clock.set(datetime(2026, 11, 3, 8, 0, tzinfo=UTC))
    assert service.answer(good[0]).status == 200


def test_hidden_and_disabled_counts_are_absent(youtube: Asking) -> None:
    (one,) = newest(youtube, 1)
    for kind, name in (("hidden_likes", "likeCount"), ("comments_disabled", "commentCount")):
        plant(youtube, kind)
        assert name not in videos(youtube, one)[0]["statistics"]
    plant(youtube, "followers_not_reported")
    statistics = good(youtube, "channels", part="statistics", id=GWENT)["items"][0]["statistics"]
    assert statistics["hiddenSubscriberCount"] is True
    assert "subscriberCount" not in statistics


def test_a_removed_video_is_listed_without_a_date(youtube: Asking) -> None:
    before = uploads(youtube)["items"]
    plant(youtube, "removed_post")
    after = uploads(youtube, part="contentDetails,snippet")["items"]
    assert [item["contentDetails"]["videoId"] for item in after] == [item["contentDetails"]["videoId"] for item in before]
    (removed,) = [item for item in after if "videoPublishedAt" not in item["contentDetails"]]
    assert removed["snippet"]["title"] == "Private video"
    assert videos(youtube, removed["contentDetails"]["videoId"]) == []


def test_spoilt_counts_and_unknown_fields(youtube: Asking) -> None:
    first, second = newest(youtube, 2)
    plant(youtube, "text_number", field="viewCount")
    spoilt, whole = videos(youtube, first, second)
    assert re.fullmatch(r"\d+\.\dK", spoilt["statistics"]["viewCount"])
    assert whole["statistics"]["viewCount"].isdecimal()
    plant(youtube, "negative_count", field="likeCount")
    assert videos(youtube, first)[0]["statistics"]["likeCount"].startswith("-")
    plant(youtube, "unmapped_field", name="saveCount")
    assert "saveCount" in videos(youtube, first)[0]["statistics"]
    plant(youtube, "text_number")
    assert good(youtube, "channels", part="statistics", id=GWENT)["items"][0]["statistics"]["subscriberCount"].endswith("K")


def test_planted_videos_and_a_page_twice(youtube: Asking) -> None:
    for kind in ("future_date", "unknown_account_post"):
        plant(youtube, kind)
        (one,) = newest(youtube, 1)
        snippet = videos(youtube, one)[0]["snippet"]
        assert snippet["publishedAt"].startswith("2099") if kind == "future_date" else snippet["channelId"] != GWENT
    plant(youtube, "duplicate_page")
    first = uploads(youtube, maxResults=5)
    again = uploads(youtube, maxResults=5, pageToken=first["nextPageToken"])
    assert again["items"] == first["items"]
    assert again["nextPageToken"] != first["nextPageToken"]
