"""Dated defects of many kinds, drawn now: every one is found and rightly named, and nothing is reported that was not planted."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from include import warehouse
from include.collect import collect_signals
from include.run import simulated_connections
from include.simulator.process import SimulatorProcess
from include.validation import validate_run
from tests.integration.planted import found
from tests.integration.planted.kinds import ACTIVITY, Finding, Planted, draw
from tests.integration.worlds import PLATFORMS, at_home, collect_day, drawn_seed

FORCES = (
    *("avon-and-somerset", "bedfordshire", "cambridgeshire", "cheshire", "cleveland", "cumbria"),
    *("derbyshire", "durham", "essex", "gwent", "kent", "surrey"),
)
AS_OF = date(2026, 11, 2)
LEAST_DEFECTS, LEAST_KINDS = 25, 12


def weeks(count: int) -> tuple[date, ...]:
    return tuple(AS_OF - timedelta(weeks=number) for number in range(count - 1, -1, -1))


def test_every_planted_defect_is_found_and_no_other(tmp_path: Path) -> None:
    """One world, three platforms, three weekly runs."""
    print("\n".join(planted_against_found(tmp_path, 26, weeks(3), ("facebook", "instagram", "x"))))


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("world", [1, 2, 3])
def test_in_each_of_three_worlds_every_planted_defect_is_found_and_no_other(
    tmp_path: Path, world: int, record_property: Callable[[str, object], None]
) -> None:
    """All platforms, six weekly runs."""
    lines = planted_against_found(tmp_path, 66, weeks(6), (*PLATFORMS, ACTIVITY))
    print(lines[0])
    record_property("evidence:planted_defects.md", "\n".join(lines))


def planted_against_found(folder: Path, count: int, run_dates: tuple[date, ...], platforms: tuple[str, ...]) -> list[str]:
    """The table, as Markdown; asserts that its two sides are equal."""
    seed = drawn_seed()
    planted = draw(random.Random(seed), count, FORCES, run_dates, platforms)
    titles = {each.title for each in planted}
    assert len(planted) >= LEAST_DEFECTS
    assert len(titles) >= LEAST_KINDS
    with (
        at_home(folder) as home,
        SimulatorProcess(seed, forces=FORCES, defects=[each.defect for each in planted]) as simulator,
        patch.dict(os.environ, simulated_connections(simulator)),
    ):
        for day in run_dates:
            collect_day(simulator, day, FORCES, platforms, sleep=lambda seconds: None)
            if ACTIVITY in platforms:
                collect_signals(ACTIVITY, day, sleep=lambda seconds: None)
                validate_run(ACTIVITY, day)
        warehouse.build(run_dates[-1], home, tests="none")
        reported = found.reported(found.findings(home, platforms, run_dates))
    by_place: dict[found.Place, set[Finding]] = {}
    for place, finding in reported:
        by_place.setdefault(place, set()).add(finding)
    head = f"World {seed}: {len(planted)} defects of {len(titles)} kinds, {len(FORCES)} forces, {len(platforms)} platforms, " + (
        f"{len(run_dates)} runs."
    )
    lines = [head, "", "| planted | platform | force | run date | found |", "|---|---|---|---|---|"]
    lines += [_row(each, by_place.get(each.place, set())) for each in sorted(planted, key=lambda each: (each.title, each.place))]
    wrong = [
        f"{each.title} {each.place}: expected {sorted(each.findings)}, found {sorted(by_place.get(each.place, ()))}"
        for each in planted
        if not each.is_found(by_place.get(each.place, set()))
    ]
    assert not wrong, f"world {seed}:\n" + "\n".join(wrong)
    places = {each.place for each in planted}
    others = {place: sorted(what) for place, what in by_place.items() if place not in places}
    assert not others, f"world {seed}: reported, and not planted: {others}"
    return lines


def _row(planted: Planted, findings: set[Finding]) -> str:
    platform, force, day = planted.place
    said = "; ".join(f"{where}: {what}" for where, what in sorted(findings)) or "nothing"
    return f"| {planted.title} | {platform} | {force} | {day} | {said} |"
