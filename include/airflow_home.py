"""Airflow for this project, without touching anybody's own Airflow: its home is `var/airflow`, its settings are variables.

Used by `make run` (DAGs without a scheduler), `make up` and the tests (real scheduler, DAG processor and API server).
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from include.settings import PROJECT_ROOT, Home, secrets_folder

USER = "admin"

COMPONENTS = {
    "api-server": ["api-server"],
    # task logs are read from the disk; the scheduler's own log server would listen on every network
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
}
HEALTHY_WITHIN_SECONDS = 180
STOP_SECONDS = 20


class AirflowFailed(RuntimeError):
    """Airflow did not start, or one of its processes ended. Names the log to read."""


def environment(home: Home, port: int = 8080) -> dict[str, str]:
    """Airflow's settings as variables, its own keys among them; connections (AIRFLOW_CONN_…) are the caller's."""
    address = f"http://127.0.0.1:{port}"
    return {
        "INSIGHT_HOME": str(home.path),
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file()),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home.airflow / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.airflow / "logs"),
        **_keys(),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": str(PROJECT_ROOT),
        # Airflow and its servers start further programs by name
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def passwords_file() -> Path:
    """Logins of the UI. With the other secrets, not under `var/`."""
    return secrets_folder() / "airflow_logins.json"


def password() -> str:
    """The password of the one user, drawn on first use."""
    return _drawn_once(passwords_file(), {USER: lambda: secrets.token_urlsafe(12)})[USER]


def _keys() -> dict[str, str]:
    """What Airflow signs and encrypts with. Its own way is to write them into airflow.cfg, beside the data they protect."""
    key_makers = {
        "AIRFLOW__CORE__FERNET_KEY": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__API__SECRET_KEY": lambda: secrets.token_urlsafe(64),
        "AIRFLOW__API_AUTH__JWT_SECRET": lambda: secrets.token_urlsafe(64),
    }
    return _drawn_once(secrets_folder() / "airflow_keys.json", key_makers)


def _drawn_once(path: Path, makers: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """Secrets kept in a file that only its owner reads; those that are not there yet are drawn."""
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    drawn = {name: make() for name, make in makers.items() if name not in kept}
    if drawn:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(json.dumps(kept | drawn), encoding="utf-8")
    return kept | drawn


def write_pools(home: Home) -> Path:
    """The pools that the DAGs ask for, one for each platform, as `airflow pools import` reads them."""
    from extractors import SOURCES
    from extractors.base import ApiSource

    wanted = {
        source.name: {
            "slots": source.limits.at_once,
            "description": f"Forces collected at once from {source.title}",
            "include_deferred": False,
        }
        for source in SOURCES
        if isinstance(source, ApiSource)
    }
    home.airflow.mkdir(parents=True, exist_ok=True)
    path = home.airflow / "pools.json"
    path.write_text(json.dumps(wanted), encoding="utf-8")
    return path


def prepare(home: Home, variables: dict[str, str], log: Path) -> None:
    """Airflow's database and pools, created or brought up to date. Raises AirflowFailed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    password()
    pools = write_pools(home)
    for command in (["db", "migrate"], ["pools", "import", str(pools)]):
        with log.open("ab") as output:
            done = subprocess.run(  # noqa: S603  (our own interpreter)
                [sys.executable, "-m", "airflow", *command],
                env={**os.environ, **variables},
                stdout=output,
                stderr=output,
                check=False,
            )
        if done.returncode:
            raise AirflowFailed(f"airflow {' '.join(command[:2])} failed; read {log}")


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Airflow:
    """Scheduler, DAG processor and API server, from `with` to its end. Each in a process group of its own, stopped by its id."""

    def __init__(self, home: Home, port: int = 8080, variables: dict[str, str] | None = None) -> None:
        self.home = home
        self.port = port
        self.variables = environment(home, port) | (variables or {})
        self.logs = home.airflow / "processes"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Airflow:
        prepare(self.home, self.variables, self.logs / "prepare.log")
        try:
            for component in COMPONENTS:
                self._start(component)
            self._wait_until_healthy()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _start(self, component: str) -> None:
        with (self.logs / f"{component}.log").open("ab") as output:
            self._processes[component] = subprocess.Popen(  # noqa: S603  (our own interpreter)
                [sys.executable, "-m", "airflow", *COMPONENTS[component]],
                cwd=PROJECT_ROOT,
                env={**os.environ, **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raises AirflowFailed when a process has ended."""
        for component, process in self._processes.items():
            if process.poll() is not None:
                raise AirflowFailed(f"airflow {component} ended with {process.returncode}; read {self.logs / component}.log")

    def health(self) -> dict[str, str | None]:
        """Component to its status, by the API server; empty while that does not answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever proxies are set
        try:
            with opener.open(f"{self.address}/api/v2/monitor/health", timeout=5) as answer:
                return {name: part["status"] for name, part in json.load(answer).items()}
        except (urllib.error.URLError, OSError, ValueError):
            return {}

    def _wait_until_healthy(self) -> None:
        until = time.monotonic() + HEALTHY_WITHIN_SECONDS
        wanted = ("metadatabase", "scheduler", "dag_processor")
        while time.monotonic() < until:
            self.check()
            health = self.health()
            if all(health.get(component) == "healthy" for component in wanted):
                return
            time.sleep(1)
        raise AirflowFailed(f"Airflow is not healthy after {HEALTHY_WITHIN_SECONDS} s ({self.health()}); read {self.logs}")

    def stop(self) -> None:
        """End all processes, each with the processes it started; twice does no harm."""
        processes, self._processes = self._processes, {}
        for process in processes.values():
            _signal_group(process, signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        for process in processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, until - time.monotonic()))
            _signal_group(process, signal.SIGKILL)  # also what a component left behind
            process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
