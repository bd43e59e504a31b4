"""Bluesky through the AT Protocol's AppView: what is asked, and what its errors mean. Why: docs/sources/bluesky.md.

How a page becomes rows: bluesky_rows.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from extractors import bluesky_rows
from extractors.account_reading import AccountReading, Request
from extractors.base import (
    Account,
    AccountClosed,
    ApiSource,
    Drop,
    Gap,
    Order,
    Outage,
    Page,
    PermissionMissing,
    Row,
    RowBatch,
    SourceError,
    Throttled,
    TokenExpired,
)
from extractors.bluesky_contacts import mentioned_in, mentions_for_landing
from extractors.contacts import Contacts
from extractors.pacing import Limits, Window, rate_limit_windows, reset_seconds
from extractors.post_window import post_window

if TYPE_CHECKING:
    from extractors.http import Answer, HttpClient, Received

SUBJECT = "messages"
MENTIONS_PER_PAGE = 100
POSTS_PER_PAGE = 50
"""The platform's own default, half of what it allows: few accounts post more in 30 days, and a list has no first date."""

EXPIRED = frozenset({"ExpiredToken", "InvalidToken", "AuthMissing", "AuthenticationRequired"})
CLOSED = frozenset({"AccountTakedown", "AccountDeactivated", "AccountSuspended", "RepoTakendown", "RepoDeactivated"})
BLOCKED = frozenset({"BlockedActor", "BlockedByActor", "AuthRequiredResponse", "Forbidden"})


def windows(received: Received) -> Iterator[Window]:
    """The one that is announced is an address's, whatever the token."""
    for window in rate_limit_windows(received):
        yield replace(window, counted_by="app")


class Bluesky(ApiSource):
    """The forces' accounts on Bluesky: their followers, their posts of the last 30 days with public counts, and, with a token, who
    turned to them.

    pseudonym: the keyed hash for ids of messages. Without one no contact is asked for or kept.
    """

    name = "bluesky"
    title = "Bluesky"
    platform = "bluesky"
    documentation = "docs/sources/bluesky.md"
    kinds = ("account", "post", "observation", "message")
    own_items = bluesky_rows.OWN_ITEMS
    needs_token = False
    limits = Limits(read=windows)

    def __init__(self, pseudonym: Callable[[str], str] | None = None) -> None:
        self.contacts = Contacts(self.platform, pseudonym) if pseudonym else None

    def classify(self, received: Received) -> SourceError | None:
        return classify(received)

    def redact(self, body: Any) -> Any:
        return bluesky_rows.for_landing(body)

    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        for account in order.accounts:
            yield from _Reading(client, order, account, self.contacts).run()

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        return bluesky_rows.parse(page)

    def count(self, page: Page) -> Counter[str]:
        return bluesky_rows.count(page)


def classify(received: Received) -> SourceError | None:
    """The error in an answer, None where it holds none: by its name, then by status."""
    body = received.body if isinstance(received.body, dict) else {}
    name, said = body.get("error"), body.get("message")
    if received.status < 400:
        return None
    name = name if isinstance(name, str) else ""
    message = said[:300] if isinstance(said, str) and said else name or f"answer {received.status}"
    if received.status == 429 or name == "RateLimitExceeded":
        return Throttled(message, reset_seconds(received))
    if name in EXPIRED or received.status == 401:
        return TokenExpired(message)
    if name in CLOSED or (name == "InvalidRequest" and "not found" in message.lower()):
        return AccountClosed(message)
    if name in BLOCKED or received.status == 403:
        return PermissionMissing(message)
    if name == "UpstreamFailure":
        return Outage(f"answer {received.status}: {message}")
    return None


class _Reading(AccountReading):
    """By the DID, which no change of handle changes: who is unknown under it is gone."""

    def __init__(self, client: HttpClient, order: Order, account: Account, contacts: Contacts | None) -> None:
        super().__init__(client, order, account)
        self.keeps = contacts
        self.mentioned: dict[str, Any] = {}
        """Uris of this run's mentions, and when each was said: in memory only, to tell which of them the force's replies answer."""

    def for_landing(self, body: Any) -> Any:
        return bluesky_rows.for_landing(body, self.account.account_id, self.keeps, self.mentioned)

    def contacts(self) -> Iterator[Page | Gap]:
        """The mentions, for which the network wants a login. Landed as keyed hashes, times and decisions."""
        keeps, own = self.keeps, self.account.account_id
        if keeps is None:
            return
        if not self.client.has_token:
            detail = "the list of mentions needs a login: ask an account's own server, with a token (docs/sources/bluesky.md)"
            yield Gap(own, SUBJECT, PermissionMissing.cause, detail)
            return

        def reduce(body: Any) -> Any:
            self.mentioned.update(mentioned_in(body, bluesky_rows.published_at))
            return mentions_for_landing(body, keeps, own, bluesky_rows.published_at)

        since = f"{post_window(self.order.run_date)[0]:%Y-%m-%dT%H:%M:%SZ}"
        asked = {"q": "*", "mentions": own, "sort": "latest", "since": since, "limit": str(MENTIONS_PER_PAGE)}
        first = Request("xrpc/app.bsky.feed.searchPosts", asked)

        def following(answer: Answer) -> Request | None:
            cursor = answer.body.get("cursor") if isinstance(answer.body, dict) else None
            return Request(first.path, {**asked, "cursor": cursor}) if isinstance(cursor, str) and cursor else None

        try:
            yield from self.listed("mentions", first, None, (SUBJECT,), following, reduce)
        except SourceError as error:  # of the mentions alone: what else the account has is asked for all the same
            yield Gap(own, SUBJECT, error.cause, str(error))

    def snapshot(self) -> Request:
        return Request("xrpc/app.bsky.actor.getProfile", {"actor": self.account.account_id})

    def first_page(self) -> Request:
        asked = {"actor": self.account.account_id, "limit": str(POSTS_PER_PAGE), "filter": "posts_with_replies"}
        return Request("xrpc/app.bsky.feed.getAuthorFeed", asked)

    def following(self, answer: Answer) -> Request | None:
        """There is no `since`: back by the cursor until a page ends before the window."""
        body = answer.body if isinstance(answer.body, dict) else {}
        cursor = body.get("cursor")
        if not isinstance(cursor, str) or not cursor or bluesky_rows.ends_before(body, post_window(self.order.run_date)[0]):
            return None
        first = self.first_page()
        return Request(first.path, {**first.parameters, "cursor": cursor})
