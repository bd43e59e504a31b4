"""Landing → records → accepted again, by the parsers and the registry as they are now. Nothing is asked of any source.

For a parser that was mended: an ingest's new rows take the place of its old ones, all kinds of a run at once (a build that comes
in between waits, or says so: `accepted.HalfMerged`). Killed anywhere, it is simply run again. Where nothing was mended, nothing
changes. Holes that were landed stay holes: what was never answered, no parser can read.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import extractors
from extractors.base import ApiSource, FileSource, Order, SignalSource
from include import accepted, landing, ledger, registry
from include.collect import plan
from include.disk import says_when_full
from include.landing import LandingDamaged
from include.parsing import parse
from include.record_folder import Collected, only_attempt, records_folder, write_ingest
from include.records import LEDGER_KINDS
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
    return [day for day in days if any((root / day.isoformat()).glob(f"*/*{landing.SUFFIX}"))]


@says_when_full("reprocessing")
def reprocess(source: str, run_date: date, home: Home | None = None) -> RunReport:
    """Parse all that a run has landed, and put it through the gate. Returns the run's report as it is then.

    Raises NotAllReprocessed, after all that could be read has been judged, with each file and its reason.
    """
    home = home or Home.current()
    files = sorted((home.landing / source / run_date.isoformat()).glob(f"*/*{landing.SUFFIX}"))
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


def records_again(source: str, path: Path, home: Home | None = None) -> Collected:
    """The records of a landed file once more, by the parser as it is now. No source is asked, and no clock.

    path: `landing/<source>/<run_date>/<batch>/<ingest_id>.jsonl.gz`. The rows of the ledger keep the time of the attempt and what
    was judged since (include/quarantine_ledger.py). Raises LandingDamaged, and for a file what its parser raises: then nothing is
    written, and what was accepted stands.
    """
    home = home or Home.current()
    of = extractors.source(source)
    run_date, batch, ingest_id = (
        date.fromisoformat(path.parent.parent.name),
        path.parent.name,
        path.name.removesuffix(landing.SUFFIX),
    )
    seeds = registry.current()
    with only_attempt(home, source, batch):
        force_id = batch if isinstance(of, ApiSource) else None
        parsed = parse(of, path, force_id)
        landed = landing.Landed(path, ingest_id, len(parsed.pages), len(parsed.gaps), is_new=False)
        first, judged = _ledger_so_far(home, source, run_date, batch, ingest_id)
        recorded_at = first or datetime.fromtimestamp(path.stat().st_mtime, UTC)
        ledgers: dict[str, pa.Table] = {}
        more: dict[str, Any] = {}
        if isinstance(of, ApiSource):
            accounts = tuple(each for each in seeds.open_accounts(of.platform, run_date) if each.force_id == batch)
            order = Order(batch, accounts, run_date, seeds.source_fields(of.platform, run_date))
            ledgers["collection"] = pa.concat_tables([ledger.of_force(parsed, of, order, ingest_id, recorded_at), judged])
        elif isinstance(of, SignalSource):
            of_series = ledger.of_signals(parsed, of, seeds.watched_series(source), run_date, ingest_id, recorded_at)
            ledgers["collection"] = pa.concat_tables([of_series, judged])
        else:
            more["file"] = batch
            if isinstance(of, FileSource) and of.platform is not None:
                uploaded = ledger.of_uploads(parsed, of, run_date, ingest_id, recorded_at)
                ledgers["collection"] = pa.concat_tables([uploaded, judged])
        return write_ingest(of, parsed, landed, home, run_date, batch, 0, ledgers, **more)


def _ledger_so_far(home: Home, source: str, run_date: date, batch: str, ingest_id: str) -> tuple[datetime | None, pa.Table]:
    """When an ingest was first written down, and its rows of kind `collection` that are later: those of the gate."""
    schema = LEDGER_KINDS["collection"].record_schema
    waiting = records_folder(home, source, run_date, batch, ingest_id) / "collection.parquet"
    is_waiting = waiting.is_file()  # collected, and not validated yet
    table = pq.ParquetFile(waiting).read() if is_waiting else accepted.read("collection", home, source, run_date)
    table = accepted.conform(table.filter(pc.equal(table.column("ingest_id"), ingest_id)), schema)
    first = pc.min(table.column("recorded_at"))
    return first.as_py(), table.filter(pc.greater(table.column("recorded_at"), first))


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
