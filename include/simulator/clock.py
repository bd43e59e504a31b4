"""The simulator's clock: set by whoever drives it, and sent in every answer's Date header."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.utils import format_datetime

from include.simulator.times import london_date, to_instant

START = datetime(2026, 11, 2, 21, 0, tzinfo=UTC)


class Clock:
    """Stands still until it is set."""

    def __init__(self, now: datetime = START) -> None:
        self.times_set = 0
        self.set(now)

    def set(self, now: datetime) -> None:
        """Raises ValueError for a time without an offset."""
        self.instant: int = to_instant(now)
        self.times_set += 1
        self.now: datetime = now.astimezone(UTC).replace(microsecond=0)
        self.today: date = london_date(self.instant)  # defects and the validity of metrics go by London's date
        self.date_header: str = format_datetime(self.now, usegmt=True)
