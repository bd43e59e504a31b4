"""Judge quarantined rows again, after their cause was mended in the registry.

An ingest's accepted and quarantined rows together are what was parsed: they become a records folder again, and the gate
decides anew. A row whose type was wrong stays where it is: that takes a better parser, and landing to be parsed again.
"""

from __future__ import annotations

import argparse
import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include import accepted
from include.records import RECORD_KINDS, to_table
from include.settings import Home
from include.validation import RunReport, validate_run


def release(source: str, run_date: date, home: Home | None = None) -> RunReport:
    """Put the ingests of a run that have quarantined rows through the gate again. Returns the run's report as it is then."""
    home = home or Home.current()
    waiting = {kind: accepted.read_quarantine(kind, home, source, run_date) for kind in RECORD_KINDS}
    conservation = accepted.read("conservation", home, source, run_date).to_pylist()
    batches = {row["ingest_id"]: row["batch"] for row in conservation if row["quarantined"]}
    for ingest_id, batch in batches.items():
        sums = [row for row in conservation if row["ingest_id"] == ingest_id]
        tables = {kind: _parsed(kind, waiting[kind], source, run_date, ingest_id, home) for kind in RECORD_KINDS}
        tables["collection"] = _of_ingest(accepted.read("collection", home, source, run_date), ingest_id)
        held = {kind: table for kind, table in tables.items() if table.num_rows}
        _write(home.records / source / run_date.isoformat() / batch / ingest_id, held, _manifest(source, run_date, sums, held))
    return validate_run(source, run_date, home=home)


def _of_ingest(table: pa.Table, ingest_id: str) -> pa.Table:
    return table.filter(pc.equal(table.column("ingest_id"), ingest_id))


def _parsed(kind: str, waiting: pa.Table, source: str, run_date: date, ingest_id: str, home: Home) -> pa.Table:
    """An ingest's rows of a kind as they were parsed; those accepted once no longer know their position."""
    schema = RECORD_KINDS[kind].record_schema
    good = accepted.conform(_of_ingest(accepted.read(kind, home, source, run_date), ingest_id), schema)
    bad = to_table(kind, (json.loads(row) for row in _of_ingest(waiting, ingest_id).column("row_json").to_pylist()))
    return pa.concat_tables([good, bad])


def _manifest(source: str, run_date: date, sums: list[dict[str, Any]], tables: dict[str, pa.Table]) -> dict[str, Any]:
    def counts(column: str) -> dict[str, int]:
        return {row["record_kind"]: row[column] for row in sums}

    first = sums[0]
    return {
        "source": source,
        "platform": first["platform"],
        "batch": first["batch"],
        "run_date": run_date.isoformat(),
        "ingest_id": first["ingest_id"],
        "is_simulated": first["is_simulated"],
        "last_observed_at": first["observed_at"].isoformat() if first["observed_at"] else None,
        "landed": counts("landed"),
        "derived_zero": counts("derived_zero"),
        "dropped": {
            row["record_kind"]: {"duplicate": row["dropped_duplicate"], "outside_window": row["dropped_outside_window"]}
            for row in sums
        },
        "rows": {row["record_kind"]: tables[row["record_kind"]].num_rows if row["record_kind"] in tables else 0 for row in sums},
    }


def _write(folder: Path, tables: dict[str, pa.Table], manifest: dict[str, Any]) -> None:
    """A name with a dot is not read: the folder gets its own when it is whole. Newer records of the ingest win over these."""
    if folder.exists():
        return
    part = folder.parent / f".{folder.name}.released.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for kind, table in tables.items():
        pq.write_table(table, part / f"{kind}.parquet")
    (part / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    part.rename(folder)


def main(arguments: list[str] | None = None) -> None:
    """The command: releases each run date given, and prints what became of it."""
    parser = argparse.ArgumentParser(prog="python -m include.release", description="Judge quarantined rows again")
    parser.add_argument("source", help="for example facebook")
    parser.add_argument("run_date", type=date.fromisoformat, nargs="+", help="one run date or several, YYYY-MM-DD")
    chosen = parser.parse_args(arguments)
    for day in chosen.run_date:
        print("\n".join(release(chosen.source, day).summary_lines()))


if __name__ == "__main__":
    main()
