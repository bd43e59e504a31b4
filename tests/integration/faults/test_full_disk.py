"""A disk without room in each stage: one clear error, no half file under a final name, and the next run with room is right.

Two ways, as every machine has the first only: a limit on the size of files (RLIMIT_FSIZE), and a small file system in memory that
is nearly full. The second is asked of a stage where the machine lets a process mount one; where it does not, that is printed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from include.publish import current_version
from tests.integration.faults import small, stages
from tests.integration.faults.small import SmallWorld
from tests.integration.faults.stages import STAGES

pytestmark = pytest.mark.xdist_group("faults")

WHO = {"extract": "collection", "validate": "validation", "build": "the build of the warehouse", "publish": "the publication"}
ROOM = {"extract": 2_000, "validate": 8_000, "build": 600_000, "publish": 600_000}
"""How large a file may become, in bytes: enough to begin, too little to end."""


@pytest.mark.parametrize("stage", STAGES)
def test_no_file_may_grow(world: SmallWorld, stage: str, tmp_path: Path) -> None:
    home = world.copy(stage, tmp_path / "var")
    before, standing = small.rows_accepted(home), current_version(home)
    ended = stages.run(stage, home, world.environment, file_bytes=ROOM[stage])
    assert_is_one_clear_error(ended, stage, home)
    assert current_version(home) == standing, "what was published stands"
    if stage in ("extract", "publish"):
        small.assert_same(small.rows_accepted(home), before, "accepted")
    for path in home.landing.rglob("*.gz"):
        assert path.stat().st_size > 0
    for after in STAGES[STAGES.index(stage) :] if stage in ("build", "publish") else [stage]:
        stages.run_well(after, home, world.environment)
    after_home = world.done if stage in ("build", "publish") else world.before[STAGES[STAGES.index(stage) + 1]]
    assert small.files(home) == small.files(after_home)
    if stage in ("build", "publish"):
        small.assert_same(small.marts(home), small.marts(world.done), "published with room again")
    else:
        small.assert_same(small.rows_accepted(home), small.rows_accepted(after_home), "accepted with room again")


LEFT = {"extract": 12_288, "validate": 40_960, "build": 4_194_304, "publish": 1_048_576}
"""How much the disk has left, in bytes."""


@pytest.mark.parametrize("stage", ["extract", "validate", "publish", pytest.param("build", marks=pytest.mark.full)])
def test_the_disk_is_full(world: SmallWorld, stage: str, tmp_path: Path) -> None:
    home = world.copy(stage, tmp_path / "var")
    standing = current_version(home)
    ended = stages.run(stage, home, world.environment, disk_bytes=LEFT[stage])
    if ended.error and "MountRefused" in ended.error:
        print(f"no file system of its own for a process here ({ended.error}): a limit on the size of files instead")
        home = world.copy(stage, tmp_path / "again")
        ended = stages.run(stage, home, world.environment, file_bytes=ROOM[stage])
    else:
        assert "the disk is full" in str(ended.error), ended.trace
    assert_is_one_clear_error(ended, stage, home)
    assert current_version(home).name == standing.name  # type: ignore[union-attr]
    assert not list(home.landing.rglob(".*.part"))
    assert not list((home.published / "versions").glob("*.tmp"))
    stages.run_well(stage, home, world.environment)
    after = world.done if stage == "publish" else world.before[STAGES[STAGES.index(stage) + 1]]
    assert small.files(home) == small.files(after)
    if stage == "publish":
        small.assert_same(small.marts(home), small.marts(world.done), "published with room again")
    elif stage != "build":
        small.assert_same(small.rows_accepted(home), small.rows_accepted(after), "accepted with room again")


def assert_is_one_clear_error(ended: stages.Ended, stage: str, home: object) -> None:
    assert ended.exit_code == 1, f"{ended.result}\n{ended.log}"
    assert ended.error is not None
    assert ended.error.startswith("DiskFull: "), ended.trace
    assert f"{WHO[stage]} could not write under {home.path}" in ended.error  # type: ignore[attr-defined]
    assert "MB free" in ended.error
    assert "Make room, then run it again" in ended.error
