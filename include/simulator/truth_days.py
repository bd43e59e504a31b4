"""The true daily totals of accounts, and the open series themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd

from include.simulator.defects import Defect, revisions
from include.simulator.insights import LAG_SECONDS, PAGE_METRICS
from include.simulator.instagram_world import InstagramWorld
from include.simulator.register import SEEDS, Account, Register, read_register
from include.simulator.signals_world import activity_of_day, views
from include.simulator.threads_world import ThreadsWorld
from include.simulator.times import london_date, pacific_midnight, to_instant
from include.simulator.world import World

DayTotals = Callable[[Account, date], dict[str, int]]


def account_day_truth(
    seed: int,
    first: date,
    last: date,
    as_of: datetime,
    forces: Iterable[str] | None = None,
    seeds: Path = SEEDS,
    platform: str = "facebook",
    defects: Iterable[Defect] = (),
) -> pd.DataFrame:
    """An account's own daily totals. Grain: account × Pacific day, for days from `first` to `last` that have ended at `as_of`.

    Platforms: facebook, instagram, threads. Columns: force_id, account_id, metric_date, account_views (organic; Threads does not
    split them), and of the first two account_views_paid, account_reach_unique, follows (Facebook: the stock; Instagram: new
    followers); is_filled (False within the platform's lag of 48 hours after the day's end: Facebook still answers 0, the others
    nothing). Of defects, late revisions due at `as_of` are in it.
    """
    register = read_register(seeds, tuple(forces) if forces is not None else None)
    instant = to_instant(as_of)
    totals = {"facebook": _facebook_days, "instagram": _instagram_days, "threads": _threads_days}[platform](seed, register, instant)
    rows = []
    revised_metric = {"facebook": "account_views", "instagram": "account_reach_unique"}.get(platform, "")
    planted = tuple(defects)
    for account in register.accounts.get(platform, {}).values():
        added = revisions(planted, account.force_id, london_date(instant), platform)
        for offset in range((last - first).days + 1):
            day = first + timedelta(days=offset)
            ends = pacific_midnight(day + timedelta(days=1))
            if ends <= instant and account.is_open(day):
                identity = {"force_id": account.force_id, "account_id": account.account_id, "metric_date": day}
                found = totals(account, day)
                if day in added:
                    found[revised_metric] += added[day]
                rows.append({**identity, **found, "is_filled": instant >= ends + LAG_SECONDS})
    return pd.DataFrame(rows)


def _facebook_days(seed: int, register: Register, instant: int) -> DayTotals:
    world = World(seed, register)
    unique = PAGE_METRICS["page_total_media_view_unique"]
    if not unique.is_valid(london_date(instant)):
        unique = PAGE_METRICS["page_impressions_unique"]

    def totals(account: Account, day: date) -> dict[str, int]:
        total = world.page_day(account, day)
        return {
            "account_views": total.organic_views,
            "account_views_paid": total.paid_views,
            "account_reach_unique": unique.read(total),
            "follows": total.follows,
        }

    return totals


def _instagram_days(seed: int, register: Register, instant: int) -> DayTotals:
    world = InstagramWorld(seed, register)

    def totals(account: Account, day: date) -> dict[str, int]:
        total = world.day(account, day)
        return {
            "account_views": total.views,
            "account_views_paid": total.paid_views,
            "account_reach_unique": total.reach,
            "follows": total.follows,
        }

    return totals


def _threads_days(seed: int, register: Register, instant: int) -> DayTotals:
    world = ThreadsWorld(seed, register)
    return lambda account, day: {"account_views": world.day(account, day).views}


def wikimedia_truth(seed: int, articles: Iterable[str], first: date, last: date) -> pd.DataFrame:
    """Daily views (all access, agent user). Grain: article × day (UTC) that is there, both ends included.

    Columns: article, day, views.
    """
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    rows = [(article, day, value) for article in articles for day in days if (value := views(seed, article, day)) is not None]
    return pd.DataFrame(rows, columns=["article", "day", "views"])


def mastodon_truth(seed: int, hosts: Iterable[str], first: date, last: date) -> pd.DataFrame:
    """What happened on a whole day (UTC). Grain: host × day, both ends included.

    Columns: host, day, statuses, logins, registrations. A row of the activity whose `week` lies on date D is the sum of D and
    the six days after it.
    """
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    rows = [(host, day, *activity_of_day(seed, host, day)) for host in hosts for day in days]
    return pd.DataFrame(rows, columns=["host", "day", "statuses", "logins", "registrations"])
