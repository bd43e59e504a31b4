"""Instagram's professional accounts through Meta's Graph API: what is asked. Why: docs/sources/instagram.md.

What it has in common with Facebook stands in meta_reading.py, how a page becomes rows in instagram_rows.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from extractors import meta_contacts
from extractors.base import ApiSource, Drop, Gap, Order, Page, Row, RowBatch, SourceError
from extractors.contacts import Contacts
from extractors.instagram_rows import COUNTS, count, is_ad, parse, without_ads
from extractors.meta import classify
from extractors.meta_reading import INSIGHT_DAYS, MetaReading
from extractors.meta_rows import day_of_meta
from extractors.pacing import Limits, meta_windows
from extractors.post_window import is_before, is_before_window, post_window

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received

MEDIA_FIELDS = "id,caption,media_type,media_product_type,timestamp,permalink"
TIME_SERIES = frozenset({"reach", "follower_count"})
"""Daily numbers of the account that come as a series; every other one comes as the total of the days asked."""

SETTLED_DAYS = 3
"""The account's totals are asked for the day that so many days ago ended: the first that Meta's 48 hours have settled."""

YOUNG = timedelta(days=3)
"""Media published so short before the end of the run's day may have no insights yet: Instagram takes up to 48 hours."""

MEDIA_ID = re.compile(r"\d+")


class Instagram(ApiSource):
    """The forces' accounts: their followers, their media of the last 30 days, and the insights of both, organic only."""

    name = "instagram"
    title = "Instagram"
    platform = "instagram"
    limits = Limits(app="meta", read=meta_windows("instagram"))
    documentation = "docs/sources/instagram.md"
    kinds = ("account", "post", "observation", "message")

    def __init__(self, pseudonym: Callable[[str], str] | None = None) -> None:
        """pseudonym: the keyed hash for ids of messages. Without one no comment is asked for."""
        self.contacts = Contacts(self.platform, pseudonym) if pseudonym else None

    def classify(self, received: Received) -> SourceError | None:
        return classify(received)

    def redact(self, body: Any) -> Any:
        return without_ads(body)

    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        retired: set[tuple[str, str]] = set()
        for account in order.accounts:
            yield from _Reading(client, order, account, retired, self.contacts).run()

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        return meta_contacts.parse(page) if page.endpoint == meta_contacts.ENDPOINT else parse(page)

    def count(self, page: Page) -> Counter[str]:
        return meta_contacts.count(page) if page.endpoint == meta_contacts.ENDPOINT else count(page)


class _Reading(MetaReading):
    comment_fields = "comments.limit(50){id,from,username,timestamp,text,replies.limit(50){id,from,username,timestamp,text}}"
    account_fields = "id,username,name"
    list_endpoint = "media"
    list_counts = COUNTS

    def list_fields(self, names: Sequence[str]) -> str:
        return ",".join((MEDIA_FIELDS, *names))

    def post_id(self, item: dict[str, Any]) -> str | None:
        post_id = item.get("id")
        if not isinstance(post_id, str) or not MEDIA_ID.fullmatch(post_id) or is_ad(item):
            return None
        return None if is_before_window(item.get("timestamp"), self.order.run_date) else post_id

    def media_type(self, item: dict[str, Any]) -> str | None:
        said = item.get("media_type")
        return said if isinstance(said, str) else None

    def is_young(self, item: dict[str, Any]) -> bool:
        return not is_before(item.get("timestamp"), post_window(self.order.run_date)[1] - YOUNG)

    def account_insights(self) -> Iterator[Page | Gap]:
        run_date = self.order.run_date
        since, until = day_of_meta(run_date - timedelta(days=INSIGHT_DAYS))[0], day_of_meta(run_date)[0]
        for breakdown, names in self.insight_names("account", "day"):
            series = [name for name in names if name in TIME_SERIES]
            totals = [name for name in names if name not in TIME_SERIES]
            yield from self.daily_insights(series, _unix(since), _unix(until), breakdown)
            # a total has no date of its own: one call is one day
            day = run_date - timedelta(days=SETTLED_DAYS)
            start, end = day_of_meta(day)
            total = {"metric_type": "total_value", "metric_date": day.isoformat()}
            yield from self.daily_insights(totals, _unix(start), _unix(end), breakdown, **total)


def _unix(moment: Any) -> str:
    return str(int(moment.timestamp()))
