"""A number that nobody is told any more is noticed on the day, and what was known already is not called so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from extractors.base import Access, Secret
from include import accepted, vanished
from include.collect import collect_force, plan
from include.records import to_table
from include.run_report import GapCount, RunNotClean, RunReport, main_causes, require_clean
from include.settings import Home, run_instant
from include.simulator.defects import Defect
from include.simulator.process import SimulatorProcess
from include.validation import validate_run
from tests.record_folders import RUN_DATE, good_row

LAST_WEEK = RUN_DATE - timedelta(days=7)
ACCOUNTS = [f"1000000{number:08d}" for number in range(4)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "var")


def collected(home: Home, run_date: date, names: dict[str, Iterable[str]], origin: str = "reported") -> None:
    """A run that has these names for these accounts, object type account."""
    rows: list[dict[str, Any]] = [
        {
            **good_row("observation", number),
            "run_date": run_date,
            "ingest_id": f"{run_date} {origin}",
            "account_id": account,
            "object_type": "account",
            "object_id": account,
            "source_field": name,
            "origin": origin,
        }
        for name, accounts in names.items()
        for number, account in enumerate(accounts)
    ]
    accepted.merge("observation", "facebook", run_date, to_table("observation", rows), home)
    sums = {"source": "facebook", "platform": "facebook", "run_date": run_date, "ingest_id": f"{run_date} {origin}"}
    accepted.merge("conservation", "facebook", run_date, to_table("conservation", [{**sums, "batch": "gwent"}]), home)


def test_a_number_that_all_accounts_lost_is_named(home: Home) -> None:
    collected(home, LAST_WEEK, {"followers_count": ACCOUNTS, "fan_count": ACCOUNTS})
    collected(home, RUN_DATE, {"followers_count": ACCOUNTS})
    assert vanished.fields("facebook", RUN_DATE, home, {"fan_count": "not_reported"}) == {
        "facebook account fan_count": f"reported for 4 accounts on {LAST_WEEK}, for none of them now"
    }


def test_zeros_that_an_absence_stands_for_do_not_hide_it(home: Home) -> None:
    collected(home, LAST_WEEK, {"followers_count": ACCOUNTS, "fan_count": ACCOUNTS})
    collected(home, RUN_DATE, {"followers_count": ACCOUNTS})
    collected(home, RUN_DATE, {"fan_count": ACCOUNTS}, origin="absent_is_zero")
    assert list(vanished.fields("facebook", RUN_DATE, home, {})) == ["facebook account fan_count"]


@pytest.mark.parametrize(("cause", "named"), [("not_reported", ["facebook account fan_count"]), ("outage", [])])
def test_all_numbers_of_a_kind_that_go_at_once_are_named(home: Home, cause: str, named: list[str]) -> None:
    collected(home, LAST_WEEK, {"fan_count": ACCOUNTS})
    gap = {"source": "facebook", "platform": "facebook", "run_date": RUN_DATE, "object_type": "account", "subject": "fan_count",
           "outcome": "gap", "cause": cause}  # fmt: skip
    gaps = to_table("collection", [{**gap, "account_id": one} for one in ACCOUNTS])
    accepted.merge("collection", "facebook", RUN_DATE, gaps, home)
    assert list(vanished.fields("facebook", RUN_DATE, home, {"fan_count": cause})) == named


@pytest.mark.parametrize(
    ("before", "now", "causes"),
    [
        pytest.param({}, {"followers_count": ACCOUNTS}, {}, id="the first run"),
        pytest.param({"fan_count": ACCOUNTS[:2]}, {"followers_count": ACCOUNTS}, {}, id="two accounts only"),
        pytest.param({"fan_count": ACCOUNTS}, {"fan_count": ACCOUNTS[:1]}, {}, id="one still has it"),
        pytest.param({"fan_count": ACCOUNTS}, {}, {}, id="no account answered at all"),
        pytest.param({"fan_count": ACCOUNTS}, {"followers_count": ACCOUNTS}, {"fan_count": "retired_metric"}, id="refused"),
        pytest.param({"page_impressions": ACCOUNTS}, {"followers_count": ACCOUNTS}, {}, id="the map has ended it"),
        pytest.param({"never_mapped": ACCOUNTS}, {"followers_count": ACCOUNTS}, {}, id="not in the map"),
    ],
)
def test_what_is_no_loss_of_the_platform_is_not_called_one(
    home: Home, before: dict[str, list[str]], now: dict[str, list[str]], causes: dict[str, str]
) -> None:
    if before:
        collected(home, LAST_WEEK, {"followers_count": ACCOUNTS, **before})
    collected(home, RUN_DATE, now)
    assert vanished.fields("facebook", RUN_DATE, home, causes) == {}


def test_one_force_that_was_refused_hides_no_loss_of_all() -> None:
    causes = [("gwent", "not_reported"), ("kent", "not_reported"), ("surrey", "permission")]
    assert main_causes(GapCount(force, "fan_count", cause, 1, None) for force, cause in causes) == {"fan_count": "not_reported"}
    causes += [("essex", "permission"), ("dorset", "permission")]
    assert main_causes(GapCount(force, "fan_count", cause, 40, None) for force, cause in causes) == {"fan_count": "permission"}


def test_the_run_is_red_by_the_vanished_name() -> None:
    report = RunReport("facebook", RUN_DATE, vanished_fields={"facebook account fan_count": "reported for 43 accounts before"})
    with pytest.raises(RunNotClean, match="vanished field facebook account fan_count"):
        require_clean(report)
    assert RunReport.from_dict(report.to_dict()) == report


def test_a_retired_name_is_said_once_for_all_forces_and_does_not_turn_the_run_red() -> None:
    gaps = tuple(
        GapCount(force, "page_follows", "retired_metric", 1, "(#100) no such metric") for force in ("gwent", "kent", "essex")
    )
    report = RunReport("facebook", RUN_DATE, gaps=gaps)
    require_clean(report)
    said = [line for line in report.summary_lines() if "page_follows" in line]
    assert said == ["  retired field page_follows: refused for 3 forces: (#100) no such metric"]


def test_followers_that_a_platform_no_longer_tells_are_noticed_on_the_day(home: Home) -> None:
    """The simulator, the client and the gate: two runs of four forces, the second without any count of followers."""
    forces = ("dorset", "essex", "gwent", "kent")
    gone = [Defect("followers_not_reported", force, RUN_DATE, RUN_DATE) for force in forces]
    with SimulatorProcess(seed=4711, forces=forces, defects=gone) as simulator:
        tokens = simulator.tokens("facebook")
        for run_date in (LAST_WEEK, RUN_DATE):
            simulator.set_clock(run_instant(run_date))
            plan("facebook", run_date, forces, home)
            for force in forces:
                access = Access(simulator.base_url("facebook"), Secret(tokens[force]))
                collect_force("facebook", force, run_date, home, access, sleep=lambda _: None)
            report = validate_run("facebook", run_date, home=home)
            if run_date == LAST_WEEK:
                require_clean(report)
    assert list(report.vanished_fields) == ["facebook account fan_count", "facebook account followers_count"]
    with pytest.raises(RunNotClean, match=r"followers_count .reported for 4 accounts on 2026-10-26, for none of them now"):
        require_clean(report)
