"""Insights of the simulated pages and posts: which metrics exist when, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from include.simulator.graph import GraphError, invalid_metric
from include.simulator.register import Account
from include.simulator.timeline import fraction
from include.simulator.times import DAY, HOUR, london_date, pacific_midnight, wire_time
from include.simulator.world import Counts, PageDay, Post, World, last_full_pacific_day

VIEWS_BEGIN = date(2025, 11, 15)
REACH_CHANGES = date(2026, 6, 15)
LAG_SECONDS = 48 * HOUR
"""A day's value is 0 until this long after the day's end; then it is filled in."""

LONGEST_SPAN_DAYS = 90


@dataclass(frozen=True)
class Metric:
    """A metric's name, the clock dates on which it exists, and how to read it: organic and paid, or one number."""

    name: str
    valid_from: date
    valid_to: date
    read: Callable[[Any], int]
    read_paid: Callable[[Any], int] | None = None

    def is_valid(self, on: date) -> bool:
        return self.valid_from <= on <= self.valid_to


ALWAYS, DAY_BEFORE = (date.min, date.max), timedelta(days=1)

POST_METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("post_media_view", VIEWS_BEGIN, date.max, lambda c: c.organic_views, lambda c: c.paid_views),
        Metric("post_impressions", date.min, VIEWS_BEGIN - DAY_BEFORE, lambda c: c.organic_impressions + c.paid_impressions),
        Metric("post_impressions_organic", date.min, VIEWS_BEGIN - DAY_BEFORE, lambda c: c.organic_impressions),
        Metric("post_impressions_unique", date.min, REACH_CHANGES - DAY_BEFORE, lambda c: c.reach_before_2026),
        Metric("post_total_media_view_unique", REACH_CHANGES, date.max, lambda c: c.reach),
    )
}
PAGE_METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("page_media_view", VIEWS_BEGIN, date.max, lambda d: d.organic_views, lambda d: d.paid_views),
        Metric("page_total_media_view_unique", REACH_CHANGES, date.max, lambda d: d.reach),
        Metric("page_impressions", date.min, VIEWS_BEGIN - DAY_BEFORE, lambda d: d.impressions),
        Metric("page_impressions_unique", date.min, REACH_CHANGES - DAY_BEFORE, lambda d: d.reach_before_2026),
        Metric("page_follows", *ALWAYS, lambda d: d.follows),
    )
}
BREAKDOWNS = ("is_from_ads", "is_from_followers")


def answering_id(page_id: str) -> str:
    """The page id inside insight ids: for every second page another one (New Pages Experience)."""
    return page_id if fraction("answering id", page_id) < 0.5 else f"615{int(page_id) % 10**12:012d}"


def pick_metrics(text: str | None, known: dict[str, Metric], on: date, breakdown: str | None) -> list[Metric]:
    """The metrics asked for. One invalid name fails the whole request: raises GraphError."""
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if not names:
        raise GraphError(
            "(#3001) No metric was specified to be fetched. Please specify one or more metrics to be fetched and try again.",
            3001,
            1504028,
        )
    if breakdown is not None and breakdown not in BREAKDOWNS:
        raise GraphError(f"(#100) {breakdown} is not a valid breakdown", 100)
    metrics = []
    for name in dict.fromkeys(names):
        metric = known.get(name)
        if metric is None or not metric.is_valid(on):
            raise invalid_metric()
        if breakdown is not None and metric.read_paid is None:
            raise GraphError(f"(#100) The breakdown {breakdown} is not supported for the metric {name}", 100)
        metrics.append(metric)
    return metrics


def _values(metric: Metric, holder: Counts | PageDay, breakdown: str | None, turned: bool, extra: dict[str, str]) -> list[dict]:
    """One value, or two where a breakdown splits it: flat, in no fixed order."""
    organic = metric.read(holder)
    paid = metric.read_paid(holder) if metric.read_paid else 0
    if breakdown is None:
        return [{"value": organic + paid, **extra}]
    first = organic if breakdown == "is_from_ads" else (organic + paid) * 4 // 10
    split = [{"value": first, **extra, breakdown: "0"}, {"value": organic + paid - first, **extra, breakdown: "1"}]
    return split[::-1] if turned else split


def post_insights(post: Post, instant: int, metrics: Iterable[Metric], breakdown: str | None) -> list[dict[str, Any]]:
    """Lifetime values of one post at an instant."""
    counts = post.at(instant)
    number = post.post_id.partition("_")[2]
    object_id = f"{answering_id(post.account_id)}_{number}"
    turned = int(number) % 2 == 1
    found = []
    for metric in metrics:
        split = breakdown is not None
        found.append(
            {
                "name": metric.name,
                "period": "lifetime",
                "values": _values(metric, counts, breakdown, turned, {}),
                "title": metric.name if split else None,
                "description": "The number of times your post&#039;s media was seen." if split else f"Lifetime {metric.name}.",
                "id": object_id if split else f"{object_id}/insights/{metric.name}/lifetime",
            }
        )
    return found


_ZERO = PageDay(0, 0, 0, 0, 0, 0)


def page_insights(
    world: World,
    page: Account,
    instant: int,
    metrics: Iterable[Metric],
    breakdown: str | None,
    since: int | None,
    until: int | None,
    revisions: Mapping[date, int],
) -> list[dict[str, Any]]:
    """Daily values of one page: days that end after `since` and not after `until`, and that have ended at all.

    Raises GraphError for a span of more than 90 days or an empty one.
    """
    last = last_full_pacific_day(instant)
    end = until if until is not None else pacific_midnight(last + DAY_BEFORE)
    begin = since if since is not None else end - 2 * DAY
    if begin >= end:
        raise GraphError("(#100) since param is not before until param", 100)
    if end - begin > LONGEST_SPAN_DAYS * DAY + HOUR:  # an hour of grace: a clock change may lie between the midnights
        raise GraphError("(#100) There cannot be more than 90 days (7776000 s) between since and until", 100)
    days = [last - timedelta(days=back) for back in range((pacific_midnight(last) - begin) // DAY + 2, -1, -1)]
    days = [day for day in days if begin < pacific_midnight(day + DAY_BEFORE) <= end and page.is_open(day)]
    found = []
    for metric in metrics:
        values: list[dict[str, Any]] = []
        for day in days:
            ends = pacific_midnight(day + DAY_BEFORE)
            is_filled = instant >= ends + LAG_SECONDS
            turned = day.toordinal() % 2 == 1
            total = world.page_day(page, day)
            total = replace(total, organic_views=total.organic_views + revisions.get(day, 0))
            values += _values(metric, total if is_filled else _ZERO, breakdown, turned, {"end_time": wire_time(ends)})
        found.append(
            {
                "name": metric.name,
                "period": "day",
                "values": values,
                "title": None if metric.name == "page_follows" else f"Daily {metric.name}",
                "description": "Daily: the number of times your Page&#039;s content was seen.",
                "id": f"{answering_id(page.account_id)}/insights/{metric.name}/day",
            }
        )
    return found


def is_view_metric(name: str, instant: int) -> bool:
    """Whether a post metric can be read at an instant (by the London date of the clock)."""
    return POST_METRICS[name].is_valid(london_date(instant))
