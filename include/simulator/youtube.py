"""The YouTube Data API v3 contract: channels, lists of uploads and videos, as of the clock, with the defects that are due."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from include.simulator.clock import Clock
from include.simulator.defects import Defect, removed_ids
from include.simulator.register import Account
from include.simulator.service import Answer, Question, Service, html_page
from include.simulator.times import from_instant, london_midnight, pacific_date
from include.simulator.youtube_problems import Problem, bad_key, no_such_list, refused, throttled, used_up
from include.simulator.youtube_world import Video, VideoCounts, YouTubeWorld

UNITS_PER_DAY = 10_000
"""Of the project: every force's key is one of the same project. A request costs one, a refused one too."""

STRANGER = "UCsimulated_stranger_00"
IN_2099 = 4_077_475_200
MOST_IDS = 50
ENDPOINTS = {"channels": "snapshot", "playlistItems": "published_posts", "videos": "post_insights"}
PARTS = {
    "channels": {"id", "snippet", "statistics", "contentDetails", "status", "brandingSettings"},
    "playlistItems": {"id", "snippet", "contentDetails", "status"},
    "videos": {"id", "snippet", "statistics", "contentDetails", "status"},
}


def written(instant: int, is_old: bool = False) -> str:
    """Two forms of time: newer recordings have seconds, older ones milliseconds."""
    return from_instant(instant).strftime("%Y-%m-%dT%H:%M:%S.000Z" if is_old else "%Y-%m-%dT%H:%M:%SZ")


def duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return "PT" + (f"{minutes}M" if minutes else "") + (f"{rest}S" if rest or not minutes else "")


def _token(skip: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"s": skip}).encode()).decode().rstrip("=")


def _skipped(query: Mapping[str, str]) -> int:
    text = query.get("pageToken")
    if text is None:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))["s"])
    except (ValueError, KeyError, TypeError):
        raise refused(400, "invalidPageToken", "The request specifies an invalid page token.") from None


class YouTubeData(Service):
    """Answers of the simulated API. Any force's key reads every channel; defects go by the force whose key asks."""

    platform = "youtube"

    def __init__(self, world: YouTubeWorld, secret: str, clock: Clock) -> None:
        super().__init__(secret, clock, world.register.forces)
        self.world = world
        self._units: Counter[date] = Counter()

    def plant(self, defects: Iterable[Defect]) -> None:
        super().plant(defects)
        self._units.clear()

    def answer(self, question: Question) -> Answer:
        parts, query = question.parts, question.query
        name = parts[2] if len(parts) == 3 and parts[:2] == ["youtube", "v3"] else ""
        endpoint = ENDPOINTS.get(name)
        self.by_endpoint[endpoint or "unknown"] += 1
        try:
            force_id = self.holders.get(question.token or "")
            if force_id is None:
                raise bad_key()
            self.by_force[force_id] += 1
            self._units[pacific_date(self.clock.instant)] += 1
            if self._units[pacific_date(self.clock.instant)] > UNITS_PER_DAY:
                raise used_up()
            if endpoint is None:
                raise refused(404, "notFound", "Not Found")
            self._refuse(force_id, endpoint)
            if self.due("html_page", force_id, endpoint):
                return html_page()
            asked = {one.strip() for one in query.get("part", "").split(",") if one.strip()}
            if not asked:
                raise refused(400, "missingRequiredParameter", "No filter selected. Expected one of: part")
            for unknown in sorted(asked - PARTS[name]):
                raise refused(400, "unknownPart", f"'{unknown}'")
            body = getattr(self, f"_{endpoint}")(force_id, query, asked)
        except Problem as problem:
            return Answer(problem.status, problem.body, problem.headers)
        is_cut = self.due("truncated_page", force_id, endpoint) is not None
        return Answer(200, body, is_cut=is_cut)

    def _refuse(self, force_id: str, endpoint: str) -> None:
        """Raises the problem of a defect that lets no request of this kind through."""
        expired = self.due("token_expired", force_id)
        if expired:
            raise bad_key(expired.detail.get("form", "2026"))
        throttle = self.due("throttle", force_id, endpoint)
        if throttle:
            raise throttled(throttle.detail.get("form", "rate"), 60 * throttle.detail.get("regain_minutes", 0))
        if self.due("server_error", force_id, endpoint):
            raise refused(500, "backendError", "Backend Error")
        if endpoint == "published_posts" and self.due("posts_permission_lost", force_id):
            raise refused(403, "playlistItemsNotAccessible", "The request is not properly authorized to retrieve the playlist.")

    def _answer(self, kind: str, items: list[dict[str, Any]], total: int, size: int, **more: str) -> dict[str, Any]:
        """Without a match there is no list at all."""
        head = {"kind": f"youtube#{kind}ListResponse", "etag": f"sim{total:x}", **more}
        body = {**head, "pageInfo": {"totalResults": total, "resultsPerPage": size}}
        return {**body, "items": items} if items or kind != "channel" else body

    # Channels

    def _snapshot(self, force_id: str, query: Mapping[str, str], asked: set[str]) -> dict[str, Any]:
        today = self.clock.today
        is_open = [account for account in self.world.accounts.values() if account.is_open(today)]
        if "id" in query:
            ids = query["id"].split(",")
            if len(ids) > MOST_IDS:
                raise refused(400, "invalidParameter", "Too many ids: at most 50")
            found = [account for account in is_open if account.account_id in ids]
        elif "forHandle" in query or "forUsername" in query:
            name = query.get("forHandle", query.get("forUsername", "")).removeprefix("@").casefold()
            found = [account for account in is_open if account.handle(today).casefold() == name]
        else:
            raise refused(400, "missingRequiredParameter", "No filter selected. Expected one of: id, forHandle, forUsername, mine")
        return self._answer("channel", [self._channel(force_id, each, asked) for each in found], len(found), 5)

    def _channel(self, force_id: str, account: Account, asked: set[str]) -> dict[str, Any]:
        today = self.clock.today
        videos = int((today - account.opened).days / 7 * self.world.posts_per_week(account))
        subscribers = self._count(force_id, "followers_count", self.world.shown_followers(account, today))
        statistics: dict[str, Any] = {"viewCount": str(900 * videos), "subscriberCount": subscribers}
        statistics |= {"hiddenSubscriberCount": False, "videoCount": str(videos)}
        if self.due("followers_not_reported", force_id):
            del statistics["subscriberCount"]
            statistics["hiddenSubscriberCount"] = True
        channel: dict[str, Any] = {"kind": "youtube#channel", "etag": "sim", "id": account.account_id}
        channel["snippet"] = {
            "title": account.name,
            "description": "Simulated. Not monitored 24/7.",
            "customUrl": f"@{account.handle(today)}",
            "publishedAt": written(london_midnight(account.opened)),
            "localized": {"title": account.name, "description": "Simulated. Not monitored 24/7."},
            "country": "GB",
        }
        channel["contentDetails"] = {"relatedPlaylists": {"likes": "", "uploads": "UU" + account.account_id[2:]}}
        channel["statistics"] = statistics
        return {name: value for name, value in channel.items() if name in asked | {"kind", "etag", "id"}}

    def _count(self, force_id: str, name: str, value: int) -> str:
        """All counts are text. `text_number` makes one that is no numeral."""
        found = self.spoilt(force_id, name, value)
        return f"{value / 1000:.1f}K" if isinstance(found, str) else str(found)

    # The list of uploads

    def _published_posts(self, force_id: str, query: Mapping[str, str], asked: set[str]) -> dict[str, Any]:
        account = self.world.accounts.get("UC" + query.get("playlistId", "")[2:])
        if account is None or not account.is_open(self.clock.today) or not query["playlistId"].startswith("UU"):
            raise no_such_list()
        text = query.get("maxResults", "5")
        if not (text.isascii() and text.isdigit()) or int(text) > MOST_IDS:
            raise refused(400, "invalidParameter", f"Invalid value '{text}'. Values must be within the range: [0, 50]")
        size, skip = int(text), _skipped(query)
        planted = self._planted(force_id, account) if skip == 0 else []
        shown: list[Video] = []
        has_more = False
        for place, video in enumerate(self.world.posts_backwards(account, 0, self.clock.instant)):
            if place < skip:
                continue
            if len(shown) == size - len(planted):
                has_more = True
                break
            shown.append(video)
        next_skip = skip + len(shown)
        if "pageToken" not in query and shown and self.due("duplicate_page", force_id):
            next_skip, has_more = 0, True
        removed = self._removed(force_id, account)
        items = [self._entry(account, video, asked, video.post_id in removed) for video in [*planted, *shown]]
        total = int((self.clock.today - account.opened).days / 7 * self.world.posts_per_week(account))
        return self._answer("playlistItem", items, total, size, **({"nextPageToken": _token(next_skip)} if has_more else {}))

    def _entry(self, account: Account, video: Video, asked: set[str], is_removed: bool) -> dict[str, Any]:
        """Whose video it is the list does not say, of a stranger's neither."""
        details: dict[str, Any] = {"videoId": video.post_id}
        if not is_removed:
            details["videoPublishedAt"] = written(video.published_at, video.has_old_date)
        entry: dict[str, Any] = {"kind": "youtube#playlistItem", "etag": "sim", "id": f"sim.{video.post_id}"}
        entry["snippet"] = {
            "publishedAt": written(video.published_at),
            "channelId": account.account_id,
            "title": "Private video" if is_removed else video.title,
            "description": "This video is private." if is_removed else (video.message or ""),
            "resourceId": {"kind": "youtube#video", "videoId": video.post_id},
        }
        entry["contentDetails"] = details
        return {name: value for name, value in entry.items() if name in asked | {"kind", "etag", "id"}}

    # Videos

    def _post_insights(self, force_id: str, query: Mapping[str, str], asked: set[str]) -> dict[str, Any]:
        if "id" not in query:
            raise refused(400, "missingRequiredParameter", "No filter selected. Expected one of: id, chart, myRating")
        ids = query["id"].split(",")
        if len(ids) > MOST_IDS:
            raise refused(400, "invalidFilters", "The request specifies an invalid filter parameter.")
        found = [video for one in ids if (video := self._video(force_id, one)) is not None]
        return self._answer("video", [self._item(force_id, video, asked) for video in found], len(found), len(found))

    def _video(self, force_id: str, post_id: str) -> Video | None:
        """None where it is not public: such ids are dropped without a word."""
        for account in self.world.accounts_of(force_id):
            planted = next((video for video in self._planted(force_id, account) if video.post_id == post_id), None)
            if planted:
                return planted
        video = self.world.post(post_id)
        owner = self.world.accounts[video.account_id] if video else None
        if video is None or owner is None or video.published_at > self.clock.instant or not owner.is_open(self.clock.today):
            return None
        return None if post_id in self._removed(force_id, owner) else video

    def _removed(self, force_id: str, account: Account) -> set[str]:
        return removed_ids(self.book, self.world, account, self.clock.today) if account.force_id == force_id else set()

    def _planted(self, force_id: str, account: Account) -> list[Video]:
        found = []
        for kind, owner in (("unknown_account_post", STRANGER), ("future_date", account.account_id)):
            if self.due(kind, force_id):
                published = IN_2099 if kind == "future_date" else self.clock.instant - 3600
                one = f"simplant_{len(kind):02d}"
                found.append(Video(one, owner, published, "other", "Planted.", 86_400.0, 30, False, VideoCounts(100, 3, 1)))
        return found

    def _item(self, force_id: str, video: Video, asked: set[str]) -> dict[str, Any]:
        account = self.world.accounts.get(video.account_id)
        is_spoilt = (
            self.has_spoilt_counts(force_id)
            and account is not None
            and video is self.world.newest_original(account, self.clock.instant)
        )
        counts = video.at(self.clock.instant)
        statistics: dict[str, str] = {}
        for name, value in (("viewCount", counts.views), ("likeCount", counts.likes), ("commentCount", counts.comments)):
            statistics[name] = self._count(force_id, name, value) if is_spoilt else str(value)
        if self.due("hidden_likes", force_id):
            del statistics["likeCount"]
        if self.due("comments_disabled", force_id):
            del statistics["commentCount"]
        statistics["favoriteCount"] = "0"
        for defect in self.book.all("unmapped_field", force_id, self.clock.today):
            statistics[defect.detail.get("name", "shareCount")] = statistics["viewCount"]
        published = written(video.published_at, video.has_old_date)
        item: dict[str, Any] = {"kind": "youtube#video", "etag": "sim", "id": video.post_id}
        item["snippet"] = {
            "publishedAt": published,
            "channelId": video.account_id,
            "title": video.title,
            "description": video.message or "",
            "thumbnails": {"default": {"url": "https://i.ytimg.com/vi/simulated/default.jpg", "width": 120, "height": 90}},
            "channelTitle": account.name if account else "Simulated stranger",
            "tags": ["police"],
            "categoryId": "25",
            "liveBroadcastContent": "none",
            "localized": {"title": video.title, "description": video.message or ""},
            "defaultAudioLanguage": "en-GB",
        }
        item["contentDetails"] = {"duration": duration(video.seconds), "dimension": "2d", "caption": "false"}
        item["statistics"] = statistics
        return {name: value for name, value in item.items() if name in asked | {"kind", "etag", "id"}}
