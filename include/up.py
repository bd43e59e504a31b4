"""`make up`: the embedded simulator and Airflow with scheduler and UI, on the same DAGs, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import time
from datetime import UTC, datetime
from types import FrameType

from include.settings import DEFAULT_WORLD_SEED, Home

CLOCK_EVERY_SECONDS = 5


def main() -> None:
    """Start, print address and login, keep the simulator's clock at now, stop everything by process id at the end."""
    parser = argparse.ArgumentParser(prog="python -m include.up", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="port of the UI on loopback (8080)")
    parser.add_argument("--seed", type=int, default=DEFAULT_WORLD_SEED, help="seed of the simulated world")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _run(arguments.port, arguments.seed)
    except KeyboardInterrupt:
        print("Stopped.")


def _run(port: int, seed: int) -> None:
    from include import airflow_home
    from include.run import simulated_connections
    from include.simulator.process import SimulatorProcess

    home = Home.current()
    print("Starting the simulator and Airflow (about a minute) …", flush=True)
    with (
        SimulatorProcess(seed=seed, clock=datetime.now(UTC)) as simulator,
        airflow_home.Airflow(home, port, _connections(simulated_connections(simulator))) as airflow,
    ):
        print(f"Airflow   {airflow.address}")
        print(f"Login     {airflow_home.USER} / {airflow_home.password()}")
        print(f"Inbox     {home.inbox / 'survey'}   (drop survey exports here)")
        print(f"Marts     {home.published / 'warehouse.duckdb'}   (schema marts)")
        print(f"Logs      {airflow.logs}")
        print("Ctrl-C stops everything.", flush=True)
        while True:
            airflow.check()
            simulator.set_clock(datetime.now(UTC))
            time.sleep(CLOCK_EVERY_SECONDS)


def _connections(simulated: dict[str, str]) -> dict[str, str]:
    """The simulator's connections for those platforms that have none in the environment: a real one is asked for real."""
    from include.run import PRODUCTION_ONLY

    for name in simulated:
        how = "asked for real" if name in os.environ else "simulated"
        print(f"{name.removeprefix('AIRFLOW_CONN_').capitalize():<9} {how}   ({name})")
    chosen = {name: value for name, value in simulated.items() if name not in os.environ}
    if chosen and [name for name in PRODUCTION_ONLY if os.environ.pop(name, None)]:
        print("BI        files only: figures that are partly simulated go to no database")
    return chosen


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
