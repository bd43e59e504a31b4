"""Accounts on Mastodon, each asked at its own server: what is asked, and what errors mean. Why: docs/sources/mastodon.md.

How a page becomes rows: mastodon_rows.py. The activity of whole servers is another source: signals_mastodon.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from extractors import mastodon_rows
from extractors.account_reading import AccountReading, Request
from extractors.base import (
    Account,
    AccountClosed,
    ApiSource,
    Drop,
    Gap,
    Order,
    Page,
    PermissionMissing,
    Row,
    RowBatch,
    SourceError,
    Throttled,
)
from extractors.pacing import reset_seconds
from extractors.post_window import is_before, post_window

if TYPE_CHECKING:
    from extractors.http import Answer, HttpClient, Received

POSTS_PER_PAGE = 40
INSTANCE = "{instance}"
"""What stands for an account's server in the connection's host: https://{instance}."""


class Mastodon(ApiSource):
    """The forces' accounts on Mastodon: their followers and their posts of the last 30 days with public counts."""

    name = "mastodon"
    title = "Mastodon"
    platform = "mastodon"
    documentation = "docs/sources/mastodon.md"
    kinds = ("account", "post", "observation")
    own_items = mastodon_rows.OWN_ITEMS
    needs_token = False

    def base_url(self, account: Account, connection: str) -> str:
        """Its server, which its handle names. A connection that leaves no place for it (a simulator) has it first in the path."""
        server = server_of(account)
        return connection.replace(INSTANCE, server) if INSTANCE in connection else f"{connection}/{server}"

    def classify(self, received: Received) -> SourceError | None:
        return classify(received)

    def redact(self, body: Any) -> Any:
        return mastodon_rows.for_landing(body)

    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        for account in order.accounts:
            yield from _Reading(client, order, account).run()

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        return mastodon_rows.parse(page)

    def count(self, page: Page) -> Counter[str]:
        return mastodon_rows.count(page)


def server_of(account: Account) -> str:
    return account.handle.rpartition("@")[2].casefold()


def classify(received: Received) -> SourceError | None:
    """The error in an answer, None where it holds none. Servers have no codes: status alone speaks."""
    body = received.body if isinstance(received.body, dict) else {}
    said = body.get("error")
    message = said[:300] if isinstance(said, str) and said else f"answer {received.status}"
    if received.status == 429:  # JSON, or HTML of whoever stands before the server
        return Throttled(message, reset_seconds(received))
    if received.status in (401, 403):
        return PermissionMissing(f"{message}: the server answers only those who log in (authorized fetch, limited federation)")
    if received.status in (404, 410) and "error" in body:  # a 404 for people may come from anybody
        return AccountClosed(message)
    return None


class _Reading(AccountReading):
    """Numbers by the handle, posts by the id, which no change of the handle changes."""

    def context(self) -> dict[str, str]:
        return {"server": server_of(self.account)}

    def for_landing(self, body: Any) -> Any:
        return mastodon_rows.for_landing(body, self.account.account_id)

    def snapshot(self) -> Request:
        return Request("api/v1/accounts/lookup", {"acct": self.account.handle.rpartition("@")[0]})

    def closed_or_renamed(self, error: AccountClosed) -> None:
        detail = f"no account under the handle {self.account.handle} ({error}); renamed? see accounts.csv"
        self.unknown_handle = list(self.gaps("not_reported", detail))

    def first_page(self) -> Request:
        return Request(f"api/v1/accounts/{self.account.account_id}/statuses", {"limit": str(POSTS_PER_PAGE)})

    def following(self, answer: Answer) -> Request | None:
        """The header Link says where; an empty page is the end, and so is one that reaches back before the window."""
        statuses = answer.body if isinstance(answer.body, list) else []
        last = statuses[-1] if statuses and isinstance(statuses[-1], dict) else None
        if last is None or is_before(last.get("created_at"), post_window(self.order.run_date)[0]):
            return None
        if "next" in answer.links:
            return Request(answer.links["next"])
        if not isinstance(last.get("id"), str):
            return None
        first = self.first_page()  # something on the way has cut the header off
        return Request(first.path, {**first.parameters, "max_id": last["id"]})
