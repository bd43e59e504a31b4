"""Ingest DAGs run for real, in this process: what fails costs no other its data, turns the run red, and says what."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include import accepted, airflow_home
from include.settings import Home, run_instant
from include.simulator.survey import write_survey_export

AS_OF = date(2026, 11, 2)

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module", autouse=True)
def database() -> None:
    airflow_home.prepare(Home.current(), {}, Home.current().path / "prepare.log")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("INSIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("INSIGHT_RETRY_SECONDS", "0.1")
    return Home(tmp_path)


def states(run: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for ti in run.get_task_instances():
        found.setdefault(ti.task_id, set()).add(str(ti.state))
    return found


def by_label(run: Any, task_id: str) -> dict[str, tuple[str, int]]:
    """State and number of tries of each mapped task, by its label."""
    return {ti.rendered_map_index: (str(ti.state), ti.try_number) for ti in run.get_task_instances() if ti.task_id == task_id}


def drop(home: Home, name: str, content: bytes | None = None) -> None:
    path = home.inbox / "survey" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        write_survey_export(path, 5, "2026-autumn", 400)
    else:
        path.write_bytes(content)
    os.utime(path, (0, 0))


def test_a_bad_file_is_put_aside_with_its_reason_and_the_others_go_on(dag_bag: Any, home: Home) -> None:
    drop(home, "survey_2026-autumn.csv")
    drop(home, "survey_2026-autumn_empty.csv", b"")
    run = dag_bag.dags["ingest_survey"].test(logical_date=run_instant(AS_OF))
    assert by_label(run, "collect") == {
        "survey_2026-autumn.csv": ("success", 1),
        "survey_2026-autumn_empty.csv": ("failed", 1),
    }, "a bad file is not tried again"
    assert states(run) == {
        "list_files": {"success"},
        "collect": {"success", "failed"},
        "validate": {"success"},
        "accepted": {"success"},
        "all_collected": {"failed"},
    }
    assert str(run.state) == "failed"
    inbox = home.inbox / "survey"
    assert sorted(path.relative_to(inbox).as_posix() for path in inbox.rglob("*") if path.is_file()) == [
        "processed/survey_2026-autumn.csv",
        "rejected/survey_2026-autumn_empty.csv",
        "rejected/survey_2026-autumn_empty.csv.reason.txt",
    ]
    assert "survey_2026-autumn_empty.csv" in (inbox / "rejected" / "survey_2026-autumn_empty.csv.reason.txt").read_text()
    respondents = set(accepted.read("survey_answer", home).column("respondent_key").to_pylist())
    assert len(respondents) == 400


def test_an_empty_inbox_skips_everything_and_is_green(dag_bag: Any, home: Home) -> None:
    run = dag_bag.dags["ingest_survey"].test(logical_date=run_instant(AS_OF))
    assert str(run.state) == "success"
    after = ("collect", "validate", "accepted", "all_collected")
    assert states(run) == {"list_files": {"success"}, **{task_id: {"skipped"} for task_id in after}}


def test_without_a_connection_every_force_fails_at_once_and_no_asset_is_told(dag_bag: Any, home: Home) -> None:
    conf = {"forces": ["gwent", "kent"], "run_date": "2026-10-26"}
    run = dag_bag.dags["ingest_facebook"].test(logical_date=run_instant(AS_OF), run_conf=conf)
    assert by_label(run, "collect") == {"Gwent Police": ("failed", 1), "Kent Police": ("failed", 1)}
    assert states(run) == {
        "plan": {"success"},
        "collect": {"failed"},
        "validate": {"success"},
        "accepted": {"skipped"},
        "all_collected": {"failed"},
    }
    planned = accepted.read("plan", home)
    assert set(planned.column("force_id").to_pylist()) == {"gwent", "kent"}
    assert set(planned.column("run_date").to_pylist()) == {date(2026, 10, 26)}, "the parameter goes before the logical date"


def test_the_shipped_series_is_collected_and_green(dag_bag: Any, home: Home) -> None:
    run = dag_bag.dags["ingest_signals_fediverse"].test(logical_date=run_instant(AS_OF))
    assert str(run.state) == "success"
    assert accepted.read("signal", home).num_rows == 1748
    (path,) = (home.accepted / "signal" / "signals_fediverse").iterdir()
    before = path.read_bytes()
    conf = {"source": "signals_fediverse", "first": "2026-10-30", "last": "2026-11-02"}
    again = dag_bag.dags["reprocess"].test(logical_date=run_instant(AS_OF), run_conf=conf)
    assert str(again.state) == "success"
    assert by_label(again, "again") == {"2026-11-02": ("success", 1)}, "the days that have landed something"
    assert path.read_bytes() == before
    assert told(again) == ["accepted/signals_fediverse"], "the warehouse follows"


def told(run: Any) -> list[str]:
    """Names of the assets that a run has told of."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id))
        return sorted(event.asset.name for event in events)


def test_reprocess_names_the_file_that_it_cannot_read(dag_bag: Any, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home.landing / "signals_fediverse" / AS_OF.isoformat() / "fediverse.csv"
    folder.mkdir(parents=True)
    (folder / "0123456789abcdef0123.jsonl.gz").write_bytes(b"no gzip")
    conf = {"source": "signals_fediverse", "first": AS_OF.isoformat(), "last": AS_OF.isoformat()}
    run = dag_bag.dags["reprocess"].test(logical_date=run_instant(AS_OF), run_conf=conf)
    assert str(run.state) == "failed"
    assert by_label(run, "again") == {"2026-11-02": ("failed", 1)}, "another try reads the same"
    assert states(run)["accepted"] == {"skipped"}
    assert states(run)["all_reprocessed"] == {"failed"}


def test_with_nothing_accepted_the_warehouse_is_not_built(dag_bag: Any, home: Home) -> None:
    run = dag_bag.dags["build_warehouse"].test(logical_date=run_instant(AS_OF))
    assert states(run) == {task: {"skipped"} for task in ("build", "publish", "nothing_expires")}
    assert not home.published.exists()
