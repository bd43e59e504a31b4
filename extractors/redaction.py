"""What is taken out of an answer before anything is written: secrets and people. Fixed, and versioned.

JSON is redacted by its structure, and what is kept is named, not what is taken out. Words are kept of *own items* only: the
answer itself (or each item of one that is a list), what stands where the source says so (`Source.own_items`, `data` unless it
says otherwise), and entries under an id that was asked for. Below an own item there are only numbers, flags, metrics and plain
members: an object with words of its own (a name, a message, a title) is a person or quotes one, and goes whole, under whatever
name it comes; of a list on another object (`{"data": […]}`: comments, who reacted) only metrics and counts stay. A body that is
not JSON is never kept as text: nobody knows what stands in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

REDACTION_VERSION = 2

HIDDEN = "***"

SECRET_NAME = re.compile(r"(^|_)(token|secret|password|api_?key|authorization|signature|proof|session_key)$", re.IGNORECASE)
"""Names of members and URL parameters whose value is a secret: access_token, client_secret, appsecret_proof."""

NOT_SECRET = frozenset({"__paging_token"})

IDENTIFIER = re.compile(r".*([iI]d|ID)s?")
"""Names of members that may be somebody's number: inReplyToId, account_id."""

META_TOKEN = re.compile(r"(?:(?<![A-Za-z0-9_])|(?<=%[0-9A-Fa-f]{2}))EAA[A-Za-z0-9_-]{20,}")
"""How Meta's tokens begin; error messages quote them, and links within links (`…%3Faccess_token%3DEAA…`)."""

GOOGLE_KEY = re.compile(r"AIza[A-Za-z0-9_-]{35}")
"""How Google's API keys look."""

PEOPLE = frozenset(
    {
        "from", "to", "tags", "story", "story_tags", "message_tags", "with_tags", "tagged_users", "mentions", "admin_creator",
        "owner_user", "author", "actor", "owner", "commenter", "user", "users",
    }
)  # fmt: skip
"""Members of an own item that name people, whatever their shape. `story` is Meta's sentence ('… shared Jane Doe's post')."""

LISTS_OF_PEOPLE = frozenset(
    {
        "comments", "replies", "reactions", "likes", "like", "love", "wow", "haha", "sad", "sorry", "angry", "anger", "care",
        "thankful", "pride", "sharedposts", "seen", "retweeted_by", "liking_users", "followers", "subscribers",
    }
)  # fmt: skip
"""Members that list what single people did, as an object or a plain list. Counts stay."""

WORDS = frozenset(
    {
        "name",
        "message",
        "text",
        "title",
        "description",
        "caption",
        "username",
        "screen_name",
        "full_name",
        "first_name",
        "last_name",
    }
)
"""Members that make an object below an own item somebody else's, unless it is a metric."""

NUMBERS_OF = ("values", "total_value")
"""What a metric has beside its name."""

OWN_ITEMS = ("data",)
"""Where own items stand, unless a source says otherwise: names of members from the answer down, joined by dots, lists left out.
Of an answer that is a list each item is one, and names go from the item down."""

OWN_ID = re.compile(r"\d+(_\d+)?")
ERRORS = ("error", "errors")

COUNT = re.compile(r"[\d.,+-]{1,20}")
PLAIN = ("order", "viewer_reaction")
"""Members of a summary that are a platform's own code words."""

VOLATILE = frozenset({"fbtrace_id"})
"""Random in each answer: kept, it would give the same answer another hash each time."""

SECRET_PARAMETER = re.compile(r"(?<=[?&#;])([\w\-]+)=[^&#;\s\"'<>]*&?")


class UndeclaredList(Exception):
    """An answer whose only list would be emptied, because the source does not say that own items stand there."""


def is_secret_name(name: str) -> bool:
    return name not in NOT_SECRET and bool(SECRET_NAME.search(name))


def redact_url(url: str, own_origin: str = "") -> str:
    """The URL without secret parameters, and without `own_origin` (the host asked), so that it names no machine."""
    cut = SECRET_PARAMETER.sub(lambda match: "" if is_secret_name(match[1]) else match[0], url) if "=" in url else url
    return cut.replace(own_origin, "") if own_origin else cut


def redact_text(text: str, secrets: Iterable[str] = (), own_origin: str = "") -> str:
    """Text without the secrets, however they got into it, and with its URLs redacted."""
    for secret in secrets:
        if 0 < len(secret) <= len(text):
            text = _every_form(secret).sub(HIDDEN, text)
    if "EAA" in text:
        text = META_TOKEN.sub(HIDDEN, text)
    if "AIza" in text:
        text = GOOGLE_KEY.sub(HIDDEN, text)
    return redact_url(text, own_origin)


@cache
def _every_form(secret: str) -> re.Pattern[str]:
    """The secret as it is, and percent-encoded any number of times, in capitals or not."""
    return re.compile("".join(f"(?:{re.escape(sign)}|{_encoded(sign)})" for sign in secret))


def _encoded(sign: str) -> str:
    return "".join(f"%(?:25)*(?i:{byte:02x})" for byte in sign.encode("utf-8", "surrogatepass"))


def redact(value: Any, secrets: tuple[str, ...] = (), own_origin: str = "", own_items: tuple[str, ...] = OWN_ITEMS) -> Any:
    """A decoded JSON answer without secrets and people. Shape: as given, with members left out and lists of people empty.

    own_items: as `Source.own_items`. Raises UndeclaredList, naming the list, rather than emptying what the answer is about.
    """
    return _without_secrets(_answer(value, frozenset(own_items)), secrets, own_origin)


def _without_secrets(value: Any, secrets: tuple[str, ...], own_origin: str) -> Any:
    if isinstance(value, str):
        return redact_text(value, secrets, own_origin)
    if isinstance(value, list):
        return [_without_secrets(item, secrets, own_origin) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        redact_text(name, secrets, own_origin): _without_secrets(item, secrets, own_origin)
        for name, item in value.items()
        if not is_secret_name(name) and name not in VOLATILE
    }


# --- people ---


def _answer(value: Any, own_items: frozenset[str]) -> Any:
    """A whole answer: which of its parts are own items."""
    if isinstance(value, list):
        return [_own(item, own_items) for item in value]
    if not isinstance(value, dict):
        return value
    kept, emptied = {}, ""
    for name, item in value.items():
        if name in ERRORS:
            kept[name] = item
        elif name in own_items or OWN_ID.fullmatch(name):
            kept[name] = _own_or_each(item, own_items, name)
        elif name not in PEOPLE:
            kept[name] = _below(name, item)
            if isinstance(item, list) and name not in LISTS_OF_PEOPLE and len(kept[name]) < len(item):
                emptied = emptied or name
    if emptied and own_items.isdisjoint(value) and not any(name in value for name in ("id", *ERRORS)):
        raise UndeclaredList(f"the list {emptied!r} is no place of own items: name it in the source's own_items")
    return kept


def _own_or_each(value: Any, own_items: frozenset[str], path: str) -> Any:
    return [_own(each, own_items, path) for each in value] if isinstance(value, list) else _own(value, own_items, path)


def _own(item: Any, own_items: frozenset[str] = frozenset(), path: str = "") -> Any:
    """An own item: its plain members, what of the others is nobody's, and own items within it."""
    if not isinstance(item, dict):
        return _below("", item)
    kept = {}
    for name, member in item.items():
        place = f"{path}.{name}" if path else name
        if place in own_items:
            kept[name] = _own_or_each(member, own_items, place)
        elif name not in PEOPLE:
            kept[name] = _below(name, member)
    return kept


def _below(name: str, value: Any) -> Any:
    """A member of an own item, or of something below one. An object that is somebody's becomes an empty one."""
    if isinstance(value, list):
        return [] if name in LISTS_OF_PEOPLE else [_below("", item) for item in value if not _is_somebodys(item)]
    if not isinstance(value, dict):
        return None if name in LISTS_OF_PEOPLE and _count(value) is None else value
    if name in LISTS_OF_PEOPLE or "data" in value:
        return _only_counts(value, may_have_metrics=name not in LISTS_OF_PEOPLE)
    if _is_somebodys(value):
        return {}
    return _own(value)


def _is_metric(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str) and any(name in value for name in NUMBERS_OF)


def _is_somebodys(value: Any) -> bool:
    return isinstance(value, dict) and not WORDS.isdisjoint(value) and not _is_metric(value)


def _only_counts(value: dict[str, Any], may_have_metrics: bool) -> dict[str, Any]:
    """A list on another object: its metrics, its summary, and its counts."""
    kept: dict[str, Any] = {}
    for name, item in value.items():
        if name == "data":
            items = item if isinstance(item, list) and may_have_metrics else []
            kept[name] = [_own(each) for each in items if _is_metric(each)]
        elif name == "summary" and isinstance(item, dict):
            plain = {key: word for key, word in item.items() if key in PLAIN and isinstance(word, str)}
            counted = {key: count for key, number in item.items() if (count := _count(number)) is not None}
            kept[name] = {key: (plain | counted)[key] for key in item if key in plain | counted}
        elif (count := _count(item)) is not None:
            kept[name] = count
    return kept


def _count(value: Any) -> Any:
    """A number, however it is written; None for anything else."""
    if isinstance(value, dict):
        return {name: count for name, item in value.items() if (count := _count(item)) is not None}
    if isinstance(value, bool | int | float) or (isinstance(value, str) and COUNT.fullmatch(value)):
        return value
    return None


def numbers(found: dict[str, Any], counts: re.Pattern[str]) -> dict[str, Any]:
    """Of an own object every number, known or not, as it came: under the names of counts, and under any name that is not an id's:
    what a platform adds is to be named, not lost. One that is null was not reported."""
    return {
        name: value
        for name, value in found.items()
        if (isinstance(value, str | int | float) if counts.fullmatch(name) else _is_new_number(name, value))
    }


def _is_new_number(name: str, value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or IDENTIFIER.fullmatch(name):
        return False
    return value >= 0 or value < 0  # NaN is neither


def dump(value: Any) -> str:
    """The text that is landed. Half a surrogate pair, which no file can hold, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


def unreadable_body(content: bytes, content_type: str) -> str:
    """What is kept of a body that is not JSON: how long, which, and of what declared type. Never its text."""
    declared = re.sub(r"[^a-z0-9/+.\-]", "", content_type.split(";")[0].strip().lower())[:60]
    return dump({"_unreadable": {"length": len(content), "sha256": hashlib.sha256(content).hexdigest(), "content_type": declared}})
