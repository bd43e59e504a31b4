"""How a landed page of Mastodon becomes rows, what of it is never landed, and, by another way, how many records it holds."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from extractors.base import Drop, Gap, Page, Row
from extractors.json_paths import Paths, count_by_paths
from extractors.page_rows import observation, other_account, subjects_of
from extractors.post_window import is_outside_window
from extractors.redaction import HIDDEN, numbers

OWN_ITEMS = ("account", "media_attachments")
"""Of an answer that is a list each item is an own one; these are within it."""

ACCOUNT = ("id", "username", "acct", "display_name", "url", "created_at", "last_status_at")
STATUS = ("id", "created_at", "edited_at", "visibility", "language", "uri", "url")
PUBLIC = ("public", "unlisted")
COUNT = re.compile(r"[a-z_]+_count")
"""How the numbers are called that are known. What may be added may have any name."""
NOT_EVERYWHERE = frozenset({"quotes_count"})
"""Numbers that only newer servers have: what is absent there is no hole."""

MENTION = re.compile(r'<a\b(?=[^>]*\bclass="[^"]*\bmention\b)(?![^>]*\bclass="[^"]*\bhashtag\b)[^>]*>.*?</a>', re.DOTALL)
QUOTED = re.compile(r'<(p|span)\b[^>]*\bclass="[^"]*\bquote-inline\b[^>]*>.*?</\1>', re.DOTALL)
"""The address of a quoted post, for servers that show no quotes."""
BREAK, PARAGRAPH, TAG = re.compile(r"<br\b[^>]*>"), re.compile(r"</p>\s*<p\b[^>]*>"), re.compile(r"<[^>]*>")


# --- what is landed ---


def for_landing(body: Any, account_id: str | None = None) -> Any:
    """Of an account its names and numbers; of an own post its words, times, numbers and how its media are described; of a reply no
    words; of a reblog that it is one. Whom they answer, quote, mention or repeat goes.

    account_id: whose answer it should be, where that is known. Of another's account or post nothing but that it came is left.
    """
    if isinstance(body, list):
        return [_status(each, account_id) for each in body]
    if not isinstance(body, dict):
        return body
    if "error" in body:
        return {"error": body["error"]} if isinstance(body["error"], str) else {"error": ""}
    return _status(body, account_id) if "visibility" in body else _account(body, account_id)


def _account(found: dict[str, Any], account_id: str | None) -> dict[str, Any]:
    if account_id is not None and found.get("id", account_id) != account_id:
        return {"id": HIDDEN}
    return {name: found[name] for name in ACCOUNT if isinstance(found.get(name), str)} | numbers(found, COUNT)


def _status(found: Any, account_id: str | None) -> Any:
    if not isinstance(found, dict):
        return None
    owner = found.get("account")
    if account_id is not None and isinstance(owner, dict) and owner.get("id", account_id) != account_id:
        return {"account": {"id": HIDDEN}}
    whose = {"account": {"id": owner["id"]}} if isinstance(owner, dict) and isinstance(owner.get("id"), str) else {}
    if found.get("reblog") is not None:
        names = ("id", "created_at", "visibility")
        return {name: found[name] for name in names if isinstance(found.get(name), str)} | whose | {"reblog": {}}
    kept = {name: found[name] for name in STATUS if isinstance(found.get(name), str)} | whose | numbers(found, COUNT)
    is_reply = found.get("in_reply_to_id") is not None or found.get("in_reply_to_account_id") is not None
    if is_reply:
        kept["in_reply_to_id"] = HIDDEN
    elif isinstance(found.get("content"), str) and found.get("visibility") in PUBLIC:
        kept["content"] = MENTION.sub("@…", QUOTED.sub("", found["content"]))
    if isinstance(found.get("media_attachments"), list):
        media = [one if isinstance(one, dict) else {} for one in found["media_attachments"]]
        kept["media_attachments"] = [{"description": HIDDEN if one.get("description") else None} for one in media]
    return kept


# --- rows ---


def parse(page: Page) -> Iterator[Row | Drop | Gap]:
    """Rows of kind account, post and observation. Values pass as they came; a hole is a Gap."""
    if "error" in page.context:
        return
    body = json.loads(page.body)
    if page.endpoint == "account":
        yield from _snapshot(page, body if isinstance(body, dict) else {})
    elif page.endpoint == "posts":
        if not isinstance(body, list):
            yield Gap(page.account_id, "posts", "not_reported", "the answer came without a list of posts")
            return
        for number, item in enumerate(body, start=1):
            yield from _post(page, item, f"statuses of {page.account_id} page {page.context.get('page', '?')} item {number}")


def _snapshot(page: Page, body: dict[str, Any]) -> Iterator[Row | Gap]:
    """An account under the handle that is another one goes to quarantine by name."""
    position, account_id, user = f"account {page.account_id}", body.get("id"), body.get("username")
    wrong = other_account(page, account_id)
    counts = numbers(body, COUNT)
    if "id" in body:
        handle = f"{user}@{page.context.get('server', '')}" if isinstance(user, str) else None
        named = {"handle": handle, "display_name": body.get("display_name"), "url": body.get("url")}
        yield Row("account", {"account_id": account_id, **named, **wrong}, position)
    for name, value in counts.items():
        yield observation(account_id, "account", account_id, name, "snapshot", value, f"{position} field {name}", **wrong)
    for name in subjects_of(page):
        if name not in counts or wrong:
            yield Gap(page.account_id, name, "not_reported", "the answer came without the number for this account", None, "account")


def _post(page: Page, item: Any, position: str) -> Iterator[Row | Drop | Gap]:
    if not isinstance(item, dict):
        yield Row("post", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
        return
    is_repost = item.get("reblog") is not None
    counts = {} if is_repost else numbers(item, COUNT)
    created_at = item.get("created_at")
    if is_outside_window(created_at, page):
        yield Drop("post", "outside_window", position)
        yield Drop("observation", "outside_window", position, len(counts))
        return
    # ids are one server's own
    post_id = f"{item['id']}@{page.context.get('server', '')}" if isinstance(item.get("id"), str) else item.get("id")
    account_id = item["account"].get("id") if isinstance(item.get("account"), dict) else page.account_id
    wrong = other_account(page, account_id)
    kind = "repost" if is_repost else "reply" if item.get("in_reply_to_id") is not None else "original"
    values = {"post_id": post_id, "account_id": account_id, "published_at": created_at, "kind": kind, **wrong}
    if not is_repost:
        media = item.get("media_attachments")
        values |= {
            "edited_at": item.get("edited_at"),
            "permalink": item.get("url"),
            "text": plain_text(item.get("content")) if kind == "original" else None,
            "language": item.get("language"),
            "media_count": len(media) if isinstance(media, list) else None,
            "media_with_alt_text": sum(bool(one.get("description")) for one in media) if isinstance(media, list) else None,
        }
    yield Row("post", values, position)
    for name, value in counts.items():
        yield observation(account_id, "post", post_id, name, "lifetime", value, f"{position} field {name}", **wrong)
    if not is_repost and not wrong:
        for name in subjects_of(page):
            if name != "posts" and name not in counts and name not in NOT_EVERYWHERE:
                object_id = post_id if isinstance(post_id, str) else None
                yield Gap(page.account_id, name, "not_reported", "the post came without the number", object_id, "post")


def plain_text(content: Any) -> str | None:
    """The words of a post's HTML: paragraphs and breaks as lines, no tags, no entities."""
    if not isinstance(content, str):
        return None
    return html.unescape(TAG.sub("", BREAK.sub("\n", PARAGRAPH.sub("\n\n", content)))).strip()


# --- the independent count ---

A_NUMBER = "match(#, '[a-z_]+_count') || ((@ >= 0 || @ < 0) && !match(#, '.*([iI]d|ID)s?'))"
PATHS: dict[str, Paths] = {
    "account": {"account": ("$.id",), "observation": (f"$[?{A_NUMBER}]",)},
    "posts": {"post": ("$[*]",), "observation": (f"$[?!@.reblog][?{A_NUMBER}]",)},
}


def count(page: Page) -> Counter[str]:
    """Records of each kind in a page, by JSON paths. A reblog has no numbers of its own."""
    body = json.loads(page.body)
    if page.endpoint == "posts" and not isinstance(body, list):
        return Counter()
    return count_by_paths(body, PATHS[page.endpoint])
