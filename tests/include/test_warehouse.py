from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from include import accepted, registry, warehouse
from include.settings import PROJECT_ROOT, Home
from tests.dbt_survey.homes import AGE_BANDS, AS_OF, SURVEY, accepted_rows, answers, write_accepted

SELECTION = "+expectation_gap +horizon_trends"


def copy_of_the_project(folder: Path) -> Path:
    return shutil.copytree(PROJECT_ROOT / "dbt_project", folder, ignore=shutil.ignore_patterns("target", "logs"))


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("warehouse_home"))
    rows = [row for place in range(70) for row in answers("2026-autumn", f"r{place}", "kent", AGE_BANDS[place % 7], ["appeals"])]
    write_accepted(home, "survey_answer", accepted_rows("survey_answer", rows, **SURVEY), "survey")
    return home


def open_elsewhere(path: Path) -> None:
    """Another process opens the file for writing: refused while anyone here still has it open."""
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('select 1')"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, timeout=60)


def test_a_build_reports_what_it_built_and_lets_go_of_the_file(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = copy_of_the_project(tmp_path / "dbt_project")
    monkeypatch.setattr(warehouse, "DBT_PROJECT", project)
    before = os.environ.get("INSIGHT_HOME"), files(project)
    told: list[str] = []

    report = warehouse.build(AS_OF, home, told.append, select=SELECTION)

    open_elsewhere(home.build_file)
    assert (os.environ.get("INSIGHT_HOME"), files(project)) == before  # nothing is written into the project
    assert report.rows() == {"expectation_gap": 440, "horizon_trends": len(registry.current().tables["horizon_watchlist"])}
    assert report.statistics == {"survey_weights": 7, "horizon_statistics": 0}
    assert not report.failed
    by_name = {node.name: node for node in report.nodes}
    assert by_name["int_survey_cells"].stage == "before statistics"
    assert by_name["expectation_gap"].stage == "after statistics"
    assert by_name["expectation_gap"].status == "success"
    assert len(by_name) == len(report.nodes)  # nothing is built or tested twice
    assert "unit_test" not in {node.resource_type for node in report.nodes}
    assert "dbt: expectation_gap" in "".join(told)
    lines = report.summary_lines()
    assert lines[0].startswith("Warehouse as of 2026-11-02: ")
    assert "  marts.expectation_gap: 440 rows" in lines


def test_every_seed_model_and_test_runs_in_exactly_one_of_the_two_selections(tmp_path: Path) -> None:
    home = Home(tmp_path)
    report = warehouse.build(AS_OF, home)
    manifest = json.loads((home.build / "dbt_target" / "manifest.json").read_text())
    kinds = {"seed", "model", "test"}
    assert sorted(node.name for node in report.nodes) == sorted(
        node["name"] for node in manifest["nodes"].values() if node["resource_type"] in kinds
    )
    stages = {node.name: node.stage for node in report.nodes}
    assert stages["int_survey_cells"] == "before statistics"
    # reads statistics and a seed of the first selection
    assert stages["assert_weights_add_up_to_residents"] == "after statistics"
    # reads a model of the first selection and a seed of the second
    assert stages["relationships_stg_survey_answers_question_code__question_code__ref_survey_questions_"] == "after statistics"


def test_a_second_build_starts_fresh_and_gives_the_same(home: Home) -> None:
    query = "from marts.expectation_gap order by wave, force_id, category_code"
    warehouse.build(AS_OF, home, select=SELECTION)
    with duckdb.connect(str(home.build_file)) as connection:
        first = connection.sql(query).fetchall()
        connection.execute("create table marts.left_behind as select 1 as n")
    home.build_file.with_name("warehouse.duckdb.wal").write_bytes(b"half written by a killed build")

    warehouse.build(AS_OF, home, select=SELECTION)

    with duckdb.connect(str(home.build_file), read_only=True) as connection:
        assert connection.sql(query).fetchall() == first
        assert connection.sql("select 1 from duckdb_tables() where table_name = 'left_behind'").fetchall() == []


def test_the_as_of_date_decides_what_is_seen(home: Home) -> None:
    report = warehouse.build(date(2026, 10, 4), home, select=SELECTION)  # the file came on the 5th
    assert report.statistics["survey_weights"] == 0
    with duckdb.connect(str(home.build_file), read_only=True) as connection:
        statuses = connection.sql("select distinct want_status, want_base_n, is_simulated from marts.expectation_gap").fetchall()
    assert statuses == [("missing", 0, False)]


def test_an_empty_home_gives_empty_statistics_and_complete_marts(tmp_path: Path) -> None:
    report = warehouse.build(AS_OF, Home(tmp_path / "never_there"), select=SELECTION)
    assert report.rows() == {"expectation_gap": 440, "horizon_trends": len(registry.current().tables["horizon_watchlist"])}


def test_a_broken_row_fails_by_the_name_of_the_test_and_shows_its_sql(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (row, *_) = answers("2026-autumn", "r1", "kent", "16_24", ["appeals"])
    broken = [{**row, "question_code": "shoe_size"}]
    write_accepted(home, "survey_answer", accepted_rows("survey_answer", broken, **SURVEY), "survey")

    with pytest.raises(warehouse.BuildFailed) as failure:
        warehouse.build(AS_OF, home)

    report = failure.value.report
    assert report is not None
    (bad,) = [node for node in report.failed if node.status == "fail"]
    assert bad.name.startswith("relationships_stg_survey_answers_question_code")
    assert bad.compiled_sql is not None
    assert "shoe_size" not in str(failure.value)  # dbt tells how many rows, the compiled SQL finds them
    assert "survey_questions" in bad.compiled_sql.read_text()
    assert bad.name in str(failure.value)
    assert str(bad.compiled_sql) in str(failure.value)
    open_elsewhere(home.build_file)


def test_a_model_that_cannot_run_fails_by_name_with_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = copy_of_the_project(tmp_path / "dbt_project")
    monkeypatch.setattr(warehouse, "DBT_PROJECT", project)
    model = project / "models" / "intermediate" / "survey" / "int_survey_respondents.sql"
    model.write_text(model.read_text().replace("max(force_id)", "max(shoe_size)"))
    with pytest.raises(warehouse.BuildFailed, match="shoe_size") as failure:
        warehouse.build(AS_OF, Home(tmp_path / "home"), select=SELECTION)
    message = str(failure.value)
    assert "model int_survey_respondents (error)" in message
    assert "not built because of these: int_survey_cells" in message

    model.write_text("select {{ nonsense")
    with pytest.raises(warehouse.BuildFailed, match="int_survey_respondents"):
        warehouse.build(AS_OF, Home(tmp_path / "home"), select=SELECTION)


def test_one_build_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.locks.mkdir(parents=True)
    monkeypatch.setattr(warehouse, "LOCK_TIMEOUT_SECONDS", 0.1)
    with (
        FileLock(home.locks / "build.lock"),
        pytest.raises(warehouse.BuildFailed, match=r"another build or publication holds .*build\.lock"),
    ):
        warehouse.build(AS_OF, home)


def test_half_a_run_whose_records_are_gone_is_not_built(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(KeyboardInterrupt), accepted.merging(home, "survey", AS_OF):
        raise KeyboardInterrupt
    with pytest.raises(warehouse.BuildFailed, match=f"survey {AS_OF}: cut off half-way"):
        warehouse.build(AS_OF, home)
    assert not home.build_file.exists()


def test_docs_need_a_build_and_lie_under_the_home(home: Home, tmp_path: Path) -> None:
    with pytest.raises(warehouse.BuildFailed, match="build the warehouse first"):
        warehouse.docs_generate(Home(tmp_path))
    warehouse.build(AS_OF, home, select=SELECTION)
    folder = warehouse.docs_generate(home)
    assert folder.is_relative_to(home.path)
    assert "expectation_gap" in (folder / "catalog.json").read_text()
    assert (folder / "index.html").is_file()
    open_elsewhere(home.build_file)
