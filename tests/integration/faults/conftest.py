"""One small world for all tests of this folder. Each test works on copies of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.faults.small import SmallWorld, small_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallWorld]:
    with small_world(tmp_path_factory.mktemp("faults")) as made:
        yield made
