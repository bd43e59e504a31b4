"""Facebook Pages through Meta's Graph API: what is asked. Why: docs/sources/facebook.md.

What it has in common with Instagram stands in meta_reading.py, what Meta's errors mean in meta.py, how a page becomes rows in
facebook_rows.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from extractors import meta_contacts
from extractors.base import ApiSource, Drop, Gap, Order, Page, PermissionMissing, Row, RowBatch, SourceError
from extractors.contacts import Contacts
from extractors.facebook_rows import count, parse
from extractors.meta import classify
from extractors.meta_reading import INSIGHT_DAYS, MetaReading
from extractors.pacing import Limits, meta_windows
from extractors.post_window import is_before_window

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received

POST_FIELDS = "id,message,created_time,permalink_url,status_type"
COUNT_FIELDS = {
    "shares.count": "shares",
    "reactions.summary.total_count": "reactions.limit(0).summary(true)",
    "comments.summary.total_count": "comments.limit(0).summary(true).filter(stream)",
}
"""Counts that come with the list of posts: our name for each (its path in the answer), and how it is asked."""

POST_ID = re.compile(r"\d+_\d+")


class FacebookPages(ApiSource):
    """The pages of the forces: their followers, their posts of the last 30 days, and the insights of both."""

    name = "facebook"
    title = "Facebook Pages"
    platform = "facebook"
    limits = Limits(app="meta", read=meta_windows("pages"))
    documentation = "docs/sources/facebook.md"
    kinds = ("account", "post", "observation", "message")

    def __init__(self, pseudonym: Callable[[str], str] | None = None) -> None:
        """pseudonym: the keyed hash for ids of messages. Without one no comment is asked for."""
        self.contacts = Contacts(self.platform, pseudonym) if pseudonym else None

    def classify(self, received: Received) -> SourceError | None:
        return classify(received)

    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        retired: set[tuple[str, str]] = set()
        for account in order.accounts:
            yield from _Reading(client, order, account, retired, self.contacts).run()

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        return meta_contacts.parse(page) if page.endpoint == meta_contacts.ENDPOINT else parse(page)

    def count(self, page: Page) -> Counter[str]:
        return meta_contacts.count(page) if page.endpoint == meta_contacts.ENDPOINT else count(page)


class _Reading(MetaReading):
    comment_fields = "comments.filter(stream).limit(100){id,from,created_time,message,parent}"
    account_fields = "id,name,username,link"
    list_endpoint = "published_posts"
    list_counts = COUNT_FIELDS.keys()
    insights_period = ".period(lifetime)"

    def list_fields(self, names: Sequence[str]) -> str:
        return ",".join((POST_FIELDS, *(COUNT_FIELDS[name] for name in names)))

    def post_id(self, item: dict[str, Any]) -> str | None:
        post_id = item.get("id")
        if not isinstance(post_id, str) or not POST_ID.fullmatch(post_id) or not post_id.startswith(f"{self.account_id}_"):
            return None
        return None if is_before_window(item.get("created_time"), self.order.run_date) else post_id

    def counts_to_try_again(self, names: Sequence[str], error: SourceError) -> list[str]:
        # without pages_read_user_content the counts of reactions and comments fail the whole list
        return [name for name in names if "summary" not in name and isinstance(error, PermissionMissing)]

    def account_insights(self) -> Iterator[Page | Gap]:
        since = (self.order.run_date - timedelta(days=INSIGHT_DAYS)).isoformat()
        for breakdown, names in self.insight_names("account", "day"):
            yield from self.daily_insights(names, since, self.order.run_date.isoformat(), breakdown)
