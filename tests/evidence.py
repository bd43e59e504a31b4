"""Writes what `make test-full` saw to docs/evidence/test-full.md: pytest -p tests.evidence.

Every long test with its outcome and what it printed, the fast ones counted by file. Paths of the machine are left out.
A test may keep a page of its own: record_property("evidence:<file>.md", text). Tests that name the same file follow one another.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "evidence" / "test-full.md"
PACKAGES = ("apache-airflow", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "pandas")
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[")
"""What Airflow makes of a line of the log: no figure that a test prints begins so."""

PAGE = "evidence:"
"""What the property of a test begins with that keeps a page of its own."""

PROGRESS = "▕"
"""Stands in DuckDB's progress bar."""

LONGEST_OUTPUT = 60
"""Lines of one test that are kept, from its beginning."""


class Evidence:
    """Collects reports on the controller; its file is written once, at the end."""

    def __init__(self) -> None:
        self.long: dict[str, tuple[str, float, str]] = {}
        self.pages: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.short: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        for name, text in report.user_properties:
            if name.startswith(PAGE):
                self.pages[name.removeprefix(PAGE)][report.nodeid] = str(text)
        outcome = report.outcome if report.when == "call" or report.skipped else f"{report.outcome} in {report.when}"
        if "full" in report.keywords:
            self.long[report.nodeid] = (outcome, report.duration, report.capstdout if report.when == "call" else "")
        else:
            self.short[report.nodeid.partition("::")[0]][outcome] += 1

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(self.text(exitstatus), encoding="utf-8")
        for name, texts in self.pages.items():
            (FILE.parent / name).write_text(page(name, texts), encoding="utf-8")

    def text(self, exitstatus: int) -> str:
        totals = Counter(outcome for outcome, _, _ in self.long.values())
        for counted in self.short.values():
            totals += counted
        lines = [
            "# The long tests",
            "",
            "Written by `make test-full`. Seconds are of one busy machine and prove nothing.",
            "",
            f"Commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, exit status {int(exitstatus)}: "
            + ", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.items()))
            + ".",
            f"Python {platform.python_version()}, {os.cpu_count()} cores, "
            + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
            + ".",
            "",
            "| long test | outcome | seconds |",
            "|---|---|---|",
        ]
        lines += [f"| `{test}` | {outcome} | {seconds:.0f} |" for test, (outcome, seconds, _) in sorted(self.long.items())]
        lines += ["", "| fast tests | outcomes |", "|---|---|"]
        for file, counted in sorted(self.short.items()):
            lines.append(f"| `{file}` | " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items())) + " |")
        lines += ["", "## What the long tests printed"]
        for test, (_, _, printed) in sorted(self.long.items()):
            if kept := [line for line in shown(printed) if line]:
                lines += ["", f"`{test}`", "", "```text", *kept, "```"]
        return "\n".join(lines) + "\n"


def page(name: str, texts: dict[str, str]) -> str:
    """What tests have kept under one name, test by test."""
    title = name.removesuffix(".md").replace("_", " ").capitalize()
    parts = [f"# {title}", f"Written by `make test-full`, commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."]
    for test, text in sorted(texts.items()):
        parts += [f"`{test}`", "\n".join(shown_whole(text))]
    return "\n\n".join(parts) + "\n"


def shown_whole(printed: str) -> list[str]:
    """Lines without this machine's paths, terminal colours and the log."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    for path, name in ((str(ROOT), "<project>"), (str(Path.home()), "<home>"), (tempfile.gettempdir(), "<tmp>")):
        text = text.replace(path, name)
    return [line.rstrip() for line in text.splitlines() if not LOG_LINE.match(line) and PROGRESS not in line]


def shown(printed: str) -> list[str]:
    """The same, of a length that can be read."""
    lines = shown_whole(printed)
    return lines if len(lines) <= LONGEST_OUTPUT else [*lines[:LONGEST_OUTPUT], f"… {len(lines) - LONGEST_OUTPUT} more lines"]


def commit() -> str:
    """The commit tested; said where the tree holds changes that it does not."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return f"{head or 'unknown'}{' with changes' if changed else ''}"


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Evidence(), "evidence")
