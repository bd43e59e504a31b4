from __future__ import annotations

import tempfile

import pytest

from tests.evidence import LONGEST_OUTPUT, ROOT, Evidence, shown


def report(test: str, outcome: str, printed: str = "", is_long: bool = True, when: str = "call") -> pytest.TestReport:
    sections = [("Captured stdout call", printed)]
    return pytest.TestReport(
        nodeid=test,
        location=("a.py", 1, "test"),
        keywords={"full": 1} if is_long else {},
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=None,
        when=when,  # type: ignore[arg-type]
        sections=sections,
        duration=12.4,
    )


def test_long_tests_stand_with_outcome_and_output_and_fast_ones_are_counted() -> None:
    evidence = Evidence()
    for each in (
        report("a.py::one", "passed", "p95 12 ms\n"),
        report("a.py::one", "passed", when="teardown"),
        report("a.py::two", "failed", when="setup"),
        report("a.py::three", "skipped", when="setup"),
        report("b.py::fast", "passed", "not kept", is_long=False),
        report("b.py::other", "failed", is_long=False),
    ):
        evidence.pytest_runtest_logreport(each)
    text = evidence.text(1)
    assert "exit status 1: 1 failed, 1 failed in setup, 2 passed, 1 skipped." in text
    assert "| `a.py::one` | passed | 12 |" in text
    assert "| `a.py::two` | failed in setup | 12 |" in text
    assert "| `b.py` | 1 failed, 1 passed |" in text
    assert "```text\np95 12 ms\n```" in text
    assert "not kept" not in text


def test_no_path_of_the_machine_and_no_endless_output() -> None:
    printed = f"{ROOT}/var and {tempfile.gettempdir()}/x\n2026-11-22T21:00:25.359258Z [info     ] a log\n" + "line\n" * 100
    lines = shown(printed)
    assert lines[0] == "<project>/var and <tmp>/x"
    assert len(lines) == LONGEST_OUTPUT + 1
    assert lines[-1] == "… 41 more lines"
