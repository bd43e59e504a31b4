"""The simulated Instagram: professional accounts, their media, what the media gather, and the accounts' own days."""

from __future__ import annotations

import base64
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
    fraction,
    gains,
    generator,
)
from include.simulator.times import DAY, london_date, pacific_midnight

MEDIA_TYPES = (("IMAGE", "FEED"), ("CAROUSEL_ALBUM", "FEED"), ("VIDEO", "REELS"), ("VIDEO", "FEED"))
MEDIA_TYPE_SHARES = (0.42, 0.25, 0.30, 0.03)


class MediaCounts(NamedTuple):
    """What a medium has gathered: organic, what ads brought on top, and unique people."""

    likes: int
    comments: int
    shares: int
    reposts: int
    saved: int
    views: int
    paid_likes: int
    paid_comments: int
    paid_views: int
    reach: int
    impressions: int
    profile_visits: int
    follows: int
    watch_seconds: int

    @property
    def interactions(self) -> int:
        return self.likes + self.comments + self.shares + self.reposts + self.saved


@dataclass(frozen=True, slots=True)
class Media(BasePost):
    """One medium of an account: image, carousel, video or reel."""

    media_type: str
    product_type: str
    insights_delay: int  # seconds after publication in which the insights hold nothing
    hides_likes: bool
    final: MediaCounts

    @property
    def shortcode(self) -> str:
        return base64.urlsafe_b64encode(int(self.post_id).to_bytes(8, "big")).decode().rstrip("=")

    def at(self, instant: int) -> MediaCounts:
        part = self.grown(instant)
        return MediaCounts(*(int(value * part) for value in self.final))


class AccountDay(NamedTuple):
    """What an account gathered on one Pacific day, over all its media."""

    likes: int
    comments: int
    shares: int
    reposts: int
    saves: int
    views: int
    paid_views: int
    reach: int
    impressions: int
    accounts_engaged: int
    profile_views: int
    follows: int
    unfollows: int

    @property
    def interactions(self) -> int:
        return self.likes + self.comments + self.shares + self.reposts + self.saves


class InstagramWorld(MediaTimeline[Media, AccountDay]):
    """All Instagram accounts of a register, from one seed."""

    platform = "instagram"
    first_monday = date(2010, 1, 4)
    following = 0.45
    fewest_posts_per_week, most_posts_per_week = 3.0, 6.0

    def hides_all_likes(self, account: Account) -> bool:
        """About one account in sixteen shows no like counts at all."""
        return fraction(self.seed, "hides likes", account.account_id) < 0.06

    def _draw_week(self, account: Account, monday: date) -> tuple[Media, ...]:
        rng = generator(self.seed, "media", account.account_id, monday)
        country = self.register.forces[account.force_id].country
        size = min(int(rng.poisson(self.posts_per_week(account))), POSTS_PER_WEEK_MAX)
        times = self._draw_times(rng, monday, size)
        types = rng.choice(len(MEDIA_TYPES), size=size, p=MEDIA_TYPE_SHARES)
        categories = rng.choice(self.register.categories, size=size, p=self._category_shares(account))
        silent, hidden = rng.random(size) < 0.06, rng.random(size) < 0.03
        picks = rng.integers(0, 1 << 30, (size, 7))
        growth = rng.uniform(0.8, 1.8, size) * DAY
        delays = rng.uniform(1, 40, size) * 3600
        is_video = types >= 2
        finals = self._draw_finals(rng, self.followers(account, monday), size, is_video)
        ids = self._media_ids(account, monday, size)
        hides_all = self.hides_all_likes(account)
        return tuple(
            Media(
                post_id=ids[place],
                account_id=account.account_id,
                published_at=times[place],
                category=str(categories[place]),
                message=None if silent[place] else message(str(categories[place]), tuple(picks[place].tolist()), country),
                growth_seconds=float(growth[place]),
                media_type=MEDIA_TYPES[types[place]][0],
                product_type=MEDIA_TYPES[types[place]][1],
                insights_delay=int(delays[place]),
                hides_likes=bool(hidden[place]) or hides_all,
                final=finals[place],
            )
            for place in range(size)
            if account.is_open(london_date(times[place]))
        )

    @staticmethod
    def _draw_finals(rng: np.random.Generator, followers: int, size: int, is_video: np.ndarray) -> list[MediaCounts]:
        views = np.floor(20 + followers * 0.35 * rng.lognormal(0.0, 0.7, size) * np.where(is_video, 1.6, 1.0))
        paid = np.floor(views * np.where(rng.random(size) < 0.05, rng.uniform(0.3, 2.0, size), 0.0))
        likes = np.floor(views * 0.025 * rng.lognormal(0.0, 0.5, size))
        comments = np.floor(views * 0.0015 * rng.lognormal(0.0, 0.8, size))
        columns = (
            likes,
            comments,
            np.floor(views * 0.003 * rng.lognormal(0.0, 0.9, size)),
            np.floor(views * 0.0006 * rng.lognormal(0.0, 0.9, size)),
            np.floor(views * 0.002 * rng.lognormal(0.0, 0.8, size)),
            views,
            np.floor(paid * 0.01),
            np.floor(paid * 0.0005),
            paid,
            np.floor((views + paid) * rng.uniform(0.5, 0.8, size)),
            np.floor((views + paid) * rng.uniform(0.6, 0.75, size)),
            np.floor(views * 0.004 * rng.lognormal(0.0, 0.6, size)),
            np.floor(views * 0.0004 * rng.lognormal(0.0, 0.6, size)),
            np.floor(np.where(is_video, views * rng.uniform(4, 12, size), 0.0)),
        )
        return [MediaCounts(*(int(value) for value in row)) for row in zip(*columns, strict=True)]

    def _draw_month(self, account: Account, first: date) -> dict[date, AccountDay]:
        days = days_of_month(first)
        edges = [pacific_midnight(day) for day in [*days, days[-1] + timedelta(days=1)]]
        media = self.posts(account, edges[0] - PLATEAU, edges[-1] - 1)
        rng = generator(self.seed, "instagram month", account.account_id, first)
        followers = self.followers(account, first)
        likes, comments, shares, reposts, saves, views, paid = (
            gains(media, [getattr(one.final, name) for one in media], edges)
            for name in ("likes", "comments", "shares", "reposts", "saved", "views", "paid_views")
        )
        visits = np.floor(followers * 0.006 * rng.lognormal(0.0, 0.3, len(days)))
        reach = np.floor((views + visits + paid) * rng.uniform(0.45, 0.75, len(days)))
        columns = (
            likes,
            comments,
            shares,
            reposts,
            saves,
            views + visits,
            paid,
            reach,
            np.floor((views + visits + paid) * rng.uniform(0.6, 0.75, len(days))),
            np.floor((likes + comments + shares) * rng.uniform(0.75, 0.9, len(days))),
            visits,
            np.floor(followers * 0.0006 * rng.lognormal(0.0, 0.4, len(days))),
            np.floor(followers * 0.0004 * rng.lognormal(0.0, 0.4, len(days))),
        )
        return {day: AccountDay(*(int(column[place]) for column in columns)) for place, day in enumerate(days)}
