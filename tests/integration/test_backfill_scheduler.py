"""`airflow backfill create` by the real scheduler, over the days before the DAGs' start date and after it.

The scheduler is killed in the middle and started again. The accepted rows are those of the same run dates collected in this
process; every run date has been run once; no more forces are collected at once than the pool has slots.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from include import accepted, airflow_home
from include.collect import collect_force, plan
from include.dag_defaults import START_DATE
from include.landing import SUFFIX
from include.records import RECORD_KINDS
from include.run import simulated_connections
from include.settings import PROJECT_ROOT, Home, run_instant
from include.simulator.process import SimulatorProcess
from include.validation import validate_run
from tests.integration.test_scheduler import Client, wait_for
from tests.integration.worlds import drawn_seed

DAG_ID = "ingest_facebook"
FORCES = ("gwent", "surrey")
TODAY = date(2026, 11, 2)
RUN_DATES = tuple(date(2025, 12, 22) + timedelta(days=number) for number in range(21))
YEAR = tuple(RUN_DATES[-1] - timedelta(days=number) for number in range(364, -1, -1))
LOCKED_AT_MOST = 10
SLOTS, RUNS_AT_ONCE = 2, 3
DONE_AT_KILL = 5
NOT_COMPARED = ("ingest_id", "raw_sha256")
WITHIN_SECONDS = 1500
QUICK = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
    "INSIGHT_RETRY_SECONDS": "1",
    # how soon a task is missed whose scheduler is gone: five minutes else
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
}

pytestmark = [pytest.mark.full, pytest.mark.airflow, pytest.mark.timeout(3000)]


Instance = tuple[date, str, int]
"""Run date, task, and which of its mapped ones."""


@dataclass(frozen=True)
class Done:
    """tasks: the instances of every run date. interrupted: those that were under way as the scheduler was killed."""

    seed: int
    home: Home
    in_process: Home
    runs: tuple[dict[str, Any], ...]
    tasks: Mapping[date, list[dict[str, Any]]]
    interrupted: frozenset[Instance]
    done_at_kill: int
    refused: int
    asked_again: int
    year: int


def airflow_command(airflow: airflow_home.Airflow, *words: str) -> str:
    """What the command prints. Fails with its last lines."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *words],
        cwd=PROJECT_ROOT,
        env={**os.environ, **airflow.variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def backfill(airflow: airflow_home.Airflow, first: date, last: date) -> None:
    """--to-date is an instant: the day's midnight, before its run."""
    between = ("--from-date", first.isoformat(), "--to-date", (last + timedelta(days=1)).isoformat())
    conf = json.dumps({"forces": FORCES})
    at_once = ("--max-active-runs", str(RUNS_AT_ONCE))
    command = ("backfill", "create", "--dag-id", DAG_ID, *between, *at_once, "--dag-run-conf", conf)
    for _ in range(LOCKED_AT_MOST):
        try:
            airflow_command(airflow, *command)
            return
        except AssertionError as error:  # SQLite with a scheduler beside it: then nothing has been made
            if "database is locked" not in str(error):
                raise
            print("the database was locked")
    raise AssertionError("the database was locked every time")


def kill_scheduler(airflow: airflow_home.Airflow) -> None:
    """With every task that it runs, as a machine that loses its power."""
    process = airflow._processes["scheduler"]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run_date(run: Mapping[str, Any]) -> date:
    return datetime.fromisoformat(run["logical_date"]).date()


def instance(day: date, task: Mapping[str, Any]) -> Instance:
    return day, task["task_id"], task["map_index"]


def backfilled(client: Client) -> list[dict[str, Any]]:
    found = client.get(f"/dags/{DAG_ID}/dagRuns?limit=100")
    return [run for run in found["dag_runs"] if run["run_type"] == "backfill"]


def asked(simulator: SimulatorProcess) -> Mapping[str, int]:
    found: Mapping[str, int] = simulator.requests()["by_platform"]["facebook"]
    return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    seed, folder = drawn_seed(), tmp_path_factory.mktemp("backfill_scheduler")
    home, in_process = Home(folder / "var"), Home(folder / "in_process")
    with pytest.MonkeyPatch.context() as patch, SimulatorProcess(seed, forces=FORCES, clock=run_instant(TODAY)) as simulator:
        connections = simulated_connections(simulator)
        for name, value in {"INSIGHT_SECRETS": str(folder / "secrets"), "INSIGHT_HOME": str(home.path), **connections}.items():
            patch.setenv(name, value)
        with airflow_home.Airflow(home, airflow_home.free_port(), connections | QUICK) as airflow:
            client = Client(airflow.address)
            wait_for("the DAG", airflow, lambda: DAG_ID in {dag["dag_id"] for dag in client.get("/dags")["dags"]})
            airflow_command(airflow, "pools", "set", "facebook", str(SLOTS), "fewer than runs and forces")
            client.end(DAG_ID, client.trigger(DAG_ID, {}))  # today's own run is taken as done
            client.unpause(DAG_ID)
            backfill(airflow, RUN_DATES[0], RUN_DATES[-1])

            def in_the_middle() -> bool:
                """Some run dates are through, and forces are being collected."""
                runs = backfilled(client)
                if sum(run["state"] == "success" for run in runs) < DONE_AT_KILL:
                    return False
                under_way = [task for run in runs if run["state"] == "running" for task in client.tasks(DAG_ID, run["dag_run_id"])]
                return any((task["task_id"], task["state"]) == ("collect", "running") for task in under_way)

            wait_for("the middle", airflow, in_the_middle, WITHIN_SECONDS)
            kill_scheduler(airflow)
            at_kill = backfilled(client)
            interrupted = frozenset(
                instance(run_date(run), task)
                for run in at_kill
                if run["state"] == "running"
                for task in client.tasks(DAG_ID, run["dag_run_id"])
                if task["state"] in ("running", "queued", "scheduled")
            )
            airflow._start("scheduler")
            wait_for(
                "the backfill",
                airflow,
                lambda: all(run["state"] in ("success", "failed") for run in backfilled(client)),
                WITHIN_SECONDS,
            )
            runs = tuple(sorted(backfilled(client), key=run_date))
            tasks = {run_date(run): client.tasks(DAG_ID, run["dag_run_id"]) for run in runs}
            wait_for("its end", airflow, lambda: _is_completed(client))
            before = simulator.requests()["total"]
            backfill(airflow, RUN_DATES[0], RUN_DATES[-1])
            wait_for("the second one's end", airflow, lambda: _is_completed(client))
            asked_again = simulator.requests()["total"] - before
        backfill(airflow, YEAR[0], YEAR[-1])
        with sqlite3.connect(home.airflow / "airflow.db") as database:
            (year,) = database.execute("select count(*) from dag_run where run_type = 'backfill' and state = 'queued'").fetchone()
        refused = asked(simulator)["refused"]
        for day in RUN_DATES:
            for force_id in plan("facebook", day, FORCES, in_process):
                collect_force("facebook", force_id, day, in_process)
            validate_run("facebook", day, home=in_process)
    finished = sum(run["state"] == "success" for run in at_kill)
    return Done(seed, home, in_process, runs, tasks, interrupted, finished, refused, asked_again, year)


def _is_completed(client: Client) -> bool:
    found = client.get(f"/backfills?dag_id={DAG_ID}")["backfills"]
    return bool(found) and all(each["completed_at"] for each in found)


def rows(home: Home, kind: str) -> set[tuple[Any, ...]]:
    """Asserts that no ingest has a thing twice."""
    definition, found, seen = RECORD_KINDS[kind], set(), set()
    for row in accepted.read(kind, home, "facebook").to_pylist():
        if row["run_date"] not in RUN_DATES:
            continue
        key = (row["ingest_id"], row["observed_at"], *(row[name] for name in definition.key))
        assert key not in seen, f"doubled: {row}"
        seen.add(key)
        found.add(tuple(value for name, value in row.items() if name not in NOT_COMPARED))
    return found


def test_every_run_date_is_run_once_also_before_the_start_date(done: Done) -> None:
    assert RUN_DATES[0] < START_DATE.date() < RUN_DATES[-1]
    assert [run_date(run) for run in done.runs] == list(RUN_DATES)
    assert {run["state"] for run in done.runs} == {"success"}
    for day, tasks in done.tasks.items():
        assert sorted(task["task_id"] for task in tasks) == sorted(
            ["plan", *["collect"] * len(FORCES), "validate", "accepted", "all_collected"]
        )
        assert {task["state"] for task in tasks} == {"success"}, day
        landed = [*(done.home.landing / "facebook" / day.isoformat()).glob(f"*/*{SUFFIX}")]
        assert {path.parent.name for path in landed} == set(FORCES)


def test_a_killed_scheduler_goes_on_where_it_was(done: Done) -> None:
    assert DONE_AT_KILL <= done.done_at_kill < len(RUN_DATES)
    assert done.interrupted
    again = {instance(day, task) for day, tasks in done.tasks.items() for task in tasks if task["try_number"] > 1}
    assert again <= done.interrupted, "what had ended is not asked again"


def test_the_accepted_rows_are_those_of_the_backfill_in_this_process(done: Done) -> None:
    for kind in ("account", "post", "observation", "message"):
        here, there = rows(done.in_process, kind), rows(done.home, kind)
        assert here, kind
        assert here == there, f"world {done.seed}, {kind}: {list(here - there)[:3]} lost, {list(there - here)[:3]} more"


def test_no_more_forces_at_once_than_the_pool_has_slots_and_no_call_is_refused(done: Done) -> None:
    moments = []
    for task in (task for tasks in done.tasks.values() for task in tasks if task["task_id"] == "collect"):
        assert task["pool"] == "facebook"
        moments += [(datetime.fromisoformat(task["start_date"]), 1), (datetime.fromisoformat(task["end_date"]), -1)]
    at_once, most = 0, 0
    for _, step in sorted(moments):
        at_once += step
        most = max(most, at_once)
    assert 1 <= most <= SLOTS < RUNS_AT_ONCE * len(FORCES)
    assert done.refused == 0


def test_the_same_days_again_ask_nothing(done: Done) -> None:
    assert done.asked_again == 0


def test_a_whole_year_is_made_without_what_has_been_run(done: Done) -> None:
    """With no scheduler beside: SQLite would be locked before the 365th."""
    assert len(YEAR) == 365
    assert done.year == len(set(YEAR) - set(RUN_DATES)) < len(YEAR)
