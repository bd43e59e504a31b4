"""What the simulated platforms have in common: accounts with followers, and posts that gather counts as they grow older.

Its state is a pure function of seed and instant. Every part is drawn from a generator of its own, seeded with the world's
seed and the part's name, so that nothing depends on the order of questions; parts are drawn when first asked for, and kept.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

import numpy as np

from include.simulator.register import Account, Register
from include.simulator.times import DAY, LONDON, london_date, london_midnight, monday_of, to_instant

PLATEAU = 28 * DAY
"""From this age on a post's counts do not change."""

POSTS_PER_WEEK_MAX = 1000


def generator(*parts: object) -> np.random.Generator:
    """The random numbers of one part of the world, the same in every process."""
    digest = hashlib.blake2b("|".join(str(part) for part in parts).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def fraction(*parts: object) -> float:
    """One number in [0, 1) from the names of a part; cheaper than a generator where one is enough."""
    digest = hashlib.blake2b("|".join(str(part) for part in parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(frozen=True, slots=True)
class BasePost:
    """One post of an account, with its planted content category."""

    post_id: str
    account_id: str
    published_at: int
    category: str
    message: str | None
    growth_seconds: float

    @property
    def is_original(self) -> bool:
        return True

    def grown(self, instant: int) -> float:
        """The part of its final counts that the post has at an instant: 1 - exp(-age / growth_seconds), all at 28 days."""
        age = instant - self.published_at
        if age >= PLATEAU:
            return 1.0
        return 1.0 - math.exp(-age / self.growth_seconds) if age > 0 else 0.0


P = TypeVar("P", bound=BasePost)


class Timeline(ABC, Generic[P]):
    """All accounts of a register on one platform, from one seed."""

    platform: ClassVar[str]
    following: ClassVar[float]
    """Followers, as a multiple of population ** 0.8."""
    fewest_posts_per_week: ClassVar[float]
    most_posts_per_week: ClassVar[float]

    def __init__(self, seed: int, register: Register) -> None:
        self.seed = seed
        self.register = register
        self._weeks: dict[tuple[str, date], tuple[P, ...]] = {}
        self._follower_years: dict[tuple[str, int], list[int]] = {}

    @property
    def accounts(self) -> dict[str, Account]:
        return self.register.accounts.get(self.platform, {})

    def accounts_of(self, force_id: str) -> list[Account]:
        return [account for account in self.accounts.values() if account.force_id == force_id]

    @cached_property
    def _merged_into(self) -> dict[str, list[Account]]:
        merged: dict[str, list[Account]] = defaultdict(list)
        for account in self.accounts.values():
            if account.successor_id and account.closed:
                merged[account.successor_id].append(account)
        return merged

    def followers(self, account: Account, day: date) -> int:
        """Followers on a London day; seven tenths of a merged account's followers move to its successor."""
        key = (account.account_id, day.year)
        if key not in self._follower_years:
            self._follower_years[key] = self._draw_follower_year(account, day.year)
        return self._follower_years[key][day.timetuple().tm_yday - 1]

    def shown_followers(self, account: Account, day: date) -> int:
        """The same as the platform tells it: some round."""
        return self.followers(account, day)

    def _draw_follower_year(self, account: Account, year: int) -> list[int]:
        rng = generator(self.seed, "followers", account.account_id)
        base = self.following * self.register.forces[account.force_id].population ** 0.8 * (1.0 if account.is_main else 0.15)
        base *= rng.lognormal(0.0, 0.2)
        growth_per_year = rng.normal(0.03, 0.015)
        periods, phases, heights = rng.uniform(50, 400, 3), rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.001, 0.006, 3)
        days = (date(year, 1, 1) - date(2024, 1, 1)).days + np.arange(366)
        level = growth_per_year * days / 365.25
        for period, phase, height in zip(periods, phases, heights, strict=True):
            level = level + height * np.sin(2 * np.pi * days / period + phase)
        level = level + generator(self.seed, "followers", account.account_id, year).normal(0.0, 0.0003, 366)
        followers = np.floor(base * np.exp(level))
        for merged in self._merged_into[account.account_id]:
            assert merged.closed is not None
            gained = int(0.7 * self.followers(merged, merged.closed))
            followers = followers + np.where(days > (merged.closed - date(2024, 1, 1)).days, gained, 0)
        return [int(value) for value in followers]

    def posts_per_week(self, account: Account) -> float:
        """By the size of the force for its main account, half of that for the others."""
        growth = (self.register.forces[account.force_id].population / 250_000) ** 0.4
        rate = min(self.most_posts_per_week, max(self.fewest_posts_per_week, self.fewest_posts_per_week * growth))
        return rate if account.is_main else rate / 2

    def posts(self, account: Account, first: int, last: int) -> list[P]:
        """Posts of an account published between two instants, both included, oldest first."""
        found: list[P] = []
        monday = monday_of(london_date(first))
        while london_midnight(monday) <= last:
            found.extend(post for post in self.week(account, monday) if first <= post.published_at <= last)
            monday += timedelta(weeks=1)
        return found

    def posts_backwards(self, account: Account, first: int, last: int) -> Iterator[P]:
        """The same posts, newest first, drawn as they are asked for."""
        monday = monday_of(london_date(last))
        stop = monday_of(max(london_date(first), account.opened))
        while monday >= stop:
            yield from (post for post in reversed(self.week(account, monday)) if first <= post.published_at <= last)
            monday -= timedelta(weeks=1)

    def newest_original(self, account: Account, instant: int) -> P | None:
        """The account's last original post up to an instant: the one whose counts `text_number` and `negative_count` spoil."""
        return next((post for post in self.posts_backwards(account, 0, instant) if post.is_original), None)

    @abstractmethod
    def post(self, post_id: str) -> P | None:
        """The post of an id, whenever it is published; None where there is none."""

    def week(self, account: Account, monday: date) -> tuple[P, ...]:
        """An account's posts of the London week that begins on a Monday, oldest first."""
        key = (account.account_id, monday)
        if key not in self._weeks:
            self._weeks[key] = self._draw_week(account, monday)
        return self._weeks[key]

    @abstractmethod
    def _draw_week(self, account: Account, monday: date) -> tuple[P, ...]: ...

    @staticmethod
    def _draw_times(rng: np.random.Generator, monday: date, size: int) -> list[int]:
        """Instants of a week, oldest first: most between 7 and 22 o'clock in London."""
        by_day = rng.random(size) < 0.94
        seconds = np.where(by_day, rng.uniform(7, 22, size), rng.uniform(0, 24, size)) * 3600
        return sorted(
            to_instant(
                datetime.combine(monday + timedelta(days=int(weekday)), datetime.min.time(), LONDON)
                + timedelta(seconds=int(second))
            )
            for weekday, second in zip(rng.integers(0, 7, size), seconds, strict=True)
        )

    def _category_shares(self, account: Account) -> np.ndarray:
        national = generator(self.seed, "activity").dirichlet(np.full(len(self.register.categories), 6.0))
        return generator(self.seed, "activity", account.account_id).dirichlet(60 * national + 0.5)


def days_of_month(first: date) -> list[date]:
    return [day for offset in range(31) if (day := first + timedelta(days=offset)).month == first.month]


def gains(posts: Sequence[BasePost], finals: Sequence[int], edges: Sequence[int]) -> np.ndarray:
    """What posts gather together between each two of the instants, of the counts whose final values are given."""
    if not posts:
        return np.zeros(len(edges) - 1)
    grown = np.array([[post.grown(edge) for edge in edges] for post in posts])
    return np.diff(np.floor(np.array(finals)[:, None] * grown), axis=1).sum(axis=0)
