"""The short history that `make run` begins with: every platform on a few run dates, by the calls that the DAGs make.

Two processes share the work (`workers`). The clock of the simulator moves only when a date is collected; what was collected is
validated while the next date is.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date

from extractors import SOURCES
from extractors.base import ApiSource, SourceError
from include import registry
from include.screen import Screen, Stage
from include.settings import Home, run_instant
from include.simulator.process import SimulatorProcess

FORCES_AT_ONCE = 4
"""In one process: most of a force's time is waiting for the platform."""
FORCES_A_PART = 11
"""What one process is given at a time: small enough for the bar to move and for both to end together."""


@dataclass(frozen=True)
class Validated:
    """What one validation found."""

    accepted: int
    quarantined: int
    failed: tuple[str, ...]


def collect_history(
    simulator: SimulatorProcess,
    run_dates: list[date],
    home: Home,
    screen: Screen,
    pool: ProcessPoolExecutor,
    only: frozenset[str] | None = None,
) -> None:
    """Plan, collect and validate every platform on each run date, with the simulator's clock at the run's instant.

    only: these platforms instead of all.
    """
    from include.collect import plan

    platforms = [source for source in SOURCES if isinstance(source, ApiSource) and (only is None or source.platform in only)]
    seeds = registry.current()
    total = sum(len(seeds.forces_with_accounts(each.platform, day)) for each in platforms for day in run_dates)
    titles = ", ".join(each.title for each in platforms)
    with screen.stage(f"History of {titles}: {len(run_dates)} weekly run dates", total, "forces") as stage:
        before: tuple[date, list[Future[Validated]]] | None = None
        for run_date in run_dates:
            simulator.set_clock(run_instant(run_date))
            parts = [
                pool.submit(_collect, source.name, part, run_date, home)
                for source in platforms
                for part in _parts(plan(source.name, run_date, home=home))
            ]
            for each in as_completed(parts):
                for rows in each.result():
                    stage.advance(rows, str(run_date))
            if before is not None:
                _show(stage, *before)
            before = run_date, [pool.submit(_validate, source.name, run_date, home) for source in platforms]
        if before is not None:
            _show(stage, *before)


def _parts(forces: list[str]) -> Iterable[list[str]]:
    return (forces[start : start + FORCES_A_PART] for start in range(0, len(forces), FORCES_A_PART))


def _collect(source: str, forces: list[str], run_date: date, home: Home) -> list[int]:
    """Rows of each force. One that fails is in the ledger with its cause, and in the run's report; the others go on."""
    from include.collect import collect_force

    def rows(force_id: str) -> int:
        try:
            return sum(collect_force(source, force_id, run_date, home).rows.values())
        except SourceError:
            return 0

    with ThreadPoolExecutor(FORCES_AT_ONCE) as pool:
        return list(pool.map(rows, forces))


def _validate(source: str, run_date: date, home: Home) -> Validated:
    from include.validation import validate_run

    report = validate_run(source, run_date, home=home)
    return Validated(report.accepted, sum(report.quarantined.values()), tuple(report.failed))


def _show(stage: Stage, run_date: date, validations: list[Future[Validated]]) -> None:
    found = [each.result() for each in validations]
    failed = "".join(f", {what if len(what) <= 60 else what[:59] + '…'}" for each in found for what in each.failed)
    accepted, quarantined = sum(each.accepted for each in found), sum(each.quarantined for each in found)
    stage.note(f"{run_date}: {accepted:,} rows accepted, {quarantined:,} quarantined{failed}")
