from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pymannkendall
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from include.statistics.trends import MINIMUM_WEEKS, STEP_WINDOW_DAYS, Step, find_steps, weekly_trend, without_steps
from tests.dbt_survey.homes import real_series

MONDAY = date(2024, 1, 1)
STEP_DAY, STEP_SIZE = date(2019, 7, 4), 991_816


def days(n: int, start: date = MONDAY) -> list[date]:
    return [start + timedelta(days=place) for place in range(n)]


def weeks(n: int) -> list[date]:
    return [MONDAY + timedelta(weeks=place) for place in range(n)]


def smooth(n: int = 120) -> list[float]:
    """A level that grows by 20 to 30 a day."""
    return list(np.cumsum([10_000.0] + [25.0 + 5 * np.sin(place) for place in range(n - 1)]))


def weekly(series: Sequence[tuple[date, float]], steps: Sequence[Step] = ()) -> tuple[list[date], list[float]]:
    """Last value of each ISO week with steps taken out; by its own way, not the model's."""
    levels = without_steps([day for day, _ in series], [value for _, value in series], steps)
    last = {day - timedelta(days=day.weekday()): level for (day, _), level in zip(series, levels, strict=True)}
    return list(last), list(last.values())


# --- the real series ---------------------------------------------------------------------------------------------------------


def test_the_real_series_has_one_step_with_its_day_and_size() -> None:
    series = real_series()
    found = find_steps([day for day, _ in series], [value for _, value in series])
    assert found.confirmed == (Step(STEP_DAY, STEP_SIZE),)
    assert not found.has_unconfirmed


def test_the_real_number_of_servers_has_no_step() -> None:
    series = real_series("instances_last")
    assert find_steps([day for day, _ in series], [value for _, value in series]).confirmed == ()


def test_the_real_trend_is_that_of_the_series_with_the_step_taken_out_by_hand() -> None:
    series = real_series()
    found = find_steps([day for day, _ in series], [value for _, value in series])
    trend = weekly_trend(*weekly(series, found.confirmed))

    by_hand = [(day, value - STEP_SIZE if day >= STEP_DAY else value) for day, value in series]
    _, levels = weekly(by_hand)
    assert trend.sens_slope_per_week == pytest.approx(pymannkendall.sens_slope(levels).slope, rel=0.01)
    assert trend.growth_ratio == pytest.approx(levels[-1] / levels[0], rel=0.01)
    assert trend.direction == "up"
    # and the step matters: with it in, both are another number by far more
    with_step = weekly_trend(*weekly(series))
    assert with_step.growth_ratio is not None
    assert with_step.growth_ratio > 1.2 * (levels[-1] / levels[0])


# --- steps -------------------------------------------------------------------------------------------------------------------


def test_a_spike_is_no_step_and_neither_is_its_way_back() -> None:
    for length in (1, 3, 6):
        values = smooth()
        for place in range(60, 60 + length):
            values[place] += 50_000
        assert find_steps(days(120), values).confirmed == ()


def test_a_hole_is_no_step() -> None:
    """The level after ten missing days is a tenth higher by growth alone: nobody saw a jump."""
    values = list(np.cumsum([10_000.0] + [110.0] * 119))
    kept = [place for place in range(120) if not 40 <= place < 60]
    assert find_steps([days(120)[place] for place in kept], [values[place] for place in kept]).confirmed == ()


def test_a_jump_inside_a_hole_is_no_step_as_nobody_saw_its_day() -> None:
    values = [1000.0 + place + (5000 if place >= 50 else 0) for place in range(120)]
    kept = [place for place in range(120) if place not in (49, 50)]
    assert find_steps([days(120)[place] for place in kept], [values[place] for place in kept]).confirmed == ()


def test_a_step_downwards_and_two_steps() -> None:
    values = [100_000.0 + place - (30_000 if place >= 40 else 0) + (50_000 if place >= 80 else 0) for place in range(120)]
    found = find_steps(days(120), values)
    assert found.confirmed == (Step(days(120)[40], -29_999.0), Step(days(120)[80], 50_001.0))
    assert found.largest == Step(days(120)[80], 50_001.0)


def test_a_step_on_a_level_that_never_moves_otherwise() -> None:
    assert find_steps(days(60), [100.0] * 30 + [150.0] * 30).confirmed == (Step(days(60)[30], 50.0),)


def test_an_immaterial_jump_and_an_ordinary_large_change_are_no_steps() -> None:
    assert find_steps(days(60), [100.0] * 30 + [109.0] * 30).confirmed == ()  # an outlier, but 9 % of the level
    noisy = [100.0 + 40 * (-1) ** place for place in range(60)]
    assert find_steps(days(60), noisy).confirmed == ()


def test_a_jump_of_the_last_days_is_not_confirmed_yet() -> None:
    values = smooth()
    values[-3:] = [value + 50_000 for value in values[-3:]]
    found = find_steps(days(120), values)
    assert found.confirmed == ()
    assert found.has_unconfirmed


def test_short_and_empty_series_have_no_step() -> None:
    assert find_steps([], []).confirmed == ()
    assert find_steps(days(1), [1.0]).confirmed == ()


def test_wrong_arrays_are_an_error() -> None:
    with pytest.raises(ValueError, match="rise"):
        find_steps([MONDAY, MONDAY], [1.0, 2.0])
    with pytest.raises(ValueError, match="NaN"):
        find_steps(days(2), [1.0, float("nan")])
    with pytest.raises(ValueError, match="2 days but 1 values"):
        find_steps(days(2), [1.0])
    with pytest.raises(ValueError, match="same day of the week"):
        weekly_trend([*weeks(9), weeks(10)[-1] + timedelta(days=1)], [1.0] * 10)


# --- slope, growth, direction ------------------------------------------------------------------------------------------------


def test_slope_is_the_median_of_all_pairs_over_real_distances() -> None:
    kept = [0, 1, 2, 5, 6, 9, 10, 11, 15, 16]  # weeks with a value; the others are missing
    values = [100.0, 104.0, 90.0, 140.0, 133.0, 180.0, 171.0, 185.0, 240.0, 255.0]
    pairs = [(values[j] - values[i]) / (kept[j] - kept[i]) for i, j in itertools.combinations(range(len(kept)), 2)]
    trend = weekly_trend([weeks(20)[place] for place in kept], values)
    assert trend.sens_slope_per_week == pytest.approx(float(np.median(pairs)), rel=1e-12)
    assert trend.sens_slope_per_week != pytest.approx(pymannkendall.sens_slope(values).slope, rel=0.05)  # which shuts the holes
    assert trend.growth_ratio == 2.55


def test_holes_do_not_bend_a_straight_line() -> None:
    kept = [place for place in range(52) if place % 7 not in (2, 3, 5)]
    trend = weekly_trend([weeks(52)[place] for place in kept], [1000.0 + 12 * place for place in kept])
    assert trend.sens_slope_per_week == pytest.approx(12, rel=1e-12)


@pytest.mark.parametrize(("slope", "direction"), [(5.0, "up"), (-5.0, "down"), (0.5, "flat"), (-0.5, "flat"), (0.0, "flat")])
def test_direction_has_a_dead_band(slope: float, direction: str) -> None:
    assert weekly_trend(weeks(20), [1000.0 + slope * place for place in range(20)]).direction == direction


def test_too_short_series_say_so() -> None:
    for n in range(MINIMUM_WEEKS):
        trend = weekly_trend(weeks(n), [100.0 + place for place in range(n)])
        assert (trend.sens_slope_per_week, trend.growth_ratio, trend.direction, trend.reason) == (None, None, None, "too_short")
    assert weekly_trend(weeks(MINIMUM_WEEKS), [100.0] * MINIMUM_WEEKS).reason is None


def test_growth_from_nothing_is_no_number() -> None:
    trend = weekly_trend(weeks(10), [0.0, *range(1, 10)])
    assert trend.growth_ratio is None
    assert trend.direction == "up"


# --- properties --------------------------------------------------------------------------------------------------------------

changes = st.lists(st.floats(-40, 40), min_size=150, max_size=150)


@given(changes, st.integers(20, 129), st.floats(0.5, 20), st.booleans(), st.sets(st.integers(0, 149), max_size=40))
def test_a_pure_step_changes_neither_slope_nor_growth(
    moves: list[float], place: int, share: float, is_up: bool, holes: set[int]
) -> None:
    """Beyond rounding: the day of the step does not move otherwise, so what is seen on it is the step. Days are missing."""
    moves = [*moves[: place - 1], 0.0, *moves[place:]]
    base = list(10_000 + np.cumsum([0.0, *moves[:-1]]))
    size = share * 10_000 if is_up else -min(share, 0.45) * 10_000
    assume(len([hole for hole in holes if place - STEP_WINDOW_DAYS <= hole < place + STEP_WINDOW_DAYS]) < 5)
    kept = [n for n in range(150) if n not in holes or n in (place - 1, place)]
    dates = [days(150)[n] for n in kept]
    plain = [(day, base[n]) for day, n in zip(dates, kept, strict=True)]
    assume(find_steps(dates, [value for _, value in plain]).confirmed == ())
    stepped = [(day, base[n] + (size if n >= place else 0)) for day, n in zip(dates, kept, strict=True)]

    found = find_steps(dates, [value for _, value in stepped])

    assert [step.day for step in found.confirmed] == [days(150)[place]]
    expected, actual = weekly_trend(*weekly(plain)), weekly_trend(*weekly(stepped, found.confirmed))
    assert actual.sens_slope_per_week == pytest.approx(expected.sens_slope_per_week, rel=1e-6, abs=1e-6)
    assert actual.growth_ratio == pytest.approx(expected.growth_ratio, rel=1e-9)


@given(st.lists(st.floats(1, 1e6), min_size=8, max_size=60), st.floats(-1e6, 1e6), st.integers(1, 400))
def test_shifting_a_series_up_or_in_time_changes_no_slope(values: list[float], lift: float, later: int) -> None:
    trend = weekly_trend(weeks(len(values)), values)
    lifted = weekly_trend(weeks(len(values)), [value + lift for value in values])
    moved = weekly_trend([week + timedelta(weeks=later) for week in weeks(len(values))], values)
    assert lifted.sens_slope_per_week == pytest.approx(trend.sens_slope_per_week, abs=1e-6)
    assert moved == trend


@given(changes, st.floats(0.01, 1000))
def test_the_unit_does_not_matter(moves: list[float], factor: float) -> None:
    values = 10_000 + np.cumsum(moves)
    values[90:] += 8000
    one = find_steps(days(150), list(values))
    other = find_steps(days(150), list(values * factor))
    assert [step.day for step in one.confirmed] == [step.day for step in other.confirmed]
    assert [step.size * factor for step in one.confirmed] == pytest.approx([step.size for step in other.confirmed])
