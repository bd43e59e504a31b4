"""Publication: gates, versions, the switch, and what a kill leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa
import pytest

from include import accepted, bi, contract, registry
from include.publish import (
    GateClosed,
    NothingBuilt,
    OlderThanPublished,
    current_version,
    home_id,
    newest_accepted_run_date,
    publish,
    published_as_of,
)
from include.records import to_table
from include.settings import PROJECT_ROOT, Home
from include.warehouse import write_provenance

AS_OF = date(2026, 11, 2)
TABLES = {table.name: table for table in contract.TABLES}
TEXT_KEYS = ("platform", "metric", "post_id", "account_id", "category_code", "code", "wave", "audience", "channel", "series")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A build file with the contract's tables, two rows for each force, and accepted rows of every kind that feeds them."""
    home = Home(tmp_path)
    build(home)
    common = {"source": "facebook", "run_date": AS_OF, "is_simulated": True}
    for kind in ("plan", "conservation", "post", "observation", "survey_answer", "signal"):
        rows = [{**common, "ingest_id": f"id-{day}", "run_date": date(2026, 11, day)} for day in (1, 2, 3)]
        accepted.merge(kind, "facebook", AS_OF, to_table(kind, rows), home)
    accepted.snapshot(home.build_accepted, home)
    return home


Change = Callable[[duckdb.DuckDBPyConnection], object]


def build(home: Home, rows_per_force: int = 2, change: Change = lambda connection: None, as_of: date = AS_OF) -> None:
    home.build.mkdir(exist_ok=True)
    home.build_file.unlink(missing_ok=True)
    forces = pa.table({"force_id": list(registry.current().force_ids)})  # noqa: F841  (DuckDB reads it by name)
    with duckdb.connect(str(home.build_file)) as connection:
        connection.execute("create schema marts; create schema staging; create table staging.hidden as select 1 as x")
        for table in contract.TABLES:
            empty = (*table.may_be_null, *table.null_at_first)
            columns = dict.fromkeys((*table.key, *empty, *([table.newest] if table.newest else [])))
            values = {column: f"'{column} ' || n" for column in columns}
            values |= dict.fromkeys(empty, "null::varchar")
            values |= {column: "date '2026-11-02' - n::integer" for column in columns if column.endswith(("date", "_at", "month"))}
            values |= {"force_id": "force_id", "filled": "n", "is_simulated": "true"}
            listed = ", ".join(f"{value} as {column}" for column, value in values.items())
            # written in the wrong order on purpose
            rows = f"select {listed} from forces, range({rows_per_force}) as numbers(n) order by n desc"
            connection.execute(f"create table marts.{table.name} as {rows}")
        connection.execute("comment on table marts.dim_force is 'Grain: force. It''s one row each.'")
        connection.execute("comment on column marts.dim_force.force_id is 'Slug'")
        change(connection)
    write_provenance(home.build_file, as_of, ("id-1", "id-2"))


def read(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def reasons(error: pytest.ExceptionInfo[GateClosed]) -> set[tuple[str, str, str | None]]:
    return {(reason.gate, reason.table, reason.column) for reason in error.value.reasons}


def test_publishes_every_table_of_the_contract_in_both_stores(home: Home) -> None:
    publication = publish(AS_OF, home)
    warehouse = home.published / "warehouse.duckdb"
    tables = {row[0] for row in read(warehouse, "select table_name from duckdb_tables() where schema_name = 'marts'")}
    assert tables == set(contract.published_tables())
    assert read(warehouse, "select schema_name, table_name from duckdb_tables() where schema_name <> 'marts'") == []
    for name in contract.published_tables():
        parquet = home.published / "parquet" / name / f"{name}.parquet"
        in_parquet = duckdb.sql(f"from '{parquet}'").fetchall()
        assert in_parquet == read(warehouse, f"from marts.{name}"), name
        assert len(in_parquet) == (1 if name == "publications" else 86), name
    assert publication.rows == dict.fromkeys(TABLES, 86)


def test_rows_stand_in_the_order_of_the_key_and_texts_go_with_them(home: Home) -> None:
    publish(AS_OF, home)
    warehouse = home.published / "warehouse.duckdb"
    rows = read(warehouse, "select force_id, platform, source, run_date from marts.collection_health")
    assert rows == sorted(rows)
    assert read(warehouse, "select comment from duckdb_tables() where table_name = 'dim_force'") == [
        ("Grain: force. It's one row each.",)
    ]
    column = "select comment from duckdb_columns() where table_name = 'dim_force' and column_name = 'force_id'"
    assert read(warehouse, column) == [("Slug",)]


def test_publications_say_what_was_published_from_which_ingests(home: Home) -> None:
    first, second = publish(AS_OF, home), publish(AS_OF, home)
    rows = read(home.published / "warehouse.duckdb", "from marts.publications")
    assert [row[0] for row in rows] == [first.publication_id, second.publication_id]
    assert first.publication_id < second.publication_id
    last = rows[-1]
    assert (last[2], last[3], last[4]) == (AS_OF, 1, 2)
    assert json.loads(last[6]) == ["id-1", "id-2"], "an ingest of the day after the as-of date is none of it"
    assert json.loads(last[7])["dim_force"] == 86
    assert last[8] is True


def test_where_postgresql_is_is_asked_once_and_first(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked at every step, an answer that changes between them would leave the stores apart."""
    steps: list[tuple[str, object]] = []
    answers = iter([bi.BiTarget({"host": "first"})])
    monkeypatch.setattr(bi, "target", lambda: next(answers))
    for step in ("roll_forward", "load", "show"):
        monkeypatch.setattr(bi, step, lambda what, to, step=step, **more: steps.append((step, to.parameters["host"])))
    publish(AS_OF, home)
    assert steps == [("roll_forward", "first"), ("load", "first"), ("show", "first")]


def test_links_are_relative_so_that_the_folder_can_be_moved(home: Home, tmp_path: Path) -> None:
    publish(AS_OF, home)
    moved = tmp_path / "elsewhere"
    home.published.rename(moved)
    assert read(moved / "warehouse.duckdb", "select count(*) from marts.dim_force") == [(86,)]
    assert (moved / "parquet" / "dim_force" / "dim_force.parquet").is_file()


def test_without_a_build_there_is_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(NothingBuilt, match="build the warehouse first"):
        publish(AS_OF, Home(tmp_path))


@pytest.mark.parametrize(
    ("change", "closed", "figures"),
    [
        ("delete from marts.fct_post where n_is_low", ("row_count", "fct_post", None), "43 rows, at least 78 expected (86 in the"),
        ("delete from marts.dim_metric", ("row_count", "dim_metric", None), "0 rows, at least 78"),
        ("update marts.hmicfrs_metrics set filled = null", ("no_empty_column", "hmicfrs_metrics", "filled"), "null in all 86 rows"),
        (
            "delete from marts.dim_account where force_id = 'gwent'",
            ("every_force", "dim_account", None),
            "42 of 43 forces; absent: gwent",
        ),
        ("drop table marts.gap_ledger", ("tables_of_the_contract", "gap_ledger", None), "the contract has 1 of it, the build 0"),
        (
            "create table marts.scratch as select 1",
            ("tables_of_the_contract", "scratch", None),
            "the contract has 0 of it, the build 1",
        ),
        (
            "update marts.fct_post set latest_observed_at = date '2026-10-20'",
            ("freshness", "fct_post", "latest_observed_at"),
            "the newest is of 2026-10-20, 13 days before the as-of date; 8 are allowed",
        ),
    ],
)
def test_a_closed_gate_names_itself_and_leaves_the_publication_standing(
    home: Home, change: str, closed: tuple[str, str, str | None], figures: str
) -> None:
    standing = publish(AS_OF, home)
    build(home, change=lambda connection: connection.execute(change.replace("n_is_low", "filled = 0")))
    with pytest.raises(GateClosed, match="the publication before stands") as error:
        publish(AS_OF, home)
    assert reasons(error) == {closed}
    assert figures in str(error.value)
    assert current_version(home) == standing.folder
    assert [folder.name for folder in (home.published / "versions").iterdir()] == [standing.publication_id]


def test_a_column_that_was_published_with_values_may_not_lose_them_all(home: Home) -> None:
    publish(AS_OF, home)
    build(home, change=lambda connection: connection.execute("update marts.fct_post set views = '7', language = 'cy'"))
    publish(AS_OF, home)
    build(home)
    with pytest.raises(GateClosed) as error:
        publish(AS_OF, home)
    assert reasons(error) == {("no_empty_column", "fct_post", "views")}, "language may be null at any time"


def test_a_tenth_of_the_rows_may_go_but_no_more(home: Home) -> None:
    build(home, rows_per_force=100)
    publish(AS_OF, home)
    build(home, rows_per_force=90)
    publish(AS_OF, home)
    build(home, rows_per_force=80)
    with pytest.raises(GateClosed) as error:
        publish(AS_OF, home)
    assert reasons(error) == {("row_count", table, None) for table in TABLES}


def test_what_no_source_has_fed_yet_may_be_empty(home: Home) -> None:
    for path in (home.build_accepted / "survey_answer").glob("*/*.parquet"):
        path.unlink()
    build(home, change=lambda connection: connection.execute("update marts.expectation_gap set filled = null"))
    publish(AS_OF, home)
    build(home, change=lambda connection: connection.execute("delete from marts.gap_ledger"))
    with pytest.raises(GateClosed) as error:
        publish(AS_OF, home)
    assert reasons(error) == {("row_count", "gap_ledger", None)}, "a ledger may be empty, but it does not lose its rows"


def test_a_first_ledger_without_gaps_is_published(home: Home) -> None:
    build(home, change=lambda connection: connection.execute("delete from marts.gap_ledger"))
    assert publish(AS_OF, home).rows["gap_ledger"] == 0


@pytest.mark.parametrize("killed_in", ["_copy_comments", "_sync_tree", "_switch", "_remove_old"])
def test_a_kill_at_any_point_leaves_a_whole_publication_and_the_next_one_cleans_up(home: Home, killed_in: str) -> None:
    standing = publish(AS_OF, home)
    code = (
        "import os, signal, sys; from datetime import date; from pathlib import Path\n"
        "from include import publish; from include.settings import Home\n"
        f"publish.{killed_in} = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)\n"
        "publish.publish(date(2026, 11, 2), Home(Path(sys.argv[1])))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(home.path)], cwd=PROJECT_ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    is_switched = killed_in == "_remove_old"
    assert (current_version(home) != standing.folder) is is_switched
    assert read(home.published / "warehouse.duckdb", "select count(*) from marts.dim_force") == [(86,)]
    after = publish(AS_OF, home)
    assert current_version(home) == after.folder
    assert len(read(home.published / "warehouse.duckdb", "from marts.publications")) == (3 if is_switched else 2)
    assert len(list((home.published / "versions").iterdir())) == (3 if is_switched else 2), "nothing half-written is left"


READER = """
import sys, time
from pathlib import Path
import duckdb
folder, stop = Path(sys.argv[1]), Path(sys.argv[2])
seen, reads = set(), 0
while not stop.exists() or not reads:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        for table in ("dim_force", "fct_post", "hmicfrs_metrics"):
            assert connection.execute(f"select count(*) from marts.{table}").fetchall() == [(86,)], table
        versions = connection.execute("select max(publication_id), count(*) from marts.publications").fetchall()
    assert duckdb.sql(f"select count(*) from '{folder}/parquet/fct_post/fct_post.parquet'").fetchall() == [(86,)]
    seen.add(versions[0]); reads += 1
print(reads, len(seen))
"""


def test_readers_never_fail_nor_see_an_empty_table_while_versions_are_published(home: Home, tmp_path: Path) -> None:
    publish(AS_OF, home)
    stop = tmp_path / "stop"
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(home.published), str(stop)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(6):
        publish(AS_OF, home)
    stop.touch()
    output, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors
    reads, versions = (int(number) for number in output.split())
    assert reads >= versions >= 2, output


def test_old_versions_go_after_some_hours_but_never_the_last_two(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    publications = [publish(AS_OF, home) for _ in range(3)]
    assert len(list((home.published / "versions").iterdir())) == 3
    monkeypatch.setattr("include.publish.KEEP_HOURS", 0)
    publications.append(publish(AS_OF, home))
    kept = sorted(folder.name for folder in (home.published / "versions").iterdir())
    assert kept == [publication.publication_id for publication in publications[-2:]]
    assert len(read(home.published / "warehouse.duckdb", "from marts.publications")) == 4


def test_an_older_as_of_date_replaces_a_newer_one_only_when_asked(home: Home) -> None:
    standing = publish(AS_OF, home)
    before = AS_OF - timedelta(days=1)
    build(home, as_of=before)
    with pytest.raises(
        OlderThanPublished, match=r"as of 2026-11-01 is not published: what stands is as of 2026-11-02.*allow_older"
    ):
        publish(before, home)
    assert current_version(home) == standing.folder
    assert publish(before, home, allow_older=True).as_of == before
    assert published_as_of(home) == before
    build(home)
    publish(AS_OF, home)


def test_a_run_that_an_event_starts_does_not_go_back_before_what_stands(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from include import dag_defaults

    monkeypatch.setenv("INSIGHT_HOME", str(home.path))
    event = {"params": {}}
    assert dag_defaults.as_of_date(event) == date(2026, 11, 3), "the newest run date"
    stands = {"later": date(2026, 11, 4), "in the future": date(2999, 1, 1), "earlier": date(2026, 11, 2)}
    found = {}
    for name, day in stands.items():
        monkeypatch.setattr("include.publish.published_as_of", lambda day=day: day)
        found[name] = dag_defaults.as_of_date(event)
    assert found == {"later": date(2026, 11, 4), "in the future": date(2026, 11, 3), "earlier": date(2026, 11, 3)}


def test_a_home_is_told_from_others_by_what_its_published_folder_holds(home: Home, tmp_path: Path) -> None:
    drawn = home_id(home)
    assert len(drawn) == 16
    assert home_id(home) == drawn
    assert home_id(Home(tmp_path / "another")) != drawn
    assert [path.name for path in home.published.iterdir()] == ["home_id"]


def test_make_run_does_not_reach_production(monkeypatch: pytest.MonkeyPatch) -> None:
    from include.environment import environment
    from include.run import PRODUCTION_ONLY

    for name in PRODUCTION_ONLY:
        monkeypatch.setenv(name, "postgresql://bi_publisher@bi.example/insight")
    with environment({"INSIGHT_CONTACT": "x"}, without=PRODUCTION_ONLY):
        assert bi.target() is None
        assert os.environ["INSIGHT_CONTACT"] == "x"
    assert bi.target() is not None


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Version folders without anything in them."""
    monkeypatch.setattr("include.publish._write_version", lambda publication, home: publication.folder.mkdir(parents=True))
    monkeypatch.setattr("include.publish.published_as_of", lambda home: None)
    monkeypatch.setattr("include.publish.gate_facts", lambda *arguments: None)
    monkeypatch.setattr("expectations.publish_gates.closed", lambda *arguments: [])


@pytest.mark.usefixtures("quick")
def test_versions_do_not_pile_up_after_a_clock_was_months_ahead(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(days=200)

    with monkeypatch.context() as wrong:
        wrong.setattr("include.publish.datetime", Ahead)
        publish(AS_OF, home)
    assert "dated in the future" not in caplog.text
    versions = home.published / "versions"
    for _ in range(4):
        folder = publish(AS_OF, home).folder
        hours_ago = time.time() - 7 * 3600
        os.utime(folder, (hours_ago, hours_ago))
    assert "dated in the future" in caplog.text
    assert len(list(versions.iterdir())) == 3, "the last two, and the first, whose folder looks young"
    for _ in range(15):
        folder = publish(AS_OF, home).folder
    assert len(list(versions.iterdir())) == 12
    assert current_version(home) == folder == max(versions.iterdir())


@pytest.mark.usefixtures("quick")
def test_tries_without_postgresql_leave_no_versions(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHT_BI_POSTGRES", "postgresql://bi_publisher@127.0.0.1:1/insight")
    with pytest.raises(bi.BiStoreUnreachable):
        publish(AS_OF, home)
    versions = home.published / "versions"
    assert not versions.exists(), "PostgreSQL is asked before anything is written"
    monkeypatch.setattr(bi, "roll_forward", lambda *arguments: False)
    with pytest.raises(bi.BiStoreUnreachable):
        publish(AS_OF, home)
    assert list(versions.iterdir()) == []
    (versions / "20260101T000000000000Z-killed").mkdir()
    monkeypatch.delenv("INSIGHT_BI_POSTGRES")
    folder = publish(AS_OF, home).folder
    assert list(versions.iterdir()) == [folder], "without one that is shown, all are leftovers"


def test_dates_and_ingests_of_accepted_data(home: Home, tmp_path: Path) -> None:
    assert newest_accepted_run_date(home) == date(2026, 11, 3)
    assert accepted.accepted_ingest_ids(home.accepted, date(2026, 11, 1)) == ("id-1",)
    assert newest_accepted_run_date(Home(tmp_path / "empty")) is None
    assert (home.path / "locks" / "publish.lock").exists() is False, "asking takes no lock"


def test_a_build_of_another_date_or_an_unfinished_one_is_not_published(home: Home) -> None:
    with pytest.raises(NothingBuilt, match="the build is as of 2026-11-02, not 2026-11-04"):
        publish(date(2026, 11, 4), home)
    with duckdb.connect(str(home.build_file)) as connection:
        connection.execute("drop table provenance.build")
    with pytest.raises(NothingBuilt, match="did not come to its end"):
        publish(AS_OF, home)


def test_the_ingests_are_those_the_build_has_read_not_what_came_since(home: Home) -> None:
    late = {"source": "facebook", "run_date": AS_OF, "is_simulated": True, "ingest_id": "came-after-the-build"}
    accepted.merge("post", "facebook", AS_OF, to_table("post", [late]), home)
    assert publish(AS_OF, home).ingest_ids == ("id-1", "id-2")


def test_a_snapshot_keeps_what_stood_when_it_was_taken(home: Home, tmp_path: Path) -> None:
    folder = accepted.snapshot(tmp_path / "snapshot", home)
    late = {"source": "facebook", "run_date": AS_OF, "is_simulated": True, "ingest_id": "late"}
    accepted.merge("post", "facebook", AS_OF, to_table("post", [late]), home)
    assert "late" in accepted.accepted_ingest_ids(home.accepted, AS_OF)
    assert "late" not in accepted.accepted_ingest_ids(folder, AS_OF)
