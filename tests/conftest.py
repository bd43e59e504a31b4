"""For all tests: the longest begin first; property tests have no deadline and no speed check, as machines are slow and noisy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

LONGEST_FIRST = ("tests/integration/faults/test_at_length", "tests/full", "tests/deployment", "tests/integration", "tests/dbt")
"""One worker has a whole file: the longest must not be the last ones."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        return next((number for number, folder in enumerate(LONGEST_FIRST) if item.nodeid.startswith(folder)), len(LONGEST_FIRST))

    items.sort(key=rank)


COMMON_WORLD = tuple(f"tests/integration/test_{name}.py" for name in ("truth", "uploads", "contacts"))
"""They read the same world (tests/integration/conftest.py): on two workers it would be made twice."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file to a worker, as `--dist loadfile`, and those of the common world to one."""
    from xdist.scheduler import LoadFileScheduling

    class TogetherScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return COMMON_WORLD[0] if file in COMMON_WORLD else str(file)

    return TogetherScheduling(config, log)
