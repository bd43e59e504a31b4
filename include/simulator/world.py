"""The simulated world: pages, their followers, their posts and what the posts gather.

Its state is a pure function of seed and instant. Every part is drawn from a generator of its own, seeded with the world's
seed and the part's name, so that nothing depends on the order of questions; parts are drawn when first asked for, and kept.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np

from include.simulator.register import PageAccount, Register
from include.simulator.texts import message
from include.simulator.times import DAY, LONDON, london_date, london_midnight, monday_of, pacific_date, pacific_midnight, to_instant

PLATEAU = 28 * DAY
"""From this age on a post's counts do not change."""

FIRST_MONDAY = date(2010, 1, 4)
POST_NUMBER_BASE = 122_000_000_000_000
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
class Counts:
    """What a post has gathered. Reach is unique people; the impressions are the series before 2025-11-15, a count of its own."""

    reactions: int
    comments: int  # with replies to comments
    shares: int
    organic_views: int
    paid_views: int
    reach: int
    organic_impressions: int
    paid_impressions: int
    reach_before_2026: int


@dataclass(frozen=True, slots=True)
class Post:
    """One post of a page: its planted content category, and what it will have gathered in the end."""

    post_id: str
    page_id: str
    published_at: int
    status_type: str
    category: str
    message: str | None
    growth_seconds: float
    final: Counts

    @property
    def is_original(self) -> bool:
        return self.status_type != "shared_story"

    def grown(self, instant: int) -> float:
        """The part of its final counts that the post has at an instant: 1 - exp(-age / growth_seconds), all at 28 days."""
        age = instant - self.published_at
        if age >= PLATEAU:
            return 1.0
        return 1.0 - math.exp(-age / self.growth_seconds) if age > 0 else 0.0

    def at(self, instant: int) -> Counts:
        part, final = self.grown(instant), self.final
        return Counts(
            int(final.reactions * part),
            int(final.comments * part),
            int(final.shares * part),
            int(final.organic_views * part),
            int(final.paid_views * part),
            int(final.reach * part),
            int(final.organic_impressions * part),
            int(final.paid_impressions * part),
            int(final.reach_before_2026 * part),
        )


@dataclass(frozen=True, slots=True)
class PageDay:
    """What a page gathered on one Pacific day, over all its posts and itself."""

    organic_views: int
    paid_views: int
    reach: int
    impressions: int
    reach_before_2026: int
    follows: int  # the stock at the end of the day


class World:
    """All pages of a register, from one seed."""

    def __init__(self, seed: int, register: Register) -> None:
        self.seed = seed
        self.register = register
        self._weeks: dict[tuple[str, date], tuple[Post, ...]] = {}
        self._follower_years: dict[tuple[str, int], list[int]] = {}
        self._page_months: dict[tuple[str, int, int], dict[date, PageDay]] = {}

    @cached_property
    def _merged_into(self) -> dict[str, list[PageAccount]]:
        merged: dict[str, list[PageAccount]] = defaultdict(list)
        for page in self.register.pages.values():
            if page.successor_id and page.closed:
                merged[page.successor_id].append(page)
        return merged

    def followers(self, page: PageAccount, day: date) -> int:
        """Followers of a page on a London day; seven tenths of a merged page's followers move to its successor."""
        key = (page.page_id, day.year)
        if key not in self._follower_years:
            self._follower_years[key] = self._draw_follower_year(page, day.year)
        return self._follower_years[key][day.timetuple().tm_yday - 1]

    def _draw_follower_year(self, page: PageAccount, year: int) -> list[int]:
        rng = generator(self.seed, "followers", page.page_id)
        base = 1.15 * self.register.forces[page.force_id].population ** 0.8 * (1.0 if page.is_main else 0.15)
        base *= rng.lognormal(0.0, 0.2)
        growth_per_year = rng.normal(0.03, 0.015)
        periods, phases, heights = rng.uniform(50, 400, 3), rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.001, 0.006, 3)
        days = (date(year, 1, 1) - date(2024, 1, 1)).days + np.arange(366)
        level = growth_per_year * days / 365.25
        for period, phase, height in zip(periods, phases, heights, strict=True):
            level = level + height * np.sin(2 * np.pi * days / period + phase)
        level = level + generator(self.seed, "followers", page.page_id, year).normal(0.0, 0.0003, 366)
        followers = np.floor(base * np.exp(level))
        for merged in self._merged_into[page.page_id]:
            assert merged.closed is not None
            gained = int(0.7 * self.followers(merged, merged.closed))
            followers = followers + np.where(days > (merged.closed - date(2024, 1, 1)).days, gained, 0)
        return [int(value) for value in followers]

    def posts_per_week(self, page: PageAccount) -> float:
        """Between 3 and 12 for a force's main page, half of that for the others."""
        rate = min(12.0, max(3.0, 3.0 * (self.register.forces[page.force_id].population / 250_000) ** 0.4))
        return rate if page.is_main else rate / 2

    def posts(self, page: PageAccount, first: int, last: int) -> list[Post]:
        """Posts of a page published between two instants, both included, oldest first."""
        found: list[Post] = []
        monday = monday_of(london_date(first))
        while london_midnight(monday) <= last:
            found.extend(post for post in self._week(page, monday) if first <= post.published_at <= last)
            monday += timedelta(weeks=1)
        return found

    def posts_backwards(self, page: PageAccount, first: int, last: int) -> Iterator[Post]:
        """The same posts, newest first, drawn as they are asked for."""
        monday = monday_of(london_date(last))
        stop = monday_of(max(london_date(first), page.opened))
        while monday >= stop:
            yield from (post for post in reversed(self._week(page, monday)) if first <= post.published_at <= last)
            monday -= timedelta(weeks=1)

    def newest_original(self, page: PageAccount, instant: int) -> Post | None:
        """The page's last original post up to an instant: the one whose counts `text_number` and `negative_count` spoil."""
        return next((post for post in self.posts_backwards(page, 0, instant) if post.is_original), None)

    def post(self, post_id: str) -> Post | None:
        """The post of an id, whenever it is published; None where there is none."""
        page_id, _, number = post_id.partition("_")
        page = self.register.pages.get(page_id)
        if page is None or not (number.isascii() and number.isdigit()) or len(number) > 18 or int(number) < POST_NUMBER_BASE:
            return None
        week = (int(number) - POST_NUMBER_BASE) // POSTS_PER_WEEK_MAX
        if week > 10_000:
            return None
        posts = self._week(page, FIRST_MONDAY + timedelta(weeks=week))
        return next((post for post in posts if post.post_id == post_id), None)

    def page_day(self, page: PageAccount, day: date) -> PageDay:
        """A page's totals of one Pacific day."""
        key = (page.page_id, day.year, day.month)
        if key not in self._page_months:
            self._page_months[key] = self._draw_page_month(page, day.replace(day=1))
        return self._page_months[key][day]

    def _week(self, page: PageAccount, monday: date) -> tuple[Post, ...]:
        key = (page.page_id, monday)
        if key not in self._weeks:
            self._weeks[key] = self._draw_week(page, monday)
        return self._weeks[key]

    def _draw_week(self, page: PageAccount, monday: date) -> tuple[Post, ...]:
        rng = generator(self.seed, "posts", page.page_id, monday)
        force = self.register.forces[page.force_id]
        size = min(int(rng.poisson(self.posts_per_week(page))), POSTS_PER_WEEK_MAX)
        by_day = rng.random(size) < 0.94
        seconds = np.where(by_day, rng.uniform(7, 22, size), rng.uniform(0, 24, size)) * 3600
        times = sorted(
            to_instant(
                datetime.combine(monday + timedelta(days=int(weekday)), datetime.min.time(), LONDON)
                + timedelta(seconds=int(second))
            )
            for weekday, second in zip(rng.integers(0, 7, size), seconds, strict=True)
        )
        types = rng.choice(
            ["added_photos", "mobile_status_update", "added_video", "shared_story"], size=size, p=[0.52, 0.24, 0.15, 0.09]
        )
        categories = rng.choice(self.register.categories, size=size, p=self._category_shares(page))
        silent = rng.random(size) < np.where(types == "mobile_status_update", 0.0, 0.08)
        picks = rng.integers(0, 1 << 30, (size, 7))
        growth = rng.uniform(1.0, 2.0, size) * DAY
        finals = self._draw_finals(rng, self.followers(page, monday), size)
        number = POST_NUMBER_BASE + (monday - FIRST_MONDAY).days // 7 * POSTS_PER_WEEK_MAX
        return tuple(
            Post(
                post_id=f"{page.page_id}_{number + place}",
                page_id=page.page_id,
                published_at=times[place],
                status_type=str(types[place]),
                category=str(categories[place]),
                message=None if silent[place] else message(str(categories[place]), tuple(picks[place].tolist()), force.country),
                growth_seconds=float(growth[place]),
                final=finals[place],
            )
            for place in range(size)
            if page.is_open(london_date(times[place]))
        )

    def _category_shares(self, page: PageAccount) -> np.ndarray:
        national = generator(self.seed, "activity").dirichlet(np.full(len(self.register.categories), 6.0))
        return generator(self.seed, "activity", page.page_id).dirichlet(60 * national + 0.5)

    @staticmethod
    def _draw_finals(rng: np.random.Generator, followers: int, size: int) -> list[Counts]:
        organic = np.floor(20 + followers * 0.22 * rng.lognormal(0.0, 0.7, size))
        paid = np.floor(organic * np.where(rng.random(size) < 0.05, rng.uniform(0.3, 2.0, size), 0.0))
        reach = np.floor((organic + paid) * rng.uniform(0.55, 0.85, size))
        columns = (
            np.floor(organic * 0.012 * rng.lognormal(0.0, 0.5, size)),
            np.floor(organic * 0.0025 * rng.lognormal(0.0, 0.8, size)),
            np.floor(organic * 0.0018 * rng.lognormal(0.0, 0.9, size)),
            organic,
            paid,
            reach,
            np.floor(organic * rng.uniform(0.5, 0.7, size)),
            np.floor(paid * rng.uniform(0.5, 0.7, size)),
            np.floor(reach * rng.uniform(0.9, 0.99, size)),
        )
        return [Counts(*(int(value) for value in row)) for row in zip(*columns, strict=True)]

    def _draw_page_month(self, page: PageAccount, first: date) -> dict[date, PageDay]:
        days = [first + timedelta(days=offset) for offset in range(32) if (first + timedelta(days=offset)).month == first.month]
        edges = np.array([pacific_midnight(day) for day in [*days, days[-1] + timedelta(days=1)]])
        posts = self.posts(page, int(edges[0]) - PLATEAU, int(edges[-1]) - 1)
        grown = np.array([[post.grown(int(edge)) for edge in edges] for post in posts]).reshape(len(posts), len(edges))

        def of_posts(finals: list[int]) -> np.ndarray:
            return np.diff(np.floor(np.array(finals)[:, None] * grown), axis=1).sum(axis=0) if posts else np.zeros(len(days))

        rng = generator(self.seed, "page month", page.page_id, first)
        visits = np.floor(self.followers(page, first) * 0.01 * rng.lognormal(0.0, 0.3, len(days)))
        organic = of_posts([post.final.organic_views for post in posts]) + visits
        paid = of_posts([post.final.paid_views for post in posts])
        reach = np.floor((organic + paid) * rng.uniform(0.5, 0.8, len(days)))
        impressions = np.floor((organic + paid) * rng.uniform(0.5, 0.7, len(days)))
        reach_before = np.floor(reach * rng.uniform(0.9, 0.99, len(days)))
        return {
            day: PageDay(
                int(organic[place]),
                int(paid[place]),
                int(reach[place]),
                int(impressions[place]),
                int(reach_before[place]),
                self.followers(page, london_date(int(edges[place + 1]))),
            )
            for place, day in enumerate(days)
        }


def last_full_pacific_day(instant: int) -> date:
    """The last Pacific day that has ended at an instant."""
    return pacific_date(instant) - timedelta(days=1)
