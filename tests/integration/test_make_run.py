"""`make run` as people start it: in a process of its own, in a fresh state folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from include import contract
from include.settings import PROJECT_ROOT
from tests.dags.test_dags import DAG_IDS

WEEKS = 1
"""A shorter history than the default's; everything else is the same."""

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("make_run")
    done = subprocess.run(
        [sys.executable, "-m", "include.run", "--weeks", str(WEEKS), "--home", str(folder / "var")],
        cwd=PROJECT_ROOT,
        env={**os.environ, "INSIGHT_SECRETS": str(folder / "secrets"), "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return folder / "var", done.stdout


def test_every_table_is_published_with_every_force(finished: tuple[Path, str]) -> None:
    home, _ = finished
    with duckdb.connect(str(home / "published" / "warehouse.duckdb"), read_only=True) as marts:
        found = marts.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
        assert {row[0] for row in found} == set(contract.published_tables())
        for table in contract.TABLES:
            columns = {row[0] for row in marts.execute(f"describe marts.{table.name}").fetchall()}
            assert "is_simulated" in columns, table.name
            if "force_id" in columns and table.name not in ("gap_ledger", "account_proposals"):
                forces = f"select count(distinct force_id) from marts.{table.name} where force_id <> 'national'"
                assert marts.execute(forces).fetchall() == [(43,)], table.name
            key = ", ".join(table.key)
            twice = f"select {key} from marts.{table.name} group by {key} having count(*) > 1"
            assert marts.execute(twice).fetchall() == [], f"{table.name}: {key} is not its key"


def test_the_screen_shows_stages_times_and_the_summary_and_nothing_else(finished: tuple[Path, str]) -> None:
    home, shown = finished
    for title in ("History of Facebook Pages", "DAGs that collect", "DAG reprocess", "DAG build_warehouse"):
        assert re.search(rf"^ +\d+\.\d s  {title}", shown, re.MULTILINE), f"no time of {title}"
    assert sorted(re.findall(r"^  (\w+) green, \d+\.\d s$", shown, re.MULTILINE)) == sorted(DAG_IDS), "every DAG once"
    assert re.search(r"^  301 forces, [\d,]+ rows", shown, re.MULTILINE), "43 forces on seven platforms, one week of history"
    for heading in (
        "Rows collected",
        "What the public wants",
        "Horizon: which channels are rising",
        "Gaps",
        "Published",
        "Try next",
    ):
        assert f"\n{heading}" in shown, heading
    assert "simulated" in shown
    assert "[info" not in shown
    assert "Traceback" not in shown
    assert "[DAG TEST] end task task_id=publish" in (home / "logs" / "make_run.log").read_text(), (
        "Airflow's own words are in the log"
    )


def test_the_command_it_suggests_works(finished: tuple[Path, str]) -> None:
    _, shown = finished
    command = next(line.strip() for line in shown.splitlines() if line.strip().startswith(".venv/bin/python -c"))
    done = subprocess.run(
        ["bash", "-c", command.replace(".venv/bin/python", sys.executable, 1)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "force_id" in done.stdout


def test_pages_of_great_expectations_are_where_it_says(finished: tuple[Path, str]) -> None:
    _, shown = finished
    index = next(line.split(maxsplit=2)[2] for line in shown.splitlines() if line.strip().startswith("Data Docs"))
    assert Path(index).is_file()
    assert "<html" in Path(index).read_text(encoding="utf-8")
