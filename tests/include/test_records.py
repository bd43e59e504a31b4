"""Record kinds: right values get their types, wrong ones become a named defect, and no row is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.records import ALL_KINDS, COMMON, to_table


def test_every_kind_has_the_common_columns_and_a_key_of_its_columns() -> None:
    for kind in ALL_KINDS.values():
        names = kind.accepted_schema.names
        assert names[: len(COMMON)] == [name for name, _ in COMMON]
        assert set(kind.key) <= set(names), kind.name
        assert len(names) == len(set(names)), kind.name


def test_values_get_their_types() -> None:
    row = to_table(
        "post",
        [{"post_id": "1_2", "published_at": "2021-07-09T19:09:52+0000", "media_count": 3, "run_date": date(2026, 11, 2)}],
    ).to_pylist()[0]
    assert row["published_at"] == datetime(2021, 7, 9, 19, 9, 52, tzinfo=UTC)
    assert row["media_count"] == 3
    assert row["text"] is None
    assert row["_defect"] is None


@pytest.mark.parametrize(
    ("kind", "column", "value", "expected"),
    [
        ("observation", "value", "12", "value: expected a number, got '12' (str)"),
        ("observation", "value", True, "value: expected a number, got True (bool)"),
        ("observation", "value", float("nan"), "value: expected a number, got nan (float)"),
        ("observation", "value", 10**400, "value: expected a number, got 1000"),
        ("observation", "value", {"a": 1}, "value: expected a number, got {'a': 1} (dict)"),
        ("observation", "metric_date", "yesterday", "metric_date: expected a date, got 'yesterday' (str)"),
        ("post", "published_at", "2026-11-02T10:00:00", "published_at: expected a time with its offset"),
        ("post", "published_at", 1785542400, "published_at: expected a time, got 1785542400 (int)"),
        ("post", "published_at", "9999-12-31T23:59:59-0800", "published_at: expected a time, got '9999-12-31T23:59:59-0800'"),
        ("post", "edited_at", "0001-01-01T00:00:00+0800", "edited_at: expected a time, got '0001-01-01T00:00:00+0800'"),
        ("post", "media_count", 1.5, "media_count: expected a whole number, got 1.5 (float)"),
        ("post", "post_id", 17, "post_id: expected text, got 17 (int)"),
        ("survey_answer", "chosen", "yes", "chosen: expected true or false, got 'yes' (str)"),
    ],
)
def test_a_wrong_type_is_null_and_named(kind: str, column: str, value: Any, expected: str) -> None:
    row = to_table(kind, [{column: value, "force_id": "kent"}]).to_pylist()[0]
    assert row[column] is None
    assert row["force_id"] == "kent", "the rest of the row is kept"
    assert expected in row["_defect"]


def test_a_long_hostile_value_is_cut_in_the_reason() -> None:
    defect = to_table("observation", [{"value": "x" * 10_000}]).to_pylist()[0]["_defect"]
    assert len(defect) < 200


def test_two_defects_are_both_named() -> None:
    defect = to_table("observation", [{"value": "a", "metric_date": "b"}]).to_pylist()[0]["_defect"]
    assert "value:" in defect
    assert "metric_date:" in defect


def test_an_unknown_column_is_a_programming_error() -> None:
    with pytest.raises(KeyError, match="observation has no column likes"):
        to_table("observation", [{"likes": 3}])


anything = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.dates())


@given(st.lists(st.fixed_dictionaries({"value": anything, "metric_date": anything, "object_id": anything}), max_size=20))
def test_no_row_is_lost_whatever_it_holds(rows: list[dict[str, Any]]) -> None:
    table = to_table("observation", rows)
    assert isinstance(table, pa.Table)
    assert table.num_rows == len(rows)
    for given_row, row in zip(rows, table.to_pylist(), strict=True):
        for column, value in given_row.items():
            assert value is None or row[column] is not None or row["_defect"], (column, value)
