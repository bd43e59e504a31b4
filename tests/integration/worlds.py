"""Whole worlds through the whole pipeline: simulator → extractors → Great Expectations → dbt → published marts, in one process.

The same calls as the DAGs make (tests/integration/test_scheduler.py runs those by the real scheduler).
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pandas as pd

from extractors import SOURCES
from extractors.base import ApiSource, FileSource, SignalSource, SourceError
from include import registry
from include.collect import collect_force, collect_signals, plan
from include.discover import discover
from include.inbox import collect_dropped, collect_shipped
from include.publish import publish
from include.run import drop_survey_export, drop_uploads, simulated_connections
from include.settings import Home, run_instant
from include.simulator.defects import Defect
from include.simulator.process import SimulatorProcess
from include.validation import RunReport, validate_run
from include.warehouse import build

log = logging.getLogger(__name__)

PLATFORMS = tuple(each.platform for each in SOURCES if isinstance(each, ApiSource))


def drawn_seed() -> int:
    """A world seed drawn now; WORLD_SEED repeats one that a failed test has named."""
    seed = int(os.environ.get("WORLD_SEED") or secrets.randbelow(2**31))
    print(f"WORLD_SEED={seed}")
    return seed


@dataclass(frozen=True)
class WholeWorld:
    """A world that has been collected, built and published. `seed` names it in every failure."""

    home: Home
    seed: int
    as_of: date
    run_dates: tuple[date, ...]
    defects: tuple[Defect, ...]
    tokens: tuple[str, ...]
    reports: tuple[RunReport, ...]
    forces: tuple[str, ...] | None

    @property
    def force_count(self) -> int:
        """How many forces were collected."""
        return len(self.forces if self.forces is not None else registry.current().force_ids)

    @property
    def instants(self) -> list[Any]:
        return [run_instant(day) for day in self.run_dates]

    def query(self, sql: str, *parameters: Any) -> pd.DataFrame:
        """From the published marts."""
        with duckdb.connect(str(self.home.published / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql, parameters).df()


@contextmanager
def at_home(folder: Path) -> Iterator[Home]:
    """INSIGHT_HOME and the keys in a folder of the test."""
    variables = {"INSIGHT_HOME": str(folder / "var"), "INSIGHT_SECRETS": str(folder / "secrets")}
    with patch.dict(os.environ, variables):
        yield Home.current()


def collect_day(
    simulator: SimulatorProcess,
    run_date: date,
    forces: Iterable[str] | None = None,
    platforms: Iterable[str] = PLATFORMS,
    sleep: Callable[[float], None] = time.sleep,
) -> list[RunReport]:
    """Every one of the platforms on one run date, with the simulator's clock at the run's instant. sleep: between retries."""
    simulator.set_clock(run_instant(run_date))
    reports = []
    for platform in (each for each in SOURCES if isinstance(each, ApiSource) and each.platform in platforms):
        for force_id in plan(platform.name, run_date, forces=forces):
            try:
                collect_force(platform.name, force_id, run_date, sleep=sleep)
            except SourceError as error:
                log.info("%s %s: %s", force_id, run_date, error)
        reports.append(validate_run(platform.name, run_date))
    return reports


def collect_files(home: Home, run_dates: Sequence[date], seed: int) -> list[RunReport]:
    """The survey export, what people upload, and the shipped series."""
    reports, as_of = [], run_dates[-1]
    for path in drop_uploads(home, run_dates, seed):
        collect_dropped(path.parent.name, path.name, as_of)
    exported = drop_survey_export(home, as_of, seed)
    if exported is not None and exported.exists():
        collect_dropped("survey", exported.name, as_of)
    for files in (each for each in SOURCES if isinstance(each, FileSource)):
        if files.shipped:
            collect_shipped(files, as_of)
        reports.append(validate_run(files.name, as_of))
    return reports


def collect_open_signals(as_of: date) -> list[RunReport]:
    """Every open source, with the simulator's clock where it stands."""
    reports = []
    for source in (each for each in SOURCES if isinstance(each, SignalSource)):
        collect_signals(source.name, as_of)
        reports.append(validate_run(source.name, as_of))
    return reports


def run_world(
    folder: Path,
    run_dates: Iterable[date],
    defects: Iterable[Defect] = (),
    forces: tuple[str, ...] | None = None,
    platforms: tuple[str, ...] = PLATFORMS,
    with_files: bool = True,
    with_publication: bool = True,
) -> WholeWorld:
    """Collect on each run date, then build as of the last one and publish."""
    seed, days, planted = drawn_seed(), tuple(run_dates), tuple(defects)
    as_of = days[-1]
    with (
        at_home(folder) as home,
        SimulatorProcess(seed=seed, defects=planted, forces=forces) as simulator,
        patch.dict(os.environ, simulated_connections(simulator)),
    ):
        reports = [report for day in days for report in collect_day(simulator, day, forces, platforms)]
        if with_files:
            reports += collect_files(home, days, seed) + collect_open_signals(as_of)
            discover(as_of)
        build(as_of)
        if with_publication:
            publish(as_of)
        tokens = tuple(token for each in PLATFORMS for token in simulator.tokens(each).values())
    return WholeWorld(home, seed, as_of, days, planted, tokens, tuple(reports), forces)
