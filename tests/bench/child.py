"""One timed piece of work in a process of its own, so that its peak memory is its own: `in_child` starts it, `main` is it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from string import Template
from typing import Any

from include.settings import PROJECT_ROOT, SEEDS, Home

SCRIPT = Path(__file__).with_name("metric_daily.sql")
THREADS = 2
"""As in dbt_project/profiles.yml."""


@dataclass(frozen=True)
class Measured:
    """What a child did: seconds of wall clock inside it, without its start; peak memory of the process that did the work."""

    seconds: float
    peak_mib: float
    result: Any


def in_child(work: str, home: Home, day: date, *arguments: str) -> Measured:
    """Do one of WORK in a new process. Raises with what it printed where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.child", work, str(home.path), day.isoformat(), *arguments],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{work}: {done.stdout[-4000:]}{done.stderr[-4000:]}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def generate(home: Home, as_of: date, days: str, last: str) -> dict[str, int]:
    """The accepted files of a history up to a day. Not done in the parent: a child's peak memory begins with its parent's."""
    from tests.bench.history import History

    return History(as_of, int(days)).write(home, date.fromisoformat(last))


def hand_written(home: Home, as_of: date, target: str) -> float:
    """The script's rows of fct_metric_daily into a Parquet file. Returns its seconds, without the writing of that file."""
    import duckdb

    names = {"accepted": str(home.accepted), "seeds": str(SEEDS), "as_of": as_of.isoformat()}
    script = Template(SCRIPT.read_text(encoding="utf-8")).substitute(names)
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {THREADS}")
        started = time.monotonic()
        connection.execute(script)
        seconds = time.monotonic() - started
        connection.table("metric_daily").write_parquet(target)
    return seconds


def models(home: Home, as_of: date) -> dict[str, Any]:
    """fct_metric_daily and its ancestors built by dbt on a fresh build file.

    elapsed: the time in which at least one of them was being built, from run_results.json. Two at once share the threads of one
    engine, so the sum of their times counts the same second twice. seconds: by model.
    """
    from tests.dbt.world import run_dbt

    home.build_file.unlink(missing_ok=True)
    leave_out = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
    run_dbt(home, as_of, "build", *leave_out, "--select", "+fct_metric_daily")
    results = json.loads((home.build / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
    built = [result for result in results if result["unique_id"].startswith("model.")]
    spans = [(_moment(step["started_at"]), _moment(step["completed_at"])) for result in built for step in result["timing"]]
    return {"elapsed": covered(spans), "seconds": {result["unique_id"].split(".")[2]: result["execution_time"] for result in built}}


def covered(spans: list[tuple[float, float]]) -> float:
    """How long at least one of some spans of time was going on."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def build(home: Home, as_of: date) -> dict[str, Any]:
    """A whole build, data tests too: its stages, and the time of models and of tests by what they are."""
    from include import warehouse

    report = warehouse.build(as_of, home)
    kinds = {"model": 0.0, "test": 0.0, "seed": 0.0}
    for node in report.nodes:
        kinds[node.resource_type] += node.seconds
    slowest = sorted(report.nodes, key=lambda node: -node.seconds)[:12]
    return {"stages": report.seconds, "kinds": kinds, "slowest": {node.name: node.seconds for node in slowest}}


def validate(home: Home, run_date: date) -> dict[str, int]:
    """The gate over all records of a run. Returns what became of its rows; nothing may be held back."""
    from include.validation import validate_run

    report = validate_run("facebook", run_date, home=home)
    if report.quarantined or report.stopped:
        raise RuntimeError(f"the gate held back {dict(report.quarantined)}, stopped {report.stopped}")
    return {"accepted": report.accepted}


def collect(home: Home, run_date: date) -> dict[str, Any]:
    """All forces of X, as many at once as its pool has slots. Seconds without the imports; items: rows that stand for one."""
    from concurrent.futures import ThreadPoolExecutor

    from extractors import source
    from extractors.base import ApiSource
    from include.collect import collect_force
    from include.registry import current

    platform = source("x")
    assert isinstance(platform, ApiSource)
    forces = current().forces_with_accounts("x", run_date)
    started = time.monotonic()
    with ThreadPoolExecutor(platform.limits.at_once) as pool:
        done = list(pool.map(lambda force: collect_force("x", force, run_date, home), forces))
    seconds = time.monotonic() - started
    return {"seconds": seconds, "items": sum(sum(each.rows.values()) for each in done), "gaps": sum(each.gaps for each in done)}


def many_pages(home: Home, run_date: date, pages: str) -> dict[str, int]:
    """One force of X whose list of posts has so many pages, each made up when it is asked for."""
    from extractors.base import Access, Secret
    from include.collect import collect_force
    from include.registry import current
    from tests.bench.many_pages import serving_pages

    (account,) = [each for each in current().open_accounts("x", run_date) if each.force_id == "gwent"]
    with serving_pages(account.account_id, account.handle, run_date, int(pages)) as base_url:
        rows = collect_force("x", "gwent", run_date, home, Access(base_url, Secret("simulated"))).rows
    return {"rows": sum(rows.values())}


WORK = {work.__name__: work for work in (generate, hand_written, models, build, validate, collect, many_pages)}


def main(arguments: list[str]) -> None:
    work, home, day, *more = arguments
    started = time.monotonic()
    result = WORK[work](Home(Path(home)), date.fromisoformat(day), *more)  # type: ignore[operator]
    seconds = time.monotonic() - started
    # run_dbt starts a process, the others are this one
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "result": result}))


if __name__ == "__main__":
    main(sys.argv[1:])
