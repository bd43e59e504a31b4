"""One simulated platform as the server sees it: a question in, an answer out, with the defects that are due."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from include.simulator.clock import Clock
from include.simulator.defects import Defect, DefectBook, revisions
from include.simulator.graph import force_token

HTML_PAGE = "<!DOCTYPE html><html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>"


@dataclass(frozen=True)
class Question:
    """One GET request, without the mount point of the platform: `/v26.0/<id>/published_posts`, percent-encoded as it came."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    root: str = ""  # http://127.0.0.1:port/facebook: where the answer's own links point
    user_agent: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    """The parameters as they came, one that is repeated as often as it stands there."""

    def every(self, name: str) -> list[str]:
        return [value for each, value in self.pairs if each == name]

    @property
    def parts(self) -> list[str]:
        return [part for part in self.path.split("/") if part]


@dataclass
class Answer:
    """What goes back: a JSON value, or a text that is no JSON."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False
    media_type: str = "application/json; charset=UTF-8"


def html_page() -> Answer:
    return Answer(200, HTML_PAGE, media_type="text/html; charset=utf-8")


class Service(ABC):
    """A platform: who holds which token, what is planted, and how often it was asked."""

    platform: ClassVar[str]

    def __init__(self, secret: str, clock: Clock, force_ids: Iterable[str] = ()) -> None:
        self.clock = clock
        self.book = DefectBook()
        self.by_endpoint: Counter[str] = Counter()
        self.by_force: Counter[str] = Counter()
        self.calls: int | None = None
        self.refused = 0
        self.holders = {force_token(secret, self.platform, force_id): force_id for force_id in force_ids}

    def plant(self, defects: Iterable[Defect]) -> None:
        """Those of this platform, in the place of those before."""
        self.book = DefectBook(defect for defect in defects if defect.platform == self.platform)

    def allow(self, calls: int | None) -> None:
        """So many calls in a window, in the place of the platform's own number; None: its own again."""
        self.calls, self.refused = calls, 0

    @abstractmethod
    def answer(self, question: Question) -> Answer: ...

    def due(self, kind: str, force_id: str, endpoint: str | None = None) -> Defect | None:
        return self.book.first(kind, force_id, self.clock.today, endpoint)

    def revisions(self, force_id: str) -> dict[date, int]:
        """What has been added since to the account's daily totals, by day."""
        return revisions(self.book.defects, force_id, self.clock.today, self.platform)

    def spoilt(self, force_id: str, name: str, value: int) -> int | str:
        """A count, or what `text_number` and `negative_count` make of it."""
        for defect in self.book.of(force_id, self.clock.today):
            if defect.detail.get("field", "followers_count") == name:
                if defect.kind == "text_number":
                    return str(value)
                if defect.kind == "negative_count":
                    return -(value or 1)
        return value

    def has_spoilt_counts(self, force_id: str) -> bool:
        due = self.book.of(force_id, self.clock.today)
        return any(defect.kind in ("text_number", "negative_count") for defect in due)


class RateWindows:
    """How much of a limit is left, by holder and endpoint, in windows of the simulator's clock.

    As the clock stands still while it is asked, setting it opens a new window too.
    """

    def __init__(self, clock: Clock, seconds: int) -> None:
        self._clock, self._seconds = clock, seconds
        self._used: Counter[tuple[object, ...]] = Counter()
        self._window = (-1, -1)

    @property
    def reset(self) -> int:
        """The instant at which the window ends."""
        return (self._clock.instant // self._seconds + 1) * self._seconds

    def take(self, limit: int, *key: object, is_strict: bool = False) -> int:
        """Count one request: how many are left after it; below 0 where there was none left. is_strict: only time ends a window."""
        window = (0 if is_strict else self._clock.times_set, self.reset)
        if window != self._window:
            self._window = window
            self._used.clear()
        self._used[key] += 1
        return limit - self._used[key]


class RollingHour:
    """How many calls a holder made in the last hour of the simulator's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: dict[str, list[int]] = {}

    def take(self, holder: str) -> int:
        """Count one call; how many there are with it."""
        made = [at for at in self._made.get(holder, []) if at > self._clock.instant - 3600]
        self._made[holder] = [*made, self._clock.instant]
        return len(self._made[holder])

    def minutes_until_free(self, holder: str) -> int:
        """Until the oldest call is an hour ago, rounded down as Meta does."""
        return max(self._made[holder][0] + 3600 - self._clock.instant, 0) // 60
