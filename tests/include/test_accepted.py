"""The store of accepted rows: whole files, replaced at once, the same whatever the order of merges."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include import accepted
from include.records import ALL_KINDS, WORKING, to_table
from include.settings import Home
from tests.record_folders import RUN_DATE, good_row


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "var")


def rows(ingest_id: str, numbers: range, **more: Any) -> pa.Table:
    return to_table("observation", [{**good_row("observation", number, ingest_id=ingest_id), **more} for number in numbers])


def values(home: Home, ingest_id: str) -> list[float]:
    table = accepted.read("observation", home)
    return sorted(row["value"] for row in table.to_pylist() if row["ingest_id"] == ingest_id)


def test_a_file_holds_the_month_of_its_run_dates_typed_and_without_working_columns(home: Home) -> None:
    path = accepted.merge("observation", "facebook", RUN_DATE, rows("i1", range(3)), home)
    assert path == home.accepted / "observation" / "facebook" / "2026-11.parquet"
    schema = pq.read_schema(path)
    assert schema.equals(ALL_KINDS["observation"].accepted_schema)
    assert not {name for name, _ in WORKING} & set(schema.names)
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_merging_an_ingest_again_replaces_its_rows_and_no_others(home: Home) -> None:
    accepted.merge("observation", "facebook", RUN_DATE, rows("i1", range(3)), home)
    accepted.merge("observation", "facebook", RUN_DATE, rows("i2", range(5)), home)
    accepted.merge("observation", "facebook", RUN_DATE, rows("i1", range(1), value=99), home)
    assert values(home, "i1") == [99]
    assert values(home, "i2") == [12, 13, 14, 15, 16]


def test_an_ingest_that_is_named_and_has_no_row_any_more_loses_its_rows(home: Home) -> None:
    accepted.merge("observation", "facebook", RUN_DATE, rows("i1", range(3)), home)
    accepted.merge("observation", "facebook", RUN_DATE, rows("none", range(0)), home, ["i1"])
    assert accepted.read("observation", home).num_rows == 0


def test_the_bytes_do_not_depend_on_the_order_of_rows_or_merges(tmp_path: Path) -> None:
    first, second = rows("i1", range(4)), rows("i2", range(4))
    one, other = Home(tmp_path / "one"), Home(tmp_path / "other")
    for home, tables in ((one, (first, second, first)), (other, (second.take([3, 1, 0, 2]), first.take([2, 3, 0, 1])))):
        for table in tables:
            path = accepted.merge("observation", "facebook", RUN_DATE, table, home)
    same = Path("accepted/observation/facebook/2026-11.parquet")
    assert (one.path / same).read_bytes() == (other.path / same).read_bytes() == path.read_bytes()


def test_a_crash_before_the_rename_leaves_the_old_file_and_its_leftover_goes_next_time(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = accepted.merge("observation", "facebook", RUN_DATE, rows("i1", range(3)), home)

    def killed(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            accepted.merge("observation", "facebook", RUN_DATE, rows("i2", range(3)), home)
    assert len(list(path.parent.iterdir())) == 2
    assert values(home, "i1") == [12, 13, 14]
    assert values(home, "i2") == []
    accepted.merge("observation", "facebook", RUN_DATE, rows("i2", range(3)), home)
    assert list(path.parent.iterdir()) == [path]
    assert values(home, "i2") == [12, 13, 14]


def test_merges_at_the_same_time_lose_nothing(home: Home) -> None:
    def put(name: str) -> None:
        accepted.merge("observation", "facebook", RUN_DATE, rows(name, range(20)), home)

    threads = [threading.Thread(target=put, args=(f"i{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert accepted.read("observation", home).num_rows == 160


def test_every_kind_has_a_typed_file_that_a_glob_finds_before_any_data(home: Home) -> None:
    accepted.ensure_schema_files(home)
    accepted.ensure_schema_files(home)
    for kind, definition in ALL_KINDS.items():
        found = duckdb.sql(f"select * from read_parquet('{home.accepted}/{kind}/*/*.parquet')")
        assert found.columns == definition.accepted_schema.names
        assert found.fetchall() == []


def test_a_schema_file_follows_a_kind_that_got_a_column(home: Home) -> None:
    path = home.accepted / "signal" / "_schema" / "empty.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"old": pa.array([], pa.string())}), path)
    accepted.ensure_schema_files(home)
    assert pq.read_schema(path).equals(ALL_KINDS["signal"].accepted_schema)


def test_a_file_older_than_a_column_is_merged_with_null_there(home: Home) -> None:
    path = accepted.merge("observation", "facebook", RUN_DATE, rows("i1", range(2)), home)
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["day_tz"]), path)
    accepted.merge("observation", "facebook", RUN_DATE, rows("i2", range(2)), home)
    assert accepted.read("observation", home).column("day_tz").null_count == 4


def test_readers_choose_source_and_run_date_and_find_nothing_where_nothing_is(home: Home) -> None:
    assert accepted.read("observation", home).schema.equals(ALL_KINDS["observation"].accepted_schema)
    assert accepted.read_quarantine("observation", home).num_rows == 0
    earlier = date(2026, 11, 1)
    accepted.merge("observation", "facebook", RUN_DATE, rows("i1", range(2)), home)
    accepted.merge("observation", "facebook", earlier, rows("i2", range(3), run_date=earlier), home)
    assert accepted.read("observation", home).num_rows == 5
    assert accepted.read("observation", home, "facebook", earlier).num_rows == 3
    assert accepted.read("observation", home, "youtube").num_rows == 0


def test_no_snapshot_is_taken_of_half_a_run(home: Home, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), accepted.merging(home, "facebook", RUN_DATE):
        raise KeyboardInterrupt
    with pytest.raises(accepted.HalfMerged, match=f"facebook {RUN_DATE}: cut off half-way .* Collect and validate it again"):
        accepted.snapshot(tmp_path / "snapshot", home)
    assert not (tmp_path / "snapshot").exists()
    with accepted.merging(home, "facebook", RUN_DATE):
        pass
    assert accepted.snapshot(tmp_path / "snapshot", home).is_dir()
