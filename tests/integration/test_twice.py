"""Run twice for the same date: the marts are identical, row for row, `publications` and times aside."""

from __future__ import annotations

import os
from unittest.mock import patch

import pandas as pd
import pytest

from include.contract import TABLES
from include.publish import publish
from include.run import simulated_connections
from include.simulator.process import SimulatorProcess
from include.warehouse import build
from tests.integration.worlds import WholeWorld, at_home, collect_day, collect_files

pytestmark = pytest.mark.xdist_group("world")


def test_a_second_run_changes_nothing(world: WholeWorld) -> None:
    tables = [table for table in TABLES if table.name != "publications"]
    before = {table.name: world.query(f"select * from marts.{table.name} order by {', '.join(table.key)}") for table in tables}
    landed = sorted(world.home.landing.rglob("*.gz"))
    with at_home(world.home.path.parent) as home, SimulatorProcess(seed=world.seed, defects=world.defects) as simulator:
        with patch.dict(os.environ, simulated_connections(simulator)):
            collect_day(simulator, world.as_of)
            collect_files(home, world.as_of, world.seed)
        build(world.as_of)
        publish(world.as_of)
    assert sorted(world.home.landing.rglob("*.gz")) == landed, "the same answers have the same name"
    for table in tables:
        again = world.query(f"select * from marts.{table.name} order by {', '.join(table.key)}")
        pd.testing.assert_frame_equal(before[table.name], again, obj=table.name)
    assert len(world.query("select * from marts.publications")) == 2
