"""Several forces at once against a simulator with few calls left: a plain client is refused, the paced one never."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest

import extractors
from extractors.base import Access, ApiSource, Order, Secret
from extractors.http import HttpClient
from include import fetching, registry
from include.budget_ledger import used_lines
from include.budgets import LedgerPacer
from include.collect import collect_force
from include.settings import Home, run_instant
from include.simulator.defects import Defect
from include.simulator.process import SimulatorProcess

RUN_DATE = date(2026, 11, 2)
FORCES = ("gwent", "kent", "essex", "dorset", "surrey", "cumbria")


class Advancing:
    """A sleep that lets the simulator's clock go on, and no real time."""

    def __init__(self, simulator: SimulatorProcess) -> None:
        self.simulator, self.now, self.lock = simulator, run_instant(RUN_DATE), threading.Lock()
        simulator.set_clock(self.now)

    def __call__(self, seconds: float) -> None:
        with self.lock:
            self.now += timedelta(seconds=int(seconds) + 1)
            self.simulator.set_clock(self.now)

    @property
    def elapsed(self) -> timedelta:
        return self.now - run_instant(RUN_DATE)


@pytest.fixture(autouse=True)
def no_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two calls the pacer counts what passes of real time, and the simulator's clock does not know of it: on a slow machine
    the pacer would ask too early."""
    monkeypatch.setattr(fetching, "LedgerPacer", partial(LedgerPacer, monotonic=lambda: 0.0))


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(seed=4711, forces=FORCES) as one:
        yield one


def accesses(simulator: SimulatorProcess, platform: str) -> dict[str, Access]:
    """X is asked with one token for all, as an app is: its window is everybody's. Meta's platforms with a token for each force."""
    tokens = simulator.tokens(platform)
    shared = tokens[FORCES[0]]
    base = simulator.base_url(platform)
    return {force: Access(base, Secret(shared if platform == "x" else tokens[force])) for force in FORCES}


def refused(simulator: SimulatorProcess, platform: str) -> int:
    return int(simulator.requests()["by_platform"][platform]["refused"])


def at_once(work: Callable[[str], object]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, FORCES))


@pytest.mark.parametrize(("platform", "calls"), [("x", 4), ("facebook", 4), ("instagram", 4)])
def test_no_call_is_refused_while_limits_are_announced(
    simulator: SimulatorProcess, platform: str, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHT_LONGEST_WAIT_SECONDS", "5000")
    source = extractors.source(platform)
    assert isinstance(source, ApiSource)
    allowed = accesses(simulator, platform)
    seeds = registry.current()
    sleep = Advancing(simulator)

    def plainly(force: str) -> None:
        accounts = tuple(one for one in seeds.open_accounts(platform, RUN_DATE) if one.force_id == force)
        client = HttpClient(
            allowed[force],
            run_date=RUN_DATE,
            classify=source.classify,
            own_items=source.own_items,
            sleep=sleep,
            reset_limit_seconds=5000,
        )
        list(source.fetch(client, Order(force, accounts, RUN_DATE, seeds.source_fields(platform, RUN_DATE))))
        client.close()

    simulator.limit(**{platform: calls})
    at_once(plainly)
    assert refused(simulator, platform) > 0, "these limits are too wide to show anything"

    sleep = Advancing(simulator)
    simulator.limit(**{platform: calls})
    home = Home(tmp_path / "var")
    collected = {}
    at_once(lambda force: collected.update({force: collect_force(platform, force, RUN_DATE, home, allowed[force], sleep)}))
    assert refused(simulator, platform) == 0
    assert all(one.gaps == 0 for one in collected.values()), collected
    assert sleep.elapsed > timedelta(minutes=5), "the limits were waited for"
    assert used_lines(home)
    simulator.limit()


def test_credits_that_are_used_up_cost_one_call(simulator: SimulatorProcess, tmp_path: Path) -> None:
    from extractors.base import CreditsDepleted

    simulator.plant([Defect("credits_depleted", force, RUN_DATE, RUN_DATE, {}, "x") for force in FORCES])
    home, allowed, sleep = Home(tmp_path / "var"), accesses(simulator, "x"), Advancing(simulator)
    before = simulator.requests()["by_platform"]["x"]["total"]
    for force in FORCES:
        with pytest.raises(CreditsDepleted, match="buy credits"):
            collect_force("x", force, RUN_DATE, home, allowed[force], sleep)
    assert simulator.requests()["by_platform"]["x"]["total"] - before == 1
    simulator.plant([])
