"""The HTTP side: mounts the platforms, sends the clock in every Date header, and takes orders from whoever drives it."""

from __future__ import annotations

import asyncio
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
from include.simulator.faults import Fault, FaultBook, content_of, spoilt
from include.simulator.graph import CONTROL_HEADER, control_key
from include.simulator.instagram import InstagramAccounts
from include.simulator.instagram_world import InstagramWorld
from include.simulator.mastodon import MastodonInstances
from include.simulator.mastodon_world import MastodonWorld
from include.simulator.police_uk import PoliceUk
from include.simulator.register import Register
from include.simulator.service import Answer, Question, Service
from include.simulator.threads import ThreadsAccounts
from include.simulator.threads_world import ThreadsWorld
from include.simulator.wikimedia import WikimediaPageviews
from include.simulator.world import World
from include.simulator.x import XTimelines
from include.simulator.x_world import XWorld
from include.simulator.youtube import YouTubeData
from include.simulator.youtube_world import YouTubeWorld


def _token(request: Request, platform: str) -> str | None:
    if platform == YouTubeData.platform:  # a key of an API, in either of its two places
        return request.headers.get("x-goog-api-key") or request.query_params.get("key")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else request.query_params.get("access_token")


def _question(request: Request, platform: str) -> Question:
    path = request.scope["raw_path"].decode("ascii")[len(platform) + 1 :]  # undecoded: a %2F in it is part of a name
    root = f"http://{request.headers['host']}/{platform}"
    query, pairs = dict(request.query_params), tuple(request.query_params.multi_items())
    return Question(path, query, _token(request, platform), root, request.headers.get("user-agent", ""), pairs)


def create_services(seed: int, register: Register, secret: str, clock: Clock) -> tuple[Service, ...]:
    """Every platform that is served."""
    return (
        FacebookPages(World(seed, register), secret, clock),
        InstagramAccounts(InstagramWorld(seed, register), secret, clock),
        XTimelines(XWorld(seed, register), secret, clock),
        ThreadsAccounts(ThreadsWorld(seed, register), secret, clock),
        BlueskyAppView(BlueskyWorld(seed, register), secret, clock),
        YouTubeData(YouTubeWorld(seed, register), secret, clock),
        WikimediaPageviews(seed, secret, clock),
        MastodonInstances(MastodonWorld(seed, register), secret, clock),
        PoliceUk(register, secret, clock),
    )


def create_app(seed: int, register: Register, secret: str, clock: Clock | None = None) -> Starlette:
    """The whole simulator as one application.

    `/<platform>/...` speaks the platform's contract. `PUT /_control/clock {"now": iso}`, `PUT /_control/defects [...]`,
    `PUT /_control/limits {"latency_seconds": 0.05, "calls": {"x": 20}}`, `PUT` and `GET /_control/faults [...]` and
    `GET /_control/requests` want the control key in the header x-simulator-key.
    """
    clock = clock or Clock()
    services = create_services(seed, register, secret, clock)
    key = control_key(secret)
    pace = {"latency_seconds": 0.0}
    faults = FaultBook()

    def reply(status: int, content: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
        return Response(content, status, {**(headers or {}), "date": clock.date_header, "x-simulated": "true"}, media_type)

    def reply_json(status: int, value: object) -> Response:
        return reply(status, json.dumps(value).encode(), "application/json")

    def ask(service: Service) -> Callable[[Request], Awaitable[Response]]:
        def answered(answer: Answer) -> Response:
            return reply(answer.status, content_of(answer), answer.media_type, answer.headers)

        async def handle(request: Request) -> Response:
            if pace["latency_seconds"]:
                await asyncio.sleep(pace["latency_seconds"])
            question = _question(request, service.platform)
            fault = faults.next(service.platform)
            if fault is not None:
                return await spoilt(fault, question, request, service.answer, answered)
            return answered(service.answer(question))

        return handle

    def requests() -> dict[str, object]:
        by_endpoint: Counter[str] = sum((service.by_endpoint for service in services), Counter())
        by_force: Counter[str] = sum((service.by_force for service in services), Counter())
        by_platform = {
            service.platform: {
                "total": service.by_endpoint.total(),
                "by_endpoint": service.by_endpoint,
                "by_force": service.by_force,
                "refused": service.refused,
            }
            for service in services
        }
        return {"total": by_endpoint.total(), "by_endpoint": by_endpoint, "by_force": by_force, "by_platform": by_platform}

    async def control(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(CONTROL_HEADER, ""), key):
            return reply_json(403, {"error": f"the header {CONTROL_HEADER} does not hold the control key"})
        nonlocal faults
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
            if (request.method, what) == ("PUT", "limits"):
                wanted = await request.json()
                pace["latency_seconds"] = float(wanted["latency_seconds"])
                for service in services:
                    service.allow(wanted["calls"].get(service.platform))
                return reply_json(200, wanted)
            if (request.method, what) == ("PUT", "faults"):
                faults = FaultBook(Fault.from_json(one) for one in await request.json())
                return reply_json(200, faults.to_json())
        except (ValueError, KeyError, TypeError) as error:
            return reply_json(400, {"error": f"{type(error).__name__}: {error}"})
        if (request.method, what) == ("GET", "requests"):
            return reply_json(200, requests())
        if (request.method, what) == ("GET", "faults"):
            return reply_json(200, faults.to_json())
        return reply_json(404, {"error": f"no control {request.method} {what}"})

    async def unknown(request: Request, error: Exception) -> Response:
        return reply_json(404, {"error": f"the simulator serves nothing at {request.url.path}"})

    routes = [Route(f"/{service.platform}/{{path:path}}", ask(service)) for service in services]
    return Starlette(
        routes=[*routes, Route("/_control/{what}", control, methods=["GET", "PUT"])], exception_handlers={404: unknown}
    )
