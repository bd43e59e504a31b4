"""The faults with full numbers, and builds with dbt's tests. The fast ones: tests/integration/faults/test_faults.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.faults import full_disk, small, stages
from tests.integration.faults.kills import Kills, assert_as_undisturbed, before_every_rename
from tests.integration.faults.readers import reading
from tests.integration.faults.small import SmallWorld, small_world
from tests.integration.faults.source_gone import platform_gone
from tests.integration.faults.stages import FORCES, SIGNALS, STAGES

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

KILLS = 20


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallWorld]:
    with small_world(tmp_path_factory.mktemp("faults"), dbt_tests=True) as made:
        yield made


@pytest.mark.parametrize("stage", STAGES)
def test_twenty_kills_of_a_stage_each_with_its_rerun(world: SmallWorld, stage: str, tmp_path: Path) -> None:
    """Each kill on a fresh copy of the world. Builds are all carried on to publication, of the others the last one."""
    with Kills(world) as kills:
        for number in range(KILLS):
            home = world.copy(stage, tmp_path / f"kill_{number}")
            with reading(home, tmp_path / f"stop_{number}"):
                kills.at_random(stage, home)
                kills.rerun(stage, home)
                assert_as_undisturbed(stage, home, world)
                if stage == "build" or number == KILLS - 1:
                    for after in STAGES[STAGES.index(stage) + 1 :]:
                        kills.rerun(after, home)
                        assert_as_undisturbed(after, home, world)
    assert kills.number == KILLS


def test_a_kill_before_every_rename_of_validate(world: SmallWorld, tmp_path: Path) -> None:
    before_every_rename(world, "validate", tmp_path)


@pytest.mark.parametrize("stage", ["validate", "build"])
def test_the_disk_is_full(world: SmallWorld, stage: str, tmp_path: Path) -> None:
    full_disk.fill_and_run_again(world, stage, tmp_path)


def test_after_an_outage_the_marts_are_those_of_the_undisturbed_run_but_for_the_closed_holes(
    world: SmallWorld, tmp_path: Path
) -> None:
    home = world.copy("extract", tmp_path / "var")
    platform_gone(world, home)
    for stage in STAGES:
        stages.run_well(stage, home, world.environment)
    marts, undisturbed = small.marts(home), small.marts(world.done)
    ledger = marts["gap_ledger"]
    outages = ledger[ledger["cause"] == "outage"]
    assert set(outages["force_id"].dropna()) == set(FORCES), "what was a hole is on record"
    assert set(outages["source"]) >= {SIGNALS}
    assert not outages["is_open"].any()
    for table in ("fct_post", "fct_metric_daily", "hmicfrs_metrics", "horizon_trends", "expectation_gap"):
        small.assert_same({table: marts[table]}, {table: undisturbed[table]}, "after the outage")
