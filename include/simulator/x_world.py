"""The simulated X: accounts, their posts, replies, quotes and retweets, and what these gather."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np

from include.simulator.contacts_world import AUTOMATIC_REPLY, Conversations, Message
from include.simulator.conversing_timeline import ConversingPost, ConversingTimeline
from include.simulator.register import Account
from include.simulator.texts import message
from include.simulator.timeline import POSTS_PER_WEEK_MAX, generator
from include.simulator.times import DAY, HOUR, london_date, monday_of

EPOCH_MILLISECONDS = 1_288_834_974_657
"""Ids count milliseconds from here, in all but their last 22 bits."""

KINDS = ("original", "quote", "reply", "retweet")
KIND_SHARES = (0.50, 0.10, 0.25, 0.15)


def status_id(instant: int, place: int, tag: int) -> str:
    """A status id: its instant, the place within its week as milliseconds, and the account's tag of 22 bits."""
    return str(((instant * 1000 + place - EPOCH_MILLISECONDS) << 22) | tag)


def instant_of(number: int) -> int:
    return ((number >> 22) + EPOCH_MILLISECONDS) // 1000


class PublicMetrics(NamedTuple):
    """Public counts, in the order of the wire. A retweet has the retweets of the original, and 0 of all else."""

    retweets: int
    replies: int
    likes: int
    quotes: int
    bookmarks: int
    impressions: int


@dataclass(frozen=True, slots=True)
class XPost(ConversingPost):
    """One post. `post_id` is its first id; every edit gives it another one, and the newest is listed."""

    kind: str
    place: int
    edited_at: tuple[int, ...]
    ids: tuple[str, ...]  # in the order of the edits; the first is post_id
    referenced_id: str | None
    referenced_user: str | None
    conversation_id: str
    media: tuple[tuple[str, str | None], ...]  # type and alternative text
    final: PublicMetrics

    @property
    def is_original(self) -> bool:
        return self.kind in ("original", "quote")

    def ids_at(self, instant: int) -> tuple[str, ...]:
        """The history of its ids up to an instant, oldest first."""
        return self.ids[: 1 + sum(edited <= instant for edited in self.edited_at)]

    def at(self, instant: int) -> PublicMetrics:
        part = self.grown(instant)
        return PublicMetrics(*(int(value * part) for value in self.final))


class XWorld(ConversingTimeline[XPost]):
    """All X accounts of a register, from one seed."""

    platform = "x"
    following = 0.9
    fewest_posts_per_week, most_posts_per_week = 10.0, 25.0

    @staticmethod
    def tag(account_id: str) -> int:
        digest = hashlib.blake2b(account_id.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % (1 << 22)

    @staticmethod
    def _place_in_list(message: Message) -> int:
        return int(message.message_id)

    @cached_property
    def _by_tag(self) -> dict[int, Account]:
        return {self.tag(account.account_id): account for account in self.accounts.values()}

    def post(self, post_id: str) -> XPost | None:
        """The post of any of its ids."""
        if not (post_id.isascii() and post_id.isdigit() and len(post_id) <= 19):
            return None
        account = self._by_tag.get(int(post_id) % (1 << 22))
        if account is None:
            return None
        day = london_date(instant_of(int(post_id)))
        mondays = {monday_of(day), monday_of(day - timedelta(days=1))}  # an edit may fall into the next week
        return next((post for monday in mondays for post in self.week(account, monday) if post_id in post.ids), None)

    def _draw_week(self, account: Account, monday: date) -> tuple[XPost, ...]:
        rng = generator(self.seed, "x", account.account_id, monday)
        country = self.register.forces[account.force_id].country
        tag = self.tag(account.account_id)
        size = min(int(rng.poisson(self.posts_per_week(account))), POSTS_PER_WEEK_MAX)
        times = self._draw_times(rng, monday, size)
        kinds = rng.choice(KINDS, size=size, p=KIND_SHARES)
        categories = rng.choice(self.register.categories, size=size, p=self._category_shares(account))
        picks = rng.integers(0, 1 << 30, (size, 7))
        growth = rng.uniform(0.4, 1.2, size) * DAY
        edits = np.where(rng.random(size) < 0.04, rng.integers(1, 3, size), 0)
        edit_times = rng.integers(120, HOUR // 2, (size, 2)).cumsum(axis=1)
        strangers = rng.integers(10**18, 2 * 10**18, (size, 3))
        has_media, has_alt, in_own_thread = rng.random(size) < 0.5, rng.random(size) < 0.7, rng.random(size) < 0.3
        finals = self._draw_finals(rng, self.followers(account, monday), size)
        posts: list[XPost] = []
        is_reply = [kind == "reply" for kind in kinds]
        said = Conversations(
            generator(self.seed, "x contacts", account.account_id, monday),
            account.account_id,
            account.handle(monday),
            lambda instant, person, number: status_id(instant, number, self.tag(person.person_id)),
        )
        originals = [(instant, status_id(instant, n, tag)) for n, instant in enumerate(times) if kinds[n] == "original"]
        turns = iter(said.answered([instant for n, instant in enumerate(times) if is_reply[n]], originals))
        if account.is_open(monday):
            silent = int(generator(self.seed, "x silent", account.account_id, monday).poisson(0.25 * self.posts_per_week(account)))
            moments = self._draw_times(generator(self.seed, "x moments", account.account_id, monday), monday, silent)
            self._unanswered[account.account_id, monday] = said.unanswered(moments, originals)
        for place in range(size):
            turn = next(turns) if is_reply[place] else None
            if not account.is_open(london_date(times[place])):
                continue
            kind, text = str(kinds[place]), message(str(categories[place]), tuple(picks[place].tolist()), country)
            count = int(edits[place]) if kind in ("original", "quote") else 0
            edited_at = tuple(times[place] + int(delay) for delay in edit_times[place][:count])
            ids = tuple(status_id(instant, place, tag) for instant in (times[place], *edited_at))
            other, stranger, root = (str(number) for number in strangers[place])
            own = next((post for post in reversed(posts) if post.kind == "original"), None) if in_own_thread[place] else None
            conversation = ids[0]
            if turn:
                text = f"@{turn.answers.person.handle} {AUTOMATIC_REPLY if turn.is_automatic else text}"
                other, stranger = turn.answers.message_id, turn.answers.person.person_id
                conversation = own.post_id if own else root
            elif kind == "retweet":
                text = f"RT @sim_partner_{stranger[-3:]}: {text}"[:139] + "…"
            posts.append(
                XPost(
                    post_id=ids[0],
                    account_id=account.account_id,
                    published_at=times[place],
                    category=str(categories[place]),
                    message=text[:280],
                    growth_seconds=float(growth[place]),
                    kind=kind,
                    place=place,
                    edited_at=edited_at,
                    ids=ids,
                    referenced_id=None if kind == "original" else other,
                    referenced_user=stranger if kind == "reply" else None,
                    conversation_id=conversation,
                    media=self._media(kind, bool(has_media[place]), bool(has_alt[place]), int(picks[place][0])),
                    final=self._of_kind(finals[place], kind),
                    turn=turn,
                )
            )
        return tuple(posts)

    @staticmethod
    def _media(kind: str, has_media: bool, has_alt: bool, pick: int) -> tuple[tuple[str, str | None], ...]:
        if not has_media or kind not in ("original", "quote"):
            return ()
        if pick % 5 == 0:
            return (("video", None),)
        return (("photo", "A picture, described for those who cannot see it." if has_alt else None),) * (1 + pick % 3)

    @staticmethod
    def _of_kind(final: PublicMetrics, kind: str) -> PublicMetrics:
        """A reply is seen by few; a retweet counts the retweets of a far larger original, and nothing of its own."""
        if kind == "retweet":
            return PublicMetrics(40 + 30 * final.retweets, 0, 0, 0, 0, 0)
        return PublicMetrics(*(value // 10 for value in final)) if kind == "reply" else final

    @staticmethod
    def _draw_finals(rng: np.random.Generator, followers: int, size: int) -> list[PublicMetrics]:
        impressions = np.floor(30 + followers * 0.12 * rng.lognormal(0.0, 0.8, size))
        columns = (
            np.floor(impressions * 0.0022 * rng.lognormal(0.0, 0.9, size)),
            np.floor(impressions * 0.0012 * rng.lognormal(0.0, 0.9, size)),
            np.floor(impressions * 0.006 * rng.lognormal(0.0, 0.6, size)),
            np.floor(impressions * 0.0004 * rng.lognormal(0.0, 0.9, size)),
            np.floor(impressions * 0.0003 * rng.lognormal(0.0, 0.9, size)),
            impressions,
        )
        return [PublicMetrics(*(int(value) for value in row)) for row in zip(*columns, strict=True)]
