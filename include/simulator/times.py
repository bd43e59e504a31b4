"""Days and instants of the simulated world. An instant is a whole number of seconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
PACIFIC = ZoneInfo("America/Los_Angeles")
HOUR = 3600
DAY = 24 * HOUR


def to_instant(moment: datetime) -> int:
    """Seconds since 1970. Raises ValueError for a time without an offset."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no offset from UTC")
    return int(moment.timestamp())


def from_instant(instant: int) -> datetime:
    return datetime.fromtimestamp(instant, UTC)


@lru_cache(maxsize=65536)
def london_date(instant: int) -> date:
    return datetime.fromtimestamp(instant, LONDON).date()


@lru_cache(maxsize=65536)
def london_midnight(day: date) -> int:
    """The first instant of a day in London."""
    return int(datetime(day.year, day.month, day.day, tzinfo=LONDON).timestamp())


@lru_cache(maxsize=65536)
def pacific_date(instant: int) -> date:
    return datetime.fromtimestamp(instant, PACIFIC).date()


@lru_cache(maxsize=65536)
def pacific_midnight(day: date) -> int:
    """The first instant of a Pacific day: 07:00 UTC in summer, 08:00 in winter."""
    return int(datetime(day.year, day.month, day.day, tzinfo=PACIFIC).timestamp())


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def wire_time(instant: int) -> str:
    """As the Graph API writes it: no colon in the offset."""
    return from_instant(instant).strftime("%Y-%m-%dT%H:%M:%S+0000")
