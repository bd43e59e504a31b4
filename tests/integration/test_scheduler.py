"""The real scheduler, DAG processor and API server: ingest DAGs are triggered, the warehouse follows from their asset events.

One force's token has been revoked. Then it is good again, its task is cleared, and the hole closes.
"""

import gzip
import json
import os
import sqlite3
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include import airflow_home
from include.history import collect_history
from include.publish import current_version
from include.run import SURVEY_RESPONDENTS, drop_survey_export, simulated_connections
from include.screen import Screen
from include.settings import Home, run_instant
from include.simulator.defects import Defect
from include.simulator.process import SimulatorProcess
from include.workers import workers

AS_OF = date(2026, 11, 2)
OF_THE_RUN = "from marts.gap_ledger where run_date = ? and platform = 'facebook' and list_contains(?, force_id)"
"""The other platforms and the other forces had no run on that day, and that is a hole of theirs."""
WEEK_BEFORE = date(2026, 10, 26)
FORCES = ["gwent", "kent", "surrey"]
FAILING = "surrey"
WITHIN_SECONDS = 900

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(2400)]


class Client:
    """Airflow's public API, as its UI uses it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        login = {"username": airflow_home.USER, "password": airflow_home.password()}
        self._token = self._ask("POST", "/auth/token", login)["access_token"]

    def _ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        with self._opener.open(urllib.request.Request(self.address + path, data, headers, method=method), timeout=30) as answer:
            return json.load(answer)

    def get(self, path: str) -> Any:
        return self._ask("GET", f"/api/v2{path}", token=self._token)

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """A run in the place of the one that the timetable has due now, where there is one: the scheduler will not add that."""
        due = self.get(f"/dags/{dag_id}")["next_dagrun_logical_date"]
        if due and datetime.fromisoformat(due) > datetime.now(UTC):
            due = None  # a run of a moment to come would wait for it
        return self._ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": due, "conf": conf}, self._token)["dag_run_id"]

    def end(self, dag_id: str, run_id: str) -> None:
        self._ask("PATCH", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", {"state": "success"}, self._token)

    def unpause(self, dag_id: str) -> None:
        self._ask("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False}, self._token)

    def clear(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> None:
        """One mapped task and all that comes after it, to be run again."""
        what = {"dag_run_id": run_id, "task_ids": [[task_id, map_index]], "include_downstream": True, "only_failed": False}
        self._ask("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", {**what, "dry_run": False}, self._token)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return self.get(f"/dags/{dag_id}/dagRuns")["dag_runs"]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]


def wait_for(what: str, airflow: airflow_home.Airflow, found: Any, seconds: float = WITHIN_SECONDS) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        airflow.check()
        if result := found():
            return result
        time.sleep(1)
    raise AssertionError(f"{what}: not within {seconds} s; read {airflow.logs}")


Tasks = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Round:
    """What the scheduler did, by DAG, and the version that it published."""

    runs: dict[str, dict[str, Any]]
    tasks: Tasks
    version: Path

    def query(self, sql: str, *parameters: Any) -> list[tuple]:
        with duckdb.connect(str(self.version / "warehouse.duckdb"), read_only=True) as marts:
            return marts.execute(sql, parameters).fetchall()


@dataclass(frozen=True)
class World:
    """Filled once, looked at by several tests: with one token revoked, and with that token good again and its task cleared."""

    home: Home
    tokens: dict[str, str]
    revoked: Round
    renewed: Round

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        return self.revoked.runs

    @property
    def tasks(self) -> Tasks:
        return self.revoked.tasks


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with scheduled_world(tmp_path_factory.mktemp("scheduler"), tmp_path_factory.mktemp("secrets"), FORCES) as made:
        yield made


@contextmanager
def scheduled_world(folder: Path, secrets: Path, forces: list[str] | None, seconds: float = WITHIN_SECONDS) -> Iterator[World]:
    """forces: those that the scheduler collects, None for all 43. seconds: the longest time that a DAG run may take."""
    home = Home(folder)
    expired = Defect("token_expired", FAILING, AS_OF, AS_OF)
    with pytest.MonkeyPatch.context() as patch, SimulatorProcess(seed=7, defects=[expired]) as simulator:
        patch.setenv("INSIGHT_SECRETS", str(secrets))
        patch.setenv("INSIGHT_HOME", str(home.path))
        connections = simulated_connections(simulator)
        for name, value in connections.items():
            patch.setenv(name, value)
        # every force once, a week before; then the scheduler collects those wanted
        with workers() as pool:
            collect_history(simulator, [WEEK_BEFORE], home, Screen(), pool, frozenset({"facebook"}))
        drop_survey_export(home, AS_OF, seed=7)
        simulator.set_clock(run_instant(AS_OF))
        paused = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True", "INSIGHT_RETRY_SECONDS": "1"}
        with airflow_home.Airflow(home, airflow_home.free_port(), connections | paused) as airflow:
            client = Client(airflow.address)
            runs, tasks = _trigger_everything(airflow, client, forces, seconds)
            revoked = Round(runs, tasks, _published(home))
            simulator.plant([])
            runs, tasks = _clear_the_failed_task(airflow, client, revoked, seconds)
            renewed = Round(runs, tasks, _published(home))
        yield World(home, simulator.tokens("facebook"), revoked, renewed)


def _published(home: Home) -> Path:
    version = current_version(home)
    assert version is not None
    return version


def _clear_the_failed_task(
    airflow: airflow_home.Airflow, client: Client, revoked: Round, seconds: float
) -> tuple[dict[str, dict[str, Any]], Tasks]:
    dag_id = "ingest_facebook"
    run_id = revoked.runs[dag_id]["dag_run_id"]
    failed = next(task for task in revoked.tasks[dag_id] if task["task_id"] == "collect" and task["state"] == "failed")
    client.clear(dag_id, run_id, "collect", failed["map_index"])
    run = wait_for(f"{dag_id}, cleared", airflow, lambda: _ended(client, dag_id, run_id), seconds)
    before = revoked.runs["build_warehouse"]["dag_run_id"]

    def built_again() -> dict[str, Any] | None:
        last = _asset_triggered(client)
        return last if last and last["dag_run_id"] != before else None

    runs = {dag_id: run, "build_warehouse": wait_for("the next build", airflow, built_again, seconds)}
    return runs, {name: client.tasks(name, each["dag_run_id"]) for name, each in runs.items()}


def _trigger_everything(
    airflow: airflow_home.Airflow, client: Client, forces: list[str] | None, seconds: float
) -> tuple[dict[str, dict[str, Any]], Tasks]:
    ingests = {"ingest_facebook": {"forces": forces}, "ingest_survey": {}, "ingest_signals_fediverse": {}}
    wanted = {*ingests, "build_warehouse"}
    wait_for("four DAGs", airflow, lambda: wanted <= {dag["dag_id"] for dag in client.get("/dags")["dags"]})
    # the daily deadline of the warehouse is taken as done: what builds it here are asset events
    client.end("build_warehouse", client.trigger("build_warehouse", {}))
    client.unpause("build_warehouse")
    started = {}
    for dag_id, conf in ingests.items():
        started[dag_id] = client.trigger(dag_id, {"run_date": AS_OF.isoformat(), **conf})
        client.unpause(dag_id)
    runs = {}
    for dag_id, run_id in started.items():
        runs[dag_id] = wait_for(dag_id, airflow, lambda dag_id=dag_id, run_id=run_id: _ended(client, dag_id, run_id), seconds)
    runs["build_warehouse"] = wait_for("build_warehouse", airflow, lambda: _asset_triggered(client), seconds)
    return runs, {dag_id: client.tasks(dag_id, run["dag_run_id"]) for dag_id, run in runs.items()}


def _ended(client: Client, dag_id: str, run_id: str) -> dict[str, Any] | None:
    return next((run for run in client.runs(dag_id) if run["dag_run_id"] == run_id and run["state"] in ("success", "failed")), None)


def _asset_triggered(client: Client) -> dict[str, Any] | None:
    """The last of the builds that asset events started, when none is under way: events during a build become one more."""
    runs = [run for run in client.runs("build_warehouse") if run["run_type"] == "asset_triggered"]
    if (
        not runs
        or not all(run["end_date"] for run in runs)
        or client.get("/dags/build_warehouse/assets/queuedEvents")["queued_events"]
    ):
        return None
    return max(runs, key=lambda run: run["end_date"])


def states(tasks: list[dict[str, Any]]) -> dict[str, str]:
    return {task["rendered_map_index"] or task["task_id"]: task["state"] for task in tasks}


def readable(path: Path) -> bytes:
    """A file's content, unpacked where it is compressed."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".parquet":
        table = pq.read_table(path, partitioning=None)
        texts = [table.column(field.name).unique() for field in table.schema if pa.types.is_string(field.type)]
        return "\n".join(str(text) for column in texts for text in column.to_pylist()).encode()
    return path.read_bytes()


def test_one_failing_force_turns_the_run_red_and_costs_no_other_its_data(world: World) -> None:
    assert world.runs["ingest_facebook"]["state"] == "failed"
    assert states(world.tasks["ingest_facebook"]) == {
        "plan": "success",
        "Gwent Police": "success",
        "Kent Police": "success",
        "Surrey Police": "failed",
        "validate": "success",
        "accepted": "success",
        "all_collected": "failed",
    }
    failed = next(task for task in world.tasks["ingest_facebook"] if task["rendered_map_index"] == "Surrey Police")
    assert failed["try_number"] == 1, "an expired token is not retried"


def test_files_are_collected_and_green(world: World) -> None:
    for dag_id in ("ingest_survey", "ingest_signals_fediverse"):
        assert world.runs[dag_id]["state"] == "success", dag_id
    assert [path.name for path in (world.home.inbox / "survey" / "processed").iterdir()] == ["survey_2026-autumn.csv"]


def test_the_warehouse_is_built_from_the_asset_events_and_published(world: World) -> None:
    assert world.runs["build_warehouse"]["state"] == "success"
    assert world.runs["build_warehouse"]["logical_date"] is None
    with duckdb.connect(str(world.revoked.version / "warehouse.duckdb"), read_only=True) as marts:
        assert marts.execute("select as_of_date from marts.publications").fetchall()[-1] == (AS_OF,)
        followers = marts.execute(
            "select force_id, value is not null, status, gap_cause from marts.fct_metric_daily"
            " where metric = 'followers_end' and metric_date = ? order by force_id",
            [AS_OF],
        ).fetchall()
        assert followers == [
            ("gwent", True, "ok", None),
            ("kent", True, "ok", None),
            ("surrey", False, "missing", "expired_token"),
        ]
        gaps = marts.execute(f"select force_id, cause {OF_THE_RUN}", [AS_OF, FORCES]).fetchall()
        assert gaps == [("surrey", "expired_token")]
        not_asked = f"select distinct cause from ({OF_THE_RUN.replace('and list_contains', 'and not list_contains')})"
        assert marts.execute(not_asked, [AS_OF, FORCES]).fetchall() == [("not_collected",)]
        answers = marts.execute("select max(want_base_n) from marts.expectation_gap where force_id = 'national'").fetchall()[0][0]
        assert SURVEY_RESPONDENTS * 0.9 < answers <= SURVEY_RESPONDENTS
        assert marts.execute("select direction from marts.horizon_trends where series = 'users'").fetchall() == [("up",)]


def test_the_token_good_again_and_its_task_cleared_the_hole_closes_with_the_next_build(world: World) -> None:
    assert world.renewed.runs["ingest_facebook"]["state"] == "success"
    assert set(states(world.renewed.tasks["ingest_facebook"]).values()) == {"success"}
    tries = {
        each["rendered_map_index"]: each["try_number"] for each in world.renewed.tasks["ingest_facebook"] if each["map_index"] >= 0
    }
    assert tries == {"Gwent Police": 1, "Kent Police": 1, "Surrey Police": 2}, "the others are not asked again"
    assert world.renewed.version != world.revoked.version
    gaps = f"select force_id, cause, is_open, closed_at is not null {OF_THE_RUN}"
    assert world.revoked.query(gaps, AS_OF, FORCES) == [(FAILING, "expired_token", True, False)]
    assert world.renewed.query(gaps, AS_OF, FORCES) == [(FAILING, "expired_token", False, True)]
    followers = (
        "select status, value is not null from marts.fct_metric_daily"
        " where metric = 'followers_end' and metric_date = ? and force_id = ?"
    )
    assert world.renewed.query(followers, AS_OF, FAILING) == [("ok", True)]


def test_no_secret_in_any_file_log_or_rendered_field(world: World) -> None:
    secrets = [token.encode() for token in world.tokens.values()]
    for path in (path for path in Path(os.environ["INSIGHT_SECRETS"]).rglob("*") if path.is_file()):
        content = path.read_bytes().strip()
        if path.suffix == ".json":
            secrets += [secret.encode() for secret in json.loads(content).values()]
        else:
            secrets += [content, content.hex().encode()]
    assert len(secrets) >= 49, "43 tokens, the login, Airflow's three keys, the key of the pseudonyms as it is and as hex"
    kinds = Counter(path.suffix for path in world.home.path.rglob("*") if path.is_file())
    assert min(kinds[suffix] for suffix in (".gz", ".parquet", ".log", ".db", ".duckdb", ".html")) >= 1, kinds
    landed = [readable(path) for path in world.home.landing.rglob("*.gz")]
    assert any(b"Session has expired" in content for content in landed), "what is looked into must be readable"
    for path in (path for path in world.home.path.rglob("*") if path.is_file()):
        content = readable(path)
        for secret in secrets:
            assert secret not in content, f"a secret is in {path}"
    with sqlite3.connect(world.home.airflow / "airflow.db") as database:
        query = "select rendered_fields from rendered_task_instance_fields where dag_id = 'ingest_facebook'"
        rendered = database.execute(query).fetchall()
    shown = " ".join(str(row) for row in rendered)
    assert "gwent" in shown, "the force id is an argument, and the only one"
    assert not any(token in shown for token in world.tokens.values())
