"""The whole deployment on one machine: every command of docker-compose.yml by hand, and a worker killed in the middle of a run.

The world is small, for a machine of two cores: one platform (Facebook). All its forces are collected once, for the day before, by
the schedule; the run in which a worker dies has six of them. Each worker does one task at a time, so that the dead one had in its
hands what Airflow calls running: a task that it had taken and not begun would wait for Airflow's queue timeout (ten minutes).
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import psycopg
import pytest

from include import accepted, registry
from include.airflow_home import free_port
from include.production import write_secrets
from include.settings import LONDON, Home
from tests.deployment.by_hand import ByHand, Postgres, redis_server
from tests.deployment.compose import services
from tests.deployment.conftest import Image
from tests.integration.test_scheduler import Client, _asset_triggered, _ended, readable, states

FORCES = ["cheshire", "cumbria", "gwent", "kent", "surrey", "sussex"]
LOGIN = {"username": "tester", "password": "drawn-for-one-test"}
WITHIN_SECONDS = 240
QUERIES = (
    "select force_id, value from marts.fct_metric_daily where metric = 'followers_end' and value is not null order by 1, 2",
    "select run_date, force_id, status from marts.collection_health where platform = 'facebook' order by 1, 2",
    "select publication_id, as_of_date from marts.publications order by publication_id desc limit 1",
)
AIRFLOW_RUNS = "select dag_id, run_type, state, count(*) from dag_run group by 1, 2, 3 order by 1, 2, 3"

pytestmark = [pytest.mark.full, pytest.mark.airflow, pytest.mark.timeout(1200)]
Found = TypeVar("Found")


class FabClient(Client):
    """The same API, with a login that `airflow users create` made."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._token = self._ask("POST", "/auth/token", LOGIN)["access_token"]

    def pause(self, dag_id: str) -> None:
        self._ask("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True}, self._token)


@dataclass
class Deployment:
    """What was seen, filled once and looked at by several tests."""

    folder: Path
    home: Home
    secrets: Path
    run_date: date
    bi_port: int
    tokens: list[str] = field(default_factory=list)
    started: set[str] = field(default_factory=set)
    clock_run: dict[str, Any] = field(default_factory=dict)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    killed: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    build: dict[str, Any] = field(default_factory=dict)
    in_file: list[Any] = field(default_factory=list)
    for_bi: list[Any] = field(default_factory=list)
    backups: list[Path] = field(default_factory=list)
    airflow_runs: list[Any] = field(default_factory=list)
    airflow_runs_restored: list[Any] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def wait_for(what: str, hands: ByHand, found: Callable[[], Found], seconds: float = WITHIN_SECONDS, every: float = 1) -> Found:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hands.check()
        if result := found():
            return result
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds} s; {hands.tail('scheduler')[-1500:]}")


@pytest.fixture(scope="module")
def deployment(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("deployment")
    ports = {name: free_port() for name in ("redis", "api", "health", "simulator")}
    drawn = folder / "secrets"
    home, address = Home(folder / "var"), f"http://127.0.0.1:{ports['simulator']}"
    home.path.mkdir()
    (folder / "redis").mkdir()
    write_secrets(drawn, "to-be-set:5432", f"127.0.0.1:{ports['redis']}", address)
    with (
        Postgres("airflow", (drawn / "airflow_database_password").read_text()) as airflow_database,
        Postgres("postgres", (drawn / "bi_database_password").read_text()) as bi_database,
    ):
        (drawn / "airflow_database_url").unlink()
        write_secrets(drawn, f"127.0.0.1:{airflow_database.port}")
        places = {
            "/run/secrets": str(drawn),
            "/var/lib/insight": str(home.path),
            "/var/log/airflow": str(folder / "logs"),
            "/opt/insight": str(image.project),
            "/backups": str(folder / "backups"),
            "/data": str(folder / "redis"),
            "redis-cli ping": f"redis-cli -p {ports['redis']} ping",
            "http://api-server:8080": f"http://127.0.0.1:{ports['api']}",
            "http://127.0.0.1:8080": f"http://127.0.0.1:{ports['api']}",
            "http://localhost:8080": f"http://127.0.0.1:{ports['api']}",
            "bi-database:5432": f"127.0.0.1:{bi_database.port}",
            "0.0.0.0": "127.0.0.1",
            "8974": str(ports["health"]),
            "celery@$HOSTNAME": "celery@one",
        }
        variables = {
            "INSIGHT_HEARTBEAT_TIMEOUT_SECONDS": "20",
            "INSIGHT_API_WORKERS": "1",
            "INSIGHT_WORKER_CONCURRENCY": "1",
            "INSIGHT_SIMULATOR_SEED": "7",
        }
        seen = Deployment(folder, home, drawn, datetime.now(LONDON).date(), bi_database.port)
        connections = json.loads((drawn / "connections.json").read_text())
        seen.tokens = [token for each in connections.values() for token in each["extra"]["tokens"].values()]
        hands = ByHand(image, folder, places, variables, {"INSIGHT_RETRY_SECONDS": "1"})
        hands.own_ports = {"api-server": ("8080", str(ports["api"])), "simulator": ("8000", str(ports["simulator"]))}
        hands.started |= {"airflow-database", "bi-database"}
        with hands:
            _start(hands, ports)
            _run(hands, seen, f"http://127.0.0.1:{ports['api']}")
            _read(seen)
            _back_up_and_restore(hands, seen, airflow_database)
            seen.started = hands.started
        seen.left = [str(each) for each in hands.left()]
    return seen


def _start(hands: ByHand, ports: dict[str, int]) -> None:
    redis_server()
    hands.start("redis", "--port", str(ports["redis"]), "--bind", "127.0.0.1")
    hands.start("simulator")
    for name in ("init", "init-bi"):
        done = hands.run(name)
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        hands.start(name)
    for number in ("one", "two"):  # one machine in the place of two containers: each worker needs a name of its own
        hands.start("worker", "--celery-hostname", f"celery@{number}", process=number)
    words = [
        "airflow",
        "users",
        "create",
        "--role",
        "Admin",
        "--email",
        "tester@example.org",
        "--firstname",
        "T",
        "--lastname",
        "R",
    ]
    done = hands.run("init", *words, "--username", LOGIN["username"], "--password", LOGIN["password"])
    assert "created with role" in done.stdout, done.stdout + done.stderr
    hands.wait_until_healthy("redis", "simulator", "api-server", "scheduler", "dag-processor", "triggerer", "worker")


def _run(hands: ByHand, seen: Deployment, address: str) -> None:
    client = FabClient(address)
    ingest, warehouse = "ingest_facebook", "build_warehouse"
    wait_for("DAGs", hands, lambda: {ingest, warehouse} <= {dag["dag_id"] for dag in client.get("/dags")["dags"]})
    client.unpause(ingest)
    seen.clock_run = wait_for("the run by the clock", hands, lambda: _ended_by_clock(client, ingest))
    run_id = client.trigger(ingest, {"run_date": seen.run_date.isoformat(), "forces": FORCES})

    def in_hands() -> tuple[str, dict[str, Any]] | None:
        """A worker that has a force in its hands, and the task."""
        running = [task for task in client.tasks(ingest, run_id) if task["task_id"] == "collect" and task["state"] == "running"]
        pids = {name: {each.pid for each in hands.family(name)} for name in ("one", "two")}
        return next(((name, task) for name in pids for task in running if task["pid"] in pids[name]), None)

    def stopped() -> tuple[str, dict[str, Any]] | None:
        """The same, standing still, and in the middle of the task for sure."""
        if not (found := in_hands()):
            return None
        name, task = found
        frozen = hands.freeze(name)
        time.sleep(1)  # for what it had said and nobody had heard yet
        if any((each["id"], each["state"]) == (task["id"], "running") for each in client.tasks(ingest, run_id)):
            return found
        for each in reversed(frozen):
            each.resume()
        return None

    name, seen.killed = wait_for("a force being collected", hands, stopped, every=0.1)
    hands.kill(name)
    client.unpause(warehouse)  # before the run ends: Airflow tells paused DAGs of no asset
    seen.run = wait_for("the run", hands, lambda: _ended(client, ingest, run_id))
    client.pause(ingest)
    seen.tasks = client.tasks(ingest, run_id)
    seen.build = wait_for("the build", hands, lambda: _asset_triggered(client))
    client.pause(warehouse)


def _ended_by_clock(client: Client, dag_id: str) -> dict[str, Any] | None:
    ended = [run for run in client.runs(dag_id) if run["run_type"] == "scheduled" and run["end_date"]]
    return ended[0] if ended else None


def _read(seen: Deployment) -> None:
    """What readers of the files see, and readers of PostgreSQL."""
    with duckdb.connect(str(seen.home.published / "warehouse.duckdb"), read_only=True) as marts:
        seen.in_file = [marts.execute(query).fetchall() for query in QUERIES]
    password = (seen.secrets / "bi_reader_password").read_text()
    parameters = {"host": "127.0.0.1", "port": seen.bi_port, "user": "bi_reader", "password": password, "dbname": "insight"}
    with psycopg.connect(**parameters) as reader:  # type: ignore[arg-type]
        seen.for_bi = [reader.execute(query).fetchall() for query in QUERIES]


def _back_up_and_restore(hands: ByHand, seen: Deployment, airflow_database: Postgres) -> None:
    """As docs/backup.md has it: a backup while everything runs; then all is lost and comes back."""
    done = hands.run("backup")
    assert done.returncode == 0, done.stderr
    seen.backups = list((seen.folder / "backups").iterdir())
    for name in reversed(list(hands.processes)):
        hands.stop(name)
    seen.home.path.rename(seen.folder / "lost")
    seen.home.path.mkdir()
    with airflow_database.connect() as admin:
        seen.airflow_runs = admin.execute(AIRFLOW_RUNS).fetchall()
        admin.execute("delete from dag_run")
        assert admin.execute(AIRFLOW_RUNS).fetchall() == []
    words = ["python", "-m", "include.backup", "restore", f"/backups/{seen.backups[0].name}", "--force"]
    done = hands.run("backup", *(hands.here(word) for word in words))
    assert done.returncode == 0, done.stderr
    with airflow_database.connect() as admin:
        seen.airflow_runs_restored = admin.execute(AIRFLOW_RUNS).fetchall()


def test_every_command_of_the_compose_file_was_started(deployment: Deployment) -> None:
    assert deployment.started == set(services())


def test_no_process_is_left(deployment: Deployment) -> None:
    assert deployment.left == []


def forces_of(deployment: Deployment, run_date: date) -> set[str]:
    """Forces with an accepted account of a run date."""
    accounts = accepted.read("account", deployment.home, "facebook", run_date)
    return set(accounts.column("force_id").to_pylist())


def test_the_run_by_the_clock_collected_every_force(deployment: Deployment) -> None:
    assert deployment.clock_run["state"] == "success"
    day = datetime.fromisoformat(deployment.clock_run["logical_date"]).astimezone(LONDON).date()
    everyone = set(registry.current().forces_with_accounts("facebook", day))
    assert len(everyone) > 40
    assert forces_of(deployment, day) == everyone


def test_the_run_completes_though_a_worker_was_killed(deployment: Deployment) -> None:
    assert deployment.run["state"] == "success", states(deployment.tasks)
    tries = {task["map_index"]: task["try_number"] for task in deployment.tasks if task["task_id"] == "collect"}
    assert len(tries) == len(FORCES)
    assert deployment.killed["try_number"] == 1
    assert tries.pop(deployment.killed["map_index"]) == 2, "the task that died is tried again"
    assert set(tries.values()) == {1}, "and no other"
    assert set(FORCES) <= forces_of(deployment, deployment.run_date)


def test_the_marts_are_published_in_files_and_for_bi(deployment: Deployment) -> None:
    assert deployment.build["state"] == "success"
    followers, health, publication = deployment.in_file
    assert {force_id for force_id, value in followers if value > 0} == set(registry.current().force_ids)
    collected = {force_id for run_date, force_id, status in health if (run_date, status) == (deployment.run_date, "ok")}
    assert set(FORCES) <= collected, "those of the run with the killed worker too"
    assert publication[0][1] == deployment.run_date
    assert deployment.for_bi == deployment.in_file


def test_a_backup_brings_everything_back(deployment: Deployment) -> None:
    assert [path.suffix for path in deployment.backups] == [".zst"]
    assert ("build_warehouse", "asset_triggered", "success", 1) in deployment.airflow_runs
    assert deployment.airflow_runs_restored == deployment.airflow_runs
    with duckdb.connect(str(deployment.home.published / "warehouse.duckdb"), read_only=True) as marts:
        assert [marts.execute(query).fetchall() for query in QUERIES] == deployment.in_file
    assert set(FORCES) <= forces_of(deployment, deployment.run_date)


def test_no_secret_is_in_any_log_or_file(deployment: Deployment) -> None:
    drawn = [path.read_bytes().strip() for path in deployment.secrets.iterdir() if path.suffix != ".json"]
    values = [each.removeprefix(b"requirepass ") for each in drawn] + [each.encode() for each in deployment.tokens]
    values.append(LOGIN["password"].encode())
    assert len(values) > 50, "what was drawn, and every token"

    def found_in(path: Path) -> list[bytes]:
        content = readable(path)
        return [value for value in values if value in content]

    assert all(found_in(path) for path in deployment.secrets.iterdir()), "it finds what is there"
    places = ("logs", "processes", "tmp", "redis", "var", "lost")
    files = [path for place in places for path in (deployment.folder / place).rglob("*") if path.is_file()]
    logs = [path for path in files if path.suffix == ".log"]
    assert len(logs) > 50
    assert len(files) > 2 * len(logs)
    assert [path for path in files if found_in(path)] == []
