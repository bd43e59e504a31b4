"""Activity of Mastodon servers, weekly (docs/sources/mastodon_activity.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from extractors.base import (
    Drop,
    Gap,
    Page,
    PermissionMissing,
    RetiredMetric,
    Row,
    RowBatch,
    SignalOrder,
    SignalSource,
    SourceError,
    WatchedSeries,
)

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received

FIELDS = ("statuses", "logins", "registrations")


class MastodonActivity(SignalSource):
    """Posts, logins and registrations of servers in weeks of seven days. asked_as: server and number, `mastodon.social/logins`."""

    name = "signals_mastodon"
    title = "Mastodon server activity"
    documentation = "docs/sources/mastodon_activity.md"
    kinds = ("signal",)

    def base_url(self, series: WatchedSeries, host: str | None) -> str:
        server = series.asked_as.partition("/")[0]
        return f"{host}/{server}" if host else f"https://{server}"

    def classify(self, received: Received) -> SourceError | None:
        """By the status: the 404 of a server that has it switched off comes with an empty body."""
        if received.status == 404:
            return RetiredMetric("answer 404: the server has switched its activity off")
        if received.status in (401, 403):
            return PermissionMissing(f"answer {received.status}: the server shows its activity only to those who log in")
        return None

    def fetch(self, client: HttpClient, order: SignalOrder) -> Iterator[Page | Gap]:
        wanted = {series.asked_as.partition("/")[2]: series for series in order.series}
        context = {"subjects": ",".join(series.subject for series in order.series)}
        context |= {field: series.subject for field, series in wanted.items()}
        answer = client.get("activity", "api/v1/instance/activity", context=context)
        yield from answer.pages
        if answer.error is not None:
            for series in order.series:
                yield Gap(None, series.subject, answer.error.cause, str(answer.error))

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        """Kind signal: series × week of seven days from `week` on. The week that is not over when asked is dropped."""
        if "error" in page.context:
            return
        weeks = json.loads(page.body)
        wanted = {field: page.context[field] for field in FIELDS if field in page.context}
        for number, item in enumerate(weeks if isinstance(weeks, list) else [], start=1):
            if not isinstance(item, dict):
                yield Row("signal", {"_defect": f"expected an object, got {type(item).__name__}"}, f"activity item {number}")
                continue
            for field, subject in wanted.items():
                position = f"activity item {number} {field} of {subject}"
                if item.get(field) is None:
                    yield Gap(None, subject, "not_reported", f"week {number} came without {field}")
                elif (start := _start(item.get("week"))) and (page.observed_at.date() - start.date()).days < 7:
                    yield Drop("signal", "outside_window", position)
                else:
                    channel, _, series = subject.partition("/")
                    values = {"channel": channel, "series": series, "period": "week", "is_stock": False}
                    shown = start.date() if start else str(item.get("week"))
                    yield Row("signal", {**values, "period_start": shown, "value": _number(item[field])}, position)
        if not weeks or not isinstance(weeks, list):
            for subject in wanted.values():
                yield Gap(None, subject, "not_reported", "the answer came without a week")

    def count(self, page: Page) -> Counter[str]:
        from jsonpath import findall

        fields = [field for field in FIELDS if field in page.context]
        found = sum(value is not None for field in fields for value in findall(f"$[*].{field}", page.body))
        return Counter(signal=found + sum(not isinstance(item, dict) for item in findall("$[*]", page.body)))


def _start(week: Any) -> datetime | None:
    """The first instant of a week: unix seconds, as text. It is the hour at which it was asked, some weeks before."""
    try:
        return datetime.fromtimestamp(int(week), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _number(text: Any) -> Any:
    """Numbers come as text by contract. What is none passes as it came: it becomes the row's defect."""
    return float(text) if isinstance(text, str) and text.isdecimal() else text
