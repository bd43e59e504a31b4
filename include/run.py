"""`make run`: from nothing to published marts on the embedded simulator.

A short history (weekly run dates before the as-of date) goes through the same calls as the DAGs make; then each DAG runs once
for the as-of date. Twice for the same date gives the same marts.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from extractors import SOURCES, police_uk
from extractors.base import ApiSource, SignalSource
from include import airflow_home, registry
from include.dag_runs import DagRun, run_dags
from include.environment import environment
from include.history import collect_history
from include.screen import Screen, chatter_to
from include.settings import DEFAULT_AS_OF, DEFAULT_WORLD_SEED, HISTORY_WEEKS, Home, history_dates, run_instant
from include.simulator.defects import default_defects
from include.simulator.process import SimulatorProcess
from include.workers import workers

SURVEY_RESPONDENTS = 27_312
RETRY_SECONDS = "1"
"""Somebody is waiting at the screen: Airflow's retries do not wait longer."""

PRODUCTION_ONLY = ("INSIGHT_BI_POSTGRES", "AIRFLOW_CONN_BI_POSTGRES")
"""Where production publishes to: no place for simulated marts, whatever the shell has set."""


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code: 0 when every DAG run was green."""
    parser = argparse.ArgumentParser(
        prog="python -m include.run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--as-of", type=date.fromisoformat, default=DEFAULT_AS_OF, help=f"as-of date ({DEFAULT_AS_OF})")
    parser.add_argument("--seed", type=int, default=DEFAULT_WORLD_SEED, help=f"seed of the simulated world ({DEFAULT_WORLD_SEED})")
    parser.add_argument(
        "--weeks", type=int, default=HISTORY_WEEKS, help=f"weekly run dates before the as-of date ({HISTORY_WEEKS})"
    )
    parser.add_argument("--home", type=Path, help="state folder (INSIGHT_HOME, else var/)")
    chosen = parser.parse_args(arguments)
    if chosen.home:
        os.environ["INSIGHT_HOME"] = str(chosen.home.resolve())
    home = Home.current()
    screen = Screen()
    log = home.path / "logs" / "make_run.log"
    try:
        with chatter_to(log):
            runs = run(chosen.as_of, chosen.seed, chosen.weeks, home, screen)
    except Exception as error:
        screen.line(f"\nStopped: {error}", style="bold red")
        screen.line(f"Details: {log}")
        raise
    red = [each for each in runs if not each.is_green]
    for each in red:
        screen.line(f"\n{each.dag_id} is red: {', '.join(each.failed_tasks)}. Details: {log}", style="bold red")
    return 1 if red else 0


def run(as_of: date, seed: int, weeks: int, home: Home, screen: Screen) -> list[DagRun]:
    """The whole job; ends with the summary on the screen. Returns the DAG runs."""
    from include.summary import show

    screen.line(f"National policing social insight warehouse, as of {as_of:%A %d %B %Y}", style="bold")
    screen.line(f"State: {home.path}. All is simulated but the fediverse series.\n")
    with SimulatorProcess(seed=seed, defects=default_defects(as_of)) as simulator:
        variables = {**airflow_home.environment(home), **simulated_connections(simulator), "INSIGHT_RETRY_SECONDS": RETRY_SECONDS}
        with (
            environment(variables, without=PRODUCTION_ONLY),
            workers() as pool,
            _in_background(lambda: _prepare(home, variables, as_of, seed, weeks)) as prepared,
        ):
            collect_history(simulator, history_dates(as_of, weeks), home, screen, pool)
            with screen.stage("Airflow's database, the survey's file"):
                prepared()
            simulator.set_clock(run_instant(as_of))
            runs = run_dags(as_of, screen, pool)
    if runs[-1].is_green:
        show(home, screen)
    screen.times()
    return runs


def simulated_connections(simulator: SimulatorProcess) -> dict[str, str]:
    """The Airflow connection of every platform and open source, as variables. They hold tokens: never log them."""
    served = {each.name: each.platform for each in SOURCES if isinstance(each, ApiSource)}
    served |= {each.name: each.name.removeprefix("signals_") for each in SOURCES if isinstance(each, SignalSource)}
    served |= {police_uk.NAME: police_uk.NAME}
    connections = {f"AIRFLOW_CONN_{name.upper()}": simulator.connection_json(service) for name, service in served.items()}
    return connections | {"INSIGHT_CONTACT": "https://simulated.example"}


def _prepare(home: Home, variables: dict[str, str], as_of: date, seed: int, weeks: int) -> None:
    airflow_home.prepare(home, variables, home.path / "logs" / "make_run.log")
    drop_survey_export(home, as_of, seed)
    drop_uploads(home, [*history_dates(as_of, weeks), as_of], seed)


def drop_survey_export(home: Home, as_of: date, seed: int) -> Path | None:
    """The export of the newest wave whose fieldwork has ended, into the inbox, unless it was collected before.

    Returns its path; None without such a wave. The file carries the time of the run, as one that was dropped some time ago.
    """
    from include.simulator.survey import write_survey_export

    waves = [row for row in registry.current().tables["survey_waves"] if date.fromisoformat(row["fieldwork_end"]) <= as_of]
    if not waves:
        return None
    wave = max(waves, key=lambda row: row["fieldwork_end"])["wave"]
    inbox = home.inbox / "survey"
    path = inbox / f"survey_{wave}.csv"
    if not path.exists() and not (inbox / "processed" / path.name).exists():
        inbox.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        write_survey_export(unfinished, seed, wave, SURVEY_RESPONDENTS)
        unfinished.rename(path)
    if path.exists():
        dropped = run_instant(as_of).timestamp()
        os.utime(path, (dropped, dropped))
    return path


def drop_uploads(home: Home, run_dates: Sequence[date], seed: int, forces: Iterable[str] | None = None) -> list[Path]:
    """What people fill in of the platforms without an API, with readings of all run dates, into the inboxes; unless that was
    collected before. Returns the paths of the files that wait. They carry the time of the last run, as those dropped some time ago.
    """
    from include.simulator.uploads import write_uploads
    from include.simulator.uploads_world import WORLDS

    waiting = []
    with TemporaryDirectory(dir=home.path) as aside:
        for path in write_uploads(Path(aside), seed, [run_instant(day) for day in run_dates], tuple(WORLDS), forces):
            inbox = home.inbox / path.parent.name
            if (inbox / "processed" / path.name).exists():
                continue
            inbox.mkdir(parents=True, exist_ok=True)
            dropped = run_instant(run_dates[-1]).timestamp()
            os.utime(path, (dropped, dropped))
            waiting.append(path.rename(inbox / path.name))
    return waiting


@contextmanager
def _in_background(work: Any) -> Iterator[Any]:
    """Starts work beside what follows; calling what is yielded waits for it and raises what it raised."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        yield future.result


if __name__ == "__main__":
    sys.exit(main())
