"""X's and Bluesky's accounts in common: who turns to them, some answered by a reply of the timeline, some by nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

from include.simulator.contacts_world import ANSWERED_WITHIN, Message, Turn
from include.simulator.register import Account, Register
from include.simulator.timeline import BasePost, Timeline
from include.simulator.times import london_date, london_midnight, monday_of


@dataclass(frozen=True, slots=True)
class ConversingPost(BasePost):
    """A post that may be a reply to a member of the public."""

    turn: Turn | None  # of a reply: what it answers


C = TypeVar("C", bound=ConversingPost)


class ConversingTimeline(Timeline[C]):
    """Drawing a week's posts leaves, beside them, who got no answer in that week (`_unanswered`)."""

    def __init__(self, seed: int, register: Register) -> None:
        super().__init__(seed, register)
        self._unanswered: dict[tuple[str, date], tuple[Message, ...]] = {}

    def messages(self, account: Account, first: int, last: int) -> list[Message]:
        """What people said to an account between two instants, both included, newest first; what was deleted too."""
        found: list[Message] = []
        for post in self.posts(account, first, last + ANSWERED_WITHIN):
            found.extend(post.turn.messages if post.turn else ())
        monday = monday_of(london_date(first))
        while london_midnight(monday) <= last:
            self.week(account, monday)
            found.extend(self._unanswered.get((account.account_id, monday), ()))
            monday += timedelta(weeks=1)
        inside = [message for message in found if first <= message.sent_at <= last]
        return sorted(inside, key=self._place_in_list, reverse=True)

    @staticmethod
    def _place_in_list(message: Message) -> Any:
        """By what the platform sorts its list of messages."""
        return (message.sent_at, message.message_id)
