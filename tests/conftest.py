"""For all tests: the longest begin first; property tests have no deadline and no speed check, as machines are slow and noisy."""

from __future__ import annotations

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
