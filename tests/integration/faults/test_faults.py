"""A run killed, starved of disk, cut off from its source, or started twice: the fast tests, all of them on one small world.

With full numbers: tests/integration/faults/test_at_length.py.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest

from include import accepted
from include.publish import current_version
from include.run import simulated_connections
from include.settings import Home, run_instant
from include.simulator.process import SimulatorProcess
from tests.integration.faults import full_disk, small, stages
from tests.integration.faults.kills import Kills, assert_as_undisturbed, before_every_rename
from tests.integration.faults.readers import reading
from tests.integration.faults.small import SmallWorld
from tests.integration.faults.source_gone import outcomes, platform_gone
from tests.integration.faults.stages import AS_OF, DROPPED, FORCES, SIGNALS, SOURCE, STAGES, Ended, Stage

KILLS = 3

# --- kill -9 ---


def test_a_run_killed_three_times_in_extract_and_three_times_in_validate_has_the_undisturbed_rows(
    world: SmallWorld, tmp_path: Path
) -> None:
    """Each kill meets what the kill before has left; then the stage is run again."""
    home = world.copy("extract", tmp_path / "var")
    standing = current_version(home)
    assert standing is not None
    with reading(home, tmp_path / "stop") as seen, Kills(world) as kills:
        for stage in ("extract", "validate"):
            for _ in range(KILLS):
                kills.at_random(stage, home)
            kills.rerun(stage, home)
            assert_as_undisturbed(stage, home, world)
    assert kills.number == 2 * KILLS
    assert list(seen) == [standing.name], "nothing is shown before it is published"


@pytest.mark.full
def test_a_validation_cut_off_between_two_stores_is_rolled_forward_by_a_build_that_is_killed_three_times_as_its_publication_is(
    world: SmallWorld, tmp_path: Path
) -> None:
    """Some kinds merged and others not: no build reads half a run, it has the rest merged first."""
    home = world.copy("validate", tmp_path / "var")
    standing = current_version(home)
    assert standing is not None
    with reading(home, tmp_path / "stop") as seen, Kills(world) as kills:
        kills.before_call("validate", home, world.calls["validate"] // 2)  # the open series are through
        assert accepted.unfinished(home) == [(SOURCE, AS_OF)]
        cut_off = set(small.rows_accepted(home))
        assert set(small.rows_accepted(world.before["validate"])) < cut_off < set(small.rows_accepted(world.before["build"]))
        for stage in ("build", "publish"):
            assert current_version(home) == standing, "nothing is shown before it is published"
            for _ in range(KILLS):
                kills.at_random(stage, home)
            kills.rerun(stage, home)
            assert_as_undisturbed(stage, home, world)
    assert accepted.unfinished(home) == []
    assert kills.number == 1 + 2 * KILLS
    assert seen[standing.name] > 5, "the reader was there all along"


@pytest.mark.parametrize("stage", ["extract", "publish"])
def test_a_kill_before_every_rename(world: SmallWorld, stage: str, tmp_path: Path) -> None:
    before_every_rename(world, stage, tmp_path)


# --- a full disk ---


@pytest.mark.parametrize("stage", STAGES)
def test_no_file_may_grow(world: SmallWorld, stage: str, tmp_path: Path) -> None:
    home = world.copy(stage, tmp_path / "var")
    before, standing = small.rows_accepted(home), current_version(home)
    ended = stages.run(stage, home, world.environment, file_bytes=full_disk.MAY_GROW[stage])
    full_disk.assert_is_one_clear_error(ended, stage, home)
    assert current_version(home) == standing, "what was published stands"
    if stage in ("extract", "publish"):
        small.assert_same(small.rows_accepted(home), before, "accepted")
    for path in home.landing.rglob("*.gz"):
        assert path.stat().st_size > 0
    if stage != "build":  # which takes its time: test_at_length
        stages.run_well(stage, home, world.environment)
        assert_as_undisturbed(stage, home, world)


@pytest.mark.parametrize("stage", ["extract", "publish"])
def test_the_disk_is_full(world: SmallWorld, stage: str, tmp_path: Path) -> None:
    full_disk.fill_and_run_again(world, stage, tmp_path)


@pytest.mark.parametrize("call", ["plan", "signals", "dropped"])
def test_the_smaller_calls_of_a_collection_say_it_in_the_same_words(world: SmallWorld, call: str, tmp_path: Path) -> None:
    home = world.copy("extract", tmp_path / "var")
    shutil.rmtree(home.records)
    waiting = home.inbox / "survey" / DROPPED
    shutil.copyfile(waiting.parent / "processed" / DROPPED, waiting)
    ended = stages.run(call, home, world.environment, file_bytes=full_disk.MAY_GROW["extract"])
    full_disk.assert_is_one_clear_error(ended, "extract", home)
    assert waiting.exists(), "a dropped file waits for the next run"
    assert not [name for name in small.files(home) if "/." in name or name.startswith("records/")], "no half file is left"
    stages.run_well(call, home, world.environment)
    assert len(list(home.records.rglob("*.parquet"))) >= 1


# --- a source that is gone ---


def test_a_platform_that_cannot_be_reached_is_a_hole_of_each_force_and_the_next_run_closes_it(
    world: SmallWorld, tmp_path: Path
) -> None:
    home = world.copy("extract", tmp_path / "var")
    platform_gone(world, home)
    for stage in ("extract", "validate"):
        stages.run_well(stage, home, world.environment)
    assert_all_there(home, world)


def test_a_platform_that_dies_in_the_middle_costs_only_what_was_not_answered(world: SmallWorld, tmp_path: Path) -> None:
    home = world.copy("extract", tmp_path / "var")
    with SimulatorProcess(seed=world.seed, forces=FORCES) as simulator:
        simulator.set_clock(run_instant(AS_OF))
        host = urlsplit(simulator.root_url).netloc
        tokens = list(simulator.tokens(SOURCE).values())
        stage = Stage("extract", home, {**world.environment, **simulated_connections(simulator)})
        while not any((home.landing / SOURCE / AS_OF.isoformat() / FORCES[0]).glob("*.gz")):
            assert stage.process.is_alive()
            time.sleep(0.001)
        assert simulator._process is not None
        os.kill(simulator._process.pid, 9)
        ended = stage.end()
    assert 2 <= len(ended.result) <= 3, "the first force was through, the open series were not"
    for error in ended.result:
        assert host in error or "broke off" in error
        assert not any(token in error for token in tokens)
    stages.run_well("validate", home, world.environment)
    found = outcomes(home)
    assert (FORCES[0], "collected", None) in found
    assert (FORCES[-1], "gap", "outage") in found
    for again in ("extract", "validate"):
        stages.run_well(again, home, world.environment)
    assert_all_there(home, world)


def assert_all_there(home: Home, world: SmallWorld) -> None:
    """All rows of the undisturbed run; and beside them what tells of the attempts that failed."""
    found, undisturbed = small.rows_accepted(home), small.rows_accepted(world.before["build"])
    for name, want in undisturbed.items():
        got = found.pop(name)
        own = got[got["ingest_id"].isin(want["ingest_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, want, obj=name)
        others = got[~got["ingest_id"].isin(want["ingest_id"])]
        if not name.startswith(("accepted/collection/", "accepted/conservation/")):
            assert others.empty, f"{name}: rows of a failed attempt"
    assert not found, "files that the undisturbed run has not"


# --- two at once ---


def both(first: str, second: str, world: SmallWorld, home: Home) -> tuple[Ended, Ended]:
    one, other = Stage(first, home, world.environment), Stage(second, home, world.environment)
    return one.end(), other.end()


def test_two_collections_of_the_same_forces(world: SmallWorld, tmp_path: Path) -> None:
    home = world.copy("extract", tmp_path / "var")
    ended = both("extract", "extract", world, home)
    assert [each.error for each in ended] == [None, None]
    assert [each.result for each in ended] == [[], []]
    assert small.files(home) == small.files(world.before["validate"])


def test_two_validations_of_one_source(world: SmallWorld, tmp_path: Path) -> None:
    home = world.copy("validate", tmp_path / "var")
    ended = both("validate", "validate", world, home)
    assert [each.error for each in ended] == [None, None]
    assert ended[0].result == ended[1].result, "both report what is stored"
    assert min(ended[0].result) > 0
    assert sum(f"another validation of {SIGNALS} is under way" in each.log for each in ended) == 1
    assert_as_undisturbed("validate", home, world)


@pytest.mark.full
def test_two_builds_and_two_publications_asked_for_at_once(world: SmallWorld, tmp_path: Path) -> None:
    """One story, because a build takes its time: two builds, two publications that wait for their end, then two more of those."""
    home = world.copy("build", tmp_path / "var")
    with reading(home, tmp_path / "stop") as seen:
        builds = [Stage("build", home, world.environment) for _ in range(2)]
        publications = [Stage("publish", home, world.environment) for _ in range(2)]
        built = [each.end() for each in builds]
        published = [each.end() for each in publications]
        assert [each.error for each in built] == [None, None]
        assert sorted(each.result.pop("waited") for each in built) == [0, 1], "the second build says that it waits"
        assert built[0].result == built[1].result
        for each in published:
            assert "waiting for its end" in each.log
            # one that comes before both builds finds that of the week before, and says so; none ever shows half of one
            assert each.error is None or "build the warehouse as of 2026-11-02 first" in each.error, each.trace
        last = both("publish", "publish", world, home)
    assert [each.error for each in last] == [None, None]
    assert last[0].result != last[1].result
    assert sum("another publication is under way" in each.log for each in last) == 1
    assert_as_undisturbed("publish", home, world)
    assert sum(seen.values()) > 5
