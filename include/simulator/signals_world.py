"""The simulated open series: page views of encyclopaedia articles, and activity of fediverse servers, day by day.

Pure functions of seed, name and day, without an end date: drawn year by year when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from include.simulator.timeline import fraction, generator

FIRST_DAY = date(2015, 7, 1)
"""Page views are counted from here."""

VIEWS_LAG_SECONDS = 24 * 3600
"""A day's views are there this long after the day's end (UTC)."""

WEEKS = 12


def utc_midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def has_views(article: str) -> bool:
    """Titles are case-sensitive and begin with a capital or a digit; spaces are written as underscores."""
    return bool(article) and not article[0].islower() and " " not in article and len(article.encode()) <= 255


@lru_cache(maxsize=256)
def article_begins(seed: int, article: str) -> date:
    """The first day of an article: every second one is younger than the counts."""
    draw = fraction(seed, "article begins", article)
    return FIRST_DAY if draw < 0.5 else FIRST_DAY + timedelta(days=int((draw - 0.5) * 2 * 3500))


@lru_cache(maxsize=4096)
def _views_of_year(seed: int, article: str, year: int) -> tuple[int | None, ...]:
    """Trend, week, season and noise; a few days are not there at all."""
    rng = generator(seed, "article", article)
    base, growth, phase = rng.lognormal(6.5, 1.0), rng.normal(0.05, 0.15), rng.uniform(0, 2 * np.pi)
    week = 1 + 0.15 * np.sin(2 * np.pi * np.arange(7) / 7 + rng.uniform(0, 2 * np.pi))
    first = date(year, 1, 1)
    age = (first - article_begins(seed, article)).days + np.arange(366)
    noise = generator(seed, "article", article, year)
    level = base * np.exp(growth * age / 365.25 + 0.1 * np.sin(2 * np.pi * age / 365.25 + phase))
    level = level * week[(first.toordinal() + np.arange(366)) % 7] * noise.lognormal(0.0, 0.12, 366)
    is_missing = (age < 0) | (noise.random(366) < 0.004)
    return tuple(None if missing else int(value) for value, missing in zip(level, is_missing, strict=True))


def views(seed: int, article: str, day: date) -> int | None:
    """The views of an article on a day (UTC); None where the day is not there."""
    if day < FIRST_DAY or not has_views(article):
        return None
    return _views_of_year(seed, article, day.year)[day.timetuple().tm_yday - 1]


def last_views_day(instant: int) -> date:
    """The last day whose views are there at an instant."""
    return datetime.fromtimestamp(instant - VIEWS_LAG_SECONDS, UTC).date() - timedelta(days=1)


class Activity(NamedTuple):
    """What happened on a server in a span of time."""

    statuses: int
    logins: int
    registrations: int


@lru_cache(maxsize=2048)
def _activity_of_year(seed: int, host: str, year: int) -> tuple[Activity, ...]:
    rng = generator(seed, "host", host)
    base, growth = rng.lognormal(6.0, 1.2), rng.normal(0.05, 0.2)
    days = (date(year, 1, 1) - date(2020, 1, 1)).days + np.arange(366)
    noise = generator(seed, "host", host, year)
    statuses = base * np.exp(growth * days / 365.25) * (1 + 0.1 * np.sin(2 * np.pi * days / 7)) * noise.lognormal(0.0, 0.1, 366)
    logins, registrations = statuses * noise.uniform(0.2, 0.3, 366), noise.poisson(base / 200, 366)
    return tuple(Activity(*(int(value) for value in row)) for row in zip(statuses, logins, registrations, strict=True))


def activity_of_day(seed: int, host: str, day: date) -> Activity:
    return _activity_of_year(seed, host, day.year)[day.timetuple().tm_yday - 1]


def activity_weeks(seed: int, host: str, instant: int) -> Iterator[tuple[int, Activity]]:
    """Twelve rows, newest first: `week`, and what happened on the seven dates (UTC) from that of `week` on, up to the instant.

    The newest row begins with today, so that it holds no more than today's first hours.
    """
    today = datetime.fromtimestamp(instant, UTC).date()
    part = (instant - utc_midnight(today)) / 86_400
    for back in range(WEEKS):
        first = today - timedelta(weeks=back)
        days = [activity_of_day(seed, host, first + timedelta(days=offset)) for offset in range(7 if back else 1)]
        total = Activity(*(sum(values) for values in zip(*days, strict=True)))
        yield instant - back * 7 * 86_400, total if back else Activity(*(int(value * part) for value in total))
