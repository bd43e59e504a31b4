"""The Mastodon contract, as far as it is asked: the weekly activity of an instance, and accounts of forces on it.

Hosts are the first part of the path.
"""

from __future__ import annotations

from include.simulator.clock import Clock
from include.simulator.defects import EVERYONE
from include.simulator.mastodon_accounts import NOT_FOUND, AccountPages, Refusal
from include.simulator.mastodon_world import MastodonWorld
from include.simulator.service import HTML_PAGE, Answer, Question, RateWindows, Service, html_page
from include.simulator.signals_world import activity_weeks
from include.simulator.times import from_instant

WINDOW_SECONDS, LIMIT = 300, 300
"""Requests of one address to one server in each window."""

HTML = "text/html; charset=utf-8"


class MastodonInstances(Service):
    """Answers of every simulated server: `/<host>/api/v1/…`, without a token."""

    platform = "mastodon"

    def __init__(self, world: MastodonWorld, secret: str, clock: Clock) -> None:
        super().__init__(secret, clock)
        self.seed = world.seed
        self.accounts = AccountPages(world, clock, lambda: self.book, self.due, self.spoilt)
        self._windows = RateWindows(clock, WINDOW_SECONDS)

    def answer(self, question: Question) -> Answer:
        host, *rest = question.parts or [""]
        left = self._windows.take(LIMIT, host)
        headers = {
            "x-ratelimit-limit": str(LIMIT),
            "x-ratelimit-remaining": str(max(left, 0)),
            "x-ratelimit-reset": from_instant(self._windows.reset).strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        }
        endpoint = self.accounts.endpoint(rest)
        if endpoint is not None:
            return self._about_an_account(question, host, rest, endpoint, headers, left)
        return self._activity(host, rest, headers, left)

    def _about_an_account(
        self, question: Question, host: str, rest: list[str], endpoint: str, headers: dict[str, str], left: int
    ) -> Answer:
        """Defects go by the force whose account it is."""
        self.by_endpoint[endpoint] += 1
        account = self.accounts.owner(host, rest, question.query)
        force_id = account.force_id if account else ""
        if account:
            self.by_force[force_id] += 1
        try:
            if left < 0:
                raise Refusal(429, "Too many requests")
            throttle = self.due("throttle", force_id, endpoint)
            if throttle:
                raise Refusal(429, None if throttle.detail.get("form") == "html" else "Too many requests")
            if self.due("server_error", force_id, endpoint):
                raise Refusal(503, "Remote data could not be fetched")
            if account is None:
                raise Refusal(*NOT_FOUND)
            if endpoint == "published_posts" and self.due("posts_permission_lost", force_id):
                raise Refusal(401, "This API requires an authenticated user")
            if self.due("html_page", force_id, endpoint):
                page = html_page()
                page.headers |= headers
                return page
            body, more = self.accounts.answer(account, endpoint, rest, question.query, question.root)
        except Refusal as refusal:
            if refusal.status == 429:
                headers = {**headers, "x-ratelimit-remaining": "0"}
            if refusal.error is None:
                return Answer(refusal.status, HTML_PAGE, headers, media_type=HTML)
            return Answer(refusal.status, {"error": refusal.error}, headers)
        return Answer(200, body, headers | more, self.due("truncated_page", force_id, endpoint) is not None)

    def _activity(self, host: str, rest: list[str], headers: dict[str, str], left: int) -> Answer:
        is_activity = rest == ["api", "v1", "instance", "activity"]
        self.by_endpoint["instance_activity" if is_activity else "unknown"] += 1
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
