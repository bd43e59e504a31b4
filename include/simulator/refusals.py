"""How Meta says no for a while: expired tokens, throttles, lost permissions, and the headers that tell how much is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from include.simulator.graph import GraphError
from include.simulator.timeline import fraction
from include.simulator.times import PACIFIC

CALLS_PER_PERCENT, APP_CALLS_PER_PERCENT, LARGEST_PERCENT = 100, 1000, 95


def app_usage(calls: int, percent: int | None = None) -> str:
    """The header x-app-usage: percent of what the app may."""
    percent = min(calls // APP_CALLS_PER_PERCENT, LARGEST_PERCENT) if percent is None else percent
    return json.dumps({"call_count": percent, "total_time": percent, "total_cputime": percent // 2})


def business_usage(kind: str, force_id: str, calls: int, percent: int | None = None, regain_minutes: int = 0) -> str:
    """The header x-business-use-case-usage: percent of what the force's business may, and the minutes until it may again.

    `kind`: pages, instagram or threads.
    """
    business = str(100_000 + int(fraction("business", force_id) * 900_000))
    percent = min(calls // CALLS_PER_PERCENT, LARGEST_PERCENT) if percent is None else percent
    usage = {"type": kind, "call_count": percent, "total_cputime": percent // 2, "total_time": percent}
    return json.dumps({business: [{**usage, "estimated_time_to_regain_access": regain_minutes}]})


APP_LIMITS = {4: "(#4) Application request limit reached", 32: "(#32) Page request limit reached"}
BUSINESS_LIMITS = {80001: ("pages", "Page account"), 80002: ("instagram", "Instagram account")}


def throttled(force_id: str, code: int, detail: Mapping[str, Any]) -> GraphError:
    """#4 and #32, which name no time, or #80001 and #80002, whose usage header does."""
    status = detail.get("status", 400)
    if code in APP_LIMITS:
        return GraphError(APP_LIMITS[code], code, status=status, headers={"x-app-usage": app_usage(0, 100)})
    kind, account = BUSINESS_LIMITS[code]
    usage = business_usage(kind, force_id, 0, 101, detail.get("regain_minutes", 0))
    return GraphError(
        f"(#{code}) There have been too many calls to this {account}. Wait a bit and try again. For more info, please refer "
        "to https://developers.facebook.com/docs/graph-api/overview/rate-limiting.",
        code,
        status=status,
        headers={"x-business-use-case-usage": usage},
    )


def token_expired(now: datetime) -> GraphError:
    """Since midnight, by the platform's own time."""
    here = now.astimezone(PACIFIC)
    return GraphError(
        f"Error validating access token: Session has expired on {here:%A, %d-%b-%y} 00:00:00 {here:%Z}. "
        f"The current time is {here:%A, %d-%b-%y %H:%M:%S %Z}.",
        190,
        463,
    )


def posts_permission_lost() -> GraphError:
    return GraphError(
        "(#10) This endpoint requires the 'pages_read_engagement' permission or the 'Page Public Content Access' feature.",
        10,
        status=403,
    )
