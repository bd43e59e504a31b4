"""The versions of a post on X: every edit gives a new id, and the post keeps its first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

SNOWFLAKE_EPOCH_MILLISECONDS = 1_288_834_974_657
SNOWFLAKE_SINCE = 30_000_000_000
"""Ids below this are older than the scheme by which an id tells its time."""

SAME_POST = timedelta(days=1)
"""An id tells when its version was made. Where neither the first nor the last is so near to the post's time, ids tell nothing."""


def history_of(item: dict[str, Any]) -> list[str]:
    """Ids of all versions of the post, oldest first."""
    ids = item.get("edit_history_tweet_ids", item.get("edit_history_post_ids"))
    return [one for one in ids if isinstance(one, str)] if isinstance(ids, list) else []


def times_of(created_at: Any, history: list[str]) -> tuple[Any, Any]:
    """When a post was published and, if it was, last edited. X tells one of the two; the ids of its versions tell both."""
    if len(history) < 2:
        return created_at, None
    try:
        created = datetime.fromisoformat(created_at)
        first, last = instant_of(history[0]), instant_of(history[-1])
        if first <= last and min(abs(created - first), abs(created - last)) <= SAME_POST:
            return first, last
    except (TypeError, ValueError, OverflowError):
        pass
    return created_at, created_at


def instant_of(post_id: str) -> datetime:
    """When a version was made, as its id tells it. Raises ValueError, OverflowError."""
    seconds = ((int(post_id) >> 22) + SNOWFLAKE_EPOCH_MILLISECONDS) // 1000
    return datetime.fromtimestamp(seconds, UTC)
