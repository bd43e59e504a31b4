"""The simulated platforms without an API for forces: LinkedIn, TikTok, Nextdoor, WhatsApp channels, as dashboards show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np

from include.simulator.register import Account
from include.simulator.texts import message
from include.simulator.timeline import POSTS_PER_WEEK_MAX, BasePost, Timeline, generator
from include.simulator.times import DAY, london_date


class Figures(NamedTuple):
    """What a dashboard may show of a post, whether or not its platform has it."""

    views: int
    viewers: int
    reactions: int
    comments: int
    shares: int
    saves: int
    clicks: int


@dataclass(frozen=True, slots=True)
class UploadedPost(BasePost):
    """One post. `kind` as the platform's people call it: original, or video."""

    kind: str
    final: Figures

    def at(self, instant: int) -> Figures:
        part = self.grown(instant)
        return Figures(*(int(value * part) for value in self.final))


class UploadedWorld(Timeline[UploadedPost]):
    """All accounts of a register on one of these platforms, from one seed."""

    video_share = 0.2

    def post(self, post_id: str) -> UploadedPost | None:
        raise NotImplementedError("nobody asks a dashboard for one post")

    def _draw_week(self, account: Account, monday: date) -> tuple[UploadedPost, ...]:
        rng = generator(self.seed, self.platform, account.account_id, monday)
        country = self.register.forces[account.force_id].country
        size = min(int(rng.poisson(self.posts_per_week(account))), POSTS_PER_WEEK_MAX)
        times = self._draw_times(rng, monday, size)
        categories = rng.choice(self.register.categories, size=size, p=self._category_shares(account))
        picks = rng.integers(0, 1 << 30, (size, 7))
        growth = rng.uniform(0.5, 2.0, size) * DAY
        is_video = rng.random(size) < self.video_share
        views = np.floor(20 + self.followers(account, monday) * 0.3 * rng.lognormal(0.0, 0.8, size))
        shares = (0.6, 0.03, 0.004, 0.003, 0.002, 0.01)
        rest = [np.floor(views * share * rng.lognormal(0.0, 0.5, size)) for share in shares]
        return tuple(
            UploadedPost(
                post_id=self.post_id(account, times[place], place),
                account_id=account.account_id,
                published_at=times[place],
                category=str(categories[place]),
                message=message(str(categories[place]), tuple(picks[place].tolist()), country),
                growth_seconds=float(growth[place]),
                kind="video" if is_video[place] else "original",
                final=Figures(int(views[place]), *(int(values[place]) for values in rest)),
            )
            for place in range(size)
            if account.is_open(london_date(times[place]))
        )

    def post_id(self, account: Account, instant: int, place: int) -> str:
        """Nineteen digits, as LinkedIn and TikTok have: more than a spreadsheet keeps of a number."""
        tag = int(generator(self.seed, "tag", account.account_id).integers(0, 10**6))
        return f"7{instant:010d}{tag:06d}{place % 100:02d}"


class LinkedInWorld(UploadedWorld):
    platform, following, fewest_posts_per_week, most_posts_per_week = "linkedin", 0.25, 1.0, 2.5


class TikTokWorld(UploadedWorld):
    platform, following, fewest_posts_per_week, most_posts_per_week = "tiktok", 0.4, 0.8, 2.0
    video_share = 1.0


class NextdoorWorld(UploadedWorld):
    platform, following, fewest_posts_per_week, most_posts_per_week = "nextdoor", 0.6, 0.8, 1.5
    video_share = 0.0


class WhatsAppWorld(UploadedWorld):
    platform, following, fewest_posts_per_week, most_posts_per_week = "whatsapp", 0.15, 0.8, 2.0
    video_share = 0.1


WORLDS: dict[str, type[UploadedWorld]] = {
    world.platform: world for world in (LinkedInWorld, TikTokWorld, NextdoorWorld, WhatsAppWorld)
}

FIGURES: dict[str, dict[str, str]] = {
    "linkedin": {
        **{"views": "views", "viewers": "reach_unique", "reactions": "reactions", "comments": "comments", "shares": "shares"},
        "clicks": "",
    },
    "tiktok": {"views": "views", "reactions": "reactions", "comments": "comments", "shares": "shares", "saves": "saves"},
    "nextdoor": {"views": "views", "reactions": "reactions", "comments": "comments", "clicks": ""},
    "whatsapp": {"views": "", "viewers": "reach_unique", "reactions": "reactions", "shares": "shares"},
}
"""What each dashboard shows of a post, and the project's metric; empty where it has none."""
