"""Small parts of the Graph API's language: error bodies, field lists, cursors, dates, tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from include.simulator.times import pacific_midnight


class GraphError(Exception):
    """An error answer: HTTP status, the platform's code and subcode, and headers of its own."""

    def __init__(
        self,
        message: str,
        code: int,
        subcode: int | None = None,
        *,
        status: int = 400,
        error_type: str = "OAuthException",
        is_transient: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.subcode, self.status = message, code, subcode, status
        self.error_type, self.is_transient, self.headers = error_type, is_transient, dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"message": self.message, "type": self.error_type, "code": self.code}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.is_transient is not None:
            error["is_transient"] = self.is_transient
        return {"error": {**error, "fbtrace_id": "A" + secrets.token_urlsafe(16)}}


def unknown_object(object_id: str) -> GraphError:
    return GraphError(
        f"Unsupported get request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing permissions, or "
        "does not support this operation. Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api",
        100,
        33,
        error_type="GraphMethodException",
    )


def invalid_metric() -> GraphError:
    return GraphError("(#100) The value must be a valid insights metric", 100)


def force_token(secret: str, platform: str, force_id: str) -> str:
    """The access token of a force's pages: a keyed hash of the world's root secret."""
    digest = hmac.new(secret.encode(), f"{platform}|{force_id}".encode(), hashlib.sha256).digest()
    return "EAAS" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


CONTROL_HEADER = "x-simulator-key"


def control_key(secret: str) -> str:
    """The key of the simulator's own control requests."""
    return force_token(secret, "control", "")


@dataclass(frozen=True)
class Field:
    """One entry of `fields`: a name, the arguments of its modifiers, and the name it is answered under."""

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown_as(self) -> str:
        return self.arguments.get("as", self.name)


@lru_cache(maxsize=512)
def parse_fields(text: str) -> tuple[Field, ...]:
    """`a,b.limit(0).summary(true),insights.metric(x,y)` as fields. Raises GraphError #2500 where the brackets do not close."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "({") - (letter in ")}")
        if letter == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    if depth:
        raise GraphError(f'Syntax error "Expected end of string" at character {len(text)}: {text[-20:]}', 2500)
    parts.append(text[start:])
    return tuple(
        Field(match.group(), dict(re.findall(r"\.(\w+)\(([^)]*)\)", part)))
        for part in parts
        if (match := re.match(r"\w+", part.strip()))
    )


def encode_cursor(**state: int | str) -> str:
    return base64.urlsafe_b64encode(json.dumps(state, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(text: str) -> dict[str, Any]:
    try:
        state = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return {"at": int(state["at"]), "id": str(state["id"])}
    except (ValueError, KeyError, TypeError):
        raise GraphError("(#100) Invalid parameter: the cursor is not valid", 100) from None


def parse_instant(text: str | None, name: str) -> int | None:
    """Unix seconds or YYYY-MM-DD (midnight Pacific, as Meta reads it). Raises GraphError #100."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 10:
        return int(text)
    try:
        return pacific_midnight(date.fromisoformat(text))
    except ValueError:
        raise GraphError(f"(#100) Invalid parameter: {name} must be a unix timestamp or YYYY-MM-DD", 100) from None


def parse_limit(text: str | None, default: int = 25, largest: int = 100) -> int:
    """Raises GraphError #100 above the largest."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise GraphError("(#100) Param limit must be a positive integer", 100)
    if int(text) > largest:
        raise GraphError(f"(#100) Please reduce the limit: it must not exceed {largest}", 100)
    return int(text)
