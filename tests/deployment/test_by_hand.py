"""The whole deployment on one machine: every command of docker-compose.yml by hand, and a worker killed in the middle of a run."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import duckdb
import psycopg
import pytest

from extractors.base import Access, Secret, SourceError
from include import accepted, registry
from include.airflow_home import free_port
from include.collect import collect_force, plan
from include.production import write_secrets
from include.settings import LONDON, Home
from include.simulator.graph import force_token
from include.validation import validate_run
from tests.deployment.by_hand import ByHand, Postgres, redis_server
from tests.deployment.compose import services
from tests.deployment.conftest import Image
from tests.integration.test_scheduler import Client, _asset_triggered, _ended, states

FORCES = ["cheshire", "cumbria", "gwent", "kent", "surrey", "sussex"]
LOGIN = {"username": "tester", "password": "drawn-for-one-test"}
WITHIN_SECONDS = 150
SEED = "7"

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

    home: Home
    secrets: Path
    logs: list[Path]
    run_date: date
    bi_port: int
    started: set[str] = field(default_factory=set)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    killed: str = ""
    run_state: str = ""
    build_state: str = ""
    backups: list[Path] = field(default_factory=list)


def wait_for(what: str, hands: ByHand, found: Callable[[], Found], seconds: float = WITHIN_SECONDS, every: float = 1) -> Found:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hands.check()
        if result := found():
            return result
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds} s; {hands.tail('scheduler')[-1500:]}")


@pytest.fixture(scope="module")
def deployment(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
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
        variables = {"INSIGHT_HEARTBEAT_TIMEOUT_SECONDS": "20", "INSIGHT_API_WORKERS": "1", "INSIGHT_WORKER_CONCURRENCY": "2"}
        with ByHand(image, folder, places, variables | {"INSIGHT_SIMULATOR_SEED": SEED}, {"INSIGHT_RETRY_SECONDS": "1"}) as hands:
            hands.own_ports = {"api-server": ("8080", str(ports["api"])), "simulator": ("8000", str(ports["simulator"]))}
            hands.started |= {"airflow-database", "bi-database"}
            seen = Deployment(home, drawn, [hands.logs, folder / "logs"], datetime.now(LONDON).date(), bi_database.port)
            _start(hands, ports)
            _collect_others(seen, address)
            _run(hands, seen, f"http://127.0.0.1:{ports['api']}")
            done = hands.run("backup")
            assert done.returncode == 0, done.stderr
            seen.backups = list((folder / "backups").iterdir())
            seen.started = hands.started
        yield seen


def _start(hands: ByHand, ports: dict[str, int]) -> None:
    redis_server()
    hands.start("redis", "--port", str(ports["redis"]), "--bind", "127.0.0.1")
    hands.start("simulator")
    for name in ("init", "init-bi"):
        done = hands.run(name)
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        hands.start(name)
    for number in ("one", "two"):  # one machine in the place of two containers: each worker needs a name and ports of its own
        own = {f"AIRFLOW__LOGGING__{server}_LOG_SERVER_PORT": str(free_port()) for server in ("WORKER", "TRIGGER")}
        hands.start("worker", "--celery-hostname", f"celery@{number}", process=number, extra=own)
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


def _collect_others(seen: Deployment, address: str) -> None:
    """The forces that the scheduler is not asked for, so that a publication has every force."""
    others = sorted(set(registry.current().forces_with_accounts("facebook", seen.run_date)) - set(FORCES))
    secret = (seen.secrets / "simulator_secret").read_text()
    with patch.dict(os.environ, {"INSIGHT_SECRETS": str(seen.secrets)}):
        for force_id in plan("facebook", seen.run_date, others, seen.home):
            access = Access(f"{address}/facebook", Secret(force_token(secret, "facebook", force_id)))
            try:
                collect_force("facebook", force_id, seen.run_date, seen.home, access)
            except SourceError as error:
                raise AssertionError(f"{force_id}: {error}") from error
        validate_run("facebook", seen.run_date, home=seen.home)


def _run(hands: ByHand, seen: Deployment, address: str) -> None:
    client = FabClient(address)
    wanted = {"ingest_facebook", "build_warehouse"}
    wait_for("DAGs", hands, lambda: wanted <= {dag["dag_id"] for dag in client.get("/dags")["dags"]})
    run_id = client.trigger("ingest_facebook", {"run_date": seen.run_date.isoformat(), "forces": FORCES})
    client.unpause("ingest_facebook")

    def collecting() -> str | None:
        """A worker that has a force in its hands."""
        pids = {
            task["pid"]
            for task in client.tasks("ingest_facebook", run_id)
            if task["task_id"] == "collect" and task["state"] == "running"
        }
        return next((name for name in ("one", "two") if pids & {each.pid for each in hands.family(name)}), None)

    seen.killed = wait_for("a force being collected", hands, collecting, every=0.2)
    hands.kill(seen.killed)

    run = wait_for("the run", hands, lambda: _ended(client, "ingest_facebook", run_id))
    client.pause("ingest_facebook")  # its next run by the clock has no part in this
    seen.run_state = run["state"]
    seen.tasks = client.tasks("ingest_facebook", run_id)
    client.unpause("build_warehouse")
    seen.build_state = wait_for("the build", hands, lambda: _asset_triggered(client))["state"]


def test_every_command_of_the_compose_file_was_started(deployment: Deployment) -> None:
    assert deployment.started == set(services())


def test_the_run_completes_though_a_worker_was_killed(deployment: Deployment) -> None:
    assert deployment.run_state == "success", states(deployment.tasks)
    tries = [task["try_number"] for task in deployment.tasks if task["task_id"] == "collect"]
    assert len(tries) == len(FORCES)
    assert max(tries) > 1, "the kill hit no task: it proves nothing"
    posts = accepted.read("account", deployment.home, "facebook", deployment.run_date)
    counted = posts.to_pandas().groupby("force_id").size()
    assert set(counted.index) == set(registry.current().forces_with_accounts("facebook", deployment.run_date))


def test_the_marts_are_published_in_files_and_for_bi(deployment: Deployment) -> None:
    assert deployment.build_state == "success"
    query = "select count(*), count(distinct force_id) from marts.fct_metric_daily where metric = 'followers_end'"
    with duckdb.connect(str(deployment.home.published / "warehouse.duckdb"), read_only=True) as marts:
        in_file = marts.execute(query).fetchall()
    assert in_file[0][1] == len(registry.current().force_ids)
    password = (deployment.secrets / "bi_reader_password").read_text()
    parameters = {"host": "127.0.0.1", "port": deployment.bi_port, "user": "bi_reader", "password": password, "dbname": "insight"}
    with psycopg.connect(**parameters) as reader:  # type: ignore[arg-type]
        assert reader.execute(query).fetchall() == in_file


def test_the_backup_holds_airflows_database(deployment: Deployment) -> None:
    assert [path.suffix for path in deployment.backups] == [".zst"]


def test_no_secret_is_in_any_log(deployment: Deployment) -> None:
    drawn = [path.read_bytes().strip() for path in deployment.secrets.iterdir() if path.suffix != ".json"]
    values = [value for each in drawn for value in (each.removeprefix(b"requirepass "),)]
    logs = [path for folder in deployment.logs for path in folder.rglob("*") if path.is_file()]
    assert len(logs) > 10
    for path in logs:
        content = path.read_bytes()
        assert not [value for value in values if value in content], path
