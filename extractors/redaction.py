"""What is taken out of an answer before anything is written: secrets and people. Fixed, and versioned.

JSON is redacted by its structure. A body that is not JSON is never kept as text: nobody knows what stands in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote

REDACTION_VERSION = 1

HIDDEN = "***"

SECRET_NAME = re.compile(r"(^|_)(token|secret|password|api_?key|authorization|signature|proof|session_key)$", re.IGNORECASE)
"""Names of members and URL parameters whose value is a secret: access_token, client_secret, appsecret_proof."""

NOT_SECRET = frozenset({"__paging_token"})

META_TOKEN = re.compile(r"\bEAA[A-Za-z0-9_-]{20,}")
"""How Meta's tokens begin; error messages quote them."""

PEOPLE = frozenset({"from", "message_tags", "story", "story_tags", "with_tags", "tagged_users", "admin_creator", "owner_user"})
"""Members that name a person. `story` is Meta's sentence about a post ('… shared Jane Doe's post')."""

LISTS_OF_PEOPLE = frozenset({"comments", "reactions", "likes", "sharedposts", "seen"})
"""Members whose `data` lists what single people did. Their summary, which only counts, stays."""

VOLATILE = frozenset({"fbtrace_id"})
"""Random in each answer: kept, it would give the same answer another hash each time."""

SECRET_PARAMETER = re.compile(r"(?<=[?&#;])([\w\-]+)=[^&#;\s\"'<>]*&?")


def is_secret_name(name: str) -> bool:
    return name not in NOT_SECRET and bool(SECRET_NAME.search(name))


def redact_url(url: str, own_origin: str = "") -> str:
    """The URL without secret parameters, and without `own_origin` (the host asked), so that it names no machine."""
    cut = SECRET_PARAMETER.sub(lambda match: "" if is_secret_name(match[1]) else match[0], url) if "=" in url else url
    return cut.replace(own_origin, "") if own_origin else cut


def redact_text(text: str, secrets: Iterable[str] = (), own_origin: str = "") -> str:
    """Text without the secrets, however they got into it, and with its URLs redacted."""
    for form in _forms(tuple(secrets)):
        text = text.replace(form, HIDDEN)
    if "EAA" in text:
        text = META_TOKEN.sub(HIDDEN, text)
    return redact_url(text, own_origin)


@lru_cache(maxsize=64)
def _forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """How secrets can stand in a text: as they are, and as in a URL."""
    return tuple(form for secret in secrets if secret for form in dict.fromkeys((secret, quote(secret, safe=""))))


def redact(value: Any, secrets: tuple[str, ...] = (), own_origin: str = "") -> Any:
    """A decoded JSON value without secrets and people. Shape: as given, with members left out and lists of people empty."""
    if isinstance(value, str):
        return redact_text(value, secrets, own_origin)
    if isinstance(value, list):
        return [redact(item, secrets, own_origin) for item in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for name, item in value.items():
        if is_secret_name(name) or name in PEOPLE or name in VOLATILE:
            continue
        if isinstance(item, dict) and "data" in item and (name in LISTS_OF_PEOPLE or "summary" in item):
            item = {**item, "data": []}
        kept[redact_text(name, secrets, own_origin)] = redact(item, secrets, own_origin)
    return kept


def dump(value: Any) -> str:
    """The text that is landed. Half a surrogate pair, which no file can hold, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


def unreadable_body(content: bytes, content_type: str) -> str:
    """What is kept of a body that is not JSON: how long, which, and of what declared type. Never its text."""
    declared = re.sub(r"[^a-z0-9/+.\-]", "", content_type.split(";")[0].strip().lower())[:60]
    return dump({"_unreadable": {"length": len(content), "sha256": hashlib.sha256(content).hexdigest(), "content_type": declared}})
