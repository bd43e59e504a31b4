"""The simulator as a process of its own, for whoever drives it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from include.simulator.clock import START
from include.simulator.defects import Defect
from include.simulator.graph import CONTROL_HEADER, control_key, force_token
from include.simulator.register import SEEDS, read_register

if TYPE_CHECKING:
    from include.simulator.faults import Fault

PROJECT_ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 10
OPEN_SIGNALS = ("wikimedia", "mastodon", "police_uk")


class SimulatorFailed(RuntimeError):
    """The simulator did not start, or refused an order."""


class SimulatorProcess:
    """A simulator on loopback, from `with` to its end.

    Its root secret is drawn here and lives only in the two processes' memory. Not for two threads at once.
    """

    def __init__(
        self,
        seed: int,
        forces: Iterable[str] | None = None,
        defects: Iterable[Defect] = (),
        seeds: Path = SEEDS,
        clock: datetime = START,
    ) -> None:
        self.seed = seed
        self._forces = tuple(forces) if forces is not None else None
        self._register = read_register(seeds, self._forces)
        self._seeds = seeds
        self._defects = tuple(defects)
        self._clock = clock
        self._secret = secrets.token_hex(32)
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None

    def __enter__(self) -> SimulatorProcess:
        command = [sys.executable, "-m", "include.simulator", "--port", "0", "--seed", str(self.seed)]
        command += ["--seeds", str(self._seeds), "--clock", self._clock.isoformat()]
        if self._forces is not None:
            command += ["--forces", ",".join(self._forces)]
        self._process = subprocess.Popen(  # noqa: S603  (our own module)
            command,
            cwd=PROJECT_ROOT,
            env={**os.environ, "SIMULATOR_SECRET": self._secret},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            self._port = self._read_port(self._process.stdout)
            self.plant(self._defects)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _read_port(self, output: IO[bytes] | None) -> int:
        line = output.readline() if output else b""
        if not line:
            raise SimulatorFailed("the simulator ended before it was ready; its own message is above")
        return int(json.loads(line)["port"])

    def stop(self) -> None:
        """End the process; twice does no harm."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    @property
    def root_url(self) -> str:
        if self._port is None:
            raise SimulatorFailed("the simulator is not running: use it in a `with` block")
        return f"http://127.0.0.1:{self._port}"

    def base_url(self, platform: str) -> str:
        """Where a platform is served: to be used in the place of its real host.

        Open signals go by their source's name too: `signals_wikimedia` is served where `wikimedia` is.
        """
        return f"{self.root_url}/{platform.removeprefix('signals_')}"

    def tokens(self, platform: str) -> dict[str, str]:
        """The access token of each force; open signals have none."""
        if platform.removeprefix("signals_") in OPEN_SIGNALS:
            return {}
        return {force_id: force_token(self._secret, platform, force_id) for force_id in self._register.forces}

    def connection_json(self, platform: str) -> str:
        """The Airflow connection, for the environment variable AIRFLOW_CONN_<PLATFORM>. Holds the tokens: never log it."""
        return json.dumps({"conn_type": "http", "host": self.base_url(platform), "extra": {"tokens": self.tokens(platform)}})

    def set_clock(self, now: datetime) -> None:
        """Put the clock to an instant. Raises SimulatorFailed for a time without an offset."""
        self._order("PUT", "clock", {"now": now.isoformat()})

    def plant(self, defects: Iterable[Defect]) -> None:
        """Put these defects in the place of those planted before."""
        self._order("PUT", "defects", [defect.to_json() for defect in defects])

    def limit(self, latency_seconds: float = 0.0, **calls: int) -> None:
        """How slow the answers are, and by platform how many calls a force has: on X in each window of 15 minutes and for each
        endpoint, on Meta's platforms in an hour. What is not named is as the platform has it."""
        self._order("PUT", "limits", {"latency_seconds": latency_seconds, "calls": calls})

    def plant_faults(self, faults: Iterable[Fault]) -> None:
        """Put these faults of the wire in the place of those before; requests are counted from here."""
        self._order("PUT", "faults", [fault.to_json() for fault in faults])

    def faults(self) -> dict[str, Any]:
        """Since they were planted: `asked` (requests by platform) and `fired` (platform, kind, count)."""
        return self._order("GET", "faults")

    def requests(self) -> dict[str, Any]:
        """How many requests came: `total`, `by_endpoint`, `by_force` (the holder of the token), and the same `by_platform`, with
        those `refused` because a limit was reached."""
        return self._order("GET", "requests")

    def _order(self, method: str, what: str, value: Any = None) -> Any:
        data = None if value is None else json.dumps(value).encode()
        headers = {CONTROL_HEADER: control_key(self._secret), "content-type": "application/json"}
        request = urllib.request.Request(f"{self.root_url}/_control/{what}", data, headers, method=method)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever proxies are set
        try:
            with opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise SimulatorFailed(f"{method} {what}: {json.load(error)['error']}") from None
