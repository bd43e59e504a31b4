"""A small world, carried to the point before each stage once: three of 43 forces, two weekly run dates, survey and open series.

The first date is collected, built and published: the publication that stands while the second date goes wrong.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pandas as pd

from include.contract import TABLES
from include.run import simulated_connections
from include.settings import Home, run_instant
from include.simulator.process import SimulatorProcess
from include.simulator.survey import write_survey_export
from tests.integration.faults.stages import AS_OF, DROPPED, FORCES, STAGES, WEEK_BEFORE, run_well
from tests.integration.worlds import drawn_seed

RESPONDENTS = 3000


@dataclass
class SmallWorld:
    """`before[stage]`: a home as it stands before that stage of the second date; `done`: after all four, undisturbed."""

    folder: Path
    seed: int
    simulator: SimulatorProcess
    environment: Mapping[str, str]
    before: dict[str, Home] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def done(self) -> Home:
        return Home(self.folder / "done")

    def copy(self, stage: str, folder: Path) -> Home:
        """A home of its own, as it stands before a stage."""
        return Home(shutil.copytree(self.before[stage].path, folder, symlinks=True))


@contextmanager
def small_world(folder: Path, dbt_tests: bool = False) -> Iterator[SmallWorld]:
    """dbt_tests: builds run dbt's tests too."""
    seed = drawn_seed()
    working = Home(folder / "working")
    export = working.inbox / "survey" / DROPPED
    export.parent.mkdir(parents=True)
    write_survey_export(export, seed, "2026-autumn", RESPONDENTS)
    with SimulatorProcess(seed=seed, forces=FORCES) as simulator:
        secrets = {"INSIGHT_SECRETS": str(folder / "secrets")} | ({"DBT_TESTS": "1"} if dbt_tests else {})
        world = SmallWorld(folder, seed, simulator, {**secrets, **simulated_connections(simulator)})
        simulator.set_clock(run_instant(WEEK_BEFORE))
        run_well("week_before", working, world.environment)
        simulator.set_clock(run_instant(AS_OF))
        run_well("plan", working, world.environment)
        for stage in STAGES:
            world.before[stage] = Home(shutil.copytree(working.path, folder / f"before_{stage}", symlinks=True))
            ended = run_well(stage, working, world.environment)
            assert stage != "extract" or ended.result == [], ended.result
            world.seconds[stage], world.calls[stage] = ended.seconds, ended.calls
        shutil.copytree(working.path, world.done.path, symlinks=True)
        print("an undisturbed stage takes", ", ".join(f"{name} {seconds:.1f} s" for name, seconds in world.seconds.items()))
        yield world


# --- what two homes are compared by ---


def marts(home: Home) -> dict[str, pd.DataFrame]:
    """Every published table but `publications`, in the order of its key. Of the ledger without the times of the attempts."""
    with duckdb.connect(str(home.published / "warehouse.duckdb"), read_only=True) as connection:
        return {
            table.name: connection.execute(
                f"select * {'exclude (first_seen_at, last_seen_at, closed_at)' if table.name == 'gap_ledger' else ''}"
                f" from marts.{table.name} order by all"
            ).df()
            for table in TABLES
        }


def files(home: Home) -> list[str]:
    """Every file, half file and link of the rooms that a run writes into: what a kill leaves for good would stand here.

    Not the versions before the current one, dbt's own folders and Great Expectations' pages, which are named by the time.
    """
    found = []
    for room in (home.landing, home.records, home.accepted, home.quarantine, home.build, home.published):
        for path in room.rglob("*"):
            name = path.relative_to(home.path).as_posix()
            if "dbt_" not in name and "versions/" not in name and (path.is_symlink() or path.is_file()):
                found.append(name)
    found += [path.name for path in (home.published / "versions").iterdir() if path.suffix]
    return sorted(found)


def rows_accepted(home: Home) -> dict[str, pd.DataFrame]:
    """Accepted and quarantined rows, by file, but for the time of the attempt."""
    found = {}
    for room in (home.accepted, home.quarantine):
        for path in sorted(room.rglob("*.parquet")):
            frame = pd.read_parquet(path, partitioning=None)
            frame = frame.drop(columns=[name for name in frame.columns if name == "recorded_at"])
            found[path.relative_to(home.path).as_posix()] = frame.sort_values(list(frame.columns)).reset_index(drop=True)
    return found


def assert_same(one: Mapping[str, pd.DataFrame], other: Mapping[str, pd.DataFrame], what: str) -> None:
    assert list(one) == list(other), what
    for name, frame in one.items():
        pd.testing.assert_frame_equal(frame, other[name], obj=f"{what}: {name}")
