"""How a landed page of Instagram becomes rows, and, by another way, how many records it holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from extractors import meta_rows
from extractors.base import Drop, Gap, Page, Row
from extractors.json_paths import Paths
from extractors.page_rows import observation, subjects_of
from extractors.post_window import is_before_window

COUNTS = ("like_count", "comments_count")
"""Public counts that come with the list of media, kept beside the organic ones of the insights."""

ABSENT_IS_HIDDEN = frozenset({"like_count"})
"""By contract absent where the owner hides it: neither a 0 nor a hole, the insights have the number."""

AD = "AD"
"""`media_product_type` of an advertisement: neither landed nor asked for."""

KINDS_OF_PRODUCT = {"REELS": "reel", "STORY": "story"}
PRODUCTS_OF_THE_FEED = (None, "FEED")
KINDS_OF_MEDIA = {"IMAGE": "original", "CAROUSEL_ALBUM": "original", "VIDEO": "video"}

EMPTY = ("not_reported", "answer 200 with an empty list: Instagram has no number for it yet, or no more")
"""What insights without any number mean on Instagram."""

USERNAME = re.compile(r"[A-Za-z0-9._]{1,30}")


def without_ads(body: Any) -> Any:
    """The answer without media that are advertisements; `_left_out` says how many they were."""
    items = body.get("data") if isinstance(body, dict) else None
    if isinstance(items, list):
        kept = [item for item in items if not is_ad(item)]
        if len(kept) < len(items):
            body["data"], body["_left_out"] = kept, {"ads": len(items) - len(kept)}
    return body


def is_ad(item: Any) -> bool:
    return isinstance(item, dict) and item.get("media_product_type") == AD


def parse(page: Page) -> Iterator[Row | Drop | Gap]:
    """Rows of kind account, post and observation. Values pass as they came; a hole is a Gap."""
    if "error" in page.context:
        return
    body = json.loads(page.body)
    subjects = subjects_of(page)
    if page.endpoint == "account":
        yield from meta_rows.account(page, body, _profile(body))
    elif page.endpoint == "media":
        yield from _media(page, body, [name for name in subjects if name != "posts"])
    elif page.endpoint == "account_insights":
        position = f"account_insights of {page.account_id}"
        yield from meta_rows.insights(page, "account", page.account_id, body, subjects, EMPTY, position)
    elif page.endpoint == "post_insights":
        yield from meta_rows.post_insights(page, body, EMPTY)


def _profile(body: Any) -> str | None:
    """The address of a profile: the answer has none."""
    name = body.get("username") if isinstance(body, dict) else None
    return f"https://www.instagram.com/{name}/" if isinstance(name, str) and USERNAME.fullmatch(name) else None


def _media(page: Page, body: Any, names: list[str]) -> Iterator[Row | Drop | Gap]:
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list):
        yield Gap(page.account_id, "posts", "not_reported", "the answer came without a list of media")
        return
    for number, item in enumerate(items, start=1):
        position = f"media of {page.account_id} page {page.context.get('page', '?')} item {number}"
        if not isinstance(item, dict):
            yield Row("post", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
            continue
        counts = {name: item.get(name) for name in COUNTS}
        if is_before_window(item.get("timestamp"), page.run_date):
            yield Drop("post", "outside_window", position)
            yield Drop("observation", "outside_window", position, sum(value is not None for value in counts.values()))
            continue
        post_id = item.get("id")
        values = {
            "post_id": post_id,
            "account_id": page.account_id,
            "published_at": item.get("timestamp"),
            "kind": _kind(item),
            "permalink": item.get("permalink"),
            "text": item.get("caption"),
        }
        yield Row("post", values, position)
        for name, value in counts.items():
            if value is not None:
                yield observation(page.account_id, "post", post_id, name, "lifetime", value, f"{position} field {name}")
            elif name in names and (name not in ABSENT_IS_HIDDEN or name in item):
                object_id = post_id if isinstance(post_id, str) else None
                yield Gap(page.account_id, name, "not_reported", "the item came without the count", object_id, "post")


def _kind(item: dict[str, Any]) -> Any:
    """What the media is. A type or product that is not known passes as it came: the suite names it."""
    product, media = item.get("media_product_type"), item.get("media_type")
    if product not in PRODUCTS_OF_THE_FEED:
        return KINDS_OF_PRODUCT.get(str(product), product)
    return KINDS_OF_MEDIA.get(str(media), media)


# --- the independent count ---

PATHS: dict[str, Paths] = {
    "account": {"account": ("$.id",), "observation": ()},
    "media": {"post": ("$.data[*]",), "observation": ("$.data[*].like_count", "$.data[*].comments_count")},
    **meta_rows.INSIGHT_PATHS,
}


def count(page: Page) -> Counter[str]:
    """Records of each kind in a page, by JSON paths."""
    return meta_rows.count(page, PATHS)
