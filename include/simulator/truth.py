"""What is true in the simulated world as runs at given instants can know it: the only thing that tests compare the marts with.

Pure functions of seed, run instants and defects. They follow the project's definitions, written down anew here and not taken
from the models: a post is read at the first run 7 to 14 × 24 h after its publication, metric by metric; while that span is not
over and holds no reading, the latest value stands, provisionally; months are London's. What a defect or a closed page kept from
every run is missing, and a sum then covers the rest. A run lists the posts of the 30 days up to the end of its (UTC) day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.simulator.defects import Defect, Losses, losses, removed_post
from include.simulator.readings import PLATFORMS, READ_METRICS, SocialPlatform
from include.simulator.register import SEEDS, Account, Register, read_register
from include.simulator.timeline import Timeline
from include.simulator.times import DAY, london_date, london_midnight, to_instant
from include.simulator.truth_days import account_day_truth as account_day_truth

READING_FROM, READING_TO = 7 * DAY, 14 * DAY
WINDOW_DAYS = 30

MONTH_METRICS = ("followers_end", "posts_published", "interactions", "views", "engagement_rate_by_followers")


@dataclass(frozen=True)
class _Visit:
    """One run's look at one account: when, and what it could not have."""

    account: Account
    instant: int
    lost: Losses

    @property
    def window_start(self) -> int:
        return self.instant - self.instant % DAY + DAY - WINDOW_DAYS * DAY


@dataclass(frozen=True)
class _Plan:
    platform: SocialPlatform
    world: Timeline[Any]
    as_of: date
    instants: tuple[int, ...]
    defects: tuple[Defect, ...]

    @property
    def register(self) -> Register:
        return self.world.register

    @property
    def first_month(self) -> date:
        return london_date(self.instants[0]).replace(day=1)

    def visits(self, account: Account) -> Iterator[_Visit]:
        for instant in self.instants:
            day = london_date(instant)
            if account.is_open(day):
                yield _Visit(account, instant, losses(self.defects, account.force_id, day, self.platform.name))


def _plan(
    platform: str,
    seed: int,
    as_of: date,
    run_instants: Iterable[datetime],
    defects: Iterable[Defect],
    forces: Iterable[str] | None,
    seeds: Path,
) -> _Plan:
    instants = tuple(sorted({to_instant(moment) for moment in run_instants if london_date(to_instant(moment)) <= as_of}))
    if not instants:
        raise ValueError(f"no run instant at or before {as_of}")
    world = PLATFORMS[platform].world(seed, read_register(seeds, tuple(forces) if forces is not None else None))
    return _Plan(PLATFORMS[platform], world, as_of, instants, tuple(defects))


def _readings(plan: _Plan) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for account in plan.world.accounts.values():
        for visit in plan.visits(account):
            if visit.lost.posts:
                continue
            newest = plan.world.newest_original(account, visit.instant) if visit.lost.spoilt_fields else None
            removed = [removed_post(plan.world, account, defect) for defect in visit.lost.removals]
            for post in plan.world.posts(account, visit.window_start, visit.instant):
                if post in removed:
                    continue
                spoilt = visit.lost.spoilt_fields if post is newest else frozenset()
                rows.append(
                    {
                        "force_id": account.force_id,
                        "account_id": account.account_id,
                        "post_id": post.post_id,
                        "published_at": post.published_at,
                        "is_original": post.is_original,
                        "category_code": post.category,
                        "observed_at": visit.instant,
                        "age": visit.instant - post.published_at,
                        **plan.platform.read(post, visit.instant, visit.lost, spoilt),
                    }
                )
    columns = ["force_id", "account_id", "post_id", "published_at", "is_original", "category_code", "observed_at", "age"]
    frame = pd.DataFrame(rows, columns=[*columns, *READ_METRICS, "reach_source_field"])
    return frame.astype({**dict.fromkeys(READ_METRICS, "float64"), "reach_source_field": object})


def _as_times(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return frame.assign(**{column: pd.to_datetime(frame[column], unit="s", utc=True) for column in columns})


def post_readings(
    seed: int,
    as_of: date,
    run_instants: Iterable[datetime],
    defects: Iterable[Defect] = (),
    forces: Iterable[str] | None = None,
    seeds: Path = SEEDS,
    platform: str = "facebook",
) -> pd.DataFrame:
    """What every run learns of every post. Grain: post × run instant.

    Columns: force_id, account_id, post_id, published_at, is_original, category_code, observed_at, age_hours, the counts of
    READ_METRICS (NaN where the run did not get them) and reach_source_field.
    """
    readings = _as_times(
        _readings(_plan(platform, seed, as_of, run_instants, defects, forces, seeds)), "published_at", "observed_at"
    )
    return readings.assign(age_hours=readings["age"] / 3600).drop(columns="age")


def _follower_readings(plan: _Plan) -> dict[str, list[tuple[int, int]]]:
    """Snapshots by account: run instant and followers, oldest first."""
    return {
        account.account_id: [
            (visit.instant, plan.world.shown_followers(account, london_date(visit.instant)))
            for visit in plan.visits(account)
            if not visit.lost.snapshot
        ]
        for account in plan.world.accounts.values()
    }


def _last_before(snapshots: Sequence[tuple[int, int]], instant: int) -> float:
    return next((float(value) for seen, value in reversed(snapshots) if seen <= instant), np.nan)


def _posts(plan: _Plan) -> pd.DataFrame:
    readings = _readings(plan).sort_values(["post_id", "observed_at"], kind="stable")
    columns = ["post_id", "force_id", "account_id", "published_at", "is_original", "category_code"]
    posts = readings.drop_duplicates("post_id")[columns].set_index("post_id")
    is_young = posts["published_at"] + READING_TO > plan.instants[-1]
    in_span = readings[(readings["age"] >= READING_FROM) & (readings["age"] <= READING_TO)]
    for metric in READ_METRICS:
        reading = in_span.dropna(subset=[metric]).drop_duplicates("post_id").set_index("post_id")
        latest = readings.dropna(subset=[metric]).drop_duplicates("post_id", keep="last").set_index("post_id")
        value, last = reading[metric].reindex(posts.index), latest[metric].reindex(posts.index)
        posts[metric] = value.where(value.notna() | ~is_young, last)
        posts[f"{metric}_is_provisional"] = value.isna() & is_young
        posts[f"latest_{metric}"] = last
        if metric == "reach_unique":
            source, last_source = (frame["reach_source_field"].reindex(posts.index) for frame in (reading, latest))
            posts["reach_source_field"] = source.where(value.notna() | ~is_young, last_source)
    posts["deleted_at"] = _deleted_at(plan, readings)
    known = in_span.dropna(subset=list(READ_METRICS), how="all")
    posts["reading_observed_at"] = known.drop_duplicates("post_id").set_index("post_id")["observed_at"].reindex(posts.index)
    followers = _follower_readings(plan)
    posts["followers_at_posting"] = [
        _last_before(followers[account], published)
        for account, published in zip(posts["account_id"], posts["published_at"], strict=True)
    ]
    posts["engagement_rate_by_followers"] = posts["interactions"] / posts["followers_at_posting"]
    posts["published_month"] = [london_date(published).replace(day=1) for published in posts["published_at"]]
    return posts.reset_index()


def _deleted_at(plan: _Plan, readings: pd.DataFrame) -> pd.Series:
    """By post: the first run after the last that listed it whose list should have held it. NaN where there is none."""
    lists = {one: [visit for visit in plan.visits(account) if not visit.lost.posts] for one, account in plan.world.accounts.items()}
    last = readings.groupby("post_id").agg({"account_id": "first", "published_at": "first", "observed_at": "max"})
    posts = zip(last["account_id"], last["published_at"], last["observed_at"], strict=True)
    found = [
        next((visit.instant for visit in lists[account] if visit.instant > seen and visit.window_start <= published), np.nan)
        for account, published, seen in posts
    ]
    return pd.Series(found, index=last.index, dtype="float64")


def post_truth(
    seed: int,
    as_of: date,
    run_instants: Iterable[datetime],
    defects: Iterable[Defect] = (),
    forces: Iterable[str] | None = None,
    seeds: Path = SEEDS,
    platform: str = "facebook",
) -> pd.DataFrame:
    """Every post that a run has seen, at its reading age and at last. Grain: post.

    Columns: post_id, force_id, account_id, published_at, published_month (London), is_original, category_code (the planted
    one), reading_observed_at (the first run in the span that got anything), deleted_at (the first run whose list was without it,
    though it should have held it), the counts of READ_METRICS, each with
    `<metric>_is_provisional` and `latest_<metric>`; reach_source_field, followers_at_posting, engagement_rate_by_followers.
    NaN is missing.
    """
    posts = _posts(_plan(platform, seed, as_of, run_instants, defects, forces, seeds))
    return _as_times(posts, "published_at", "reading_observed_at", "deleted_at")


def _followers_end(plan: _Plan, months: Sequence[date]) -> Iterator[dict[str, Any]]:
    snapshots = _follower_readings(plan)
    for force_id in plan.register.forces:
        for month in months:
            end = min(_last_day(month), plan.as_of)
            total, is_missing, has_accounts = 0.0, False, False
            for account in plan.world.accounts_of(force_id):
                if not account.is_open(end):
                    continue
                has_accounts = True
                seen = [value for instant, value in snapshots[account.account_id] if month <= london_date(instant) <= end]
                is_missing = is_missing or not seen
                total += seen[-1] if seen else 0
            value = np.nan if is_missing or not has_accounts else total
            known = "ok" if _last_day(month) <= plan.as_of else "provisional"
            status = "not_applicable" if not has_accounts else "missing" if is_missing else known
            yield _row(plan, force_id, month, "followers_end", value, value, np.nan, status)


def _last_day(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _row(
    plan: _Plan, force_id: str, month: date, metric: str, value: float, numerator: float, denominator: float, status: str
) -> dict[str, Any]:
    identity = {"force_id": force_id, "platform": plan.platform.name, "month": month, "metric": metric}
    return {**identity, "value": value, "numerator": numerator, "denominator": denominator, "status": status}


def _sums_over_posts(plan: _Plan, months: Sequence[date]) -> Iterator[dict[str, Any]]:
    posts = _posts(plan)
    groups = dict(list(posts[posts["is_original"]].groupby(["force_id", "published_month"])))
    nothing = posts.iloc[:0]
    for force_id in plan.register.forces:
        for month in months:
            group = groups.get((force_id, month), nothing)
            listing = _listing(plan, force_id, month)
            count = np.nan if listing == "missing" else float(len(group))
            yield _row(plan, force_id, month, "posts_published", count, count, np.nan, listing)
            for metric in ("interactions", "views"):
                if metric == "views" and not plan.platform.has_views:
                    yield _row(plan, force_id, month, metric, np.nan, np.nan, np.nan, "not_applicable")
                    continue
                total, status = _total(group[metric], group[f"{metric}_is_provisional"], listing)
                yield _row(plan, force_id, month, metric, total, total, np.nan, status)
            both = group.dropna(subset=["interactions", "followers_at_posting"])
            numerator = both["interactions"].sum() if len(both) else np.nan
            denominator = both["followers_at_posting"].sum() if len(both) else np.nan
            _, status = _total(both["interactions"], both["interactions_is_provisional"], listing)
            status = "partial" if len(both) < len(group) else status
            status = status if len(both) else ("missing" if len(group) else "not_applicable")
            yield _row(
                plan, force_id, month, "engagement_rate_by_followers", numerator / denominator, numerator, denominator, status
            )


def _listing(plan: _Plan, force_id: str, month: date) -> str:
    """How much of the force's lists of a month was read: a hint at the status."""
    end = min(_last_day(month), plan.as_of)
    states = [
        _account_listing(plan, account, max(month, account.opened), min(end, account.closed or end))
        for account in plan.world.accounts_of(force_id)
        if account.opened <= end and not (account.closed and account.closed < month)
    ]
    if not states or all(state == "missing" for state in states):
        return "missing"
    return next(state for state in ("partial", "missing", "provisional", "ok") if state in states).replace("missing", "partial")


def _account_listing(plan: _Plan, account: Any, first: date, last: date) -> str:
    """Missing: no list shows anything of these days. Partial: of some day, none shows the whole, and none to come will."""
    visits = list(plan.visits(account))
    lists = [visit for visit in visits if not visit.lost.posts]
    next_window = to_instant(datetime.combine(plan.as_of + timedelta(days=2 - WINDOW_DAYS), time(), tzinfo=UTC))
    is_ended = account.closed is not None and account.closed < plan.as_of
    start, end = london_midnight(first), london_midnight(last + timedelta(days=1))
    if not any(visit.window_start < end and visit.instant > start for visit in lists):
        return "missing"
    unseen = [
        day
        for day in (first + timedelta(days=number) for number in range((last - first).days + 1))
        if not any(_holds(visit, day) for visit in lists)
    ]
    lost = [day for day in unseen if is_ended or london_midnight(day) < next_window or any(_holds(visit, day) for visit in visits)]
    return "partial" if lost else "provisional" if unseen else "ok"


def _holds(visit: _Visit, day: date) -> bool:
    """Whether a list holds the whole of a London day."""
    return visit.window_start <= london_midnight(day) and visit.instant >= london_midnight(day + timedelta(days=1))


def _total(values: pd.Series, is_provisional: pd.Series, listing: str) -> tuple[float, str]:
    """A sum over posts. Over no posts at all it is 0, if the lists were read. What a young post lacks may still come."""
    if values.empty:
        return (np.nan, "missing") if listing == "missing" else (0.0, listing)
    if values.isna().all():
        return np.nan, "missing"
    if (values.isna() & ~is_provisional).any() or listing == "partial":
        return values.sum(), "partial"
    return values.sum(), "provisional" if is_provisional.any() or listing == "provisional" else "ok"


def month_truth(
    platform: str,
    seed: int,
    as_of: date,
    run_instants: Iterable[datetime],
    defects: Iterable[Defect] = (),
    forces: Iterable[str] | None = None,
    seeds: Path = SEEDS,
) -> pd.DataFrame:
    """The true figures of each month. Grain: force_id × platform × month × metric (MONTH_METRICS).

    Months run from that of the first run instant to that of the as-of date. Columns: value, numerator, denominator (NaN where
    there is none), status. The values are exact; the status is a hint (a month still open, or with posts to be read, is
    provisional; with posts lost, or a day of which no list holds the whole, partial).

    - followers_end: per account the last snapshot of the month, summed over the accounts open at its end (or at the as-of date);
      missing when one of them has none.
    - posts_published: originals published in the month that a run has seen.
    - interactions, views: sums over those posts of what is known of each. Facebook: reactions, comments and shares; organic views.
      Instagram: likes, comments, shares and reposts, all organic, of the insights; organic views. Threads: likes, replies, reposts,
      quotes and shares of what is no repost; views. YouTube: likes and comments; views (its subscribers are rounded down to three
      figures, as it tells them). X: likes, replies, retweets and quotes of originals and quotes, each post once; impressions as
      views. Bluesky: likes, replies, reposts and quotes of originals and quotes; no views. Mastodon: favourites, replies and
      reblogs of originals; no views.
    - engagement_rate_by_followers: sum of interactions / sum of followers at posting, over posts that have both.
    """
    plan = _plan(platform, seed, as_of, run_instants, defects, forces, seeds)
    months = [plan.first_month]
    while _last_day(months[-1]) < as_of:
        months.append(_last_day(months[-1]) + timedelta(days=1))
    rows = [*_followers_end(plan, months), *_sums_over_posts(plan, months)]
    frame = pd.DataFrame(rows)
    order = pd.Categorical(frame["metric"], MONTH_METRICS)
    return frame.assign(_order=order).sort_values(["force_id", "month", "_order"]).drop(columns="_order").reset_index(drop=True)
