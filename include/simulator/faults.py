"""What goes wrong on the wire: at the n-th request to a platform, whatever is asked. Each fault says whether it has come about.

Unlike defects (defects.py), faults belong to no force and no date, and know nothing of what a platform serves: they spoil an answer
on its way. The world behind them stays as it is, so what a run has in the end can be compared with a run without them.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from include.simulator.service import Answer, Question, html_page

FAULTS: dict[str, str] = {
    "server_error": "500 with a body of JSON",
    "bad_gateway": "502 with a page for people",
    "throttled": "429, Retry-After 30",
    "throttled_silently": "429 without a word on how long",
    "truncated": "the answer's JSON ends in the middle, and its length says so",
    "html_page": "a page for people, status 200",
    "reset": "the connection is reset before any byte",
    "broken_off": "the connection ends before the length that was announced",
    "slow": "the answer comes after `seconds`",
    "empty": "status 200 and no body",
    "redirect": "302 to the same address",
    "no_date": "an answer without its Date header",
    "transient": "Meta's code 2: temporarily unavailable",
    "too_much": "Meta's code 1: reduce the amount of data",
    "revoked": "the token is none of the platform's",
}
META_ONLY = ("transient", "too_much")
SLOW_SECONDS = 0.6


@dataclass(frozen=True)
class Fault:
    """One kind, at the requests `first` to `first + times - 1` to a platform, counted from 1 since it was planted."""

    kind: str
    platform: str
    first: int
    times: int = 1

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"unknown kind of fault {self.kind!r}: it is one of {', '.join(FAULTS)}")
        if self.kind in META_ONLY and self.platform not in ("facebook", "instagram", "threads"):
            raise ValueError(f"{self.kind} is an error of Meta's, not of {self.platform!r}")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fault:
        return cls(**value)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class FaultBook:
    """The planted faults, the requests counted, and what has come about."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = tuple(faults)
        self._asked: Counter[str] = Counter()
        self.fired: Counter[tuple[str, str]] = Counter()

    def next(self, platform: str) -> Fault | None:
        """Counts one request; the fault that it meets: of several the one that began last."""
        self._asked[platform] += 1
        number = self._asked[platform]
        due = [each for each in self._faults if each.platform == platform and each.first <= number < each.first + each.times]
        if not due:
            return None
        fault = max(due, key=lambda each: each.first)
        self.fired[platform, fault.kind] += 1
        return fault

    def to_json(self) -> dict[str, Any]:
        """Requests by platform, and faults that came about by platform and kind."""
        fired = [{"platform": platform, "kind": kind, "count": count} for (platform, kind), count in sorted(self.fired.items())]
        return {"asked": dict(self._asked), "fired": fired}


async def spoilt(
    fault: Fault, question: Question, request: Request, ask: Callable[[Question], Answer], reply: Callable[[Answer], Response]
) -> Response:
    """What goes back under a fault. ask: the platform's own answer. reply: an answer as a response."""
    kind = fault.kind
    if kind == "slow":
        await asyncio.sleep(SLOW_SECONDS)
    elif kind == "reset":
        _transport(request).abort()
    made = _instead(kind, request)
    if made is not None:
        return reply(made)
    if kind == "revoked":
        question = replace(question, token="revoked")  # noqa: S106  (none that anybody holds)
    response = reply(ask(question))
    if kind == "truncated":
        body = bytes(response.body)
        return _with_body(response, body[: max(len(body) // 2, 1)])
    if kind == "broken_off":
        return _BrokenOff(response, request)
    if kind == "no_date":
        del response.headers["date"]
    return response


def _transport(request: Request) -> asyncio.Transport:
    """The connection itself, from uvicorn: ASGI has no word for breaking one off."""
    return request._receive.__self__.transport  # type: ignore[attr-defined]


class _BrokenOff(Response):
    """An answer that announces more than comes before the connection ends."""

    def __init__(self, whole: Response, request: Request) -> None:
        super().__init__(bytes(whole.body), whole.status_code, {**whole.headers, "content-length": str(len(whole.body) + 100)})
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        _transport(self._request).close()
        await asyncio.sleep(0.01)  # till uvicorn knows


def _instead(kind: str, request: Request) -> Answer | None:
    """The answer in the place of the platform's own."""
    meta = {"type": "OAuthException", "is_transient": True, "fbtrace_id": "A"}
    if kind == "server_error":
        return Answer(500, {"error": {**meta, "message": "An unknown error has occurred.", "code": 1}})
    if kind == "bad_gateway":
        return replace(html_page(), status=502)
    if kind == "throttled":
        return Answer(429, {"title": "Too Many Requests", "status": 429}, {"retry-after": "30"})
    if kind == "throttled_silently":
        return Answer(429, {"title": "Too Many Requests", "status": 429})
    if kind == "html_page":
        return html_page()
    if kind == "empty":
        return Answer(200, "")
    if kind == "redirect":
        return Answer(302, "", {"location": str(request.url)})
    if kind == "transient":
        return Answer(500, {"error": {**meta, "message": "Service temporarily unavailable", "code": 2}})
    if kind == "too_much":
        message = "Please reduce the amount of data you're asking for, then retry your request"
        return Answer(500, {"error": {**meta, "message": message, "code": 1}})
    return None


def _with_body(response: Response, body: bytes) -> Response:
    return Response(body, response.status_code, {**response.headers, "content-length": str(len(body))})


def content_of(answer: Answer) -> bytes:
    """An answer's bytes, cut where it is cut."""
    content = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body, separators=(",", ":"))).encode()
    return content[: max(len(content) // 2, 1)] if answer.is_cut else content
