"""What one run learns of one post, platform by platform: the project's metrics, None for what the run does not get."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.simulator.bluesky_world import BlueskyPost, BlueskyWorld
from include.simulator.defects import Losses
from include.simulator.insights import POST_METRICS
from include.simulator.instagram_insights import IMPRESSIONS_END, REPOSTS_BEGIN
from include.simulator.instagram_world import InstagramWorld, Media
from include.simulator.mastodon_world import MastodonWorld, Status
from include.simulator.register import Register
from include.simulator.threads_world import ThreadsPost, ThreadsWorld
from include.simulator.timeline import Timeline
from include.simulator.times import london_date
from include.simulator.uploads_world import FIGURES, WORLDS, UploadedPost
from include.simulator.world import Post, World
from include.simulator.x_world import XPost, XWorld
from include.simulator.youtube_world import Video, YouTubeWorld

INTERACTIONS: dict[str, tuple[str, ...]] = {
    "facebook": ("reactions", "comments", "shares"),
    "instagram": ("reactions", "comments", "shares", "reposts"),
    "x": ("reactions", "comments", "reposts", "quotes"),
    "linkedin": ("reactions", "comments", "shares"),
    "tiktok": ("reactions", "comments", "shares"),
    "nextdoor": ("reactions", "comments"),
    "whatsapp": ("reactions", "shares"),
    "bluesky": ("reactions", "comments", "reposts", "quotes"),
    "mastodon": ("reactions", "comments", "reposts"),
    "youtube": ("reactions", "comments"),
    "threads": ("reactions", "comments", "reposts", "quotes", "shares"),
}
"""What counts as an interaction: reactions, comments and sharing in every form. Saves are none."""

READ_METRICS = (
    *("reactions", "comments", "shares", "reposts", "quotes", "saves", "interactions"),
    *("views", "views_paid", "impressions_legacy", "reach_unique"),
)
FACEBOOK_INSIGHTS = {
    "views": ("post_media_view",),
    "views_paid": ("post_media_view",),
    "impressions_legacy": ("post_impressions_organic",),
    "reach_unique": ("post_total_media_view_unique", "post_impressions_unique"),
}

Reading = dict[str, Any]
"""By metric of READ_METRICS, and `reach_source_field`."""


def _reading(parts: Sequence[str], values: Mapping[str, Any]) -> Reading:
    """With the sum of the parts: a post with one of them missing has no interactions, not fewer."""
    reading: Reading = {**dict.fromkeys(READ_METRICS), "reach_source_field": None, **values}
    counts = [reading[part] for part in parts]
    return {**reading, "interactions": None if None in counts else sum(counts)}


def facebook_reading(post: Post, instant: int, lost: Losses, spoilt: frozenset[str]) -> Reading:
    """Counts come with the list, the rest with the insights of the clock's date."""
    counts = post.at(instant)
    known: Reading = {name: None if name in spoilt else getattr(counts, name) for name in ("reactions", "comments", "shares")}
    values = {
        "post_media_view": (counts.organic_views, counts.paid_views),
        "post_impressions_organic": (counts.organic_impressions, None),
        "post_total_media_view_unique": (counts.reach, None),
        "post_impressions_unique": (counts.reach_before_2026, None),
    }
    for metric, names in FACEBOOK_INSIGHTS.items():
        for name in names:
            is_refused = lost.post_insights or name in lost.metrics
            if not is_refused and POST_METRICS[name].is_valid(london_date(instant)):
                is_spoilt = name in spoilt and metric != "views_paid"
                known[metric] = None if is_spoilt else values[name][1 if metric == "views_paid" else 0]
                if metric == "reach_unique" and not is_spoilt:
                    known["reach_source_field"] = name
    return _reading(INTERACTIONS["facebook"], known)


def instagram_reading(post: Media, instant: int, lost: Losses, spoilt: frozenset[str]) -> Reading:
    """Everything comes with the insights: organic, and nothing in the first hours of a medium. Hidden likes are in them too."""
    counts = post.at(instant)
    is_out = lost.post_insights or instant - post.published_at < post.insights_delay

    def get(name: str) -> int | None:
        return None if is_out or name in spoilt or name in lost.metrics else getattr(counts, name)

    reach, has_reposts = get("reach"), london_date(instant) >= REPOSTS_BEGIN
    parts = INTERACTIONS["instagram"]
    return _reading(
        parts if has_reposts else parts[:-1],
        {
            "reactions": get("likes"),
            "comments": get("comments"),
            "shares": get("shares"),
            "reposts": get("reposts") if has_reposts else None,
            "saves": get("saved"),
            "views": get("views"),
            "impressions_legacy": get("impressions") if london_date(instant) < IMPRESSIONS_END else None,
            "reach_unique": reach,
            "reach_source_field": None if reach is None else "reach",
        },
    )


def x_reading(post: XPost, instant: int, lost: Losses, spoilt: frozenset[str]) -> Reading:
    """Everything is public and comes with the list. Views are not split into organic and paid."""
    counts = post.at(instant)

    def get(name: str, value: int) -> int | None:
        return None if name in spoilt else value

    return _reading(
        INTERACTIONS["x"],
        {
            "reactions": get("like_count", counts.likes),
            "comments": get("reply_count", counts.replies),
            "reposts": get("retweet_count", counts.retweets),
            "quotes": get("quote_count", counts.quotes),
            "saves": get("bookmark_count", counts.bookmarks),
            "views": get("impression_count", counts.impressions),
        },
    )


def uploaded_reading(platform: str) -> Callable[[UploadedPost, int, Losses, frozenset[str]], Reading]:
    """What somebody reads off the platform's dashboard."""

    def read(post: UploadedPost, instant: int, lost: Losses, spoilt: frozenset[str]) -> Reading:
        figures = post.at(instant)._asdict()
        known: Reading = {metric: figures[name] for name, metric in FIGURES[platform].items() if metric}
        source_field = "unique_viewers" if "reach_unique" in known else None
        return _reading(INTERACTIONS[platform], {**known, "reach_source_field": source_field})

    return read


def bluesky_reading(post: BlueskyPost, instant: int, lost: Losses, spoilt: frozenset[str]) -> Reading:
    """Everything is public and comes with the list. There are no views; a repost has no numbers of its own."""
    counts = post.at(instant)
    values = {
        "reactions": ("likeCount", counts.likes),
        "comments": ("replyCount", counts.replies),
        "reposts": ("repostCount", counts.reposts),
        "quotes": ("quoteCount", counts.quotes),
        "saves": ("bookmarkCount", counts.bookmarks),
    }
    return _reading(
        INTERACTIONS["bluesky"], {metric: None if name in spoilt else value for metric, (name, value) in values.items()}
    )


def mastodon_reading(post: Status, instant: int, lost: Losses, spoilt: frozenset[str]) -> Reading:
    """Everything is public and comes with the list. There are no views; quotes, which only newer servers count, are no part."""
    counts = post.at(instant)
    values = {
        "reactions": ("favourites_count", counts.favourites),
        "comments": ("replies_count", counts.replies),
        "reposts": ("reblogs_count", counts.reblogs),
    }
    known = {metric: None if name in spoilt else value for metric, (name, value) in values.items()}
    return _reading(INTERACTIONS["mastodon"], known)


def youtube_reading(post: Video, instant: int, lost: Losses, spoilt: frozenset[str]) -> Reading:
    """Everything is public and comes with the video. There are no shares, and views are not split into organic and paid."""
    counts, unknown = post.at(instant), spoilt | lost.hidden

    def get(name: str, value: int) -> int | None:
        return None if lost.post_insights or name in unknown else value

    return _reading(
        INTERACTIONS["youtube"],
        {
            "reactions": get("likeCount", counts.likes),
            "comments": get("commentCount", counts.comments),
            "views": get("viewCount", counts.views),
        },
    )


def threads_reading(post: ThreadsPost, instant: int, lost: Losses, spoilt: frozenset[str]) -> Reading:
    """Everything comes with the insights of the post; a repost has none. Views are not split into organic and paid."""
    counts = post.at(instant)
    is_out = lost.post_insights or not post.is_original

    def get(name: str) -> int | None:
        return None if is_out or name in spoilt or name in lost.metrics else getattr(counts, name)

    return _reading(
        INTERACTIONS["threads"],
        {
            "reactions": get("likes"),
            "comments": get("replies"),
            "reposts": get("reposts"),
            "quotes": get("quotes"),
            "shares": get("shares"),
            "views": get("views"),
        },
    )


@dataclass(frozen=True)
class SocialPlatform:
    """How the world of a platform is made, and how its posts are read."""

    name: str
    world: Callable[[int, Register], Timeline[Any]]
    read: Callable[[Any, int, Losses, frozenset[str]], Reading]
    has_views: bool = True


PLATFORMS: dict[str, SocialPlatform] = {
    platform.name: platform
    for platform in (
        SocialPlatform("facebook", World, facebook_reading),
        SocialPlatform("instagram", InstagramWorld, instagram_reading),
        SocialPlatform("x", XWorld, x_reading),
        *(SocialPlatform(name, world, uploaded_reading(name), "views" in FIGURES[name].values()) for name, world in WORLDS.items()),
        SocialPlatform("bluesky", BlueskyWorld, bluesky_reading, has_views=False),
        SocialPlatform("mastodon", MastodonWorld, mastodon_reading, has_views=False),
        SocialPlatform("youtube", YouTubeWorld, youtube_reading),
        SocialPlatform("threads", ThreadsWorld, threads_reading),
    )
}
