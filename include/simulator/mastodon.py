"""The Mastodon contract, as far as it is asked: the weekly activity of an instance. Hosts are the first part of the path."""

from __future__ import annotations

from include.simulator.clock import Clock
from include.simulator.defects import EVERYONE
from include.simulator.service import Answer, Question, RateWindows, Service, html_page
from include.simulator.signals_world import activity_weeks
from include.simulator.times import from_instant

WINDOW_SECONDS, LIMIT = 300, 300


class MastodonInstances(Service):
    """Answers of every simulated instance: `/<host>/api/v1/instance/activity`, without a token."""

    platform = "mastodon"

    def __init__(self, seed: int, secret: str, clock: Clock) -> None:
        super().__init__(secret, clock)
        self.seed = seed
        self._windows = RateWindows(clock, WINDOW_SECONDS)

    def answer(self, question: Question) -> Answer:
        host, *rest = question.parts or [""]
        is_activity = rest == ["api", "v1", "instance", "activity"]
        self.by_endpoint["instance_activity" if is_activity else "unknown"] += 1
        left = self._windows.take(LIMIT, host)
        headers = {
            "x-ratelimit-limit": str(LIMIT),
            "x-ratelimit-remaining": str(max(left, 0)),
            "x-ratelimit-reset": from_instant(self._windows.reset).strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        }
        disabled = self.book.all("activity_disabled", EVERYONE, self.clock.today)
        if not is_activity:
            return Answer(404, {"error": "Record not found"}, headers)
        if any(defect.detail.get("host", host) == host for defect in disabled):
            return Answer(404, "", headers)  # Mastodon: head 404
        if left < 0 or self.due("throttle", EVERYONE):
            return Answer(429, {"error": "Too many requests"}, {**headers, "x-ratelimit-remaining": "0"})
        if self.due("server_error", EVERYONE):
            return Answer(503, {"error": "Remote data could not be fetched"}, headers)
        if self.due("html_page", EVERYONE):
            return html_page()
        rows = [
            {
                "week": str(week),
                "statuses": str(found.statuses),
                "logins": str(found.logins),
                "registrations": str(found.registrations),
            }
            for week, found in activity_weeks(self.seed, host, self.clock.instant)
        ]
        return Answer(200, rows, headers, is_cut=self.due("truncated_page", EVERYONE) is not None)
