"""`kill -9` in every stage of a run: after the next run all is as if nothing had happened, and readers never noticed.

Moments are drawn with the printed KILL_SEED (set it to repeat them) and spread over the time that the stage takes undisturbed.
What is compared after a kill and the rerun:

* extract and validate: all accepted and quarantined rows, which are all that a build reads (but for the time of an attempt);
* build and publish: all published tables, row for row, `publications` and the ledger's times of attempts aside;
* always: the names of all files of the run, so that nothing is lost, doubled, or left behind to grow.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from include import accepted
from include.publish import current_version
from include.settings import Home
from tests.integration.faults import small, stages
from tests.integration.faults.readers import reading
from tests.integration.faults.small import SmallWorld
from tests.integration.faults.stages import STAGES

pytestmark = pytest.mark.xdist_group("faults")

KILLS, KILLS_FULL = 3, 20


@dataclass
class Kills:
    """Draws moments, kills, and writes down what became of it."""

    world: SmallWorld
    seed: int = field(default_factory=lambda: int(os.environ.get("KILL_SEED") or secrets.randbelow(2**31)))
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        print(f"KILL_SEED={self.seed}")

    def at_random(self, stage: str, home: Home) -> None:
        """One kill. A stage that was done sooner than usual is begun again, and killed sooner."""
        usual = self.world.seconds[stage]
        for _ in range(10):
            moment = self.random.uniform(0, usual)
            ended = stages.run_and_kill(stage, home, self.world.environment, moment)
            if ended.is_killed:
                self.note(stage, f"{moment:7.3f} of {usual:.3f} s", "killed")
                return
            self.note(stage, f"{moment:7.3f} of {usual:.3f} s", "had ended already")
            usual = min(0.9 * usual, moment)
        raise AssertionError(f"{stage} always ended before it was killed")

    def note(self, stage: str, moment: str, outcome: str) -> None:
        self.lines.append(f"{stage:<9}{moment:<24}{outcome}")

    def rerun(self, stage: str, home: Home) -> None:
        stages.run_well(stage, home, self.world.environment)
        self.note(stage, "run again", "well")

    def show(self) -> None:
        print(f"{'stage':<9}{'moment of the kill':<24}outcome", *self.lines, sep="\n")

    @property
    def number(self) -> int:
        return sum(line.endswith("killed") for line in self.lines)


@pytest.fixture
def kills(world: SmallWorld) -> Iterator[Kills]:
    drawn = Kills(world)
    yield drawn
    drawn.show()


def assert_as_before(stage: str, home: Home, world: SmallWorld) -> None:
    """After a rerun of a stage: what the undisturbed run had then."""
    if stage in ("build", "publish"):
        after = world.done if stage == "publish" else world.before["publish"]
        assert small.files(home) == small.files(after)
        return
    after = world.before[STAGES[STAGES.index(stage) + 1]]
    assert small.files(home) == small.files(after)
    small.assert_same(small.rows_accepted(home), small.rows_accepted(after), f"after {stage}")


def test_a_run_killed_three_times_in_every_stage_ends_as_the_undisturbed_one(
    world: SmallWorld, kills: Kills, tmp_path: Path
) -> None:
    """One run over all four stages. Each kill meets what the kill before has left; then the stage is run again."""
    home = world.copy("extract", tmp_path / "var")
    standing = current_version(home)
    assert standing is not None
    with reading(home, tmp_path / "stop") as seen:
        for stage in STAGES:
            if stage == "publish":
                assert current_version(home) == standing, "nothing is shown before it is published"
            for _ in range(KILLS):
                kills.at_random(stage, home)
            kills.rerun(stage, home)
            assert_as_before(stage, home, world)
    small.assert_same(small.marts(home), small.marts(world.done), "published")
    assert kills.number == KILLS * len(STAGES)
    assert seen[standing.name] > 5, "the reader was there all along"


@pytest.mark.parametrize("stage", ["extract", "publish"])
def test_a_kill_before_every_rename(world: SmallWorld, kills: Kills, stage: str, tmp_path: Path) -> None:
    """The moments that a drawn one hardly meets: all is written, and has not got its name."""
    every_rename(world, kills, stage, tmp_path)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_a_kill_before_every_rename_of_validate(world: SmallWorld, kills: Kills, tmp_path: Path) -> None:
    every_rename(world, kills, "validate", tmp_path)


def every_rename(world: SmallWorld, kills: Kills, stage: str, folder: Path) -> None:
    assert world.calls[stage] >= 3
    for call in range(1, world.calls[stage] + 1):
        home = world.copy(stage, folder / f"call_{call}")
        ended = stages.run(stage, home, world.environment, kill_at_call=call)
        assert ended.is_killed, ended.trace
        kills.note(stage, f"rename {call} of {world.calls[stage]}", "killed")
        if stage == "publish":
            assert current_version(home).name == current_version(world.before[stage]).name  # type: ignore[union-attr]
        kills.rerun(stage, home)
        assert_as_before(stage, home, world)
        if stage == "publish":
            small.assert_same(small.marts(home), small.marts(world.done), f"published, killed at call {call}")


def test_a_build_after_a_validation_that_was_cut_off_rolls_it_forward(world: SmallWorld, kills: Kills, tmp_path: Path) -> None:
    """Killed with some kinds merged and others not: the build does not read half a run, it has the rest merged first."""
    home = world.copy("validate", tmp_path / "var")
    assert stages.run("validate", home, world.environment, kill_at_call=world.calls["validate"] // 2).is_killed
    kills.note("validate", "between two merges", "killed")
    assert accepted.unfinished(home) == [("facebook", stages.AS_OF)]
    kills.rerun("build", home)
    assert accepted.unfinished(home) == []
    small.assert_same(small.rows_accepted(home), small.rows_accepted(world.before["build"]), "rolled forward")
    kills.rerun("publish", home)
    small.assert_same(small.marts(home), small.marts(world.done), "published after rolling forward")


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("stage", STAGES)
def test_twenty_kills_of_a_stage_each_with_its_rerun(world: SmallWorld, kills: Kills, stage: str, tmp_path: Path) -> None:
    """Each kill on a fresh copy of the world. The last one is carried on to publication."""
    for number in range(KILLS_FULL):
        home = world.copy(stage, tmp_path / f"kill_{number}")
        with reading(home, tmp_path / f"stop_{number}"):
            kills.at_random(stage, home)
            kills.rerun(stage, home)
        assert_as_before(stage, home, world)
        rest = STAGES[STAGES.index(stage) + 1 :]
        if stage == "build" or number == KILLS_FULL - 1:
            for after in rest:
                kills.rerun(after, home)
        if stage in ("build", "publish") or number == KILLS_FULL - 1:
            small.assert_same(small.marts(home), small.marts(world.done), f"published after kill {number}")
    assert kills.number == KILLS_FULL
