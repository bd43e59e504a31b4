"""Two of the same asked for at once, or a publication during a build: one waits, says so, and both end well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.faults import small
from tests.integration.faults.readers import reading
from tests.integration.faults.small import SmallWorld
from tests.integration.faults.stages import Ended, Stage

pytestmark = pytest.mark.xdist_group("faults")


def both(first: str, second: str, world: SmallWorld, home: object, seconds_between: float = 0.0) -> tuple[Ended, Ended]:
    import time

    one = Stage(first, home, world.environment)  # type: ignore[arg-type]
    time.sleep(seconds_between)
    other = Stage(second, home, world.environment)  # type: ignore[arg-type]
    return one.end(), other.end()


def test_two_validations_of_one_source(world: SmallWorld, tmp_path: Path) -> None:
    home = world.copy("validate", tmp_path / "var")
    ended = both("validate", "validate", world, home)
    assert [each.error for each in ended] == [None, None]
    assert ended[0].result == ended[1].result > 0, "both report what is stored"
    assert sum("another validation of facebook is under way" in each.log for each in ended) == 1
    assert small.files(home) == small.files(world.before["build"])
    small.assert_same(small.rows_accepted(home), small.rows_accepted(world.before["build"]), "validated twice at once")


def test_two_builds_with_a_publication_asked_for_meanwhile_and_then_two_publications(world: SmallWorld, tmp_path: Path) -> None:
    """One story, because a build takes its time: two builds, a publication that waits for both of them, and one more beside it."""
    home = world.copy("build", tmp_path / "var")
    with reading(home, tmp_path / "stop") as seen:
        builds = [Stage("build", home, world.environment) for _ in range(2)]
        publications = [Stage("publish", home, world.environment) for _ in range(2)]
        built = [each.end() for each in builds]
        published = [each.end() for each in publications]
    assert [each.error for each in built] == [None, None]
    assert sorted(each.result.pop("waited") for each in built) == [0, 1], "the second build says that it waits"
    assert built[0].result == built[1].result
    # a publication that gets in between finds the build of the week before, and says so; it never shows half of one
    assert all("waiting for its end" in each.log for each in published)
    for each in published:
        assert each.error is None or "build the warehouse as of 2026-11-02 first" in each.error, each.trace
    Stage("publish", home, world.environment).end()
    small.assert_same(small.marts(home), small.marts(world.done), "built and published twice at once")
    assert small.files(home) == small.files(world.done)
    assert sum(seen.values()) > 5


def test_two_publications(world: SmallWorld, tmp_path: Path) -> None:
    home = world.copy("publish", tmp_path / "var")
    with reading(home, tmp_path / "stop"):
        ended = both("publish", "publish", world, home)
    assert [each.error for each in ended] == [None, None]
    assert ended[0].result != ended[1].result
    assert sum("another publication is under way" in each.log for each in ended) == 1
    small.assert_same(small.marts(home), small.marts(world.done), "published twice at once")


def test_two_collections_of_the_same_forces(world: SmallWorld, tmp_path: Path) -> None:
    home = world.copy("extract", tmp_path / "var")
    ended = both("extract", "extract", world, home)
    assert [each.result for each in ended] == [[], []]
    assert small.files(home) == small.files(world.before["validate"])
