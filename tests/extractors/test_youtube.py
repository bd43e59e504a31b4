"""YouTube: what is asked, what its errors mean, and how its pages become rows, with the contract's examples. The server is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from extractors.base import (
    Access,
    Account,
    AccountClosed,
    Drop,
    Gap,
    Order,
    Outage,
    Page,
    PermissionMissing,
    Refused,
    Secret,
    SourceError,
    SourceField,
    Throttled,
    TokenExpired,
)
from extractors.http import HttpClient, Received
from extractors.redaction import dump, redact
from extractors.youtube import YouTubeChannels
from tests.extractors.facebook_examples import OBSERVED, RUN_DATE, parse, rows_of
from tests.extractors.loopback import Asked, Loopback, Reply, serving

YOUTUBE = YouTubeChannels()
CHANNEL, UPLOADS, VIDEO = "UC_x5XG1OV2P6uZZ5FSM9Ttw", "UU_x5XG1OV2P6uZZ5FSM9Ttw", "dQw4w9WgXcQ"
KEY = "AIzaPlantedPlantedPlantedPlantedPlanted"
OF_CHANNELS = ("subscriberCount", "viewCount", "videoCount")
OF_VIDEOS = ("viewCount", "likeCount", "commentCount")
FIELDS = (
    *(SourceField("account", name, "snapshot", None) for name in (*OF_CHANNELS, "commentCount")),
    *(SourceField("post", name, "lifetime", None) for name in (*OF_VIDEOS, "favoriteCount")),
)
CHANNELS = {
    "kind": "youtube#channelListResponse", "etag": "e", "pageInfo": {"totalResults": 1, "resultsPerPage": 5},
    "items": [{
        "kind": "youtube#channel", "etag": "e", "id": CHANNEL,
        "snippet": {"title": "Google for Developers", "customUrl": "@googledevelopers", "publishedAt": "2007-08-23T00:34:43Z"},
        "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": UPLOADS}},
        "statistics": {
            "viewCount": "160361638", "subscriberCount": "1927873", "hiddenSubscriberCount": False, "videoCount": "5026",
        },
    }],
}  # fmt: skip
NOBODY = {"kind": "youtube#channelListResponse", "etag": "e", "pageInfo": {"totalResults": 0, "resultsPerPage": 5}}
QUOTA = "you have exceeded your <a href=\"/youtube/v3/getting-started#quota\">quota</a>."  # fmt: skip


def entry(video_id: str = VIDEO, published: str | None = "2026-10-30T10:30:00Z") -> dict[str, Any]:
    """An item of the list of uploads."""
    return {"contentDetails": {"videoId": video_id, **({"videoPublishedAt": published} if published else {})}}


def video(video_id: str = VIDEO, published: str = "2026-10-30T10:30:00Z", **statistics: Any) -> dict[str, Any]:
    numbers = {"viewCount": "5432", "likeCount": "42", "favoriteCount": "0", "commentCount": "7"} | statistics
    return {
        "kind": "youtube#video",
        "id": video_id,
        "snippet": {
            "publishedAt": published, "channelId": CHANNEL, "title": "How our control room works", "description": "Long words.",
            "channelTitle": "Gwent Police", "tags": ["police"], "liveBroadcastContent": "none",
            "localized": {"title": "How", "description": "Long"}, "defaultAudioLanguage": "en-GB",
        },
        "contentDetails": {"duration": "PT4M13S"},
        "statistics": {name: value for name, value in numbers.items() if value is not None},
    }  # fmt: skip


def answer(kind: str, *items: Any, **more: Any) -> dict[str, Any]:
    total = {"totalResults": len(items), "resultsPerPage": 50}
    return {"kind": f"youtube#{kind}ListResponse", "etag": "e", **more, "pageInfo": total, "items": list(items)}


def refusal(code: int, reason: str, message: str = "No", **more: Any) -> Reply:
    errors = [{"reason": reason, "message": message}]
    return Reply({"error": {"code": code, "message": message, "errors": errors, **more}}, code)


def landed(endpoint: str, body: Any, subjects: tuple[str, ...] = (), **context: str) -> Page:
    text = dump(YOUTUBE.redact(redact(body, own_items=YOUTUBE.own_items)))
    about = {"subjects": ",".join(subjects), "object_type": "account" if endpoint == "channels" else "post", **context}
    return Page(endpoint, CHANNEL, "GET /", 200, OBSERVED, text, True, RUN_DATE, about)


def videos_of(*items: Any, ids: str = VIDEO, subjects: tuple[str, ...] = OF_VIDEOS) -> list[Any]:
    return parse(landed("videos", answer("video", *items), subjects, ids=ids), YOUTUBE)


class Api:
    """A small scripted API: answers by endpoint, each of which a test may replace."""

    def __init__(self, **replies: Callable[[Asked], Any]) -> None:
        self.replies = replies

    def __call__(self, asked: Asked) -> Any:
        name = asked.path.rpartition("/")[2]
        return self.replies.get(name, getattr(self, name))(asked)

    def channels(self, asked: Asked) -> Any:
        return CHANNELS

    def playlistItems(self, asked: Asked) -> Any:
        return answer("playlistItem", entry())

    def videos(self, asked: Asked) -> Any:
        return answer("video", *(video(one) for one in asked.query["id"].split(",")))


def fetch(
    script: Callable[[Asked], Any], tries: int = 2, channels: tuple[str, ...] = (CHANNEL,)
) -> tuple[list[Page | Gap], Loopback, list[float]]:
    order = Order("gwent", tuple(Account("youtube", each, "sim.gwent", "gwent") for each in channels), RUN_DATE, FIELDS)
    waits: list[float] = []
    with serving(script) as server:
        client = HttpClient(
            Access(server.base_url, Secret(KEY)),
            run_date=RUN_DATE,
            classify=YOUTUBE.classify,
            redact_more=YOUTUBE.redact,
            own_items=YOUTUBE.own_items,
            token_header=YOUTUBE.token_header,
            sleep=waits.append,
            tries=tries,
        )
        items = list(YOUTUBE.fetch(client, order))
        client.close()
    return items, server, waits


def gaps_of(items: list[Any]) -> list[tuple[str, str, str | None]]:
    return [(item.subject, item.cause, item.object_id) for item in items if isinstance(item, Gap)]


def numbers_of(parsed: list[Any]) -> dict[str, Any]:
    return {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")}


def test_all_is_asked_as_the_contract_has_it_and_the_key_stands_in_its_header_alone() -> None:
    items, server, _ = fetch(Api())
    assert gaps_of(items) == []
    assert [(one.path, one.query) for one in server.asked] == [
        ("/youtube/v3/channels", {"part": "id,snippet,statistics,contentDetails", "id": CHANNEL}),
        ("/youtube/v3/playlistItems", {"part": "contentDetails", "playlistId": UPLOADS, "maxResults": "50"}),
        ("/youtube/v3/videos", {"part": "snippet,statistics,contentDetails", "id": VIDEO}),
    ]
    assert {one.headers["x-goog-api-key"] for one in server.asked} == {KEY}
    assert all("authorization" not in one.headers for one in server.asked)
    assert KEY not in "".join(page.request + page.body for page in items if isinstance(page, Page))


def test_a_key_that_an_answer_quotes_is_not_landed() -> None:
    other = "AIzaSyA" + "b" * 32
    items, _, _ = fetch(Api(channels=lambda _: refusal(400, "badRequest", f"API key {KEY} or {other} not valid.")))
    told = "".join(item.body if isinstance(item, Page) else item.detail for item in items)
    assert "not valid" in told
    assert KEY not in told
    assert other not in told


def test_the_list_of_uploads_is_left_where_it_is_older_than_the_window() -> None:
    pages = {
        None: answer("playlistItem", *(entry(f"video-a-{n:03d}") for n in range(50)), nextPageToken="b"),
        "b": answer("playlistItem", *(entry(f"video-b-{n:03d}") for n in range(3)), entry(published=None),
                    entry("older______", "2019-11-21T22:17:43.000Z"), nextPageToken="c"),
    }  # fmt: skip
    items, server, _ = fetch(Api(playlistItems=lambda asked: pages[asked.query.get("pageToken")]))
    assert gaps_of(items) == []
    assert [one.query.get("pageToken") for one in server.asked if one.path.endswith("playlistItems")] == [None, "b"]
    batches = [one.query["id"].split(",") for one in server.asked if one.path.endswith("videos")]
    assert [len(batch) for batch in batches] == [50, 3], "up to 50 ids a call, none of them older"


def test_paging_in_a_circle_ends_with_a_gap_and_keeps_what_was_listed() -> None:
    items, server, _ = fetch(Api(playlistItems=lambda _: answer("playlistItem", entry(), nextPageToken="again")))
    assert gaps_of(items) == [("posts", "outage", None)]
    assert [one.path.rpartition("/")[2] for one in server.asked] == ["channels", *["playlistItems"] * 3, "videos"]


def test_a_channel_is_an_account_and_its_counts_are_numbers_though_they_come_as_text() -> None:
    parsed = parse(landed("channels", CHANNELS, OF_CHANNELS), YOUTUBE)
    url = "https://www.youtube.com/@googledevelopers"
    named = {"account_id": CHANNEL, "handle": "googledevelopers", "display_name": "Google for Developers", "url": url}
    assert rows_of(parsed, "account") == [named]
    assert numbers_of(parsed) == {"viewCount": 160361638, "subscriberCount": 1927873, "videoCount": 5026}
    assert {row["period"] for row in rows_of(parsed, "observation")} == {"snapshot"}
    assert gaps_of(parsed) == []


@pytest.mark.parametrize("shown", [{}, {"subscriberCount": "0"}])
def test_hidden_subscribers_are_a_gap_and_never_0(shown: dict[str, str]) -> None:
    statistics = {"viewCount": "10", "hiddenSubscriberCount": True, "videoCount": "2", **shown}
    body = {**CHANNELS, "items": [{**CHANNELS["items"][0], "statistics": statistics}]}  # type: ignore[index,dict-item]
    parsed = parse(landed("channels", body, OF_CHANNELS), YOUTUBE)
    assert numbers_of(parsed) == {"viewCount": 10, "videoCount": 2}
    (gap,) = [item for item in parsed if isinstance(item, Gap)]
    assert (gap.subject, gap.cause, gap.object_type) == ("subscriberCount", "not_reported", "account")
    assert "hides its subscribers" in gap.detail


@pytest.mark.parametrize("body", [NOBODY, {**NOBODY, "items": []}])
def test_an_answer_without_a_channel_means_that_there_is_none(body: dict[str, Any]) -> None:
    items, server, _ = fetch(Api(channels=lambda _: body))
    assert gaps_of(items) == [("*", "account_closed", None)]
    assert len(server.asked) == 1


def test_an_answer_about_another_channel_gives_no_number_to_this_one() -> None:
    body = {**CHANNELS, "items": [{**CHANNELS["items"][0], "id": "UCother"}]}  # type: ignore[index,dict-item]
    parsed = parse(landed("channels", body, OF_CHANNELS), YOUTUBE)
    assert [subject for subject, *_ in gaps_of(parsed)] == list(OF_CHANNELS)
    assert all("other_account" in row["_defect"] for row in rows_of(parsed, "observation"))


def test_a_video_is_a_post_with_its_numbers() -> None:
    parsed = videos_of(video())
    assert rows_of(parsed, "post") == [
        {
            "post_id": VIDEO,
            "account_id": CHANNEL,
            "published_at": "2026-10-30T10:30:00Z",
            "kind": "video",
            "permalink": f"https://www.youtube.com/watch?v={VIDEO}",
            "text": "How our control room works",
            "language": "en-GB",
        }
    ]
    assert numbers_of(parsed) == {"viewCount": 5432, "likeCount": 42, "favoriteCount": 0, "commentCount": 7}
    assert gaps_of(parsed) == []


def test_both_forms_of_time_and_a_live_stream_are_read() -> None:
    live = video("live_______", "2026-10-30T10:30:00.000Z")
    live["contentDetails"]["duration"], live["snippet"]["liveBroadcastContent"] = "P0D", "live"
    to_come = video("to_come____", "2026-11-02T20:00:00Z")
    to_come["snippet"]["liveBroadcastContent"] = "upcoming"
    parsed = videos_of(live, video(), to_come, ids=f"live_______,{VIDEO},to_come____")
    assert [row["post_id"] for row in rows_of(parsed, "post")] == ["live_______", VIDEO]
    dropped = [item for item in parsed if isinstance(item, Drop)]
    assert {(item.kind, item.reason, item.count) for item in dropped} == {
        ("post", "outside_window", 1), ("observation", "outside_window", 4),
    }  # fmt: skip
    assert dropped[0].position.endswith("item 3"), "a broadcast that is only announced is not published"


def test_hidden_likes_and_disabled_comments_are_gaps_of_that_video() -> None:
    parsed = videos_of(video(likeCount=None, commentCount=None, favoriteCount=None))
    assert numbers_of(parsed) == {"viewCount": 5432}
    assert gaps_of(parsed) == [("likeCount", "not_reported", VIDEO), ("commentCount", "not_reported", VIDEO)]
    details = [item.detail for item in parsed if isinstance(item, Gap)]
    assert "likes are hidden" in details[0]
    assert "switched off" in details[1]


@pytest.mark.parametrize("value", ["1.9K", "-5", "", "１２", "9" * 40, 5, None, True])
def test_what_is_no_plain_numeral_passes_as_it_came(value: Any) -> None:
    parsed = videos_of(video(viewCount=value))
    assert numbers_of(parsed).get("viewCount") == value


def test_videos_that_are_silently_dropped_are_gone_by_name() -> None:
    parsed = videos_of(video(), ids=f"{VIDEO},gone_______")
    assert gaps_of(parsed) == [(name, "post_removed", "gone_______") for name in OF_VIDEOS]


def test_a_listed_video_without_a_date_is_left_out_by_a_typed_drop() -> None:
    body = answer("playlistItem", entry(), entry("private____", None), entry("younger____"), entry("private_2__", None))
    parsed = parse(landed("playlistItems", body, ("posts",), numbers=",".join((*OF_VIDEOS, "favoriteCount"))), YOUTUBE)
    assert [(item.kind, item.reason) for item in parsed if isinstance(item, Drop)] == [("post", "outside_window")] * 2
    assert gaps_of(parsed) == [(name, "post_removed", "private____") for name in OF_VIDEOS]


def test_a_video_nobody_asked_for_goes_to_quarantine_by_name() -> None:
    parsed = videos_of(video("other______"), ids=VIDEO)
    assert all("other_object" in row["_defect"] for kind in ("post", "observation") for row in rows_of(parsed, kind))
    stranger = video()
    stranger["snippet"]["channelId"] = "UCstranger"
    assert "other_account" in rows_of(videos_of(stranger), "post")[0]["_defect"]


def test_words_of_nobody_else_are_landed() -> None:
    body = answer("video", {**video(), "topComment": {"authorDisplayName": "x", "text": "Jane Planted says"}})
    text = landed("videos", body).body
    assert "How our control room works" in text
    assert "Planted" not in text


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(403, "quotaExceeded", QUOTA), Throttled),
        (refusal(403, "rateLimitExceeded"), Throttled),
        (refusal(429, "userRateLimitExceeded"), Throttled),
        (refusal(429, "somethingNew", status="RESOURCE_EXHAUSTED"), Throttled),
        (refusal(400, "badRequest", "API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT"), TokenExpired),
        (Reply({"error": {"errors": [{"domain": "usageLimits", "reason": "keyInvalid", "message": "Bad Request"}], "code": 400,
                          "message": "Bad Request"}}, 400), TokenExpired),
        (refusal(403, "SERVICE_UNAVAILABLE", "The caller does not have permission", status="PERMISSION_DENIED"), PermissionMissing),
        (Reply({"error": "invalid_token", "error_description": "Invalid Value"}, 401), TokenExpired),
        (Reply({"error": "Unauthorized"}, 401), TokenExpired),
        (Reply({"message": "no credentials"}, 401), TokenExpired),
        (Reply({"error": "forbidden"}, 403), PermissionMissing),
        (Reply({"error": "quotaExceeded"}, 403), Throttled),
        (Reply({"error": "unavailable"}, 503), Outage),
        (refusal(404, "playlistNotFound"), Refused),
        (refusal(500, "backendError"), Outage),
        (refusal(400, "unknownPart"), Refused),
    ],
)  # fmt: skip
def test_errors_are_known_by_their_reasons(reply: Reply, error: type[SourceError]) -> None:
    problem = YOUTUBE.classify(Received(reply.status, {}, reply.body, OBSERVED))
    assert type(problem) is error or (error is Refused and isinstance(problem, Refused))
    assert "<" not in str(problem)


def test_a_known_channel_has_no_error() -> None:
    assert YOUTUBE.classify(Received(200, {}, CHANNELS, OBSERVED)) is None
    assert isinstance(YOUTUBE.classify(Received(200, {}, NOBODY, OBSERVED)), AccountClosed)
    assert YOUTUBE.classify(Received(502, {}, None, OBSERVED)) is None


@pytest.mark.parametrize(
    ("observed", "seconds"),
    [
        (datetime(2026, 11, 2, 21, tzinfo=UTC), 11 * 3600),  # 13:00 in winter
        (datetime(2026, 7, 2, 21, tzinfo=UTC), 10 * 3600),  # 14:00 in summer
        (datetime(2026, 11, 1, 8, 30, tzinfo=UTC), 23.5 * 3600),  # 01:30 on the day of 25 hours
        (datetime(2026, 3, 8, 8, 30, tzinfo=UTC), 22.5 * 3600),  # 00:30 on the day of 23 hours
    ],
)
def test_units_are_new_at_midnight_pacific(observed: datetime, seconds: float) -> None:
    problem = YOUTUBE.classify(Received(403, {}, refusal(403, "quotaExceeded", QUOTA).body, observed))
    assert isinstance(problem, Throttled)
    assert problem.reset_seconds == seconds


def test_a_used_up_quota_is_a_throttle_until_then_and_asks_nothing_more() -> None:
    items, server, waits = fetch(Api(playlistItems=lambda _: refusal(403, "quotaExceeded", QUOTA)), channels=(CHANNEL, "UCtwo"))
    assert gaps_of(items) == [("posts", "throttled", None), ("*", "throttled", None), ("*", "throttled", None)]
    assert [one.path.rpartition("/")[2] for one in server.asked] == ["channels", "playlistItems"]
    assert waits == [], "eleven hours are left to the next attempt of the task"


def test_a_list_that_is_refused_costs_the_videos_and_no_snapshot() -> None:
    for reply, cause in ((refusal(404, "playlistNotFound"), "not_reported"), (refusal(500, "backendError"), "outage")):
        items, _, _ = fetch(Api(playlistItems=lambda _, reply=reply: reply))
        assert gaps_of(items) == [("posts", cause, None)]
        assert [page.endpoint for page in items if isinstance(page, Page) and "error" not in page.context] == ["channels"]


def test_videos_that_cannot_be_had_leave_the_list_with_a_gap() -> None:
    items, _, _ = fetch(Api(videos=lambda _: refusal(500, "backendError")))
    assert gaps_of(items) == [("posts", "outage", None)]


def test_a_snapshot_that_cannot_be_had_costs_no_video() -> None:
    items, server, _ = fetch(Api(channels=lambda _: refusal(500, "backendError")))
    assert [subject for subject, *_ in gaps_of(items)] == [*OF_CHANNELS, "commentCount"]
    assert server.asked[-2].query["playlistId"] == UPLOADS
    assert json.loads(next(page.body for page in items if isinstance(page, Page) and page.endpoint == "videos"))["items"]


def test_an_empty_list_is_a_true_zero_only_beside_the_channels_own_numbers() -> None:
    empty = answer("playlistItem")
    assert gaps_of(fetch(Api(playlistItems=lambda _: empty))[0]) == []
    refused = fetch(Api(channels=lambda _: refusal(403, "forbidden"), playlistItems=lambda _: empty))[0]
    assert gaps_of(refused)[-1] == ("posts", "not_reported", None)


def test_a_channel_without_a_video_has_truly_none_and_is_asked_for_no_list() -> None:
    """YouTube answers 404 for the list of a channel that never uploaded."""
    statistics = {"viewCount": "0", "subscriberCount": "5", "hiddenSubscriberCount": False, "videoCount": "0"}
    body = {**CHANNELS, "items": [{**CHANNELS["items"][0], "statistics": statistics}]}  # type: ignore[index,dict-item]
    items, server, _ = fetch(Api(channels=lambda _: body, playlistItems=lambda _: refusal(404, "playlistNotFound")))
    (page,) = items
    assert isinstance(page, Page)
    assert page.context["subjects"].split(",")[-1] == "posts"
    assert gaps_of(parse(page, YOUTUBE)) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("total", "more", "is_gap"),
    [(7, {}, True), (0, {}, False), (7, {"page": "2"}, False), (7, {"token": "t"}, False)],
    ids=["says seven", "says none", "the end of a longer list", "goes on"],
)
def test_an_empty_list_that_says_it_is_not_empty_is_a_gap(total: int, more: dict[str, str], is_gap: bool) -> None:
    body = {"kind": "youtube#playlistItemListResponse", "items": [], "pageInfo": {"totalResults": total}}
    body |= {"nextPageToken": more["token"]} if "token" in more else {}
    page = landed("playlistItems", body, ("posts",), page=more.get("page", "1"))
    assert gaps_of(parse(page, YOUTUBE)) == ([("posts", "not_reported", None)] if is_gap else [])


@pytest.mark.parametrize("endpoint", ["playlistItems", "videos"])
def test_an_answer_without_its_list_is_a_gap_unless_it_says_that_there_is_nothing(endpoint: str) -> None:
    whole = {"kind": "youtube#x", "pageInfo": {"totalResults": 7, "resultsPerPage": 50}}
    assert gaps_of(parse(landed(endpoint, whole, OF_VIDEOS, ids=VIDEO), YOUTUBE)) == [("posts", "not_reported", None)]
    nothing = {**whole, "pageInfo": {"totalResults": 0}}
    removed = [(name, "post_removed", VIDEO) for name in OF_VIDEOS] if endpoint == "videos" else []
    assert gaps_of(parse(landed(endpoint, nothing, OF_VIDEOS, ids=VIDEO), YOUTUBE)) == removed
