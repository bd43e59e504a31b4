"""What the errors of Meta's Graph API mean: by code and message, never by HTTP status (docs/sources/facebook.md, instagram.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from extractors.base import (
    AccountClosed,
    Outage,
    PermissionMissing,
    Refused,
    RetiredMetric,
    SourceError,
    Throttled,
    TokenExpired,
    TooFewViewers,
)
from extractors.pacing import retry_after_seconds

if TYPE_CHECKING:
    from extractors.http import Received


class TooMuchAsked(Refused):
    """Meta could not put so large an answer together; half of it may work."""


class InvalidParameter(Refused):
    """Error 100 in words that nobody knows: it may mean one of the names that were asked for."""


class NotOfThisPost(Refused):
    """The number does not exist for this kind of post, or for one of this age: it fails every other post asked with it."""

    cause = "not_reported"
    retryable = False


def suspects(names: Sequence[str], message: str) -> list[str]:
    """Which of the names asked for an error means: those not in the list of valid ones that it gives, or those that it mentions.

    A guess that saves calls: what is suspected is asked once more, alone.
    """
    _, has_list, listed = message.partition(VALID_NAMES)
    said = set(re.findall(r"[A-Za-z0-9_.]+", listed if has_list else message))
    return [name for name in names if (name in said) != bool(has_list)]


EXPIRED, THROTTLES, TRANSIENT, MISSING_PERMISSION = {102, 190}, {4, 17, 32, 613, 80001, 80002}, {1, 2}, {3, 10, *range(200, 300)}
GONE = {21, 803}
TOO_FEW_VIEWERS_SUBCODE, UNKNOWN_OBJECT_SUBCODE, BEFORE_BUSINESS_SUBCODE = 1504029, 33, 2108006
VALID_NAMES = "must be one of the following values"
UNKNOWN_NAME = ("valid insights metric", "nonexisting field", VALID_NAMES, "is no longer supported")
INVALID_PARAMETER, NO_METRIC, NO_METRIC_SUBCODE = 100, 3001, 1504028
LONGEST_MESSAGE = 2000
"""A message may list all names that are valid."""


def classify(received: Received) -> SourceError | None:
    """The error in an answer, None where it holds none."""
    error = received.body.get("error") if isinstance(received.body, dict) else None
    if not isinstance(error, dict):
        return None
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    message = str(error.get("message", ""))[:LONGEST_MESSAGE]
    if code in EXPIRED:
        return TokenExpired(message)
    if code in THROTTLES:
        return Throttled(message, _reset_seconds(received))
    if code in TRANSIENT and "reduce the amount of data" in message:
        return TooMuchAsked(message)
    if code in TRANSIENT or error.get("is_transient") is True:
        return Outage(message)
    if subcode == TOO_FEW_VIEWERS_SUBCODE or "not enough viewers" in message.lower():
        return TooFewViewers(message)
    if code in MISSING_PERMISSION:
        return PermissionMissing(message)
    if subcode == BEFORE_BUSINESS_SUBCODE or (code == INVALID_PARAMETER and "does not support the" in message):
        return NotOfThisPost(message)
    if code == NO_METRIC or subcode == NO_METRIC_SUBCODE:
        return RetiredMetric(message)  # none of the names is one: that is how some endpoints say it
    if code == INVALID_PARAMETER and any(words in message for words in UNKNOWN_NAME):
        return RetiredMetric(message)
    if code in GONE or (code == INVALID_PARAMETER and (subcode == UNKNOWN_OBJECT_SUBCODE or "does not exist" in message)):
        return AccountClosed(message)
    if received.status >= 500:
        return Outage(message)
    return (InvalidParameter if code == INVALID_PARAMETER else Refused)(f"error {code}: {message}")


def _number(value: Any) -> int | None:
    """A code as Meta writes it. None for anything else: an error whose code cannot be read is still an error."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _reset_seconds(received: Received) -> float | None:
    """The longest wait that the usage header of a throttled answer names (it counts in minutes), else Retry-After."""
    try:
        usage = json.loads(received.headers.get("x-business-use-case-usage", ""))
        return max(float(entry["estimated_time_to_regain_access"]) * 60 for entries in usage.values() for entry in entries)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return retry_after_seconds(received)
