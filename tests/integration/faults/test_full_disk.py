"""A disk without room in each stage: one clear error, no half file under a final name, and the next run with room is right.

The disk is a real one, a file system in memory of a stage's own (`disk.py`), where the machine lets a process mount one; a limit on
the size of files (RLIMIT_FSIZE) is met by every machine, and refuses what is written in the same place.
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


def assert_is_one_clear_error(ended: stages.Ended, stage: str, home: object) -> None:
    assert ended.exit_code == 1, f"{ended.result}\n{ended.log}"
    assert ended.error is not None
    assert ended.error.startswith("DiskFull: "), ended.trace
    assert f"{WHO[stage]} could not write under {home.path}" in ended.error  # type: ignore[attr-defined]
    assert "MB free" in ended.error
    assert "Make room, then run it again" in ended.error
