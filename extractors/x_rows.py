"""How a landed page of X becomes rows, what of it is never landed, and, by another way, how many records it holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

from extractors.base import Drop, Gap, Page, Row
from extractors.contacts import Contacts, values_of
from extractors.json_paths import Paths, count_by_paths
from extractors.page_rows import observation, other_account, subjects_of
from extractors.post_window import is_outside_window
from extractors.redaction import HIDDEN
from extractors.x_contacts import add_replies
from extractors.x_versions import history_of, times_of

OLDER_NAMES = {"repost_count": "retweet_count", "post_count": "tweet_count"}
"""The specification of August 2026 renames numbers that the wire has under their older names: both are the older."""

REPOST, REPLY = frozenset({"retweeted", "reposted"}), frozenset({"replied_to"})
NO_LANGUAGE = frozenset({"und", "zxx", "art", "qam", "qct", "qht", "qme", "qst"})
"""X's codes for a post without words."""

REFERENCES = ("referenced_tweets", "referenced_posts")
KEPT_OF_ERRORS = ("type", "title", "status", "code")


def for_landing(body: Any, contacts: Contacts | None = None, mentioned: Mapping[str, str] = MappingProxyType({})) -> Any:
    """The answer without the text of replies and reposts, which quotes or addresses people, without whom and what they answer
    (an id leads to a citizen's post), and without the words of descriptions of media and of errors, which name either.
    With contacts, each reply has its `contact` (extractors/x_contacts.py)."""
    if not isinstance(body, dict):
        return body
    items = body.get("data")
    if contacts is not None and isinstance(items, list):
        add_replies(items, contacts, mentioned)
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, dict):
            for name in ("in_reply_to_user_id", "conversation_id"):  # a conversation is named by the post that began it
                item.pop(name, None)
            if _kind(item) != "original":
                item.pop("text", None)
            for name in REFERENCES:
                if name in item:
                    item[name] = _only(("type",), item[name])
    if "errors" in body:
        body["errors"] = _only(KEPT_OF_ERRORS, body["errors"])
    for one in _media(body):
        if one.get("alt_text"):  # of whom it is the answer does not say; that there is one is all that is counted
            one["alt_text"] = HIDDEN
    return body


def _only(names: tuple[str, ...], found: Any) -> list[dict[str, Any]]:
    """Of the objects in a list these plain members, and nothing of what is no list of objects."""
    return [
        {name: one[name] for name in names if isinstance(one.get(name), str | int)}
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict)
    ]


def parse(page: Page) -> Iterator[Row | Drop | Gap]:
    """Rows of kind account, post, observation and message. Values pass as they came; a hole is a Gap."""
    if "error" in page.context:
        return
    body = json.loads(page.body)
    items = body.get("data") if isinstance(body, dict) else None
    if page.endpoint == "account":
        yield from _accounts(page, items if isinstance(items, list) else [])
    elif page.endpoint == "tweets":
        if isinstance(items, list):
            described = _described_media(body)
            for number, item in enumerate(items, start=1):
                yield from _post(
                    page, item, described, f"tweets of {page.account_id} page {page.context.get('page', '?')} item {number}"
                )
        elif not (isinstance(body, dict) and isinstance(body.get("meta"), dict) and items is None):
            yield Gap(page.account_id, "posts", "not_reported", "the answer came without a list of posts")
    elif page.endpoint == "mentions":
        if isinstance(items, list):
            for number, item in enumerate(items, start=1):
                yield _message(page, item, f"mentions of {page.account_id} page {page.context.get('page', '?')} item {number}")
        elif not (isinstance(body, dict) and isinstance(body.get("meta"), dict) and items is None):
            yield Gap(page.account_id, "messages", "not_reported", "the answer came without a list of mentions")


def _message(page: Page, item: Any, position: str) -> Row | Drop:
    if not isinstance(item, dict):
        return Row("message", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
    if is_outside_window(item.get("created_at"), page):
        return Drop("message", "outside_window", position)
    return Row("message", values_of(page.account_id, item), position)


def _accounts(page: Page, items: list[Any]) -> Iterator[Row | Gap]:
    """An account under the handle that is another one goes to quarantine by name."""
    answered: set[str] = set()
    for number, item in enumerate(items, start=1):
        position = f"users/by item {number}"
        if not isinstance(item, dict):
            yield Row("account", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
            continue
        account_id, handle = item.get("id"), item.get("username")
        url = f"https://x.com/{handle}" if isinstance(handle, str) and handle.isidentifier() else None
        named = {"handle": handle, "display_name": item.get("name"), "url": url}
        wrong = other_account(page, account_id)
        yield Row("account", {"account_id": account_id, **named, **wrong}, position)
        for name, value in _metrics(item).items():
            yield observation(account_id, "account", account_id, name, "snapshot", value, f"{position} field {name}", **wrong)
            if account_id == page.account_id:
                answered.add(name)
    for name in subjects_of(page):
        if name not in answered:
            yield Gap(page.account_id, name, "not_reported", "the answer came without the number for this account", None, "account")


def _post(page: Page, item: Any, described: dict[str, bool], position: str) -> Iterator[Row | Drop | Gap]:
    if not isinstance(item, dict):
        yield Row("post", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
        return
    kind = _kind(item)
    # a repost shows numbers of the post it repeats
    metrics = _metrics(item) if kind != "repost" else {}
    item_id, history = item.get("id"), history_of(item)
    is_superseded = item_id in history[:-1]
    if is_superseded or is_outside_window(item.get("created_at"), page):
        reason: Literal["duplicate", "outside_window"] = "duplicate" if is_superseded else "outside_window"
        yield Drop("post", reason, position)
        yield Drop("observation", reason, position, len(metrics))
        if "contact" in item:
            yield Drop("message", reason, position)
        return
    # an edit gives a new id: the post keeps its first
    post_id = history[0] if history else item_id
    published_at, edited_at = times_of(item.get("created_at"), history)
    language, media = item.get("lang"), _media_keys(item)
    account_id = item.get("author_id", page.account_id)
    wrong = other_account(page, account_id)
    values = {
        "post_id": post_id,
        "account_id": account_id,
        "published_at": published_at,
        "edited_at": edited_at,
        "kind": kind,
        "permalink": f"https://x.com/i/web/status/{item_id}" if isinstance(item_id, str) and item_id.isdecimal() else None,
        "text": item.get("text") if kind == "original" else None,
        "language": None if language in NO_LANGUAGE else language,
        "media_count": None if media is None else len(media),
        "media_with_alt_text": None if media is None or set(media) - described.keys() else sum(described[key] for key in media),
        **wrong,
    }
    yield Row("post", values, position)
    if isinstance(item.get("contact"), dict):
        yield Row("message", values_of(account_id, item["contact"]) | wrong, position)
    for name, value in metrics.items():
        yield observation(account_id, "post", post_id, name, "lifetime", value, f"{position} field {name}", **wrong)
    if kind != "repost":
        object_id = post_id if isinstance(post_id, str) else None
        for name in subjects_of(page):
            if name != "posts" and name not in metrics:
                yield Gap(page.account_id, name, "not_reported", "the post came without the number", object_id, "post")


def _kind(item: dict[str, Any]) -> str:
    """original, repost or reply. A quote is an original: its words are the force's own."""
    references = item.get("referenced_tweets", item.get("referenced_posts"))
    types = {one.get("type") for one in references if isinstance(one, dict)} if isinstance(references, list) else set()
    return "repost" if types & REPOST else "reply" if types & REPLY else "original"


def _metrics(item: dict[str, Any]) -> dict[str, Any]:
    """The public metrics by their older names; a number that is null was not reported."""
    found = item.get("public_metrics")
    if not isinstance(found, dict):
        return {}
    return {OLDER_NAMES.get(str(name), str(name)): value for name, value in found.items() if value is not None}


def _media_keys(item: dict[str, Any]) -> list[str] | None:
    attachments = item.get("attachments")
    keys = attachments.get("media_keys") if isinstance(attachments, dict) else None
    return [str(key) for key in keys] if isinstance(keys, list) else None


def _described_media(body: dict[str, Any]) -> dict[str, bool]:
    """By key of the media that came with the posts: whether it has a description."""
    return {str(one.get("media_key")): bool(one.get("alt_text")) for one in _media(body)}


def _media(body: Any) -> list[dict[str, Any]]:
    includes = body.get("includes") if isinstance(body, dict) else None
    media = includes.get("media") if isinstance(includes, dict) else None
    return [one for one in media if isinstance(one, dict)] if isinstance(media, list) else []


# --- the independent count ---

PATHS: dict[str, Paths] = {
    "account": {"account": ("$.data[*]",), "observation": ("$.data[*].public_metrics.*",)},
    "mentions": {"message": ("$.data[*]",)},
    "tweets": {
        "post": ("$.data[*]",),
        "message": ("$.data[*].contact",),
        "observation": (
            "$.data[?!(@.referenced_tweets[?@.type == 'retweeted' || @.type == 'reposted']"
            " || @.referenced_posts[?@.type == 'retweeted' || @.type == 'reposted'])].public_metrics.*",
        ),
    },
}


def count(page: Page) -> Counter[str]:
    """Records of each kind in a page, by JSON paths. Numbers of a repost are another post's and are not counted."""
    return count_by_paths(json.loads(page.body), PATHS[page.endpoint])
