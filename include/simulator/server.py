"""The HTTP side: mounts the platforms, sends the clock in every Date header, and takes orders from whoever drives it."""

from __future__ import annotations

import hmac
import json
from datetime import datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from include.simulator.clock import Clock
from include.simulator.defects import Defect, DefectBook
from include.simulator.facebook import FacebookPages
from include.simulator.graph import CONTROL_HEADER, control_key
from include.simulator.register import Register
from include.simulator.world import World


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else request.query_params.get("access_token")


def create_app(seed: int, register: Register, secret: str, clock: Clock | None = None) -> Starlette:
    """The whole simulator as one application.

    `/facebook/...` speaks the platform's contract. `PUT /_control/clock {"now": iso}`, `PUT /_control/defects [...]` and
    `GET /_control/requests` want the control key in the header x-simulator-key.
    """
    clock = clock or Clock()
    facebook = FacebookPages(World(seed, register), secret, clock)
    key = control_key(secret)

    def reply(status: int, content: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
        return Response(content, status, {**(headers or {}), "date": clock.date_header, "x-simulated": "true"}, media_type)

    def reply_json(status: int, value: object) -> Response:
        return reply(status, json.dumps(value).encode(), "application/json")

    async def ask_facebook(request: Request) -> Response:
        root = f"http://{request.headers['host']}/facebook"
        answer = facebook.answer(request.path_params["path"], dict(request.query_params), _bearer(request), root)
        if isinstance(answer.body, str):
            return reply(answer.status, answer.body.encode(), "text/html; charset=utf-8", answer.headers)
        content = json.dumps(answer.body, separators=(",", ":")).encode()
        if answer.is_cut:
            content = content[: max(len(content) // 2, 1)]
        return reply(answer.status, content, "application/json; charset=UTF-8", answer.headers)

    async def control(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(CONTROL_HEADER, ""), key):
            return reply_json(403, {"error": f"the header {CONTROL_HEADER} does not hold the control key"})
        what = request.path_params["what"]
        try:
            if (request.method, what) == ("PUT", "clock"):
                clock.set(datetime.fromisoformat((await request.json())["now"]))
                return reply_json(200, {"now": clock.now.isoformat()})
            if (request.method, what) == ("PUT", "defects"):
                facebook.book = DefectBook([Defect.from_json(one) for one in await request.json()])
                return reply_json(200, {"planted": len(facebook.book.defects)})
        except (ValueError, KeyError, TypeError) as error:
            return reply_json(400, {"error": f"{type(error).__name__}: {error}"})
        if (request.method, what) == ("GET", "requests"):
            counts = {"by_endpoint": dict(facebook.by_endpoint), "by_force": dict(facebook.by_force)}
            return reply_json(200, {"total": facebook.by_endpoint.total(), **counts})
        return reply_json(404, {"error": f"no control {request.method} {what}"})

    async def unknown(request: Request, error: Exception) -> Response:
        return reply_json(404, {"error": f"the simulator serves nothing at {request.url.path}"})

    routes = [Route("/facebook/{path:path}", ask_facebook), Route("/_control/{what}", control, methods=["GET", "PUT"])]
    return Starlette(routes=routes, exception_handlers={404: unknown})
