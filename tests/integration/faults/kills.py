"""`kill -9` at drawn moments and before every renaming, what became of it, and what must be true after the rerun.

Moments are drawn with the printed KILL_SEED (set it to repeat them) and spread over the time that the stage takes: at first the
undisturbed one's, then that of the last rerun, because a machine is now quick and now slow.
What is compared after a kill and the rerun:

* extract and validate: all accepted and quarantined rows, which are all that a build reads (but for the time of an attempt);
* build and publish: all published tables, row for row, `publications` and the ledger's times of attempts aside;
* always: the names of all files of the run, so that nothing is lost, doubled, or left behind to grow.
"""

from __future__ import annotations

import os
import random
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from include.publish import current_version
from include.settings import Home
from tests.integration.faults import small, stages
from tests.integration.faults.small import SmallWorld
from tests.integration.faults.stages import STAGES


@dataclass
class Kills:
    """Draws moments, kills, runs again, and writes down what became of it: a `with` block prints that at its end."""

    world: SmallWorld
    seed: int = field(default_factory=lambda: int(os.environ.get("KILL_SEED") or secrets.randbelow(2**31)))
    lines: list[str] = field(default_factory=list)
    number: int = 0

    def __enter__(self) -> Kills:
        self.random = random.Random(self.seed)
        self.usual = dict(self.world.seconds)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        print(f"KILL_SEED={self.seed}", f"{'stage':<9}{'moment of the kill':<24}outcome", *self.lines, sep="\n")

    def at_random(self, stage: str, home: Home) -> None:
        """One kill. A stage that was done sooner than usual is begun again, and killed sooner."""
        usual = self.usual[stage]
        for _ in range(10):
            moment = self.random.uniform(0, usual)
            ended = stages.run_and_kill(stage, home, self.world.environment, moment)
            if ended.is_killed:
                self.note(stage, f"{moment:7.3f} of {usual:.3f} s")
                return
            self.lines.append(f"{stage:<9}{moment:7.3f} of {usual:.3f} s   had ended already")
            usual = min(0.9 * usual, moment)
        raise AssertionError(f"{stage} always ended before it was killed")

    def before_call(self, stage: str, home: Home, call: int) -> None:
        """One kill before a renaming, counted from 1."""
        ended = stages.run(stage, home, self.world.environment, kill_at_call=call)
        assert ended.is_killed, ended.trace
        self.note(stage, f"rename {call} of {self.world.calls[stage]}")

    def note(self, stage: str, moment: str) -> None:
        self.number += 1
        self.lines.append(f"{stage:<9}{moment:<24}killed")

    def rerun(self, stage: str, home: Home) -> None:
        self.usual[stage] = stages.run_well(stage, home, self.world.environment).seconds
        self.lines[-1] += f", {stage} again: well"


def before_every_rename(world: SmallWorld, stage: str, folder: Path) -> None:
    """The moments that a drawn one hardly meets: all is written, and has not got its name."""
    assert world.calls[stage] >= 3
    with Kills(world) as kills:
        for call in range(1, world.calls[stage] + 1):
            home = world.copy(stage, folder / f"call_{call}")
            kills.before_call(stage, home, call)
            if stage == "publish":
                assert current_version(home).name == current_version(world.before[stage]).name  # type: ignore[union-attr]
            kills.rerun(stage, home)
            assert_as_undisturbed(stage, home, world)


def assert_as_undisturbed(stage: str, home: Home, world: SmallWorld) -> None:
    """After the rerun of a stage: what the undisturbed run had then."""
    after = world.done if stage == "publish" else world.before[STAGES[STAGES.index(stage) + 1]]
    found, undisturbed = set(small.files(home)), set(small.files(after))
    assert found == undisturbed, f"too much: {sorted(found - undisturbed)}; lacking: {sorted(undisturbed - found)}"
    small.assert_same(small.rows_accepted(home), small.rows_accepted(after), f"accepted after {stage}")
    if stage == "publish":
        small.assert_same(small.marts(home), small.marts(after), "published")
