"""The Wikimedia page view contract: daily and monthly views of an article, without credentials but with a name."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote

from include.simulator.clock import Clock
from include.simulator.defects import EVERYONE
from include.simulator.service import Answer, Question, RateWindows, Service, html_page
from include.simulator.signals_world import FIRST_DAY, last_views_day, views

PREFIX = ["api", "rest_v1", "metrics", "pageviews", "per-article"]
ACCESS = {"all-access": 1.0, "desktop": 0.4, "mobile-web": 0.55, "mobile-app": 0.05}
AGENTS = {"user": 1.0, "all-agents": 1.3, "spider": 0.2, "automated": 0.1}
GENERIC = re.compile(r"(python-requests|python-urllib|python-httpx|curl|wget|java|go-http-client|okhttp|axios)\b", re.IGNORECASE)
PER_MINUTE, PER_MINUTE_WITHOUT_CONTACT = 200, 10


class _Refused(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class WikimediaPageviews(Service):
    """Answers of the simulated API. It wants no token, but a User-Agent that says who asks."""

    platform = "wikimedia"

    def __init__(self, seed: int, secret: str, clock: Clock) -> None:
        super().__init__(secret, clock)
        self.seed = seed
        self._windows = RateWindows(clock, 60)

    def answer(self, question: Question) -> Answer:
        self.by_endpoint["per_article"] += 1
        try:
            self._refuse(question.user_agent)
            if self.due("html_page", EVERYONE):
                return html_page()
            items = self._items(question)
        except _Refused as refused:
            return refused.answer
        is_cut = self.due("truncated_page", EVERYONE) is not None
        return Answer(200, {"items": items}, is_cut=is_cut, media_type="application/json; charset=utf-8")

    def _refuse(self, user_agent: str) -> None:
        if not user_agent.strip() or GENERIC.match(user_agent.strip()):
            text = "Please set a user-agent and respect our robot policy https://w.wiki/4wJS. See also T400119.\n"
            raise _Refused(Answer(403, text, media_type="text/plain; charset=utf-8"))
        has_contact = "@" in user_agent or "http" in user_agent
        limit = PER_MINUTE if has_contact else PER_MINUTE_WITHOUT_CONTACT
        throttle = self.due("throttle", EVERYONE)
        if throttle or self._windows.take(limit, user_agent) < 0:
            seconds = 60 * throttle.detail.get("regain_minutes", 0) if throttle else self._windows.reset - self.clock.instant
            text = "You are making too many requests. Please respect our robot policy https://w.wiki/4wJS.\n"
            raise _Refused(Answer(429, text, {"retry-after": str(seconds)}, media_type="text/plain; charset=utf-8"))
        if self.due("server_error", EVERYONE):
            raise self._problem(503, "Service Unavailable", "upstream connect error", "")

    @staticmethod
    def _problem(status: int, title: str, detail: str, path: str) -> _Refused:
        body = {"detail": detail, "method": "get", "status": status, "title": title, "type": "about:blank", "uri": path}
        return _Refused(Answer(status, body, media_type="application/problem+json; charset=utf-8"))

    def _items(self, question: Question) -> list[dict[str, Any]]:
        parts, path = question.parts, question.path
        if parts[:5] != PREFIX or len(parts) != 12:
            raise self._problem(404, "Not Found", "The requested URL was not found on this server.", path)
        project, access, agent, article, granularity, start, end = (unquote(part) for part in parts[5:])
        if access not in ACCESS or agent not in AGENTS or granularity not in ("daily", "monthly"):
            raise self._problem(400, "Bad Request", "access, agent and granularity should be one of the known values", path)
        first, last = self._day(start, "start", path), self._day(end, "end", path)
        if first > last:
            raise self._problem(400, "Bad Request", "start timestamp should be before the end timestamp", path)
        factor = ACCESS[access] * AGENTS[agent]
        counts = self._daily(article, max(first, FIRST_DAY), min(last, last_views_day(self.clock.instant)))
        if granularity == "monthly":
            counts = self._monthly(counts, first, last, path)
        if not counts or project != "en.wikipedia":
            detail = (
                "The date(s) you used are valid, but we either do not have data for those date(s), or the project you asked for "
            )
            raise self._problem(
                404, "Not Found", detail + "is not loaded yet. Please check documentation for more information.", path
            )
        names = {"project": project, "article": article, "granularity": granularity}
        return [
            {**names, "timestamp": f"{day:%Y%m%d}00", "access": access, "agent": agent, "views": int(value * factor)}
            for day, value in counts.items()
        ]

    def _daily(self, article: str, first: date, last: date) -> dict[date, int]:
        days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
        return {day: value for day in days if (value := views(self.seed, article, day)) is not None}

    def _monthly(self, counts: dict[date, int], first: date, last: date, path: str) -> dict[date, int]:
        """Of the months that lie whole between the dates; the current one is partial."""
        months: dict[date, int] = defaultdict(int)
        for day, value in counts.items():
            begin = day.replace(day=1)
            if first <= begin and (begin + timedelta(days=31)).replace(day=1) - timedelta(days=1) <= last:
                months[begin] += value
        if not months:
            raise self._problem(400, "Bad Request", "no full months between dates", path)
        return months

    def _day(self, text: str, name: str, path: str) -> date:
        """YYYYMMDD, or the same with the hour 00."""
        try:
            if not re.fullmatch(r"\d{8}(00)?", text):
                raise ValueError(text)
            return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        except ValueError:
            detail = f"{name} timestamp is invalid, must be a valid date in YYYYMMDD format"
            raise self._problem(400, "Bad Request", detail, path) from None
