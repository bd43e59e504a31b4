"""The simulated Threads: accounts, their posts and reposts, what these gather, and the accounts' own days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from include.simulator.media_timeline import MediaTimeline
from include.simulator.register import Account
from include.simulator.texts import message
from include.simulator.timeline import (
    PLATEAU,
    POSTS_PER_WEEK_MAX,
    BasePost,
    days_of_month,
    gains,
    generator,
)
from include.simulator.times import DAY, london_date, pacific_midnight

REPOST = "REPOST_FACADE"
MEDIA_TYPES = ("TEXT_POST", "IMAGE", "VIDEO", "CAROUSEL_ALBUM", REPOST)
MEDIA_TYPE_SHARES = (0.42, 0.22, 0.14, 0.08, 0.14)


class ThreadsCounts(NamedTuple):
    """What a post has gathered. Replies to replies are not counted."""

    views: int
    likes: int
    replies: int
    reposts: int
    quotes: int
    shares: int


@dataclass(frozen=True, slots=True)
class ThreadsPost(BasePost):
    """One post of an account, or its repost of somebody else's."""

    media_type: str
    final: ThreadsCounts

    @property
    def is_original(self) -> bool:
        return self.media_type != REPOST

    def at(self, instant: int) -> ThreadsCounts:
        part = self.grown(instant)
        return ThreadsCounts(*(int(value * part) for value in self.final))


class ThreadsWorld(MediaTimeline[ThreadsPost, ThreadsCounts]):
    """All accounts of a register on Threads, from one seed."""

    platform = "threads"
    first_monday = date(2023, 7, 3)
    following = 0.12
    fewest_posts_per_week, most_posts_per_week = 1.5, 3.5

    def _draw_week(self, account: Account, monday: date) -> tuple[ThreadsPost, ...]:
        if monday < self.first_monday:
            return ()
        rng = generator(self.seed, "threads", account.account_id, monday)
        country = self.register.forces[account.force_id].country
        size = min(int(rng.poisson(self.posts_per_week(account))), POSTS_PER_WEEK_MAX)
        times = self._draw_times(rng, monday, size)
        types = rng.choice(MEDIA_TYPES, size=size, p=MEDIA_TYPE_SHARES)
        categories = rng.choice(self.register.categories, size=size, p=self._category_shares(account))
        silent = rng.random(size) < 0.04
        picks = rng.integers(0, 1 << 30, (size, 7))
        growth = rng.uniform(0.5, 1.4, size) * DAY
        finals = self._draw_finals(rng, self.followers(account, monday), size)
        ids = self._media_ids(account, monday, size)
        return tuple(
            ThreadsPost(
                post_id=ids[place],
                account_id=account.account_id,
                published_at=times[place],
                category=str(categories[place]),
                message=None if silent[place] else message(str(categories[place]), tuple(picks[place].tolist()), country),
                growth_seconds=float(growth[place]),
                media_type=str(types[place]),
                final=finals[place],
            )
            for place in range(size)
            if account.is_open(london_date(times[place]))
        )

    @staticmethod
    def _draw_finals(rng: np.random.Generator, followers: int, size: int) -> list[ThreadsCounts]:
        views = np.floor(30 + followers * 0.2 * rng.lognormal(0.0, 0.8, size))
        shares = ((0.018, 0.5), (0.002, 0.8), (0.0018, 0.9), (0.0004, 0.9), (0.0012, 0.9))
        rest = (np.floor(views * share * rng.lognormal(0.0, spread, size)) for share, spread in shares)
        return [ThreadsCounts(*(int(value) for value in row)) for row in zip(views, *rest, strict=True)]

    def _draw_month(self, account: Account, first: date) -> dict[date, ThreadsCounts]:
        days = days_of_month(first)
        edges = [pacific_midnight(day) for day in [*days, days[-1] + timedelta(days=1)]]
        posts = [post for post in self.posts(account, edges[0] - PLATEAU, edges[-1] - 1) if post.is_original]
        rng = generator(self.seed, "threads month", account.account_id, first)
        visits = np.floor(self.followers(account, first) * 0.004 * rng.lognormal(0.0, 0.3, len(days)))
        columns = [gains(posts, [getattr(post.final, name) for post in posts], edges) for name in ThreadsCounts._fields]
        columns[0] = columns[0] + visits
        return {day: ThreadsCounts(*(int(column[place]) for column in columns)) for place, day in enumerate(days)}
