"""How the simulated YouTube says no: one envelope with `errors` and, mostly, `status`; the reason is what counts."""

from __future__ import annotations

from typing import Any

QUOTA = 'The request cannot be completed because you have exceeded your <a href="/youtube/v3/getting-started#quota">quota</a>.'


class Problem(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, error: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(error["message"])
        self.status, self.body, self.headers = status, {"error": error}, headers or {}


def refused(status: int, reason: str, message: str, domain: str = "youtube.api", headers: dict[str, str] | None = None) -> Problem:
    return Problem(
        status,
        {"code": status, "message": message, "errors": [{"message": message, "domain": domain, "reason": reason}]},
        headers,
    )


def bad_key(form: str = "2026") -> Problem:
    """The key is not, or no longer, valid: in today's words, or those of the older envelope (form `old`)."""
    if form == "old":
        error = {"domain": "usageLimits", "reason": "keyInvalid", "message": "Bad Request"}
        return Problem(400, {"errors": [error], "code": 400, "message": "Bad Request"})
    message = "API key not valid. Please pass a valid API key."
    errors = [{"message": message, "domain": "global", "reason": "badRequest"}]
    return Problem(400, {"code": 400, "message": message, "errors": errors, "status": "INVALID_ARGUMENT"})


def used_up() -> Problem:
    return refused(403, "quotaExceeded", QUOTA, "youtube.quota")


def throttled(form: str, seconds: int) -> Problem:
    """`rate` (403), `user` (429), or `quota`: the units of the day."""
    if form == "quota":
        return used_up()
    headers = {"Retry-After": str(seconds)}
    if form == "user":
        return refused(429, "userRateLimitExceeded", "User Rate Limit Exceeded", "usageLimits", headers)
    return refused(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits", headers)


def no_such_list() -> Problem:
    message = "The playlist identified with the request's <code>playlistId</code> parameter cannot be found."
    error = {"message": message, "domain": "youtube.playlistItem", "reason": "playlistNotFound"}
    return Problem(
        404, {"code": 404, "message": message, "errors": [{**error, "location": "playlistId", "locationType": "parameter"}]}
    )
