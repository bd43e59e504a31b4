"""Bodies of Meta's Graph API as the contract shows them, and the checks that every test of Facebook shares."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

from extractors.base import (
    Drop,
    Page,
    Row,
    Source,
    SourceField,
)
from extractors.facebook import FacebookPages
from tests.extractors.loopback import Reply

RUN_DATE = date(2026, 11, 2)
OBSERVED = datetime(2026, 11, 2, 21, 0, 4, tzinfo=UTC)
PAGE_ID = "19292868552"
FACEBOOK = FacebookPages()

FIELDS = (
    SourceField("account", "followers_count", "snapshot", None),
    SourceField("account", "fan_count", "snapshot", None),
    SourceField("account", "page_follows", "day", None),
    SourceField("account", "page_media_view", "day", "is_from_ads"),
    SourceField("account", "page_total_media_view_unique", "day", None),
    SourceField("post", "reactions.summary.total_count", "lifetime", None),
    SourceField("post", "comments.summary.total_count", "lifetime", None),
    SourceField("post", "shares.count", "lifetime", None),
    SourceField("post", "post_media_view", "lifetime", "is_from_ads"),
    SourceField("post", "post_total_media_view_unique", "lifetime", None),
)

SNAPSHOT = {
    "id": PAGE_ID,
    "name": "Airbyte",
    "username": "AirbyteHQ",
    "link": f"https://www.facebook.com/{PAGE_ID}",
    "fan_count": 270,
    "followers_count": 320,
}

RETIRED = Reply(
    {"error": {"message": "(#100) The value must be a valid insights metric", "type": "OAuthException", "code": 100}}, 400
)
TOO_FEW = Reply(
    {"error": {"message": "(#200) Too few people", "type": "OAuthException", "code": 200, "error_subcode": 1504029}}, 400
)
EXPIRED = Reply(
    {"error": {"message": "Error validating access token: Session has expired", "code": 190, "error_subcode": 463}}, 401
)


def post_item(number: int, created: str = "2026-10-30T19:09:52+0000", **more: Any) -> dict[str, Any]:
    return {
        "id": f"{PAGE_ID}_{number}",
        "created_time": created,
        "message": "Singaporean logistics company …",
        "permalink_url": f"https://www.facebook.com/{PAGE_ID}/posts/{number}/",
        "status_type": "added_photos",
        "shares": {"count": 10},
        "comments": {"data": [], "summary": {"order": "chronological", "total_count": 13, "can_comment": True}},
        "reactions": {"data": [], "summary": {"total_count": 125, "viewer_reaction": "NONE"}},
    } | more


def page(endpoint: str, body: Any, subjects: str = "", **context: str) -> Page:
    from extractors.redaction import dump, redact

    return Page(endpoint, PAGE_ID, "GET /", 200, OBSERVED, dump(redact(body)), True, RUN_DATE, {"subjects": subjects, **context})


def rows_of(parsed: list[Any], kind: str) -> list[dict[str, Any]]:
    return [dict(item.values) for item in parsed if isinstance(item, Row) and item.kind == kind]


def parse(landed: Page, source: Source = FACEBOOK) -> list[Any]:
    """Parse, and check the law of conservation on the way."""
    parsed = list(source.parse(landed))
    left: Counter[str] = Counter()
    for item in parsed:
        if isinstance(item, Row):
            left[item.kind] += item.values.get("origin") != "absent_is_zero"
        elif isinstance(item, Drop):
            left[item.kind] += item.count
    assert +left == +source.count(landed), "what the page holds, counted by JSON paths"
    return parsed
