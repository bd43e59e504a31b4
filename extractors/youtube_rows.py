"""How a landed page of YouTube becomes rows, and, by another way, how many records it holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

from extractors.base import Drop, Gap, Page, Row
from extractors.json_paths import Paths, count_by_paths, found_at
from extractors.page_rows import cut, defect, observation, other_account, subjects_of
from extractors.post_window import is_before_window, is_outside_window

HIDES_SUBSCRIBERS = "hiddenSubscriberCount"
"""A flag among the statistics of a channel, and no number."""

NOT_MISSED = {"account": frozenset({"commentCount"}), "post": frozenset({"favoriteCount"})}
"""Left over from older days and always 0: kept where they come, no hole where they do not."""

NO_LANGUAGE = frozenset({"und", "zxx"})
NUMERALS = re.compile(r"[0-9]{1,15}")
HANDLE = re.compile(r"@[\w.·-]{3,30}")
REMOVED = ("post_removed", "YouTube lists the video without a date or not at all: deleted, or no longer public")


def items_of(body: Any) -> list[dict[str, Any]]:
    """The items of an answer that are objects. YouTube leaves the list out where it is empty."""
    return [item for item in all_items(body) if isinstance(item, dict)]


def all_items(body: Any) -> list[Any]:
    """Whatever stands in the list."""
    items = body.get("items") if isinstance(body, dict) else None
    return items if isinstance(items, list) else []


def part(item: Any, *names: str) -> Any:
    """A member below an item; None where a step of the way is missing."""
    for name in names:
        item = item.get(name) if isinstance(item, dict) else None
    return item


def listed(channel: dict[str, Any]) -> str | None:
    """The id of a channel's list of uploads."""
    found = part(channel, "contentDetails", "relatedPlaylists", "uploads")
    return found if isinstance(found, str) and found else None


def has_no_video(body: Any, channel_id: str) -> bool:
    """Whether a channel says of itself that it has no public video."""
    return any(item.get("id") == channel_id and number(part(item, "statistics", "videoCount")) == 0 for item in items_of(body))


def lacks_its_list(body: Any) -> bool:
    """Whether an answer has no list, and does not say either that there is nothing to list."""
    items = body.get("items") if isinstance(body, dict) else None
    return not isinstance(items, list) and part(body, "pageInfo", "totalResults") != 0


def is_of_the_window(item: Any, run_date: date) -> Iterator[tuple[str, bool]]:
    """Id of a dated item of the list of uploads, and whether it is young enough. Nothing of one without a date or an id."""
    video_id, published = part(item, "contentDetails", "videoId"), part(item, "contentDetails", "videoPublishedAt")
    # text, so that the count by paths says the same
    if video_id is not None and published is not None:
        yield str(video_id), not is_before_window(published, run_date)


def number(value: Any) -> Any:
    """A count, which YouTube writes as text. What is no plain numeral passes as it came: the suite names it."""
    return int(value) if isinstance(value, str) and NUMERALS.fullmatch(value) else value


def parse(page: Page) -> Iterator[Row | Drop | Gap]:
    """Rows of kind account, post and observation. A hole is a Gap."""
    if "error" in page.context:
        return
    body = json.loads(page.body)
    if page.endpoint == "channels":
        yield from _channels(page, body)
    elif page.endpoint == "playlistItems":
        yield from _uploads(page, body)
    elif page.endpoint == "videos":
        yield from _videos(page, body)


def _channels(page: Page, body: Any) -> Iterator[Row | Gap]:
    answered: set[str] = set()
    hides = False
    for place, item in enumerate(all_items(body), start=1):
        position = f"channels item {place}"
        if not isinstance(item, dict):
            yield Row("account", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
            continue
        account_id, handle = item.get("id"), part(item, "snippet", "customUrl")
        is_handle = isinstance(handle, str) and HANDLE.fullmatch(handle) is not None
        named = {
            "handle": handle.removeprefix("@") if isinstance(handle, str) and handle else account_id,
            "display_name": part(item, "snippet", "title"),
            # a channel from before there were handles goes by its id
            "url": f"https://www.youtube.com/{handle if is_handle else f'channel/{cut(account_id)}'}",
        }
        wrong = other_account(page, account_id)
        yield Row("account", {"account_id": account_id, **named, **wrong}, position)
        statistics = part(item, "statistics")
        for name, value in _statistics(statistics).items():
            yield observation(account_id, "account", account_id, name, "snapshot", value, f"{position} statistics {name}", **wrong)
            if account_id == page.account_id:
                answered.add(name)
        hides = hides or (account_id == page.account_id and part(statistics, HIDES_SUBSCRIBERS) is True)
    for name in subjects_of(page):
        if name not in answered and name not in NOT_MISSED["account"] and name != "posts":
            why = "the channel hides its subscribers" if hides and name == "subscriberCount" else "the answer came without it"
            yield Gap(page.account_id, name, "not_reported", why, None, "account")


def _statistics(found: Any) -> dict[str, Any]:
    """By YouTube's names. A number that is null was not reported, nor was the count of subscribers that are hidden."""
    if not isinstance(found, dict):
        return {}
    hidden = {HIDES_SUBSCRIBERS} | ({"subscriberCount"} if found.get(HIDES_SUBSCRIBERS) is True else set())
    return {str(name): number(value) for name, value in found.items() if value is not None and name not in hidden}


def _uploads(page: Page, body: Any) -> Iterator[Row | Drop | Gap]:
    """The list itself brings no rows: videos do. What it lists without a date is not public, and left out by a typed drop."""
    items = all_items(body)
    if lacks_its_list(body):
        yield Gap(page.account_id, "posts", "not_reported", "the answer came without a list of uploads")
    elif not items and page.context.get("page") == "1" and "nextPageToken" not in body and part(body, "pageInfo", "totalResults"):
        yield Gap(page.account_id, "posts", "not_reported", "the list of uploads is empty, and says that it is not")
    dated = [bool(list(is_of_the_window(item, page.run_date))) for item in items]
    younger = [any(is_in for _, is_in in is_of_the_window(item, page.run_date)) for item in items]
    last_young = max((place for place, is_in in enumerate(younger) if is_in), default=-1)
    for place, item in enumerate(items):
        if dated[place]:
            continue
        yield Drop("post", "outside_window", f"uploads of {page.account_id} page {page.context.get('page', '?')} item {place + 1}")
        video_id = part(item, "contentDetails", "videoId")
        if place < last_young and isinstance(video_id, str):
            yield from _removed(page, video_id, [name for name in page.context.get("numbers", "").split(",") if name])


def _removed(page: Page, video_id: str, names: list[str]) -> Iterator[Gap]:
    """Of a video that was known this is why it has no number any more; of one that never was, nothing follows from it."""
    for name in names:
        if name not in NOT_MISSED["post"]:
            yield Gap(page.account_id, name, *REMOVED, video_id, "post")


def _videos(page: Page, body: Any) -> Iterator[Row | Drop | Gap]:
    if lacks_its_list(body):
        yield Gap(page.account_id, "posts", "not_reported", "the answer came without a list of videos")
        return
    asked = [one for one in page.context.get("ids", "").split(",") if one]
    found: set[Any] = set()
    for place, item in enumerate(all_items(body), start=1):
        position = f"videos of {page.account_id} item {place}"
        if not isinstance(item, dict):
            yield Row("post", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
            continue
        found.add(item.get("id"))
        yield from _video(page, item, asked, position)
    for video_id in asked:
        if video_id not in found:  # silently dropped
            yield from _removed(page, video_id, subjects_of(page))


def _video(page: Page, item: dict[str, Any], asked: list[str], position: str) -> Iterator[Row | Drop | Gap]:
    video_id, published = item.get("id"), part(item, "snippet", "publishedAt")
    numbers = _statistics(part(item, "statistics"))
    if part(item, "snippet", "liveBroadcastContent") == "upcoming" or is_outside_window(published, page):
        yield Drop("post", "outside_window", position)
        yield Drop("observation", "outside_window", position, len(numbers))
        return
    account_id = part(item, "snippet", "channelId") or page.account_id
    wrong = other_account(page, account_id)
    if video_id not in asked:
        wrong = defect("other_object", f"the answer has the video {cut(video_id)}, which was not asked for")
    language = part(item, "snippet", "defaultAudioLanguage") or part(item, "snippet", "defaultLanguage")
    values = {
        "post_id": video_id,
        "account_id": account_id,
        "published_at": published,
        "kind": "video",
        "permalink": f"https://www.youtube.com/watch?v={video_id}" if isinstance(video_id, str) else None,
        "text": part(item, "snippet", "title"),
        "language": None if language in NO_LANGUAGE else language,
        **wrong,
    }
    yield Row("post", values, position)
    for name, value in numbers.items():
        yield observation(account_id, "post", video_id, name, "lifetime", value, f"{position} statistics {name}", **wrong)
    for name in subjects_of(page):
        if name not in numbers and name not in NOT_MISSED["post"] and isinstance(video_id, str):
            why = {"likeCount": "; its likes are hidden", "commentCount": "; its comments are switched off"}.get(name, "")
            yield Gap(page.account_id, name, "not_reported", f"the video came without the count{why}", video_id, "post")


# --- the independent count ---

PATHS: dict[str, Paths] = {
    "channels": {"account": ("$.items[*]",), "observation": ("$.items[*].statistics.*",)},
    "playlistItems": {"post": ("$.items[*]",), "observation": ()},
    "videos": {"post": ("$.items[*]",), "observation": ("$.items[*].statistics.*",)},
}
NOT_AMONG_THEM: dict[str, tuple[tuple[str, str], ...]] = {
    "channels": (
        ("observation", "$.items[*].statistics.hiddenSubscriberCount"),
        ("observation", "$.items[?@.statistics.hiddenSubscriberCount == true].statistics.subscriberCount"),
    ),
    # of the list of uploads only what has no date is a record, and dropped: the others are those of `videos`
    "playlistItems": (
        (
            "post",
            "$.items[?@.contentDetails.videoPublishedAt && @.contentDetails.videoPublishedAt != null].contentDetails.videoId",
        ),
    ),
}


def count(page: Page) -> Counter[str]:
    """Records of each kind in a page, by JSON paths. Of the list of uploads, what it holds without a date."""
    body = json.loads(page.body)
    found = count_by_paths(body, PATHS[page.endpoint])
    for kind, path in NOT_AMONG_THEM.get(page.endpoint, ()):
        found[kind] -= sum(value is not None for value in found_at(path, body))
    return found
