"""The simulated Bluesky: accounts by their DIDs, their posts, replies, quotes and reposts, and what these gather."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np

from include.simulator.contacts_world import AUTOMATIC_REPLY, Conversations, Turn
from include.simulator.conversing_timeline import ConversingPost, ConversingTimeline
from include.simulator.register import Account
from include.simulator.texts import message
from include.simulator.timeline import POSTS_PER_WEEK_MAX, generator
from include.simulator.times import DAY, HOUR, london_date, monday_of

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
KINDS = ("original", "quote", "reply", "repost")
KIND_SHARES = (0.58, 0.10, 0.18, 0.14)


def record_key(instant: int, place: int) -> str:
    """A record's key as the network makes it: 13 signs that sort by time; the place within the week stands for the microseconds."""
    number = ((instant * 1_000_000 + place) << 10) | 21
    return "".join(ALPHABET[(number >> (5 * digit)) & 31] for digit in reversed(range(13)))


def instant_of(key: str) -> int:
    number = 0
    for sign in key:
        number = number * 32 + ALPHABET.index(sign)
    return (number >> 10) // 1_000_000


class PublicCounts(NamedTuple):
    """Public counts of a post, in the order of the wire."""

    replies: int
    reposts: int
    likes: int
    quotes: int
    bookmarks: int


@dataclass(frozen=True, slots=True)
class BlueskyPost(ConversingPost):
    """One post, or one repost: then `post_id` is the uri of the repost, and everything else is somebody else's."""

    kind: str
    place: int
    created_at: str  # what the client says: with a fraction of its own length, and sometimes late
    indexed_at: str
    stranger: str  # the DID of whom it answers, quotes or repeats
    stranger_key: str
    images: tuple[str, ...]  # descriptions; empty where there is none
    has_video: bool
    final: PublicCounts

    @property
    def is_original(self) -> bool:
        return self.kind in ("original", "quote")

    def at(self, instant: int) -> PublicCounts:
        part = self.grown(instant)
        return PublicCounts(*(int(value * part) for value in self.final))


def wire_moment(instant: int, microseconds: int, digits: int) -> str:
    moment = np.datetime64(instant, "s").astype(str)
    return f"{moment}.{f'{microseconds:06d}'[:digits]}Z" if digits else f"{moment}Z"


def stranger_did(number: int) -> str:
    """A member of the public. All of them begin alike, so that a test can look for them."""
    digest = hashlib.blake2b(str(number).encode(), digest_size=10).hexdigest()
    return "did:plc:citizen" + digest.translate(str.maketrans("01 89", "xy zw"))[:17]


class BlueskyWorld(ConversingTimeline[BlueskyPost]):
    """All Bluesky accounts of a register, from one seed."""

    platform = "bluesky"
    following = 0.12
    fewest_posts_per_week, most_posts_per_week = 4.0, 9.0

    def _conversations(self, account: Account, monday: date, times: list[int], kinds: list[str]) -> list[Turn | None]:
        """For each post of a week what it answers, where it is a reply; and, aside, who got no answer."""
        said = Conversations(
            generator(self.seed, "bluesky contacts", account.account_id, monday),
            account.account_id,
            account.handle(monday),
            lambda instant, person, number: f"at://{stranger_did(person.number)}/app.bsky.feed.post/{record_key(instant, number)}",
        )
        uri = f"at://{account.account_id}/app.bsky.feed.post/"
        originals = [(instant, uri + record_key(instant, n)) for n, instant in enumerate(times) if kinds[n] == "original"]
        turns = iter(said.answered([instant for n, instant in enumerate(times) if kinds[n] == "reply"], originals))
        if account.is_open(monday):
            silent = generator(self.seed, "bluesky silent", account.account_id, monday)
            size = int(silent.poisson(0.25 * self.posts_per_week(account)))
            moments = self._draw_times(generator(self.seed, "bluesky moments", account.account_id, monday), monday, size)
            self._unanswered[account.account_id, monday] = said.unanswered(moments, originals)
        return [next(turns) if kind == "reply" else None for kind in kinds]

    def post(self, post_id: str) -> BlueskyPost | None:
        did, _, rest = post_id.removeprefix("at://").partition("/")
        key, account = rest.rpartition("/")[2], self.accounts.get(did)
        if account is None or len(key) != 13 or set(key) - set(ALPHABET):
            return None
        monday = monday_of(london_date(instant_of(key)))
        return next((post for post in self.week(account, monday) if post.post_id == post_id), None)

    def _draw_week(self, account: Account, monday: date) -> tuple[BlueskyPost, ...]:
        rng = generator(self.seed, "bluesky", account.account_id, monday)
        country = self.register.forces[account.force_id].country
        size = min(int(rng.poisson(self.posts_per_week(account))), POSTS_PER_WEEK_MAX)
        times = self._draw_times(rng, monday, size)
        kinds = rng.choice(KINDS, size=size, p=KIND_SHARES)
        categories = rng.choice(self.register.categories, size=size, p=self._category_shares(account))
        picks = rng.integers(0, 1 << 30, (size, 7))
        growth = rng.uniform(0.4, 1.2, size) * DAY
        fractions, digits = rng.integers(0, 1_000_000, (size, 2)), rng.choice((0, 3, 3, 6), size=(size, 2))
        late = np.where(rng.random(size) < 0.08, rng.integers(HOUR, 60 * DAY, size), 0)
        strangers = rng.integers(0, 1 << 40, size)
        finals = self._draw_finals(rng, self.followers(account, monday), size)
        turns = self._conversations(account, monday, times, [str(kind) for kind in kinds])
        posts = []
        for place in range(size):
            turn = turns[place]
            if not account.is_open(london_date(times[place])):
                continue
            kind, pick = str(kinds[place]), int(picks[place][0])
            text = message(str(categories[place]), tuple(picks[place].tolist()), country)
            collection, key = "repost" if kind == "repost" else "post", record_key(times[place], place)
            # on the hour exactly: no fraction, so that no age of whole days is missed by part of a second
            micro = [0, 0] if times[place] % HOUR == 0 else [int(number) for number in sorted(fractions[place])]
            if turn:  # on the second: what a person waits for is told in whole ones
                micro = [0, 0]
                text = f"@{turn.answers.person.handle}.bsky.social {AUTOMATIC_REPLY if turn.is_automatic else text}"
            stranger, stranger_key = stranger_did(int(strangers[place])), record_key(times[place] - HOUR, 77)
            if turn:
                stranger, stranger_key = stranger_did(turn.answers.person.number), turn.answers.message_id.rpartition("/")[2]
            said = times[place] + int(late[place])  # the client's clock may be weeks late; the network's is right
            images = ("A picture, described for those who cannot see it." if pick % 7 else "",) * (pick % 4)
            posts.append(
                BlueskyPost(
                    post_id=f"at://{account.account_id}/app.bsky.feed.{collection}/{key}",
                    account_id=account.account_id,
                    published_at=times[place],
                    category=str(categories[place]),
                    message=text[:300],
                    growth_seconds=float(growth[place]),
                    kind=kind,
                    place=place,
                    created_at=wire_moment(said, micro[0], int(digits[place][0])),
                    indexed_at=wire_moment(times[place], micro[1], 3),
                    stranger=stranger,
                    stranger_key=stranger_key,
                    images=images if kind in ("original", "quote") else (),
                    has_video=kind == "original" and not images and pick % 3 == 0,
                    final=self._of_kind(finals[place], kind),
                    turn=turn,
                )
            )
        return tuple(posts)

    @staticmethod
    def _of_kind(final: PublicCounts, kind: str) -> PublicCounts:
        """A reply is seen by few; a repost shows the counts of a far larger original."""
        if kind == "repost":
            return PublicCounts(*(30 + 40 * value for value in final))
        return PublicCounts(*(value // 8 for value in final)) if kind == "reply" else final

    @staticmethod
    def _draw_finals(rng: np.random.Generator, followers: int, size: int) -> list[PublicCounts]:
        shares = (0.0009, 0.0025, 0.009, 0.0004, 0.0003)
        columns = [np.floor(2 + followers * share * rng.lognormal(0.0, 0.8, size)) for share in shares]
        return [PublicCounts(*(int(value) for value in row)) for row in zip(*columns, strict=True)]
