"""One world of 43 forces for all tests of this folder that read it: fourteen weekly run dates, with the default defects."""

from __future__ import annotations

import pytest

from include.settings import DEFAULT_AS_OF, history_dates
from include.simulator.defects import default_defects
from tests.integration.worlds import WholeWorld, run_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> WholeWorld:
    """43 forces, a world seed drawn now."""
    days = [*history_dates(DEFAULT_AS_OF), DEFAULT_AS_OF]
    return run_world(tmp_path_factory.mktemp("world"), days, default_defects(DEFAULT_AS_OF))
