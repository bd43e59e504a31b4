"""The fediverse series: the shipped file, and files that are not it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from extractors.base import BadFile, Page, Row
from extractors.fediverse import FediverseUsers
from include.records import to_table

RUN_DATE = date(2026, 11, 2)
OBSERVED = datetime(2026, 11, 2, 21, tzinfo=UTC)
FEDIVERSE = FediverseUsers()
HEADER = "date,users_last,instances_last\n"


def read(path: Path) -> list[dict[str, Any]]:
    (page,) = FEDIVERSE.read(path, RUN_DATE, OBSERVED)
    assert isinstance(page, Page)
    parsed = [{**item.values, "_position": item.position} for item in FEDIVERSE.parse(page) if isinstance(item, Row)]
    assert FEDIVERSE.count(page) == Counter({"signal": len(parsed)})
    return to_table("signal", parsed).to_pylist()


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "users.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_shipped_file_is_two_daily_stocks() -> None:
    rows = read(FEDIVERSE.shipped)
    users = {row["period_start"]: row["value"] for row in rows if row["series"] == "users"}
    assert len(rows) == 2 * 874
    assert (users[date(2018, 8, 11)], users[date(2020, 12, 31)]) == (1400635, 4290176)
    assert users[date(2019, 7, 4)] - users[date(2019, 7, 3)] > 900_000, "the step is passed on, not repaired"
    assert {(row["channel"], row["period"], row["is_stock"], row["_defect"]) for row in rows} == {("fediverse", "day", True, None)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2019-01-01,-5,7", "value_below_zero: users.csv row 3 users_last: -5 is below zero"),
        ("2019-01-01,many,7", "expected a number, got 'many'"),
        ('2019-01-01,"1,400,635",7', "expected a number, got '1,400,635'"),
        ("2019-01-01,nan,7", "expected a number, got 'nan'"),
        ("01/02/2019,5,7", "expected a date, got '01/02/2019'"),
        ("2019-01-01,5", "cell_count: users.csv row 3: 2 cells where the header has 3"),
        ("2019-01-01,5,7,9", "4 cells where the header has 3"),
        ("2018-08-11,5,7", "day_repeated: users.csv row 3: 2018-08-11 stands already in row 2"),
    ],
)
def test_a_bad_row_has_its_reason_and_costs_no_other(tmp_path: Path, line: str, said: str) -> None:
    rows = read(write(tmp_path, f"{HEADER}2018-08-11,1400635,1675\n{line}\n2018-08-13,1404542,1759\n"))
    bad = [row for row in rows if row["_position"].startswith("users.csv row 3")]
    assert any(said in (row["_defect"] or "") for row in bad)
    assert {row["_defect"] for row in rows if row not in bad} == {None}
    assert len([row for row in rows if row not in bad]) == 4


def test_an_empty_cell_is_a_missing_day_and_no_zero(tmp_path: Path) -> None:
    rows = read(write(tmp_path, f"{HEADER}2018-08-11,,1675\n"))
    assert [(row["series"], row["value"]) for row in rows] == [("instances", 1675)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"date,users\n2018-08-11,5\n", "row 1: the header is 'date,users'"),
        (HEADER.encode(), "no days"),
        (b"\xff\xfe\x00garbage", "not UTF-8"),
        (HEADER.encode() + b'2018-08-11,5,7\n2018-08-12,"5,7\n2018-08-13,5,7\n', "row 3: this is not CSV"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(BadFile, match=f"users.csv.*{said}"):
        read(write(tmp_path, content))
