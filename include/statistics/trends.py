"""Step, slope, growth and direction of one series about a channel. Pure functions over small arrays.

Definitions, limits and sources stand in docs/statistics.md. Tests, intervals and stages are not computed here yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

STEP_ROBUST_Z = 8.0
"""A step's one-day change is further from the median change than this many scaled median absolute deviations."""

STEP_SHARE_OF_LEVEL = 0.10
"""A step changes the level of the day before by at least this share."""

STEP_WINDOW_DAYS = 14
"""So many days before and after a step the level is on its own side of it: nearer to its own end of the jump than to the other."""

STEP_MINIMUM_DAYS = 7
"""In each of the two windows at least so many days are observed; else the step is not confirmed."""

MINIMUM_WEEKS = 8
"""Fewer weekly values than this give no slope, growth or direction."""

FLAT_SHARE_PER_WEEK = 0.001
"""A slope is flat when it is, per week, within this share of the median weekly level (about 5 % a year)."""

Direction = Literal["up", "down", "flat"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """A jump between two following days. size: the change observed on that day, in the unit of the series."""

    day: date
    size: float


@dataclass(frozen=True)
class Steps:
    """Steps of a series, oldest first. has_unconfirmed: its last days hold a jump of which it is too early to say if it stays."""

    confirmed: tuple[Step, ...]
    has_unconfirmed: bool

    @property
    def largest(self) -> Step | None:
        return max(self.confirmed, key=lambda step: abs(step.size), default=None)


@dataclass(frozen=True)
class Trend:
    """Slope (unit per week), growth (last / first weekly level) and direction. Null where the data cannot support them."""

    sens_slope_per_week: float | None
    growth_ratio: float | None
    direction: Direction | None
    reason: str | None  # why all of them are null


def _ordered(days: Sequence[date], values: Sequence[float]) -> tuple[NDArray[np.int64], Floats]:
    if len(days) != len(values):
        raise ValueError(f"{len(days)} days but {len(values)} values")
    numbers = np.array([day.toordinal() for day in days], dtype=np.int64)
    if len(numbers) > 1 and (np.diff(numbers) <= 0).any():
        raise ValueError("the days must rise, each one once")
    levels = np.array(values, dtype=np.float64)
    if not np.isfinite(levels).all():
        raise ValueError("a missing day is left out, not given as NaN")
    return numbers, levels


def find_steps(days: Sequence[date], values: Sequence[float]) -> Steps:
    """Steps in a daily stock. Days rise; missing days are left out. Raises ValueError where they do not, or a value is not finite.

    A step is a change from one day to the next (never over a hole: nobody saw on which day it happened, or whether on one)
    that is an outlier among the one-day changes, material, and lasting on both sides: a spike, which comes back, is no step,
    and neither is its way back.
    """
    numbers, levels = _ordered(days, values)
    before = np.flatnonzero(np.diff(numbers) == 1)  # place of the day before
    if len(before) == 0:
        return Steps((), False)
    changes = levels[before + 1] - levels[before]
    limit = STEP_ROBUST_Z * _scaled_deviation(changes)
    is_outlier = np.abs(changes - np.median(changes)) > limit
    is_material = (changes != 0) & (np.abs(changes) >= STEP_SHARE_OF_LEVEL * np.abs(levels[before]))
    confirmed, has_unconfirmed = [], False
    for place, change in zip(before[is_outlier & is_material], changes[is_outlier & is_material], strict=True):
        jump_day = numbers[place + 1]
        earlier = levels[(numbers >= jump_day - STEP_WINDOW_DAYS) & (numbers < jump_day)]
        later = levels[(numbers >= jump_day) & (numbers < jump_day + STEP_WINDOW_DAYS)]
        # on the scale of the jump: 0 is the level before it, 1 the level after it
        stays = ((later - levels[place]) / change > 0.5).all() and ((earlier - levels[place]) / change < 0.5).all()
        if not stays or len(earlier) < STEP_MINIMUM_DAYS:
            continue
        if len(later) >= STEP_MINIMUM_DAYS:
            confirmed.append(Step(date.fromordinal(int(jump_day)), float(change)))
        elif jump_day + STEP_WINDOW_DAYS > numbers[-1] + 1:
            has_unconfirmed = True
    return Steps(tuple(confirmed), has_unconfirmed)


def _scaled_deviation(changes: Floats) -> float:
    """Median absolute deviation, scaled to a standard deviation under normality (Rousseeuw and Croux 1993, JASA 88)."""
    from scipy import stats

    return float(stats.median_abs_deviation(changes, scale="normal"))


def without_steps(days: Sequence[date], values: Sequence[float], steps: Sequence[Step]) -> list[float]:
    """The level with steps taken out: each value minus all steps up to its day. In the unit and height of the first days."""
    return [value - sum(step.size for step in steps if step.day <= day) for day, value in zip(days, values, strict=True)]


def weekly_trend(week_starts: Sequence[date], levels: Sequence[float]) -> Trend:
    """Sen's slope, growth and direction of weekly values; a missing week is left out and leaves its place.

    Sen (1968, JASA 63): the median of the slopes between all pairs of weeks, over the weeks' real distances. Growth is the last
    over the first level, null where one of the two is not positive. Direction is the slope's sign outside a dead band: a
    description, not a test. Raises ValueError for weeks that do not rise or do not start on the same weekday.
    """
    from scipy import stats

    numbers, values = _ordered(week_starts, levels)
    if len(values) < MINIMUM_WEEKS:
        return Trend(None, None, None, "too_short")
    places, rest = np.divmod(numbers - numbers[0], timedelta(weeks=1).days)
    if rest.any():
        raise ValueError("weeks must start on the same day of the week")
    slope = float(stats.theilslopes(values, places).slope)
    growth = float(values[-1] / values[0]) if values[0] > 0 and values[-1] > 0 else None
    band = FLAT_SHARE_PER_WEEK * float(np.median(np.abs(values)))
    direction: Direction = "flat" if abs(slope) <= band else "up" if slope > 0 else "down"
    return Trend(slope, growth, direction, None)
