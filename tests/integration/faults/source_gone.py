"""A platform that cannot be reached: an error per force with host and cause, a hole in the ledger each, and no new publication."""

from __future__ import annotations

from urllib.parse import urlsplit

from include import accepted
from include.publish import current_version
from include.run import simulated_connections
from include.settings import Home
from include.simulator.process import SimulatorProcess
from tests.integration.faults import stages
from tests.integration.faults.small import SmallWorld
from tests.integration.faults.stages import AS_OF, FORCES, SIGNALS, SOURCE


def outcomes(home: Home) -> list[tuple[str, str, str | None]]:
    """What the ledger says of each force as a whole."""
    rows = accepted.read("collection", home, SOURCE, AS_OF).to_pylist()
    return sorted({(row["force_id"], row["outcome"], row["cause"]) for row in rows if row["subject"] == "*"})


def platform_gone(world: SmallWorld, home: Home) -> None:
    """Extract and validate while nobody answers."""
    standing = current_version(home)
    with SimulatorProcess(seed=world.seed, forces=FORCES) as simulator:
        host = urlsplit(simulator.root_url).netloc
        gone = {**world.environment, **simulated_connections(simulator)}
        tokens = list(simulator.tokens(SOURCE).values())
    ended = stages.run("extract", home, gone)
    assert [error.split(":")[0] for error in ended.result] == [*FORCES, SIGNALS], "one error each"
    for error in ended.result:
        assert f"no answer from {host}: connection refused" in error
        assert not any(token in error + ended.log for token in tokens)
    stages.run_well("validate", home, world.environment)
    assert outcomes(home) == [(force_id, "gap", "outage") for force_id in FORCES]
    for source in (SOURCE, SIGNALS):
        rows = accepted.read("collection", home, source, AS_OF).to_pylist()
        assert rows
        for row in rows:
            assert (row["outcome"], row["cause"]) == ("gap", "outage")
            assert host in row["detail"]
            assert "connection refused" in row["detail"]
    assert current_version(home) == standing, "the publication before stands"
