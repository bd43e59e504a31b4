"""The HTTP side: mounts the platforms, sends the clock in every Date header, and takes orders from whoever drives it."""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from include.simulator.bluesky import BlueskyAppView
from include.simulator.bluesky_world import BlueskyWorld
from include.simulator.clock import Clock
from include.simulator.defects import Defect
from include.simulator.facebook import FacebookPages
from include.simulator.graph import CONTROL_HEADER, control_key
from include.simulator.instagram import InstagramAccounts
from include.simulator.instagram_world import InstagramWorld
from include.simulator.mastodon import MastodonInstances
from include.simulator.mastodon_world import MastodonWorld
from include.simulator.register import Register
from include.simulator.service import Question, Service
from include.simulator.wikimedia import WikimediaPageviews
from include.simulator.world import World
from include.simulator.x import XTimelines
from include.simulator.x_world import XWorld


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else request.query_params.get("access_token")


def _question(request: Request, platform: str) -> Question:
    path = request.scope["raw_path"].decode("ascii")[len(platform) + 1 :]  # undecoded: a %2F in it is part of a name
    root = f"http://{request.headers['host']}/{platform}"
    query, pairs = dict(request.query_params), tuple(request.query_params.multi_items())
    return Question(path, query, _bearer(request), root, request.headers.get("user-agent", ""), pairs)


def create_services(seed: int, register: Register, secret: str, clock: Clock) -> tuple[Service, ...]:
    """Every platform that is served."""
    return (
        FacebookPages(World(seed, register), secret, clock),
        InstagramAccounts(InstagramWorld(seed, register), secret, clock),
        XTimelines(XWorld(seed, register), secret, clock),
        BlueskyAppView(BlueskyWorld(seed, register), secret, clock),
        WikimediaPageviews(seed, secret, clock),
        MastodonInstances(MastodonWorld(seed, register), secret, clock),
    )


def create_app(seed: int, register: Register, secret: str, clock: Clock | None = None) -> Starlette:
    """The whole simulator as one application.

    `/<platform>/...` speaks the platform's contract. `PUT /_control/clock {"now": iso}`, `PUT /_control/defects [...]` and
    `GET /_control/requests` want the control key in the header x-simulator-key.
    """
    clock = clock or Clock()
    services = create_services(seed, register, secret, clock)
    key = control_key(secret)

    def reply(status: int, content: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
        return Response(content, status, {**(headers or {}), "date": clock.date_header, "x-simulated": "true"}, media_type)

    def reply_json(status: int, value: object) -> Response:
        return reply(status, json.dumps(value).encode(), "application/json")

    def ask(service: Service) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            answer = service.answer(_question(request, service.platform))
            is_text = isinstance(answer.body, str)
            content = (answer.body if is_text else json.dumps(answer.body, separators=(",", ":"))).encode()
            if answer.is_cut:
                content = content[: max(len(content) // 2, 1)]
            return reply(answer.status, content, answer.media_type, answer.headers)

        return handle

    def requests() -> dict[str, object]:
        by_endpoint: Counter[str] = sum((service.by_endpoint for service in services), Counter())
        by_force: Counter[str] = sum((service.by_force for service in services), Counter())
        by_platform = {
            service.platform: {
                "total": service.by_endpoint.total(),
                "by_endpoint": service.by_endpoint,
                "by_force": service.by_force,
            }
            for service in services
        }
        return {"total": by_endpoint.total(), "by_endpoint": by_endpoint, "by_force": by_force, "by_platform": by_platform}

    async def control(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(CONTROL_HEADER, ""), key):
            return reply_json(403, {"error": f"the header {CONTROL_HEADER} does not hold the control key"})
        what = request.path_params["what"]
        try:
            if (request.method, what) == ("PUT", "clock"):
                clock.set(datetime.fromisoformat((await request.json())["now"]))
                return reply_json(200, {"now": clock.now.isoformat()})
            if (request.method, what) == ("PUT", "defects"):
                defects = [Defect.from_json(one) for one in await request.json()]
                for service in services:
                    service.plant(defects)
                return reply_json(200, {"planted": len(defects)})
        except (ValueError, KeyError, TypeError) as error:
            return reply_json(400, {"error": f"{type(error).__name__}: {error}"})
        if (request.method, what) == ("GET", "requests"):
            return reply_json(200, requests())
        return reply_json(404, {"error": f"no control {request.method} {what}"})

    async def unknown(request: Request, error: Exception) -> Response:
        return reply_json(404, {"error": f"the simulator serves nothing at {request.url.path}"})

    routes = [Route(f"/{service.platform}/{{path:path}}", ask(service)) for service in services]
    return Starlette(
        routes=[*routes, Route("/_control/{what}", control, methods=["GET", "PUT"])], exception_handlers={404: unknown}
    )
