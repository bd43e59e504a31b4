"""The hand-written script and the models give the same rows; how fast either is, `make bench` tells."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from include.settings import Home
from tests.bench.child import in_child
from tests.bench.comparisons import differing_rows, rows_by_status
from tests.bench.history import History

AS_OF = date(2026, 6, 28)
SPAN = History(as_of=AS_OF, days=40, posts_per_day=0.3)
"""Over the platform's break of 2026-06-15, with a second month, and posts of every age."""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Path]:
    home = Home(tmp_path_factory.mktemp("bench") / "var")
    SPAN.write(home)
    script = home.path / "hand_written.parquet"
    in_child("models", home, AS_OF)
    in_child("hand_written", home, AS_OF, str(script))
    return home, script


def test_the_script_gives_the_rows_of_the_models(compared: tuple[Home, Path]) -> None:
    home, script = compared
    assert differing_rows(home, script) == []


def test_the_compared_rows_are_of_every_kind(compared: tuple[Home, Path]) -> None:
    home, _ = compared
    found = rows_by_status(home)
    assert {"ok", "provisional", "missing"} <= set(found)
    accounts = 46
    # one row per account and day, the last number given after 14 days and read again until then
    assert sum(found.values()) > 5 * accounts * (AS_OF - SPAN.first_run + timedelta(days=1)).days


def test_a_row_that_differs_is_found(compared: tuple[Home, Path], tmp_path: Path) -> None:
    import duckdb

    home, script = compared
    changed = tmp_path / "changed.parquet"
    connection = duckdb.connect()
    first = "(platform, account_id, metric, metric_date) = (select min((platform, account_id, metric, metric_date)) from script)"
    connection.execute("create table script as select * from read_parquet(?)", [str(script)])
    connection.execute(f"update script set is_revised = not is_revised where {first}")
    connection.table("script").write_parquet(str(changed))
    assert {side for side, *_ in differing_rows(home, changed)} == {"script", "models"}
