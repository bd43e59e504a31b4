"""The simulated public: who turns to a force, when, with what words, and what the force answers.

People are planted so that a search can find whatever of them stays: numbers, handles, names and telephone numbers of a kind that
nobody has. What a message wants is planted with its words, not read from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from include.simulator.timeline import BasePost, generator
from include.simulator.times import DAY, HOUR

ASKING = (
    "{to} Hi, my bike was stolen near {place} last night, how do I report it?",
    "{to} Please can someone tell me what is happening near {place}",
    "{to} any news on the road at {place}?? 🚧",
    "{to} I need to report a van left at {place}",
    "{to} Mae angen cymorth arnaf yn {place}",
    "{to} who do I speak to about the noise at {place}?",
)
NOT_ASKING = (
    "{to} Thank you so much 🙏",
    "{to} 👏👏👏",
    "Great job all {to} #ThankYou",
    "{to} saw your stall at {place} today, it made my day",
    "Diolch yn fawr {to}!",
)
PLACES = ("the town centre", "Mill Lane", "Park Road", "the railway station", "the High Street")
AUTOMATIC_REPLY = (
    "Thank you for your message. This is an automated reply: this account is not monitored 24/7. In an emergency call 999."
)

HANDLE_MARK, NAME_MARK, TELEPHONE_MARK = "simcit", "Simcitizen", "07700 900"
"""What every handle, name and telephone number of the simulated public holds."""

ANSWERED_WITHIN = 11 * DAY
"""No message is answered later than this."""

TYPED_SECONDS = 120
"""No person answers a message sooner, by himself or after a machine (a follow-up: over a minute), for the rule takes the same words
within a minute for a machine's."""


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the public. Nobody real: the number decides all."""

    number: int

    @property
    def person_id(self) -> str:
        return str(1_500_000_000_000_000_000 + self.number)

    @property
    def handle(self) -> str:
        return f"{HANDLE_MARK}{self.number % 10**9:09d}"

    @property
    def name(self) -> str:
        return f"{NAME_MARK} {self.number % 10**6}"

    def signed(self, text: str) -> str:
        return f"{text} {self.name}, {TELEPHONE_MARK}{self.number % 1000:03d}"


@dataclass(frozen=True, slots=True)
class Message:
    """What one person says to an account. `deleted_at`: from when on it is gone upstream."""

    message_id: str
    account_id: str
    sent_at: int
    person: Person
    text: str
    wants_answer: bool
    reply_to: str | None = None
    reply_to_person: str | None = None  # whose words it answers: the account's id, or a person's
    deleted_at: int | None = None
    is_repost: bool = False  # passes the account's words on: no contact

    def is_there(self, instant: int) -> bool:
        return self.sent_at <= instant and (self.deleted_at is None or instant < self.deleted_at)


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of the account: whom it answers, and the messages that came with it."""

    answers: Message
    is_automatic: bool
    messages: tuple[Message, ...] = field(default=())


MakeId = Callable[[int, Person, int], str]
"""The platform's id of a message: from its instant, who sends it, and a number that keeps two of one second apart."""


class Conversations:
    """Draws what the replies of one account in one week answer, and who was not answered."""

    def __init__(self, rng: np.random.Generator, account_id: str, handle: str, make_id: MakeId) -> None:
        self._rng = rng
        self._account_id = account_id
        self._handle = handle
        self._make_id = make_id
        self._count = 0

    def answered(self, replied_at: Sequence[int], own_posts: Sequence[tuple[int, str]]) -> tuple[Turn, ...]:
        """One turn for each reply, in their order (by instant). own_posts: instant and id of what the account has posted."""
        turns: list[Turn] = []
        for instant in replied_at:
            draw = self._rng.random(5)
            last = turns[-1] if turns else None
            waited = instant - last.answers.sent_at if last and last.is_automatic else 0
            if last and TYPED_SECONDS <= waited < 6 * DAY and draw[0] < 0.7:
                turns.append(Turn(last.answers, False))
                continue
            is_automatic = bool(draw[1] < 0.12)
            first = self._message(instant - self.delay(is_automatic), own_posts, asks=bool(draw[2] < 0.85))
            messages: tuple[Message, ...] = (first,)
            gap = instant - first.sent_at
            if not is_automatic and gap > 600 and draw[3] < 0.15:
                sent_at = first.sent_at + 60 + int(draw[4] * (gap - 120))
                follow_up = self._say(sent_at, first.person, asks=True, reply_to=first.message_id, to=first.person.person_id)
                messages = (first, follow_up)
            turns.append(Turn(messages[-1], is_automatic, messages))
        return tuple(turns)

    def unanswered(self, times: Sequence[int], own_posts: Sequence[tuple[int, str]]) -> tuple[Message, ...]:
        return tuple(self._message(instant, own_posts, asks=bool(self._rng.random() < 0.5), may_be_odd=True) for instant in times)

    def comment(self, sent_at: int, asks: bool, reply_to: str, to: str) -> Message:
        """A message under a post, or under another's message."""
        return self._say(sent_at, Person(int(self._rng.integers(10**8, 10**9))), asks, reply_to, to)

    def delay(self, is_automatic: bool) -> int:
        """From the message to the reply: seconds for a machine; minutes, hours or days for people."""
        kind, size = self._rng.random(2)
        if is_automatic:
            return 2 + int(18 * size)
        if kind < 0.45:
            return TYPED_SECONDS + int(90 * 60 * size * size)
        if kind < 0.75:
            return HOUR + int(20 * HOUR * size)
        if kind < 0.94:
            return DAY + int(5.8 * DAY * size)
        return 7 * DAY + HOUR + int(2.5 * DAY * size)

    def _message(self, sent_at: int, own_posts: Sequence[tuple[int, str]], asks: bool, may_be_odd: bool = False) -> Message:
        person = Person(int(self._rng.integers(10**8, 10**9)))
        draw = self._rng.random(2)
        if may_be_odd and draw[0] < 0.08:
            other = Person(int(self._rng.integers(10**8, 10**9)))
            return self._say(sent_at, person, asks, self._make_id(sent_at - HOUR, other, 0), other.person_id)
        if may_be_odd and draw[0] < 0.14:
            return self._say(sent_at, person, asks=False, is_repost=True)
        own = next((post_id for instant, post_id in reversed(own_posts) if instant < sent_at), None)
        if own is not None and draw[1] < 0.3:
            return self._say(sent_at, person, asks, own, self._account_id)
        return self._say(sent_at, person, asks)

    def _say(
        self, sent_at: int, person: Person, asks: bool, reply_to: str | None = None, to: str | None = None, is_repost: bool = False
    ) -> Message:
        templates = ASKING if asks else NOT_ASKING
        pick, place = self._rng.integers(0, 1000, 2)
        text = templates[pick % len(templates)].format(to=f"@{self._handle}", place=PLACES[place % len(PLACES)])
        is_signed, deletion, after = self._rng.random(3)
        # a courtesy that is signed would be more than a courtesy
        text = person.signed(text) if asks and is_signed < 0.5 else text
        deleted_at = sent_at + HOUR + int(20 * DAY * after) if deletion < 0.05 else None
        self._count += 1
        message_id = self._make_id(sent_at, person, self._count)
        return Message(message_id, self._account_id, sent_at, person, text, asks, reply_to, to, deleted_at, is_repost)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an account says under one of its own posts to somebody who commented on it."""

    answer_id: str
    sent_at: int
    to: Message
    is_automatic: bool

    @property
    def text(self) -> str:
        return AUTOMATIC_REPLY if self.is_automatic else f"@{self.to.person.handle} We will look into it."

    def is_there(self, instant: int) -> bool:
        """It goes with what it answers."""
        return self.sent_at <= instant and self.to.is_there(instant)


class Comments:
    """Draws who comments on one post, and what the account answers. A platform's counts of comments are its own numbers."""

    def __init__(self, rng: np.random.Generator, account_id: str, handle: str, make_id: MakeId) -> None:
        self._rng = rng
        self._account_id = account_id
        self._make_id = make_id
        self._said = Conversations(rng, account_id, handle, make_id)

    def draw(self, post_id: str, published_at: int) -> tuple[tuple[Message, ...], tuple[Answer, ...]]:
        messages: list[Message] = []
        answers: list[Answer] = []
        for _ in range(int(self._rng.poisson(0.6))):
            sent_at = published_at + 300 + int(self._rng.exponential(2.0 * DAY))
            draw = self._rng.random(4)
            message = self._said.comment(sent_at, bool(draw[0] < 0.65), post_id, self._account_id)
            messages.append(message)
            if draw[1] < 0.12:  # somebody else joins in
                other = self._said.comment(sent_at + 900, bool(draw[2] < 0.5), message.message_id, message.person.person_id)
                messages.append(other)
            if draw[3] < 0.5:
                is_automatic = bool(self._rng.random() < 0.15)
                at = sent_at + self._said.delay(is_automatic)
                answer_id = self._make_id(at, message.person, 500 + len(answers))
                answers.append(Answer(answer_id, at, message, is_automatic))
        return tuple(messages), tuple(answers)


def under_post(seed: int, platform: str, post: BasePost, handle: str) -> tuple[tuple[Message, ...], tuple[Answer, ...]]:
    """What is said under a post of Facebook or Instagram, and answered; all of it, whenever. The same for every asker."""

    def make_id(instant: int, person: Person, number: int) -> str:
        if platform == "facebook":
            return f"{post.post_id.partition('_')[2]}_{person.number}{number:03d}"
        return f"179{person.number}{number:03d}{instant % 1000:03d}"

    rng = generator(seed, "comments", platform, post.post_id)
    return Comments(rng, post.account_id, handle, make_id).draw(post.post_id, post.published_at)


def still_there(messages: Sequence[Message], instant: int) -> list[Message]:
    """What stands under a post at an instant: a message that is deleted takes with it what was said to it."""
    by_id = {one.message_id: one for one in messages}
    return [
        one for one in messages if one.is_there(instant) and (one.reply_to not in by_id or by_id[one.reply_to].is_there(instant))
    ]
