"""One world for all tests of this folder that read it: fourteen weekly run dates of every platform, with the default defects."""

from __future__ import annotations

import random

import pytest

from include import registry
from include.settings import DEFAULT_AS_OF, history_dates
from include.simulator.defects import default_defects
from tests.integration.worlds import WholeWorld, run_world

FORCES_IN_SHORT = 12
"""`make test` has to end within a quarter of an hour; `tests/integration/test_make_run.py` collects all 43 there."""

WITH_A_STORY = ("devon-and-cornwall", "city-of-london")
"""A page that was merged away; a force with few residents."""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> WholeWorld:
    """A world seed drawn now. All 43 forces; with `-m "not full"` those with a story, and as many drawn as make a dozen."""
    days, defects = [*history_dates(DEFAULT_AS_OF), DEFAULT_AS_OF], default_defects(DEFAULT_AS_OF)
    forces = None
    if "not full" in request.config.getoption("markexpr"):
        told = sorted({*WITH_A_STORY, *(defect.force_id for defect in defects)})
        others = [force_id for force_id in registry.current().force_ids if force_id not in told]
        forces = tuple(sorted([*told, *random.sample(others, FORCES_IN_SHORT - len(told))]))
        print("forces:", ", ".join(forces))
    return run_world(tmp_path_factory.mktemp("world"), days, defects, forces)
