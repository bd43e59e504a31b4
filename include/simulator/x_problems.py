"""How X says no: problem bodies of the whole answer, and partial errors beside data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OLD, NEW = "https://api.twitter.com/2/problems", "https://api.x.com/2/problems"
PROMOTED = ("impression_count", "like_count", "reply_count", "retweet_count", "url_link_clicks")


class Problem(Exception):
    """An error answer: HTTP status, body, and how long nothing more is let through."""

    def __init__(self, status: int, body: Mapping[str, Any], blocked_seconds: int | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.blocked_seconds = status, dict(body), blocked_seconds


def plain(status: int, title: str) -> Problem:
    """401, 503 and 429 in their usual form."""
    return Problem(status, {"title": title, "type": "about:blank", "status": status, "detail": title})


def too_many(form: str, seconds: int) -> Problem:
    """429, in the form of the documentation (`v1`) or that of the wire (`v2`)."""
    body: dict[str, Any] = {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429}
    if form == "v1":
        return Problem(429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, seconds)
    return Problem(429, body, seconds)


def no_credits(form: str) -> Problem:
    """402 as of 2026, or in its earlier words (`enrolled`); or the monthly cap (`usage_capped`), which comes as 429."""
    if form == "usage_capped":
        body: dict[str, Any] = {
            "title": "UsageCapExceeded",
            "detail": "Usage cap exceeded: Monthly product cap",
            "type": f"{OLD}/usage-capped",
        }
        return Problem(429, body)
    if form == "enrolled":
        detail = "Your enrolled account [2051096097834344448] does not have any credits to fulfill this request."
        body = {"account_id": 2051096097834344448, "title": "CreditsDepleted", "detail": detail, "type": f"{OLD}/credits"}
        return Problem(402, body)
    return Problem(
        402, {"detail": "credits depleted", "status": 402, "title": "Payment Required", "type": f"{NEW}/credits-depleted"}
    )


def not_enrolled() -> Problem:
    return Problem(
        403,
        {
            "client_id": "20260101",
            "required_enrollment": "Appropriate Level of API Access",
            "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
            "title": "Client Forbidden",
            "detail": "When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter "
            "developer App that is attached to a Project.",
            "reason": "client-not-enrolled",
            "type": f"{OLD}/client-forbidden",
        },
    )


def invalid(parameter: str, value: str, message: str) -> Problem:
    return Problem(
        400,
        {
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": f"{NEW}/invalid-request",
            "errors": [{"parameters": {parameter: [value]}, "message": message}],
        },
    )


def not_found(kind: str, parameter: str, value: str) -> dict[str, Any]:
    """The partial error of one thing that is not there: the answer is 200 all the same."""
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{OLD}/resource-not-found",
    }


def not_promoted(post_id: str) -> list[dict[str, Any]]:
    """What asking for promoted_metrics brings for a post that was never promoted."""
    return [
        {
            "resource_id": post_id,
            "parameter": "tweet.fields",
            "resource_type": "tweet",
            "title": "Field Authorization Error",
            "detail": f"Field {name} is not available for this resource.",
            "field": f"promoted_metrics.{name}",
            "type": f"{OLD}/disallowed-resource",
        }
        for name in PROMOTED
    ]
