"""Instagram's and Threads' accounts in common: ids of media that tell whose they are, and an account's totals of Pacific days."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from datetime import date, timedelta
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

from include.simulator.register import Account, Register
from include.simulator.timeline import POSTS_PER_WEEK_MAX, BasePost, Timeline

P = TypeVar("P", bound=BasePost)
D = TypeVar("D")


class MediaTimeline(Timeline[P], Generic[P, D]):
    """Ids have 17 digits: 18, the account's number, and the medium's place since the platform began."""

    first_monday: ClassVar[date]

    def __init__(self, seed: int, register: Register) -> None:
        super().__init__(seed, register)
        self._months: dict[tuple[str, int, int], dict[date, D]] = {}

    @staticmethod
    def _number(account_id: str) -> int:
        """Eight digits that stand for an account in the ids of its media."""
        return int.from_bytes(hashlib.blake2b(account_id.encode(), digest_size=8).digest(), "big") % 10**8

    @cached_property
    def _by_number(self) -> dict[int, Account]:
        return {self._number(account.account_id): account for account in self.accounts.values()}

    def _media_ids(self, account: Account, monday: date, size: int) -> list[str]:
        """Ids of the media of a week, in their order."""
        first = (monday - self.first_monday).days // 7 * POSTS_PER_WEEK_MAX
        return [f"18{self._number(account.account_id):08d}{first + place:07d}" for place in range(size)]

    def post(self, post_id: str) -> P | None:
        if not (post_id.isascii() and post_id.isdigit() and len(post_id) == 17 and post_id.startswith("18")):
            return None
        account, place = self._by_number.get(int(post_id[2:10])), int(post_id[10:])
        if account is None:
            return None
        posts = self.week(account, self.first_monday + timedelta(weeks=place // POSTS_PER_WEEK_MAX))
        return next((post for post in posts if post.post_id == post_id), None)

    def day(self, account: Account, day: date) -> D:
        """What an account gathered on one Pacific day, over all its media."""
        key = (account.account_id, day.year, day.month)
        if key not in self._months:
            self._months[key] = self._draw_month(account, day.replace(day=1))
        return self._months[key][day]

    @abstractmethod
    def _draw_month(self, account: Account, first: date) -> dict[date, D]: ...
