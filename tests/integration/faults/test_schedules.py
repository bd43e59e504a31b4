"""Twenty random schedules of faults in `make test`, two hundred in `make test-full`: zero lost, zero doubled, no hole unsaid."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from include.settings import Home
from tests.integration.faults import schedules
from tests.integration.faults.schedules import FORCES, RUN_DATE, Schedule
from tests.integration.worlds import PLATFORMS, drawn_seed

NOTHING = Schedule(-1, (), (), {}, False)
LEAST_KINDS = 6


@pytest.mark.timeout(1200)
def test_a_run_under_twenty_random_schedules(tmp_path: Path) -> None:
    run_schedules(tmp_path, 20, 2, rows_are_judged=False)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_a_run_under_two_hundred_random_schedules(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    lines = run_schedules(tmp_path, 200, 3)
    record_property("evidence:fault_schedules.md", "\n".join(["```text", *lines, "```"]))


def run_schedules(folder: Path, count: int, platforms_each: int, rows_are_judged: bool = True) -> list[str]:
    """platforms_each: a schedule is about so many of the platforms, all in turn. Returns what is printed."""
    seed = drawn_seed()
    histogram, lost, holes, kinds = Counter[str](), 0, 0, []
    with schedules.faulty_world(seed, rows_are_judged) as simulator:
        home = Home(folder / "undisturbed")
        simulator.plant_faults([])
        fired = schedules.run(simulator, home, NOTHING, PLATFORMS)
        assert not fired
        asked = simulator.faults()["asked"]
        undisturbed = {platform: schedules.figures(home, platform) for platform in PLATFORMS}
        answered = {platform: schedules.answers(home, platform) for platform in PLATFORMS}
        for platform in PLATFORMS:
            assert {row["force_id"] for row in undisturbed[platform]["observation"].values()} == set(FORCES), platform
        for number in range(count):
            of = schedules.covered_platforms(number, platforms_each)
            schedule = schedules.draw(seed, number, of, asked)
            home = schedules.folder_of(folder, number)
            fired = schedules.run(simulator, home, schedule, of)
            assert len(fired) >= LEAST_KINDS, f"world {seed}, schedule {number}: {fired}"
            for platform in of:
                try:
                    longer = frozenset(each.force_id for each in schedule.defects if each.platform == platform)
                    of_platform = schedules.compare(undisturbed[platform], answered[platform], home, platform, longer)
                except AssertionError as error:
                    raise AssertionError(f"world {seed}, schedule {number}, {platform}: {schedule}\n{error}") from error
                lost, holes = lost + of_platform[0], holes + of_platform[1]
            histogram += fired
            kinds.append(len(fired))
            shutil.rmtree(home.path)
    lines = [
        f"World {seed}: {count} schedules on {RUN_DATE}",
        f"{len(FORCES)} forces, {len(PLATFORMS)} platforms, {platforms_each} in each schedule",
        f"kinds of faults fired in a schedule: {min(kinds)} to {max(kinds)}",
        *(f"  {kind:20} {times:6}" for kind, times in sorted(histogram.items(), key=lambda item: (-item[1], item[0]))),
        f"rows lost that an open hole of the ledger names: {lost:,}; open holes: {holes:,}; lost without one: 0; doubled: 0",
    ]
    print("\n".join(lines))
    assert {"killed", "revoked", "reset", "duplicate_page", "slow", "truncated"} <= set(histogram)
    assert lost > 0, "some schedules end with a hole, else the ledger was not looked at"
    return lines
