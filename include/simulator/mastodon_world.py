"""The simulated Mastodon: accounts of forces on several servers, their posts, replies and reblogs, and what these gather."""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np

from include.simulator.register import Account
from include.simulator.texts import message
from include.simulator.timeline import POSTS_PER_WEEK_MAX, BasePost, Timeline, generator
from include.simulator.times import DAY, HOUR, london_date, monday_of

KINDS = ("original", "reply", "reblog")
KIND_SHARES = (0.68, 0.17, 0.15)


def server_of(account: Account) -> str:
    return account.validities[-1].handle.rpartition("@")[2]


def status_number(instant: int, milliseconds: int, place: int) -> int:
    """An id of one server: milliseconds since 1970 in all but its last 16 bits."""
    return (instant * 1000 + milliseconds) << 16 | place


def instant_of(number: int) -> int:
    return (number >> 16) // 1000


class PublicCounts(NamedTuple):
    """Public counts of a post, in the order of the wire."""

    replies: int
    reblogs: int
    favourites: int
    quotes: int


@dataclass(frozen=True, slots=True)
class Status(BasePost):
    """One post; `post_id` is its id and its server. Of a reblog all but id and time is somebody else's."""

    kind: str
    number: int
    milliseconds: int
    edited_at: int | None
    stranger: int
    does_mention: bool
    media: tuple[tuple[str, str | None], ...]  # type and description
    final: PublicCounts

    @property
    def is_original(self) -> bool:
        return self.kind == "original"

    def at(self, instant: int) -> PublicCounts:
        part = self.grown(instant)
        return PublicCounts(*(int(value * part) for value in self.final))

    @property
    def content(self) -> str:
        """HTML. Whom it answers or mentions stands in it as a link."""
        words = html.escape(self.message or "", quote=False).replace("\n\n", "</p><p>")
        name = f"simcitizen{self.stranger}"
        link = f'<a href="https://citizens.example/@{name}" class="u-url mention">@<span>{name}</span></a>'
        who = f'<span class="h-card" translate="no">{link}</span> ' if self.does_mention else ""
        return f"<p>{who}{words}</p>"


class MastodonWorld(Timeline[Status]):
    """All Mastodon accounts of a register, from one seed."""

    platform = "mastodon"
    following = 0.05
    fewest_posts_per_week, most_posts_per_week = 3.0, 7.0

    @cached_property
    def by_server(self) -> dict[str, list[Account]]:
        found: dict[str, list[Account]] = {}
        for account in self.accounts.values():
            found.setdefault(server_of(account), []).append(account)
        return found

    def post(self, post_id: str) -> Status | None:
        number, _, server = post_id.partition("@")
        if not (number.isascii() and number.isdigit() and len(number) <= 20):
            return None
        monday = monday_of(london_date(instant_of(int(number))))
        weeks = (self.week(account, monday) for account in self.by_server.get(server, ()))
        return next((post for week in weeks for post in week if post.post_id == post_id), None)

    def _draw_week(self, account: Account, monday: date) -> tuple[Status, ...]:
        rng = generator(self.seed, "mastodon", account.account_id, monday)
        country, server = self.register.forces[account.force_id].country, server_of(account)
        tag = int.from_bytes(hashlib.blake2b(account.account_id.encode(), digest_size=1).digest(), "big")
        size = min(int(rng.poisson(self.posts_per_week(account))), POSTS_PER_WEEK_MAX)
        times = self._draw_times(rng, monday, size)
        kinds = rng.choice(KINDS, size=size, p=KIND_SHARES)
        categories = rng.choice(self.register.categories, size=size, p=self._category_shares(account))
        picks = rng.integers(0, 1 << 30, (size, 7))
        growth = rng.uniform(0.4, 1.2, size) * DAY
        fractions, strangers = rng.integers(0, 1000, size), rng.integers(100, 1_000_000, size)
        edits = np.where(rng.random(size) < 0.06, rng.integers(300, 2 * HOUR, size), 0)
        finals = self._draw_finals(rng, self.followers(account, monday), size)
        posts = []
        for place in range(size):
            if not account.is_open(london_date(times[place])):
                continue
            kind, pick = str(kinds[place]), int(picks[place][0])
            # on the hour exactly: no fraction, so that no age of whole days is missed by part of a second
            milliseconds = 0 if times[place] % HOUR == 0 else int(fractions[place])
            number = status_number(times[place], milliseconds, tag * 256 + place % 256)
            described = "A picture, described for those who cannot see it." if pick % 7 else None
            posts.append(
                Status(
                    post_id=f"{number}@{server}",
                    account_id=account.account_id,
                    published_at=times[place],
                    category=str(categories[place]),
                    message=message(str(categories[place]), tuple(picks[place].tolist()), country),
                    growth_seconds=float(growth[place]),
                    kind=kind,
                    number=number,
                    milliseconds=milliseconds,
                    edited_at=times[place] + int(edits[place]) if edits[place] and kind != "reblog" else None,
                    stranger=int(strangers[place]),
                    does_mention=kind == "reply" or (kind == "original" and pick % 9 == 0),
                    media=(("image", described),) * (pick % 4) if kind == "original" else (),
                    final=self._of_kind(finals[place], kind),
                )
            )
        return tuple(posts)

    @staticmethod
    def _of_kind(final: PublicCounts, kind: str) -> PublicCounts:
        """A reply is seen by few; a reblog counts nothing of its own."""
        if kind == "reblog":
            return PublicCounts(0, 0, 0, 0)
        return PublicCounts(*(value // 6 for value in final)) if kind == "reply" else final

    @staticmethod
    def _draw_finals(rng: np.random.Generator, followers: int, size: int) -> list[PublicCounts]:
        shares = (0.0015, 0.006, 0.01, 0.0003)
        columns = [np.floor(1 + followers * share * rng.lognormal(0.0, 0.8, size)) for share in shares]
        return [PublicCounts(*(int(value) for value in row)) for row in zip(*columns, strict=True)]
