"""The simulated Facebook: pages, their posts, what the posts gather, and the pages' own days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from include.simulator.register import Account, Register
from include.simulator.texts import message
from include.simulator.timeline import PLATEAU, POSTS_PER_WEEK_MAX, BasePost, Timeline, days_of_month, gains, generator
from include.simulator.times import DAY, london_date, pacific_date, pacific_midnight

FIRST_MONDAY = date(2010, 1, 4)
POST_NUMBER_BASE = 122_000_000_000_000


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
class Post(BasePost):
    """One post of a page, and what it will have gathered in the end."""

    status_type: str
    final: Counts

    @property
    def is_original(self) -> bool:
        return self.status_type != "shared_story"

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


class World(Timeline[Post]):
    """All pages of a register, from one seed."""

    platform = "facebook"
    following = 1.15
    fewest_posts_per_week, most_posts_per_week = 3.0, 12.0

    def __init__(self, seed: int, register: Register) -> None:
        super().__init__(seed, register)
        self._page_months: dict[tuple[str, int, int], dict[date, PageDay]] = {}

    def post(self, post_id: str) -> Post | None:
        """The post of an id, whenever it is published; None where there is none."""
        page_id, _, number = post_id.partition("_")
        page = self.accounts.get(page_id)
        if page is None or not (number.isascii() and number.isdigit()) or len(number) > 18 or int(number) < POST_NUMBER_BASE:
            return None
        week = (int(number) - POST_NUMBER_BASE) // POSTS_PER_WEEK_MAX
        if week > 10_000:
            return None
        posts = self.week(page, FIRST_MONDAY + timedelta(weeks=week))
        return next((post for post in posts if post.post_id == post_id), None)

    def page_day(self, page: Account, day: date) -> PageDay:
        """A page's totals of one Pacific day."""
        key = (page.account_id, day.year, day.month)
        if key not in self._page_months:
            self._page_months[key] = self._draw_page_month(page, day.replace(day=1))
        return self._page_months[key][day]

    def _draw_week(self, page: Account, monday: date) -> tuple[Post, ...]:
        rng = generator(self.seed, "posts", page.account_id, monday)
        force = self.register.forces[page.force_id]
        size = min(int(rng.poisson(self.posts_per_week(page))), POSTS_PER_WEEK_MAX)
        times = self._draw_times(rng, monday, size)
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
                post_id=f"{page.account_id}_{number + place}",
                account_id=page.account_id,
                published_at=times[place],
                category=str(categories[place]),
                message=None if silent[place] else message(str(categories[place]), tuple(picks[place].tolist()), force.country),
                growth_seconds=float(growth[place]),
                status_type=str(types[place]),
                final=finals[place],
            )
            for place in range(size)
            if page.is_open(london_date(times[place]))
        )

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

    def _draw_page_month(self, page: Account, first: date) -> dict[date, PageDay]:
        days = days_of_month(first)
        edges = [pacific_midnight(day) for day in [*days, days[-1] + timedelta(days=1)]]
        posts = self.posts(page, edges[0] - PLATEAU, edges[-1] - 1)
        rng = generator(self.seed, "page month", page.account_id, first)
        visits = np.floor(self.followers(page, first) * 0.01 * rng.lognormal(0.0, 0.3, len(days)))
        organic = gains(posts, [post.final.organic_views for post in posts], edges) + visits
        paid = gains(posts, [post.final.paid_views for post in posts], edges)
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
                self.followers(page, london_date(edges[place + 1])),
            )
            for place, day in enumerate(days)
        }


def last_full_pacific_day(instant: int) -> date:
    """The last Pacific day that has ended at an instant."""
    return pacific_date(instant) - timedelta(days=1)
