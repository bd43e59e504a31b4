"""Insights of the simulated Instagram: which metrics exist for what, and their two shapes, `values` and `total_value`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from include.simulator.clock import Clock
from include.simulator.graph import GraphError
from include.simulator.instagram_world import AccountDay, InstagramWorld, Media, MediaCounts
from include.simulator.register import Account
from include.simulator.times import DAY, HOUR, pacific_midnight, wire_time
from include.simulator.world import last_full_pacific_day

IMPRESSIONS_END, REPOSTS_BEGIN = date(2025, 4, 21), date(2025, 12, 3)
LAG_SECONDS = 48 * HOUR
"""A day has no values until this long after its end; they are absent then, not 0."""

STORED_DAYS, LONGEST_SPAN_DAYS = 90, 30
CONVERTED = int(datetime(2016, 1, 1, tzinfo=UTC).timestamp())
"""Media from before the accounts became professional ones have no insights."""

MEDIA_METRICS: dict[str, Callable[[MediaCounts], int]] = {
    "reach": lambda c: c.reach,
    "views": lambda c: c.views,
    "comments": lambda c: c.comments,
    "likes": lambda c: c.likes,
    "saved": lambda c: c.saved,
    "shares": lambda c: c.shares,
    "reposts": lambda c: c.reposts,
    "total_interactions": lambda c: c.interactions,
    "total_comments": lambda c: c.comments + c.paid_comments,
    "total_likes": lambda c: c.likes + c.paid_likes,
    "total_views": lambda c: c.views + c.paid_views,
    "impressions": lambda c: c.impressions,
    "profile_activity": lambda c: c.profile_visits // 4,
    "profile_visits": lambda c: c.profile_visits,
    "follows": lambda c: c.follows,
    "ig_reels_avg_watch_time": lambda c: 1000 * c.watch_seconds // max(c.views, 1),
    "ig_reels_video_view_total_time": lambda c: 1000 * c.watch_seconds,
    "reels_skip_rate": lambda c: 30 + c.views % 40,
}
PICTURE_METRICS = {"profile_activity", "profile_visits", "follows"}
VIDEO_METRICS = {"ig_reels_avg_watch_time", "ig_reels_video_view_total_time", "reels_skip_rate"}
STORY_METRICS = {"navigation", "replies", "link_clicks"}


@dataclass(frozen=True)
class AccountMetric:
    """How an account metric is read of a day, in which shapes it comes, and how it can be split."""

    read: Callable[[AccountDay], int]
    is_series: bool = False
    is_total: bool = True
    breakdowns: tuple[str, ...] = ()


ACCOUNT_METRICS: dict[str, AccountMetric] = {
    "reach": AccountMetric(lambda d: d.reach, is_series=True, breakdowns=("media_product_type", "follow_type")),
    "follower_count": AccountMetric(lambda d: d.follows, is_series=True, is_total=False),
    "impressions": AccountMetric(lambda d: d.impressions, is_series=True, is_total=False),
    "views": AccountMetric(lambda d: d.views + d.paid_views, breakdowns=("follower_type", "media_product_type")),
    "accounts_engaged": AccountMetric(lambda d: d.accounts_engaged),
    "total_interactions": AccountMetric(lambda d: d.interactions, breakdowns=("media_product_type",)),
    "likes": AccountMetric(lambda d: d.likes, breakdowns=("media_product_type",)),
    "comments": AccountMetric(lambda d: d.comments, breakdowns=("media_product_type",)),
    "shares": AccountMetric(lambda d: d.shares, breakdowns=("media_product_type",)),
    "saves": AccountMetric(lambda d: d.saves, breakdowns=("media_product_type",)),
    "reposts": AccountMetric(lambda d: d.reposts),
    "replies": AccountMetric(lambda d: d.comments // 10),
    "follows_and_unfollows": AccountMetric(lambda d: d.follows + d.unfollows, breakdowns=("follow_type",)),
    "profile_links_taps": AccountMetric(lambda d: d.profile_views // 20, breakdowns=("contact_button_type",)),
    "profile_views": AccountMetric(lambda d: d.profile_views),
    "website_clicks": AccountMetric(lambda d: d.profile_views // 30),
}
SPLITS: dict[str, tuple[tuple[str, float], ...]] = {
    "media_product_type": (("FEED", 0.6), ("REELS", 0.4)),
    "follow_type": (("FOLLOWER", 0.6), ("NON_FOLLOWER", 0.4)),
    "follower_type": (("FOLLOWER", 0.6), ("NON_FOLLOWER", 0.4)),
    "contact_button_type": (("CALL", 0.6), ("EMAIL", 0.4)),
}


def metric_names(text: str | None) -> list[str]:
    """The metrics asked for, each once. Raises GraphError where there is none."""
    names = list(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
    if not names:
        raise GraphError("(#100) The parameter metric is required.", 100)
    return names


def unknown_metric(place: int, known: Sequence[str]) -> GraphError:
    return GraphError(f"(#100) metric[{place}] must be one of the following values: {', '.join(known)}", 100)


def impressions_ended() -> GraphError:
    return GraphError(
        "(#100) Starting from version 22 and above, the impressions metric is no longer supported for the queried media/user. "
        "Please refer to the developer documentation for the metrics that can be used in its place.",
        100,
    )


def check_media_metrics(names: list[str], media: Media, on: date) -> None:
    """One metric that the medium does not have cancels the whole batch: raises GraphError."""
    is_video = media.media_type == "VIDEO"
    for place, name in enumerate(names):
        is_known = name in MEDIA_METRICS or name in STORY_METRICS
        if not is_known or (name == "reposts" and on < REPOSTS_BEGIN):
            raise unknown_metric(place, [known for known in MEDIA_METRICS if known != "impressions"])
        if name == "impressions" and on >= IMPRESSIONS_END:
            raise impressions_ended()
        if name in STORY_METRICS or name in (PICTURE_METRICS if is_video else VIDEO_METRICS):
            raise GraphError(f"(#100) The Media Insights API does not support the {name} metric for this media product type.", 100)
    if media.published_at < CONVERTED:
        raise GraphError("(#100) The media was posted before the account was converted to a business account.", 100, 2108006)


def media_insights(media: Media, instant: int, names: list[str], breakdown: str | None) -> list[dict[str, Any]]:
    """Lifetime values of one medium at an instant."""
    counts = media.at(instant)
    data = []
    for name in names:
        value = MEDIA_METRICS[name](counts)
        entry: dict[str, Any] = {"name": name, "period": "lifetime"}
        if breakdown is None:
            entry["values"] = [{"value": value}]
        elif (name, breakdown) == ("profile_activity", "action_type"):
            results = [{"dimension_values": ["bio_link_clicked"], "value": value}]
            entry["total_value"] = {"value": value, "breakdowns": [{"dimension_keys": [breakdown], "results": results}]}
        else:
            raise GraphError(f"(#100) Incompatible breakdown ({breakdown}) for the metric {name}", 100)
        entry |= {"title": name.replace("_", " ").capitalize(), "description": f"The {name} of your post."}
        data.append({**entry, "id": f"{media.post_id}/insights/{name}/lifetime"})
    return data


def account_insights(
    world: InstagramWorld,
    account: Account,
    clock: Clock,
    names: list[str],
    query: Mapping[str, str],
    since: int | None,
    until: int | None,
    revisions: Mapping[date, int],
) -> list[dict[str, Any]]:
    """Daily values (`values`) or one total over the span (`total_value`, with no `values`), of days that are filled.

    Days end after `since` and not after `until`. A metric without a filled day is absent. Raises GraphError for a span of more
    than 30 days, an empty one, an unknown metric, or one that does not come in the shape asked for.
    """
    is_total, breakdown = query.get("metric_type", "time_series") == "total_value", query.get("breakdown")
    if query.get("period", "day") != "day":
        raise GraphError(f"(#100) The period {query['period']} is not served by the simulator", 100)
    for place, name in enumerate(names):
        metric = ACCOUNT_METRICS.get(name)
        if metric is None:
            raise unknown_metric(place, [known for known in ACCOUNT_METRICS if known != "impressions"])
        if name == "impressions" and clock.today >= IMPRESSIONS_END:
            raise impressions_ended()
        if not is_total and not metric.is_series:
            raise GraphError(
                f"(#100) The following metrics ({name}) should be specified with parameter metric_type=total_value", 100
            )
        if is_total and not metric.is_total:
            raise GraphError(f"(#100) The following metrics ({name}) are incompatible with the metric type (total_value)", 100)
        if breakdown is not None and (breakdown not in metric.breakdowns or not is_total):
            raise GraphError(f"(#100) Incompatible breakdowns ({breakdown}) for the metric {name}", 100)
    days = _days(account, clock, since, until)
    data = []
    for name in names if days else []:
        entry: dict[str, Any] = {"name": name, "period": "day"}
        values = [ACCOUNT_METRICS[name].read(world.day(account, day)) for day in days]
        if name == "reach":
            values = [value + revisions.get(day, 0) for value, day in zip(values, days, strict=True)]
        if is_total:
            entry["total_value"] = _total(name, values, breakdown, [world.day(account, day) for day in days])
        else:
            ends = [wire_time(pacific_midnight(day + timedelta(days=1))) for day in days]
            entry["values"] = [{"value": value, "end_time": end} for value, end in zip(values, ends, strict=True)]
        entry |= {"title": name.replace("_", " ").capitalize(), "description": f"The {name} of your account."}
        data.append({**entry, "id": f"{account.account_id}/insights/{name}/day"})
    return data


def _days(account: Account, clock: Clock, since: int | None, until: int | None) -> list[date]:
    """The filled Pacific days of a span; without one, of the last 24 hours."""
    last = last_full_pacific_day(clock.instant)
    end = until if until is not None else pacific_midnight(last + timedelta(days=1))
    begin = since if since is not None else end - DAY
    if begin >= end:
        raise GraphError("(#100) since param is not before until param", 100)
    if end - begin > LONGEST_SPAN_DAYS * DAY + HOUR:  # an hour of grace: a clock change may lie between the midnights
        raise GraphError("(#100) There cannot be more than 30 days (2592000 s) between since and until", 100)
    days = [last - timedelta(days=back) for back in range(STORED_DAYS - 1, -1, -1)]
    ends = {day: pacific_midnight(day + timedelta(days=1)) for day in days}
    return [day for day in days if begin < ends[day] <= end and ends[day] + LAG_SECONDS <= clock.instant and account.is_open(day)]


def _total(name: str, values: list[int], breakdown: str | None, days: list[AccountDay]) -> dict[str, Any]:
    """A total over days. People who were reached on several days count once: fewer than the sum."""
    total = max(values) + (sum(values) - max(values)) // 2 if name in ("reach", "accounts_engaged") else sum(values)
    if breakdown is None:
        return {} if name == "follows_and_unfollows" else {"value": total}
    paid = sum(day.paid_views for day in days) if (name, breakdown) == ("views", "media_product_type") else 0
    first, second = SPLITS[breakdown]
    part = int((total - paid) * first[1])
    if name == "follows_and_unfollows":
        part = sum(day.follows for day in days)
    results = [
        {"dimension_values": [first[0]], "value": part},
        {"dimension_values": [second[0]], "value": total - paid - part},
    ]
    if paid:
        results.append({"dimension_values": ["AD"], "value": paid})
    return {"value": total, "breakdowns": [{"dimension_keys": [breakdown], "results": results}]}
