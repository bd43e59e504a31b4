"""`make bench`: three ratios, each of things timed in this run, printed and written to docs/evidence/bench.md.

Histories are generated into a temporary folder; nothing of var/ is read or written. `--days` shortens the long history.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

from include.settings import PROJECT_ROOT, Home
from tests.bench import collection
from tests.bench.child import in_child
from tests.bench.comparisons import Comparison, gate_against_build, increments, models_against_script, year_against_month
from tests.bench.history import History

AS_OF = date(2026, 10, 31)
YEAR, MONTH = 365, 31
EVIDENCE = PROJECT_ROOT / "docs" / "evidence" / "bench.md"
COLLECTION_EVIDENCE = EVIDENCE.with_name("bench_collection.md")
PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "pyarrow", "great-expectations")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--days", type=int, default=YEAR, help="days of the long history (365: ten million observations)")
    parts = ["models", "increment", "collection"]
    parser.add_argument(
        "--only", choices=parts, help="one part, printed; of these only the collection is written, into its own file"
    )
    arguments = parser.parse_args()
    if arguments.only == "collection":
        only_collection()
        return
    year, month = History(AS_OF, arguments.days), History(AS_OF, MONTH)
    found: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        long_home, short_home = Home(Path(folder) / "year"), Home(Path(folder) / "month")
        say(f"generating {arguments.days} days of 46 pages")
        # the last day comes as records in the increment; to the models it is one day less
        before = date.fromordinal(AS_OF.toordinal() - 1)
        in_child("generate", long_home, AS_OF, str(arguments.days), before.isoformat())
        if arguments.only != "increment":
            found.append(models_against_script(long_home, year, say))
        if arguments.only != "models":
            in_child("generate", short_home, AS_OF, str(MONTH), before.isoformat())
            of_month, of_year = increments({short_home: month, long_home: year}, say)
            found += [year_against_month(of_year, of_month), gate_against_build(of_month)]
        if not arguments.only:
            found += collection.compare(Path(folder), say)
    table = report(found)
    print(table)
    if not arguments.only:
        EVIDENCE.parent.mkdir(parents=True, exist_ok=True)
        EVIDENCE.write_text(table, encoding="utf-8")
        say(f"written to {EVIDENCE.relative_to(PROJECT_ROOT)}")


def only_collection() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        table = report(list(collection.compare(Path(folder), say)))
    print(table)
    COLLECTION_EVIDENCE.write_text(table, encoding="utf-8")
    say(f"written to {COLLECTION_EVIDENCE.relative_to(PROJECT_ROOT)}")


def report(found: list[Comparison]) -> str:
    """The table, and the figures under it."""
    lines = [
        "# Bench",
        "",
        "Written by `make bench`. Ratios of things timed in one run; an aim is no test, and the seconds are this machine's.",
        "",
        f"Commit {commit()}; {os.cpu_count()} cores, load {os.getloadavg()[1]:.0f} when it ended; "
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in PACKAGES) + ".",
        "",
        "| comparison | ratio | aim | met | of |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {each.name} | {each.ratio:.2f} | {each.aim:g} | {'yes' if each.is_met else 'no'} | {each.of} |" for each in found]
    for each in (one for one in found if one.figures):
        lines += ["", f"## {each.name}", "", *(f"- {figure}" for figure in each.figures)]
    return "\n".join(lines) + "\n"


def commit() -> str:
    """The commit measured; said where the tree holds changes that it does not."""
    git = ["git", "-C", str(PROJECT_ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return f"{head or 'unknown'}{' with changes' if changed else ''}"


def say(text: str) -> None:
    print(f"bench: {text}", flush=True)


if __name__ == "__main__":
    main()
