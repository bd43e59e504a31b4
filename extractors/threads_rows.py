"""How a landed page of Threads becomes rows, what of it is never landed, and, by another way, how many records it holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from extractors import meta_rows
from extractors.base import Drop, Gap, Page, Row
from extractors.json_paths import Paths
from extractors.page_rows import other_account, subjects_of
from extractors.post_window import is_before_window

REPOST = "REPOST_FACADE"
"""A post of somebody else that the account has passed on: no words and no numbers of its own."""

KINDS = {
    **dict.fromkeys(("TEXT_POST", "IMAGE", "CAROUSEL_ALBUM", "AUDIO"), "original"),
    "VIDEO": "video",
    REPOST: "repost",
}
OTHERS = ("reposted_post", "quoted_post", "replied_to", "root_post", "link_attachment_url")
"""Members that lead to somebody else's post."""

OF_OTHERS = ("text", "permalink", "shortcode", "media_url", "thumbnail_url", "gif_url", "alt_text", "children")
"""Members of a repost that are the other's."""

STOCKS = ("followers_count",)
"""Comes among the insights, and is of the time of asking, whatever span is asked for."""

EMPTY = ("not_reported", "answer 200 with an empty list: Threads has no number for it")
USERNAME = re.compile(r"[A-Za-z0-9._]{1,30}")


def is_repost(item: dict[str, Any]) -> bool:
    return item.get("media_type") == REPOST


def for_landing(body: Any) -> Any:
    """The answer without what leads to other people's posts, and without the words that a repost repeats."""
    items = body.get("data") if isinstance(body, dict) else None
    for item in [*(items if isinstance(items, list) else []), body]:
        if isinstance(item, dict):
            for name in (*OTHERS, *(OF_OTHERS if is_repost(item) else ())):
                item.pop(name, None)
    return body


def parse(page: Page) -> Iterator[Row | Drop | Gap]:
    """Rows of kind account, post and observation. Values pass as they came; a hole is a Gap."""
    if "error" in page.context:
        return
    body = json.loads(page.body)
    names = subjects_of(page)
    if page.endpoint == "account":
        yield from _account(page, body)
    elif page.endpoint == "threads":
        yield from _posts(page, body)
    elif page.endpoint == "account_insights":
        position = f"account_insights of {page.account_id}"
        yield from meta_rows.insights(page, "account", page.account_id, body, names, EMPTY, position, STOCKS)
    elif page.endpoint == "post_insights":
        post_id = page.context["ids"]
        yield from meta_rows.insights(page, "post", post_id, body, names, EMPTY, f"post_insights of {post_id}")


def _account(page: Page, body: Any) -> Iterator[Row | Gap]:
    if not isinstance(body, dict) or "id" not in body:
        for name in subjects_of(page):
            yield Gap(page.account_id, name, "not_reported", "the answer came without the account", None, "account")
        return
    username = body.get("username")
    is_name = isinstance(username, str) and USERNAME.fullmatch(username)
    values = {
        "account_id": body["id"],
        "handle": username,
        "display_name": body.get("name"),
        "url": f"https://www.threads.net/@{username}" if is_name else None,
    }
    yield Row("account", values | other_account(page, body["id"]), f"account {page.account_id}")


def _posts(page: Page, body: Any) -> Iterator[Row | Drop | Gap]:
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list):
        yield Gap(page.account_id, "posts", "not_reported", "the answer came without a list of posts")
        return
    for number, item in enumerate(items, start=1):
        position = f"threads of {page.account_id} page {page.context.get('page', '?')} item {number}"
        if not isinstance(item, dict):
            yield Row("post", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
            continue
        if is_before_window(item.get("timestamp"), page.run_date):
            yield Drop("post", "outside_window", position)
            continue
        media_type = item.get("media_type")
        values = {
            "post_id": item.get("id"),
            "account_id": page.account_id,
            "published_at": item.get("timestamp"),
            # a type that is not known passes as it came: the suite names it
            "kind": KINDS.get(str(media_type), media_type),
            "permalink": item.get("permalink"),
            "text": item.get("text"),
        }
        yield Row("post", values, position)


# --- the independent count ---

PATHS: dict[str, Paths] = {
    "account": {"account": ("$.id",)},
    "threads": {"post": ("$.data[*]",)},
    "account_insights": meta_rows.INSIGHT_PATHS["account_insights"],
    "post_insights": meta_rows.INSIGHT_PATHS["account_insights"],
}


def count(page: Page) -> Counter[str]:
    """Records of each kind in a page, by JSON paths."""
    return meta_rows.count(page, PATHS)
