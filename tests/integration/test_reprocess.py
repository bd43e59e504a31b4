"""Landing → records → accepted again: nothing changes where nothing was mended, and what was mended takes the old rows' place."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest

import extractors
from extractors.base import Page, Row, Source
from extractors.facebook import FacebookPages
from include import accepted
from include.accepted import MERGING
from include.inbox import collect_dropped, collect_shipped
from include.landing import SUFFIX
from include.reprocess import NotAllReprocessed, landed_run_dates, reprocess
from include.run import simulated_connections
from include.settings import Home
from include.simulator.defects import Defect
from include.simulator.process import SimulatorProcess
from include.simulator.survey import write_survey_export
from include.validation import validate_run
from tests.integration.worlds import PLATFORMS, at_home, collect_day, collect_open_signals, drawn_seed

EARLIER, RUN_DATE = date(2026, 10, 26), date(2026, 11, 2)
FORCES = ("essex", "gwent", "kent")
FILES = ("survey", "signals_fediverse")
DEFECTS = [
    Defect("token_expired", "gwent", EARLIER, EARLIER),
    Defect("text_number", "kent", RUN_DATE, RUN_DATE),
    Defect("duplicate_page", "essex", RUN_DATE, RUN_DATE),
    Defect("unmapped_field", "essex", RUN_DATE, RUN_DATE, {"name": "post_hugs"}),
]


@dataclass(frozen=True)
class Collected:
    """What was collected once, by every kind of source; the simulator is gone."""

    home: Home
    seed: int

    @property
    def sources(self) -> list[str]:
        return sorted(path.name for path in self.home.landing.iterdir())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    seed = drawn_seed()
    folder = tmp_path_factory.mktemp("reprocess")
    with at_home(folder) as home:
        with (
            SimulatorProcess(seed=seed, defects=DEFECTS, forces=FORCES) as simulator,
            patch.dict(os.environ, simulated_connections(simulator)),
        ):
            for day in (EARLIER, RUN_DATE):
                collect_day(simulator, day, FORCES)
            collect_open_signals(RUN_DATE)
        export = home.inbox / "survey" / "survey_2026-autumn.csv"
        export.parent.mkdir(parents=True)
        write_survey_export(export, seed, "2026-autumn", 400)
        collect_dropped("survey", export.name, RUN_DATE)
        collect_shipped(extractors.source("signals_fediverse"), RUN_DATE)  # type: ignore[arg-type]
        for name in FILES:
            validate_run(name, RUN_DATE)
        yield Collected(home, seed)


@pytest.fixture
def home(world: Collected, tmp_path: Path) -> Home:
    """A copy of its own."""
    return Home(shutil.copytree(world.home.path, tmp_path / "var"))


def stored(home: Home) -> dict[str, bytes]:
    """Every accepted and quarantined file, as bytes."""
    files = [path for root in (home.accepted, home.quarantine) for path in root.rglob("*.parquet")]
    return {path.relative_to(home.path).as_posix(): path.read_bytes() for path in files}


def rows(home: Home, *left_out: str) -> dict[str, pd.DataFrame]:
    """The same as rows, without some columns."""
    frames = {}
    for root in (home.accepted, home.quarantine):
        for path in sorted(root.rglob("*.parquet")):
            frame = pd.read_parquet(path, partitioning=None).drop(columns=list(left_out), errors="ignore")
            if len(frame):
                frames[path.relative_to(home.path).as_posix()] = frame.sort_values(list(frame.columns)).reset_index(drop=True)
    return frames


def everything_again(home: Home, sources: list[str]) -> None:
    for source in sources:
        for day in landed_run_dates(source, EARLIER, RUN_DATE, home):
            reprocess(source, day, home)


def holes(home: Home, cause: str) -> int:
    return accepted.read("collection", home, "facebook").column("cause").to_pylist().count(cause)


def test_with_nothing_mended_every_byte_stays(world: Collected, home: Home) -> None:
    """Every source, a landed hole, quarantined rows, duplicates; no call: the simulator has ended, and there is no connection."""
    assert {*PLATFORMS, *FILES} < set(world.sources)
    assert landed_run_dates("facebook", EARLIER, RUN_DATE, home) == [EARLIER, RUN_DATE]
    assert holes(home, "expired_token") == 1
    assert accepted.read_quarantine("observation", home).num_rows > 5
    before = stored(home)
    everything_again(home, world.sources)
    assert stored(home) == before, f"world {world.seed}"
    assert not [path for path in home.records.rglob("*") if path.is_file()]


def test_accepted_data_that_was_lost_comes_back_from_landing(world: Collected, home: Home) -> None:
    """But for the minute at which each attempt was written down, and for counts of erasures: what is erased has left landing."""
    collected = {name: frame for name, frame in rows(home, "recorded_at").items() if "/facebook/" in name}
    before = {name: frame for name, frame in collected.items() if not name.startswith("accepted/erasure/")}
    shutil.rmtree(home.accepted)
    shutil.rmtree(home.quarantine)
    everything_again(home, ["facebook"])
    after = rows(home, "recorded_at")
    assert list(after) == list(before)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(after[name], frame, obj=f"world {world.seed}: {name}")


def blind_to_insights(self: Source, page: Page) -> Iterator[Any]:
    """A parser that does not know the shape of a page."""
    if page.endpoint == "post_insights":
        raise KeyError("values")
    yield from PARSE(self, page)


def numbers_as_text(self: Source, page: Page) -> Iterator[Any]:
    """A parser that gets shares wrong: they are quarantined."""
    for item in PARSE(self, page):
        if isinstance(item, Row) and item.values.get("source_field") == "shares.count":
            item = replace(item, values={**item.values, "value": str(item.values["value"])})
        yield item


PARSE: Callable[[Any, Page], Iterator[Any]] = FacebookPages.parse


@pytest.mark.parametrize(("broken", "cause"), [(blind_to_insights, "outage"), (numbers_as_text, "quarantined")])
def test_a_mended_parser_puts_its_rows_in_the_place_of_the_old_ones(
    world: Collected, home: Home, monkeypatch: pytest.MonkeyPatch, broken: Any, cause: str
) -> None:
    """What stands is what the good parser gives, and every hole of the broken one is closed."""
    good, spoilt_before = rows(home), holes(home, cause)
    monkeypatch.setattr(FacebookPages, "parse", broken)
    reprocess("facebook", RUN_DATE, home)
    ruined = rows(home)
    assert len(ruined["accepted/observation/facebook/2026-11.parquet"]) < len(good["accepted/observation/facebook/2026-11.parquet"])
    assert holes(home, cause) > spoilt_before
    monkeypatch.setattr(FacebookPages, "parse", PARSE)
    report = reprocess("facebook", RUN_DATE, home)
    after = rows(home)
    ledger = "accepted/collection/facebook/2026-11.parquet"
    for name, frame in good.items():
        if name != ledger:
            pd.testing.assert_frame_equal(after[name], frame, obj=f"world {world.seed}: {name}")
    assert [name for name in after if name not in good] == []
    assert {(gap.force_id, gap.cause) for gap in report.gaps} == {("essex", "quarantined"), ("kent", "quarantined")}, "the planted"
    if cause == "outage":
        pd.testing.assert_frame_equal(after[ledger], good[ledger])


def test_a_damaged_file_is_named_keeps_its_rows_and_costs_no_other_the_mending(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FacebookPages, "parse", numbers_as_text)
    reprocess("facebook", RUN_DATE, home)
    monkeypatch.setattr(FacebookPages, "parse", PARSE)
    (damaged,) = (home.landing / "facebook" / RUN_DATE.isoformat() / "gwent").glob(f"*{SUFFIX}")
    damaged.write_bytes(gzip.compress(gzip.decompress(damaged.read_bytes())[:-200]))
    before = accepted.read("observation", home, "facebook", RUN_DATE).to_pandas()
    with pytest.raises(NotAllReprocessed, match=rf"of 3 landed files 1 gave no records:\n  gwent/{damaged.name}: .* line \d+"):
        reprocess("facebook", RUN_DATE, home)
    after = accepted.read("observation", home, "facebook", RUN_DATE).to_pandas()
    of = {force: [len(frame[frame["force_id"] == force]) for frame in (before, after)] for force in FORCES}
    assert of["gwent"][0] == of["gwent"][1] > 0
    assert of["kent"][0] < of["kent"][1]


RENAMES = 6
"""So many at least: the records put in place and taken away, and every kind that changes."""


class Killed(BaseException):
    """Nothing catches it."""


@pytest.fixture
def one_force(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Facebook's answers of one force alone, ruined by a broken parser that has been mended."""
    for path in home.landing.iterdir():
        if path.name != "facebook":
            shutil.rmtree(path)
    for force in ("essex", "gwent"):
        shutil.rmtree(home.landing / "facebook" / RUN_DATE.isoformat() / force)
    monkeypatch.setattr(FacebookPages, "parse", blind_to_insights)
    reprocess("facebook", RUN_DATE, home)
    monkeypatch.setattr(FacebookPages, "parse", PARSE)
    return home


@pytest.mark.parametrize("targets", [3, pytest.param(40, marks=pytest.mark.full)])
def test_killed_at_any_rename_and_run_again_it_ends_as_undisturbed(one_force: Home, tmp_path: Path, targets: int) -> None:
    """At three renames drawn now, or at every one."""
    undisturbed = Home(shutil.copytree(one_force.path, tmp_path / "undisturbed"))
    reprocess("facebook", RUN_DATE, undisturbed)
    expected, killed = stored(undisturbed), 0
    assert expected != stored(one_force)

    def until_killed(home: Home, target: int) -> bool:
        calls = 0

        def counting(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(self: Path, goal: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == target:
                    raise Killed
                return original(self, goal)

            return call

        with patch.object(Path, "rename", counting(Path.rename)), patch.object(Path, "replace", counting(Path.replace)):
            try:
                reprocess("facebook", RUN_DATE, home)
            except Killed:
                return True
        return False

    drawn = sorted(random.SystemRandom().sample(range(1, RENAMES + 1), targets)) if targets <= RENAMES else range(1, targets)
    for target in drawn:
        home = Home(shutil.copytree(one_force.path, tmp_path / f"killed_{target}"))
        if not until_killed(home, target):
            break
        killed += 1
        reprocess("facebook", RUN_DATE, home)
        assert stored(home) == expected, f"killed at rename {target}"
        assert not list(home.accepted.glob(f"{MERGING}*"))
        shutil.rmtree(home.path)
    print(f"killed at {killed} renames of {list(drawn)}")
    assert killed >= min(targets, RENAMES), "records, observations, ledger, conservation, and the records' removal"
