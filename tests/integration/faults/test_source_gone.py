"""The platform gone, before a run or in its middle: an error per force with host and cause, gaps, and yesterday's figures stand."""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from include import accepted
from include.run import simulated_connections
from include.settings import Home, run_instant
from include.simulator.process import SimulatorProcess
from tests.integration.faults import small, stages
from tests.integration.faults.small import SmallWorld
from tests.integration.faults.stages import AS_OF, FORCES, Stage

pytestmark = pytest.mark.xdist_group("faults")


def outcomes(home: Home) -> list[tuple[str, str, str | None]]:
    rows = accepted.read("collection", home, "facebook", AS_OF).to_pylist()
    return sorted({(row["force_id"], row["outcome"], row["cause"]) for row in rows if row["subject"] == "*"})


def test_a_platform_that_cannot_be_reached_is_a_hole_of_each_force_and_the_next_run_closes_it(
    world: SmallWorld, tmp_path: Path
) -> None:
    """After the next run the marts are those of the undisturbed one, but for the ledger, which has the closed holes."""
    home = world.copy("extract", tmp_path / "var")
    standing = small.marts(home)
    with SimulatorProcess(seed=world.seed, forces=FORCES) as simulator:
        host = urlsplit(simulator.root_url).netloc
        gone = {**world.environment, **simulated_connections(simulator)}
        tokens = list(simulator.tokens("facebook").values())
    ended = stages.run("extract", home, gone)
    assert_named(ended, host, tokens)
    stages.run_well("validate", home, world.environment)
    assert outcomes(home) == [(force_id, "gap", "outage") for force_id in FORCES]
    details = accepted.read("collection", home, "facebook", AS_OF).column("detail").to_pylist()
    assert all(host in detail and "connection refused" in detail for detail in details)
    small.assert_same(small.marts(home), standing, "the publication before stands")
    for stage in stages.STAGES:
        stages.run_well(stage, home, world.environment)
    marts = small.marts(home)
    ledger = marts["gap_ledger"]
    outages = ledger[ledger["cause"] == "outage"]
    assert set(outages["force_id"]) == set(FORCES), "what was a hole is on record"
    assert not outages["is_open"].any()
    undisturbed = small.marts(world.done)
    for table in ("fct_post", "fct_metric_daily", "hmicfrs_metrics"):
        small.assert_same({table: marts[table]}, {table: undisturbed[table]}, "after the outage")


def test_a_platform_that_dies_in_the_middle_costs_only_what_was_not_answered(world: SmallWorld, tmp_path: Path) -> None:
    home = world.copy("extract", tmp_path / "var")
    with SimulatorProcess(seed=world.seed, forces=FORCES) as simulator:
        simulator.set_clock(run_instant(AS_OF))
        host = urlsplit(simulator.root_url).netloc
        tokens = list(simulator.tokens("facebook").values())
        stage = Stage("extract", home, {**world.environment, **simulated_connections(simulator)})
        while not any((home.landing / "facebook" / AS_OF.isoformat() / FORCES[0]).glob("*.gz")):
            time.sleep(0.001)
        assert simulator._process is not None
        os.kill(simulator._process.pid, 9)
        ended = stage.end()
    assert 1 <= len(ended.result) <= 2, "the first force was through"
    for error in ended.result:
        assert host in error or "broke off" in error
        assert not any(token in error for token in tokens)
    stages.run_well("validate", home, world.environment)
    found = outcomes(home)
    assert ("gwent", "collected", None) in found
    assert ("surrey", "gap", "outage") in found
    for again in ("extract", "validate"):
        stages.run_well(again, home, world.environment)
    there = world.before["build"].accepted
    for kind in ("post", "observation", "account"):
        want = {frame: rows for frame, rows in small.rows_accepted(Home(there.parent)).items() if f"accepted/{kind}/" in frame}
        got = {frame: rows for frame, rows in small.rows_accepted(home).items() if f"accepted/{kind}/" in frame}
        assert set(want) == set(got)
        keys = ["platform", "observed_at", "account_id"]
        for name, rows in want.items():
            columns = [
                column for column in rows.columns if (column != "ingest_id" and column in keys) or column in ("post_id", "value")
            ]
            assert set(map(str, rows[columns].values.tolist())) <= set(map(str, got[name][columns].values.tolist())), name


def assert_named(ended: stages.Ended, host: str, tokens: list[str]) -> None:
    assert len(ended.result) == len(FORCES), "one error per force"
    for force_id, error in zip(FORCES, ended.result, strict=True):
        assert error.startswith(f"{force_id}: ")
        assert f"no answer from {host}: connection refused" in error
        assert not any(token in error + ended.log for token in tokens)
