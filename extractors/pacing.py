"""How a platform announces its limits, and how long to wait so that they are never met.

A source declares `limits` (base.py): a reader of its answers' headers, and the quotas that no header announces. What is left is
kept by whoever hands the client a `Pacer` (include/budgets.py: one ledger for all forces and processes). Plain arithmetic, no
clock: time is that of the answers' `Date` headers (docs/decisions.md).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from extractors.base import SourceError
    from extractors.http import Received

CountedBy = Literal["app", "token"]
"""Whose calls a platform adds up: all of the app's, whatever the force, or those of one token."""

EASY_PERCENT, PERCENT_PER_DOUBLING, LONGEST_PAUSE_SECONDS = 75.0, 2.5, 3600.0
FAMILIES = ("x-rate-limit-", "ratelimit-", "x-ratelimit-")
UNIX_SECONDS = 1_000_000_000
"""A reset of at least this is an instant; a smaller one counts seconds from the answer."""


@dataclass(frozen=True)
class Window:
    """What one answer says about one limit.

    limit, remaining: calls, or percent where the platform tells a share. resets_at: when `limit` is whole again (UTC); None for a
    rolling window, in which what is used wears off by and by.
    """

    name: str
    limit: float
    remaining: float
    resets_at: datetime | None
    counted_by: CountedBy = "token"


@dataclass(frozen=True)
class Quota:
    """What a platform allows in a period and tells nobody how much of it is left: counted here, before each call.

    limit: units in a period; None where there is none but one's own, which the connection gives (extra.limits.<name>).
    cost: units of a call by the source's name of the request (`Page.endpoint`); `other` is the cost of those not named.
    weigh: what an answer really cost, where that shows in it: resource to units. Each resource counts once a day, as the platform
    counts (UTC). is_paid: money is spent, so that running out ends the run (CreditsDepleted), not a wait.
    """

    name: str
    unit: str
    limit: float | None
    period: Literal["day", "month"] = "day"
    time_zone: str = "Etc/UTC"
    cost: Mapping[str, float] = field(default_factory=dict)
    other: float = 1.0
    weigh: Callable[[str, Any], Mapping[str, float]] | None = None
    is_paid: bool = False
    counted_by: CountedBy = "app"

    def cost_of(self, endpoint: str) -> float:
        return self.cost.get(endpoint, self.other)

    def period_of(self, moment: datetime) -> str:
        """The period's own name, in the platform's time zone: 2026-11-02, or 2026-11."""
        return moment.astimezone(ZoneInfo(self.time_zone)).strftime("%Y-%m-%d" if self.period == "day" else "%Y-%m")

    def end_of_period(self, moment: datetime) -> datetime:
        """When it is whole again."""
        here = moment.astimezone(ZoneInfo(self.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        following = here + timedelta(days=1) if self.period == "day" else (here.replace(day=1) + timedelta(days=32)).replace(day=1)
        return following.replace(tzinfo=ZoneInfo(self.time_zone)).astimezone(UTC)


@dataclass(frozen=True)
class Limits:
    """How a platform counts calls and says what is left of them.

    app: whose calls are counted together, where two sources share one app (Facebook and Instagram); by default the source's name.
    read: the windows that an answer announces. by_endpoint: each request of the source has a window of its own.
    at_once: forces collected at the same time, the slots of the platform's Airflow pool: most of the time is waiting, and
    platforms count calls, not connections.
    """

    app: str | None = None
    read: Callable[[Received], Iterator[Window]] = lambda received: rate_limit_windows(received)
    by_endpoint: bool = False
    quotas: tuple[Quota, ...] = ()
    at_once: int = 4


class Pacer(Protocol):
    """Asked by the HTTP client before every call, and told what came of it."""

    def before(self, endpoint: str) -> int:
        """Waits where there is to be waited; returns the number of the reservation. Raises Throttled where the wait is longer
        than a task should sleep, CreditsDepleted where nothing more may be asked."""
        ...

    def after(self, reservation: int, endpoint: str, received: Received | None, error: SourceError | None) -> None:
        """received: None where no answer came that could be read. body of received: as received."""
        ...

    def sleep(self, seconds: float) -> None:
        """What the client sleeps through, so that the pacer's clock goes on."""
        ...


# --- what answers announce ---


def rate_limit_windows(received: Received) -> Iterator[Window]:
    """`x-rate-limit-*` (X), `RateLimit-*` (Bluesky), `X-RateLimit-*` (Mastodon), and the IETF drafts' one header `RateLimit`.

    A reset comes as Unix seconds, as an instant in ISO 8601, or as seconds from now. What cannot be read announces nothing.
    """
    headers = received.headers
    for prefix in FAMILIES:
        left, reset = _amount(headers.get(f"{prefix}remaining")), _instant(headers.get(f"{prefix}reset"), received.observed_at)
        if left is not None and reset is not None:
            limit = _amount(headers.get(f"{prefix}limit"))
            yield Window("calls", max(limit or 0.0, left, 1.0), left, reset)
            return
    said = headers.get("RateLimit", "")
    left = _amount(_found(r"\b(?:remaining|r)\s*=\s*([0-9]+)", said))
    reset = _instant(_found(r"\b(?:reset|t)\s*=\s*([0-9]+)", said), received.observed_at)
    if left is not None and reset is not None:
        policy = said + ";" + headers.get("RateLimit-Policy", "")
        limit = _amount(_found(r"\b(?:limit|q)\s*=\s*([0-9]+)", policy))
        yield Window("calls", max(limit or 0.0, left, 1.0), left, reset)


def _announced_reset(received: Received) -> datetime | None:
    """When the window of an answer ends (UTC), whether or not it says what is left; None where no family of headers tells."""
    given = (received.headers.get(f"{prefix}reset") for prefix in FAMILIES)
    found = (_instant(text, received.observed_at) for text in given if text)
    return next((moment for moment in found if moment is not None), None) or next(
        (window.resets_at for window in rate_limit_windows(received)), None
    )


def reset_seconds(received: Received) -> float | None:
    """Until the end of the window that the headers of a throttle answer name, whichever family, by the answer's own clock; else
    Retry-After."""
    resets_at = _announced_reset(received)
    if resets_at is None:
        return retry_after_seconds(received)
    return max(0.0, (resets_at - received.observed_at).total_seconds())


def retry_after_seconds(received: Received) -> float | None:
    """The header Retry-After, seconds or a date (counted from the answer's own Date). None where it is absent or garbled."""
    value = received.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - received.observed_at).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def meta_windows(usage_type: str, others_bind: bool = False) -> Callable[[Received], Iterator[Window]]:
    """Meta's `x-app-usage` (percent of what the app may in an hour) and `x-business-use-case-usage` (percent of what the business
    may in a day, and the minutes until it may again). usage_type: pages, instagram, …: others do not bind this source, unless it
    is not known what its own is called (others_bind)."""

    def read(received: Received) -> Iterator[Window]:
        app = _percent(_json(received.headers.get("x-app-usage")))
        if app is not None:
            yield Window("app", 100.0, 100.0 - app, None, "app")
        businesses = _json(received.headers.get("x-business-use-case-usage"))
        for business, entries in businesses.items() if isinstance(businesses, dict) else ():
            for entry in entries if isinstance(entries, list) else ():
                used = _percent(entry)
                if used is None or not (others_bind or (entry.get("type") or usage_type) == usage_type):
                    continue
                minutes = _figure(entry.get("estimated_time_to_regain_access")) or 0.0
                is_blocked = 0 < minutes < 1e6
                until = received.observed_at + timedelta(minutes=minutes) if is_blocked else None
                name = f"{usage_type} of {business}"[:80].encode("utf-8", "replace").decode()  # half a sign goes into no file
                yield Window(name, 100.0, 0.0 if is_blocked else 100.0 - used, until)

    return read


def _percent(usage: Any) -> float | None:
    """The largest of a usage's shares: any of them that is full stops all."""
    if not isinstance(usage, dict):
        return None
    found = [_figure(usage.get(name)) for name in ("call_count", "total_cputime", "total_time")]
    return max((one for one in found if one is not None), default=None)


def _figure(value: Any) -> float | None:
    """A number of JSON, or the text of one."""
    if isinstance(value, str):
        return _amount(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    with suppress(OverflowError):
        return float(value) if math.isfinite(value) else None
    return None


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _amount(text: str | None) -> float | None:
    text = (text or "").strip()
    return float(text) if re.fullmatch(r"[0-9]{1,15}(\.[0-9]+)?", text, re.ASCII) else None


def _found(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text, re.ASCII)
    return match.group(1) if match else None


def _instant(text: str | None, observed_at: datetime) -> datetime | None:
    number = _amount(text)
    with suppress(ValueError, OverflowError, OSError):
        if number is not None:
            return datetime.fromtimestamp(number, UTC) if number >= UNIX_SECONDS else observed_at + timedelta(seconds=number)
        moment = datetime.fromisoformat((text or "").strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return None


# --- how long to wait ---


def pause_seconds(percent: float) -> float:
    """Between two calls, by how much of a rolling window they use: none up to 75 %, then one second, doubled every 2.5 %.

    At 100 % that is a quarter of an hour; never more than an hour.
    """
    if percent < EASY_PERCENT:
        return 0.0
    return min(2 ** ((percent - EASY_PERCENT) / PERCENT_PER_DOUBLING), LONGEST_PAUSE_SECONDS)
