"""Landing → records → accepted again, by the parsers and the registry as they are now. Nothing is asked of any source.

For a parser that was mended: an ingest's new rows take the place of its old ones, all kinds of a run at once (a build that comes
in between waits, or says so: `accepted.HalfMerged`). Killed anywhere, it is simply run again. Where nothing was mended, nothing
changes. Holes that were landed stay holes: what was never answered, no parser can read.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from datetime import date, timedelta

import extractors
from extractors.base import ApiSource
from include import accepted, registry
from include.collect import SUFFIX, plan, records_again
from include.disk import says_when_full
from include.landing import LandingDamaged
from include.run_report import RunReport
from include.settings import Home
from include.validation import validate_run

log = logging.getLogger(__name__)


class NotAllReprocessed(RuntimeError):
    """Some landed files gave no records again. What they had given before stands; the rest went through the gate."""


def landed_run_dates(source: str, first: date, last: date, home: Home | None = None) -> list[date]:
    """The run dates from first to last of which a source has landed anything, oldest first. KeyError for an unknown source."""
    home = home or Home.current()
    root = home.landing / extractors.source(source).name
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [day for day in days if any((root / day.isoformat()).glob(f"*/*{SUFFIX}"))]


@says_when_full("reprocessing")
def reprocess(source: str, run_date: date, home: Home | None = None) -> RunReport:
    """Parse all that a run has landed, and put it through the gate. Returns the run's report as it is then.

    Raises NotAllReprocessed, after all that could be read has been judged, with each file and its reason.
    """
    home = home or Home.current()
    files = sorted((home.landing / source / run_date.isoformat()).glob(f"*/*{SUFFIX}"))
    failed: dict[str, str] = {}
    for path in files:
        try:
            records_again(source, path, home)
        except (LandingDamaged, ValueError) as error:
            failed[f"{path.parent.name}/{path.name}"] = str(error)
    if isinstance(extractors.source(source), ApiSource) and not accepted.read("plan", home, source, run_date).num_rows:
        _plan_again(source, run_date, {path.parent.name for path in files}, home)
    report = validate_run(source, run_date, home=home)
    log.info("%s %s: %d landed files, %d rows accepted", source, run_date, len(files), report.accepted)
    if failed:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in failed.items())
        raise NotAllReprocessed(f"{source} {run_date}: of {len(files)} landed files {len(failed)} gave no records:\n{reasons}")
    return report


def _plan_again(source: str, run_date: date, batches: Iterable[str], home: Home) -> None:
    """Accepted data was lost, the plan with it: at least the forces that were asked had been planned."""
    platform = extractors.source(source).platform
    known = registry.current().forces_with_accounts(platform or "", run_date)
    if forces := [force for force in batches if force in known]:
        plan(source, run_date, forces, home)


def main(arguments: list[str] | None = None) -> None:
    """The command: every run date from the first to the last, printing what became of each."""
    parser = argparse.ArgumentParser(prog="python -m include.reprocess", description="Landing → records → accepted again")
    parser.add_argument("source", help="for example facebook")
    parser.add_argument("first", type=date.fromisoformat, help="first run date, YYYY-MM-DD")
    parser.add_argument("last", type=date.fromisoformat, nargs="?", help="last run date; by default the first")
    chosen = parser.parse_args(arguments)
    for day in landed_run_dates(chosen.source, chosen.first, chosen.last or chosen.first):
        print("\n".join(reprocess(chosen.source, day).summary_lines()))


if __name__ == "__main__":
    main()
