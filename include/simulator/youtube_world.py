"""The simulated YouTube: channels, their subscribers as the public sees them, their videos, and what these gather."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np

from include.simulator.register import Account
from include.simulator.texts import message
from include.simulator.timeline import POSTS_PER_WEEK_MAX, BasePost, Timeline, generator
from include.simulator.times import DAY, london_date

FIRST_MONDAY = date(2010, 1, 4)
LONGEST_TITLE = 100


class VideoCounts(NamedTuple):
    """Public counts of a video. Views are not split into organic and paid; there is no count of shares."""

    views: int
    likes: int
    comments: int


@dataclass(frozen=True, slots=True)
class Video(BasePost):
    """One video of a channel."""

    seconds: int
    has_old_date: bool  # its time is written with milliseconds
    final: VideoCounts

    def at(self, instant: int) -> VideoCounts:
        part = self.grown(instant)
        return VideoCounts(*(int(value * part) for value in self.final))

    @property
    def title(self) -> str:
        return (self.message or "")[:LONGEST_TITLE]


def rounded(subscribers: int) -> int:
    """Down to three significant figures: all that the public is shown."""
    step = 10 ** max(len(str(subscribers)) - 3, 0)
    return subscribers // step * step


def video_id(number: int, place: int) -> str:
    """Eleven letters: the channel's number (32 bits), and the video's place among all of its weeks (32 bits)."""
    return base64.urlsafe_b64encode(((number << 32) | place).to_bytes(8, "big")).decode().rstrip("=")


class YouTubeWorld(Timeline[Video]):
    """All channels of a register, from one seed."""

    platform = "youtube"
    following = 0.06
    fewest_posts_per_week, most_posts_per_week = 1.5, 4.0

    def shown_followers(self, account: Account, day: date) -> int:
        return rounded(self.followers(account, day))

    @staticmethod
    def _number(account_id: str) -> int:
        return int.from_bytes(hashlib.blake2b(account_id.encode(), digest_size=4).digest(), "big")

    @cached_property
    def _by_number(self) -> dict[int, Account]:
        return {self._number(account.account_id): account for account in self.accounts.values()}

    def post(self, post_id: str) -> Video | None:
        try:
            number = int.from_bytes(base64.urlsafe_b64decode(f"{post_id}="), "big") if len(post_id) == 11 else -1
        except ValueError:
            return None
        account, place = self._by_number.get(number >> 32), number % (1 << 32)
        if account is None or place // POSTS_PER_WEEK_MAX > 10_000:
            return None
        posts = self.week(account, FIRST_MONDAY + timedelta(weeks=place // POSTS_PER_WEEK_MAX))
        return next((post for post in posts if post.post_id == post_id), None)

    def _draw_week(self, account: Account, monday: date) -> tuple[Video, ...]:
        rng = generator(self.seed, "youtube", account.account_id, monday)
        country = self.register.forces[account.force_id].country
        size = min(int(rng.poisson(self.posts_per_week(account))), POSTS_PER_WEEK_MAX)
        times = self._draw_times(rng, monday, size)
        categories = rng.choice(self.register.categories, size=size, p=self._category_shares(account))
        picks = rng.integers(0, 1 << 30, (size, 7))
        growth = rng.uniform(0.8, 3.0, size) * DAY
        is_short = rng.random(size) < 0.5
        seconds = np.where(is_short, rng.integers(12, 60, size), rng.integers(61, 1800, size))
        old_dates = rng.random(size) < 0.2
        finals = self._draw_finals(rng, self.followers(account, monday), size, is_short)
        number, week = self._number(account.account_id), (monday - FIRST_MONDAY).days // 7 * POSTS_PER_WEEK_MAX
        return tuple(
            Video(
                post_id=video_id(number, week + place),
                account_id=account.account_id,
                published_at=times[place],
                category=str(categories[place]),
                message=message(str(categories[place]), tuple(picks[place].tolist()), country),
                growth_seconds=float(growth[place]),
                seconds=int(seconds[place]),
                has_old_date=bool(old_dates[place]),
                final=finals[place],
            )
            for place in range(size)
            if account.is_open(london_date(times[place]))
        )

    @staticmethod
    def _draw_finals(rng: np.random.Generator, followers: int, size: int, is_short: np.ndarray) -> list[VideoCounts]:
        views = np.floor(40 + followers * 0.3 * rng.lognormal(0.0, 0.9, size) * np.where(is_short, 2.5, 1.0))
        columns = (
            views,
            np.floor(views * 0.02 * rng.lognormal(0.0, 0.5, size)),
            np.floor(views * 0.0025 * rng.lognormal(0.0, 0.9, size)),
        )
        return [VideoCounts(*(int(value) for value in row)) for row in zip(*columns, strict=True)]
