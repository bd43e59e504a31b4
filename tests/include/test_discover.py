"""The discovery of accounts against the simulated data.police.uk: real server, real client, and what a person is shown."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from extractors import police_uk
from extractors.base import Outage, Throttled
from include import accepted, discover, landing, registry
from include.settings import Home, run_instant
from include.simulator.defects import Defect
from include.simulator.police_uk import GONE_FROM, OLD_HOSTS, listed
from include.simulator.process import SimulatorProcess
from include.simulator.register import SEEDS, read_register

BEFORE, AFTER = date(2026, 10, 19), date(2026, 11, 2)
PLATFORMS = set(OLD_HOSTS) & set(registry.current().platforms)
PLANTED = {
    ("stale", "hampshire", "facebook", "sim.hampshire.constabulary"),
    ("stale", "kent", "facebook", "sim.kent.cadets"),
    ("new", "essex", "facebook", "100000013999999"),
    ("changed", "surrey", "x", "sim_surrey_new"),
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(seed=1) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: SimulatorProcess) -> Home:
    monkeypatch.setenv("INSIGHT_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("AIRFLOW_CONN_POLICE_UK", simulator.connection_json("police_uk"))
    simulator.plant([])
    return Home.current()


def run(simulator: SimulatorProcess, day: date, home: Home) -> discover.Discovered:
    simulator.set_clock(run_instant(day))
    return discover.discover(day, home, sleep=lambda seconds: None)


def shown(found: discover.Discovered) -> set[tuple[str, str, str, str]]:
    return {(each.change, each.force_id, each.platform, each.handle) for each in found.proposals}


def test_what_is_planted_is_found_and_nothing_else(simulator: SimulatorProcess, home: Home) -> None:
    found = run(simulator, BEFORE, home)
    assert shown(found) == PLANTED
    assert found.forces == 43
    assert found.out_of_scope == ("btp", "northern-ireland")
    assert not found.gaps
    register = read_register(SEEDS)
    truth = {(force, *each) for force in register.forces for each in listed(register, force, BEFORE)}
    assert found.listed == len(truth), "every account of the page was read, in both shapes and from old hosts"
    later = run(simulator, AFTER, home)
    assert shown(later) == PLANTED | {("gone", "dorset", "facebook", "sim.dorset")}
    assert BEFORE < GONE_FROM <= AFTER
    # until somebody acts on it: not withdrawn the week after for not being said again
    assert shown(run(simulator, AFTER + timedelta(days=7), home)) == shown(later)


def test_the_register_is_not_touched_and_people_get_a_list(simulator: SimulatorProcess, home: Home) -> None:
    before = (SEEDS / "accounts.csv").read_bytes()
    found = run(simulator, BEFORE, home)
    assert (SEEDS / "accounts.csv").read_bytes() == before
    assert found.report == home.path / "account_proposals" / "2026-10-19.csv"
    with found.report.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    assert {(row["change"], row["force_id"], row["platform"], row["handle"]) for row in rows} == PLANTED
    assert {row["current_handle"] for row in rows if row["change"] == "changed"} == {"sim_surrey"}


def test_every_proposal_has_its_landed_answer_as_evidence(simulator: SimulatorProcess, home: Home) -> None:
    found = run(simulator, BEFORE, home)
    (path,) = (home.landing / "police_uk" / "2026-10-19" / "forces").glob("*.jsonl.gz")
    pages = {page.sha256: page for page in landing.read(path) if isinstance(page, landing.Page)}
    rows = accepted.read("proposal", home, "police_uk").to_pylist()
    assert len(rows) == len(found.proposals) == 4
    for row in rows:
        assert row["handle"] in pages[row["raw_sha256"]].body.casefold()
        assert row["is_simulated"]
        assert row["force_id"] == pages[row["raw_sha256"]].context["force_id"]
    landed = "".join(page.body for page in pages.values())
    assert "telephone" not in landed
    assert "<p>" not in landed


def test_the_same_again_changes_nothing(simulator: SimulatorProcess, home: Home) -> None:
    first = run(simulator, BEFORE, home)
    before = accepted.read("proposal", home).to_pylist()
    again = run(simulator, BEFORE, home)
    assert again.ingest_id == first.ingest_id
    assert accepted.read("proposal", home).to_pylist() == before


@pytest.mark.parametrize(("kind", "error"), [("throttle", Throttled), ("server_error", Outage), ("html_page", Outage)])
def test_a_site_that_gives_nothing_is_a_hole_and_proposes_nothing(
    simulator: SimulatorProcess, home: Home, kind: str, error: type[Exception]
) -> None:
    simulator.plant([Defect(kind, "*", BEFORE, BEFORE, {"count": None}, platform="police_uk")])
    with pytest.raises(error):
        run(simulator, BEFORE, home)
    assert accepted.read("proposal", home).num_rows == 0
    (hole,) = accepted.read("collection", home, "police_uk").to_pylist()
    assert (hole["subject"], hole["outcome"], hole["platform"], hole["account_id"]) == ("*", "gap", None, None)


def test_a_proposal_that_the_register_satisfies_is_not_made_again(
    simulator: SimulatorProcess, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person has edited the seed: the page of Essex is in it, and Surrey's rename."""
    seeds = registry.load()
    rows = [dict(row) for row in seeds.tables["accounts"]]
    essex = next(row for row in rows if (row["platform"], row["force_id"]) == ("facebook", "essex"))
    rows.append({**essex, "account_id": "100000013999999", "handle": "sim.essex.rural", "url": ""})
    surrey = next(row for row in rows if (row["platform"], row["force_id"]) == ("x", "surrey"))
    rows.append({**surrey, "handle": "sim_surrey_new", "valid_from": "2026-10-10"})
    surrey |= {"valid_to": "2026-10-09", "status": "renamed"}
    edited = registry.Registry(seeds.folder, {**seeds.tables, "accounts": rows}, seeds.accounts, seeds.metric_map)
    monkeypatch.setattr(registry, "current", lambda: edited)
    assert {each[0] for each in shown(run(simulator, BEFORE, home))} == {"stale"}


def test_the_connection_decides_the_host_and_holds_no_token(simulator: SimulatorProcess) -> None:
    connection = json.loads(simulator.connection_json("police_uk"))
    assert connection["host"].endswith("/police_uk")
    assert connection["extra"]["tokens"] == {}
    assert police_uk.DEFAULT_HOST == "https://data.police.uk"
