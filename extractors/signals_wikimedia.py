"""Page views of Wikipedia articles about channels, daily (docs/sources/wikimedia.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from extractors.base import Drop, Gap, Page, PermissionMissing, Row, RowBatch, SignalOrder, SignalSource, SourceError, WatchedSeries

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received

DAYS = 98
"""Days read again in each run: a first run, on any weekday, has thirteen whole weeks (Monday to Sunday) at once although the last
day is not there yet, and days that came late are filled."""


class NoSuchViews(SourceError):
    """No views of that article in the days asked: it may be new, renamed, or written otherwise."""

    cause = "not_reported"
    retryable = False


class WikimediaViews(SignalSource):
    """Views by people, on all devices. asked_as: project and title as the address has it, `en.wikipedia/Bluesky`."""

    name = "signals_wikimedia"
    title = "Wikipedia page views"
    documentation = "docs/sources/wikimedia.md"
    kinds = ("signal",)
    default_host = "https://wikimedia.org"

    def classify(self, received: Received) -> SourceError | None:
        if received.status == 403:
            return PermissionMissing(
                "answer 403: Wikimedia refuses a User-Agent that does not say who asks: set INSIGHT_CONTACT to a page or mailbox"
            )
        if received.status == 404 and isinstance(received.body, dict):
            return NoSuchViews(str(received.body.get("detail"))[:300])
        return None

    def fetch(self, client: HttpClient, order: SignalOrder) -> Iterator[Page | Gap]:
        first, last = order.run_date - timedelta(days=DAYS), order.run_date - timedelta(days=1)
        refused: SourceError | None = None
        for series in order.series:
            if refused is not None:
                yield gap(series, refused)
                continue
            project, _, article = series.asked_as.partition("/")
            path = f"api/rest_v1/metrics/pageviews/per-article/{project}/all-access/user/{quote(article, safe='')}"
            context = {"subjects": series.subject, "channel": series.channel, "series": series.series}
            answer = client.get("per_article", f"{path}/daily/{first:%Y%m%d}/{last:%Y%m%d}", context=context)
            yield from answer.pages
            if answer.error is not None:
                yield gap(series, answer.error)
            if isinstance(answer.error, PermissionMissing):  # it is about who asks, whatever is asked
                refused = answer.error

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        """Kind signal: series × day. A day that is not in the answer is missing, not 0."""
        if "error" in page.context:
            return
        body = json.loads(page.body)
        items = body.get("items") if isinstance(body, dict) else None
        for number, item in enumerate(items if isinstance(items, list) else [], start=1):
            position = f"per_article of {page.context['subjects']} item {number}"
            if not isinstance(item, dict):
                yield Row("signal", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
                continue
            values = {"channel": page.context["channel"], "series": page.context["series"], "period": "day", "is_stock": False}
            yield Row("signal", {**values, "period_start": _day(item.get("timestamp")), "value": item.get("views")}, position)
        if not items:
            yield Gap(None, page.context["subjects"], "not_reported", "the answer came without a day")

    def count(self, page: Page) -> Counter[str]:
        from jsonpath import findall

        return Counter(signal=len(findall("$.items[*]", page.body)))


def gap(series: WatchedSeries, error: SourceError) -> Gap:
    """The hole that an error leaves in a series."""
    return Gap(None, series.subject, error.cause, str(error))


def _day(timestamp: Any) -> Any:
    """`2026070100` as `2026-07-01`. Anything else passes as it came: it becomes the row's defect."""
    text = str(timestamp)
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 10 and text.isdecimal() else text
