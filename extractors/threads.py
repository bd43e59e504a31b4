"""Threads through its own Graph API: what is asked. Why: docs/sources/threads.md.

What it has in common with Facebook and Instagram stands in meta_reading.py, how a page becomes rows in threads_rows.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from extractors.base import (
    ApiSource,
    Drop,
    Gap,
    NoAnswer,
    Order,
    Outage,
    Page,
    PermissionMissing,
    RetiredMetric,
    Row,
    RowBatch,
    SourceError,
)
from extractors.meta import classify
from extractors.meta_reading import INSIGHT_DAYS, MetaReading
from extractors.meta_rows import day_of_meta
from extractors.pacing import Limits, meta_windows
from extractors.post_window import is_before_window
from extractors.threads_rows import count, for_landing, is_repost, parse

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received

POST_FIELDS = "id,text,timestamp,permalink,media_type,media_product_type"
FIRST_SECOND = 1_712_991_600
"""2024-04-13: there are no insights of accounts from before, and no `since` may be earlier."""

PROFILE = "profile"
"""What a hole is called where the account's names did not come."""

MEDIA_ID = re.compile(r"\d+")


class Threads(ApiSource):
    """The forces' accounts on Threads: their followers and views, their posts of the last 30 days, and the insights of these."""

    name = "threads"
    title = "Threads"
    platform = "threads"
    limits = Limits(read=meta_windows("threads", others_bind=True))
    documentation = "docs/sources/threads.md"
    kinds = ("account", "post", "observation")

    def classify(self, received: Received) -> SourceError | None:
        return classify(received)

    def redact(self, body: Any) -> Any:
        return for_landing(body)

    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        retired: set[tuple[str, str]] = set()
        for account in order.accounts:
            yield from _Reading(client, order, account, retired).run()

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        return parse(page)

    def count(self, page: Page) -> Counter[str]:
        return count(page)


class _Reading(MetaReading):
    version = "v1.0"
    account_fields = "id,username,name"
    list_endpoint = "threads"
    list_counts = ()

    def list_fields(self, names: Sequence[str]) -> str:
        return POST_FIELDS

    def post_id(self, item: dict[str, Any]) -> str | None:
        """A repost has no insights: the answer would be empty."""
        post_id = item.get("id")
        if not isinstance(post_id, str) or not MEDIA_ID.fullmatch(post_id) or is_repost(item):
            return None
        return None if is_before_window(item.get("timestamp"), self.order.run_date) else post_id

    def snapshot(self) -> Iterator[Page | Gap]:
        """The profile. It has no numbers: those of the account are insights. One that is refused is a hole of its own."""
        path, parameters = f"{self.version}/{self.account_id}", {"fields": self.account_fields}
        try:
            yield from self.ask("account", path, parameters, "account", (PROFILE,))
        except (Outage, PermissionMissing, RetiredMetric) as error:
            if isinstance(error, NoAnswer):
                raise
            yield from self.gaps("account", [PROFILE], error)

    def post_insights(self) -> Iterator[Page | Gap]:
        """Post by post: Threads takes no list of ids."""
        for _, names in self.insight_names("post", "lifetime"):

            def ask(ids: Sequence[str], names: Sequence[str]) -> Iterator[Page]:
                path, parameters = f"{self.version}/{ids[0]}/insights", {"metric": ",".join(names)}
                yield from self.ask("post_insights", path, parameters, "post", names, ids=ids[0])

            for post_id in self.post_ids:
                yield from self.halving(ask, "post", [post_id], names)

    def account_insights(self) -> Iterator[Page | Gap]:
        """Views by day and the followers of now in one request."""
        names = [*self.order.field_names("account", "day"), *self.order.field_names("account", "snapshot")]
        run_date = self.order.run_date
        since, until = (int(day_of_meta(day)[0].timestamp()) for day in (run_date - timedelta(days=INSIGHT_DAYS), run_date))
        span = {"since": str(max(since, FIRST_SECOND)), "until": str(max(until, FIRST_SECOND + 1))}

        def ask(_: Sequence[str], names: Sequence[str]) -> Iterator[Page]:
            yield from self.ask_about_account("threads_insights", {"metric": ",".join(names), **span}, names)

        yield from self.halving(ask, "account", [self.account_id], names)
