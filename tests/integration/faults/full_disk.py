"""A disk without room: one clear error, no half file under a final name, and the next run with room is right.

Two ways, as every machine has the first only: a limit on the size of files (RLIMIT_FSIZE), and a small file system in memory that
is nearly full. The second is asked of a stage where the machine lets a process mount one; where it does not, that is printed.
"""

from __future__ import annotations

from pathlib import Path

from include.publish import current_version
from include.settings import Home
from tests.integration.faults import stages
from tests.integration.faults.kills import assert_as_undisturbed
from tests.integration.faults.small import SmallWorld
from tests.integration.faults.stages import STAGES, Ended

WHO = {"extract": "collection", "validate": "validation", "build": "the build of the warehouse", "publish": "the publication"}
MAY_GROW = {"extract": 2_000, "validate": 8_000, "build": 600_000, "publish": 600_000}
"""How large a file may become, in bytes: enough to begin, too little to end."""
LEFT = {"extract": 12_288, "validate": 40_960, "build": 4_194_304, "publish": 1_048_576}
"""How much the disk has left, in bytes."""


def fill_and_run_again(world: SmallWorld, stage: str, folder: Path) -> None:
    """The stage on a disk that is nearly full, and again with room; a build with its publication."""
    home = world.copy(stage, folder / "var")
    standing = current_version(home)
    if stage == "build":
        home.build_file.unlink()  # the room that the build before gives back would do
    ended = stages.run(stage, home, world.environment, disk_bytes=LEFT[stage])
    if ended.error and "MountRefused" in ended.error:
        print(f"no file system of its own for a process here ({ended.error}): a limit on the size of files instead")
        home = world.copy(stage, folder / "again")
        ended = stages.run(stage, home, world.environment, file_bytes=MAY_GROW[stage])
    else:
        assert "the disk is full" in str(ended.error), ended.trace
    assert_is_one_clear_error(ended, stage, home)
    assert current_version(home).name == standing.name  # type: ignore[union-attr]
    assert not list(home.landing.rglob(".*.part"))
    assert not list((home.published / "versions").glob("*.tmp"))
    for after in STAGES[STAGES.index(stage) :] if stage == "build" else [stage]:
        stages.run_well(after, home, world.environment)
        assert_as_undisturbed(after, home, world)


def assert_is_one_clear_error(ended: Ended, stage: str, home: Home) -> None:
    assert ended.exit_code == 1, f"{ended.result}\n{ended.log}"
    assert ended.error is not None
    assert ended.error.startswith("DiskFull: "), ended.trace
    assert f"{WHO[stage]} could not write under {home.path}" in ended.error
    assert "MB free" in ended.error
    assert "Make room, then run it again" in ended.error
