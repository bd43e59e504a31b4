from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from tests.dbt_survey.homes import AS_OF, real_series

STEP_DAY, STEP_SIZE = date(2019, 7, 4), 991_816
NOT_YET = ("slope_ci_low", "slope_ci_high", "trend_p_value", "trend_q_value", "acceleration", "stage", "stage_rule")


def trend(connection: duckdb.DuckDBPyConnection, series: str) -> dict[str, object]:
    found = connection.execute("from marts.horizon_trends where series = ?", [series])
    names = [column[0] for column in found.description or ()]
    (row,) = found.fetchall()
    return dict(zip(names, row, strict=True))


def test_the_fediverse_has_its_step_and_its_trend_without_it(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    row = trend(warehouse_file, "users")
    assert (row["step_date"], row["step_size"]) == (STEP_DAY, STEP_SIZE)
    by_hand = {
        day - timedelta(days=day.weekday()): value - (STEP_SIZE if day >= STEP_DAY else 0) for day, value in real_series()
    }  # the last value of each ISO week
    levels = np.array(list(by_hand.values()))
    first, second = np.triu_indices(len(levels), k=1)
    slope = float(np.median((levels[second] - levels[first]) / (second - first)))
    assert row["sens_slope_per_week"] == pytest.approx(slope, rel=0.01)
    assert row["growth_ratio"] == pytest.approx(levels[-1] / levels[0], rel=0.01)
    assert (row["direction"], row["n_periods"], row["status"]) == ("up", len(levels), "ok")
    assert (row["first_period_start"], row["last_period_start"]) == (date(2018, 8, 6), date(2020, 12, 28))
    assert (row["scan_date"], row["unit"], row["is_simulated"]) == (AS_OF, "accounts", False)


def test_the_number_of_servers_falls_without_a_step(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    row = trend(warehouse_file, "instances")
    assert (row["step_date"], row["step_size"], row["direction"]) == (None, None, "down")


def test_what_is_not_computed_is_null_with_its_reason(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    row = trend(warehouse_file, "users")
    assert [row[name] for name in NOT_YET] == [None] * len(NOT_YET)
    assert row["not_computed_reason"] == "not_yet_computed"


def test_a_flow_with_one_day_has_no_week_and_says_why(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    row = trend(warehouse_file, "messages")
    assert (row["n_periods"], row["first_period_start"], row["sens_slope_per_week"], row["direction"]) == (0, None, None, None)
    assert (row["not_computed_reason"], row["status"], row["source"]) == ("too_short", "missing", None)
