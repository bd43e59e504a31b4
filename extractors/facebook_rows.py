"""How a landed page of Facebook becomes rows, and, by another way, how many records it holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from extractors import meta_rows
from extractors.base import Drop, Gap, Page, Row
from extractors.json_paths import Paths
from extractors.meta_rows import at_path
from extractors.page_rows import observation, other_account, subjects_of
from extractors.post_window import is_before_window

COUNTS = ("shares.count", "reactions.summary.total_count", "comments.summary.total_count")
"""Where the counts stand in an item of the list of posts; the path is the name of the field too."""

ABSENT_IS_ZERO = frozenset({"shares.count"})
"""By contract absent where it is 0."""

KINDS = {"shared_story": "repost", "added_video": "video"}

EMPTY = ("permission", "answer 200 with an empty list: as with a token without read_insights, or past the data access window")
"""What insights without any number mean on Facebook."""


def parse(page: Page) -> Iterator[Row | Drop | Gap]:
    """Rows of kind account, post and observation. Values pass as they came; a hole is a Gap."""
    if "error" in page.context:
        return
    body = json.loads(page.body)
    subjects = subjects_of(page)
    if page.endpoint == "account":
        yield from meta_rows.account(page, body, body.get("link") if isinstance(body, dict) else None)
    elif page.endpoint == "published_posts":
        yield from _posts(page, body, [name for name in subjects if name != "posts"])
    elif page.endpoint == "account_insights":
        position = f"account_insights of {page.account_id}"
        yield from meta_rows.insights(page, "account", page.account_id, body, subjects, EMPTY, position)
    elif page.endpoint == "post_insights":
        yield from meta_rows.post_insights(page, body, EMPTY)


def _posts(page: Page, body: Any, names: list[str]) -> Iterator[Row | Drop | Gap]:
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list):
        yield Gap(page.account_id, "posts", "not_reported", "the answer came without a list of posts")
        return
    for number, item in enumerate(items, start=1):
        position = f"published_posts of {page.account_id} page {page.context.get('page', '?')} item {number}"
        if not isinstance(item, dict):
            yield Row("post", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
            continue
        post_id = item.get("id")
        counts = {name: at_path(item, name) for name in COUNTS}
        if is_before_window(item.get("created_time"), page.run_date):
            yield Drop("post", "outside_window", position)
            yield Drop("observation", "outside_window", position, sum(value is not None for value in counts.values()))
            continue
        # the post says whose it is; where it says nothing readable, the suite names it as of no known account
        account_id = post_id.split("_")[0] if isinstance(post_id, str) else None
        wrong = other_account(page, account_id) if account_id is not None else {}
        kind = KINDS.get(str(item.get("status_type")), "original")
        values = {
            "post_id": post_id,
            "account_id": account_id,
            "published_at": item.get("created_time"),
            "kind": kind,
            "permalink": item.get("permalink_url"),
            "text": item.get("message") if kind == "original" else None,
            **wrong,
        }
        yield Row("post", values, position)
        for name, value in counts.items():
            if value is not None:
                yield observation(
                    account_id, "post", post_id, name, "lifetime", value, f"{position} field {name}", **wrong
                )  # fmt: skip
            elif name not in names:
                continue
            elif name in ABSENT_IS_ZERO and name.split(".")[0] not in item:
                yield observation(
                    account_id, "post", post_id, name, "lifetime", 0, f"{position} field {name}", origin="absent_is_zero", **wrong
                )
            else:
                object_id = post_id if isinstance(post_id, str) else None
                yield Gap(page.account_id, name, "not_reported", "the post came without the count", object_id, "post")


# --- the independent count ---

PATHS: dict[str, Paths] = {
    "account": {"account": ("$.id",), "observation": ()},
    "published_posts": {
        "post": ("$.data[*]",),
        "observation": (
            "$.data[*].shares.count",
            "$.data[*].reactions.summary.total_count",
            "$.data[*].comments.summary.total_count",
        ),
    },
    **meta_rows.INSIGHT_PATHS,
}


def count(page: Page) -> Counter[str]:
    """Records of each kind in a page, by JSON paths."""
    return meta_rows.count(page, PATHS)
