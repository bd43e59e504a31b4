"""The folder of one ingest's records, between collection and the gate: a Parquet file of each kind, and the manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from extractors.base import FileSource, Source
from extractors.redaction import REDACTION_VERSION
from include import landing, ledger
from include.parsing import Parsed
from include.settings import Home

PLAN_BATCH = "_plan"
"""The plan of a run lies beside its batches."""


@dataclass(frozen=True)
class Collected:
    """What one batch brought. rows: how many of each record kind."""

    source: str
    batch: str
    run_date: date
    ingest_id: str
    requests: int
    rows: Mapping[str, int]
    gaps: int
    records: Path


def only_attempt(home: Home, source: str, batch: str) -> FileLock:
    """One attempt at a batch at a time: another one would take its unfinished file for the leftover of a crash."""
    home.locks.mkdir(parents=True, exist_ok=True)
    # hashed: a batch of files is a file's name, which may be as long as a name can be
    return FileLock(home.locks / f"collect-{source}-{hashlib.sha256(batch.encode()).hexdigest()[:20]}.lock")


def write_ingest(
    source: Source,
    parsed: Parsed,
    landed: landing.Landed,
    home: Home,
    run_date: date,
    batch: str,
    requests: int,
    ledgers: Mapping[str, pa.Table],
    **more: Any,
) -> Collected:
    """One ingest's records and ledgers, with what the gate needs to know of them. more: further facts of the manifest."""
    tables = {kind: pa.concat_tables(parts) for kind, parts in parsed.tables.items()}
    rows = {kind: tables[kind].num_rows if kind in tables else 0 for kind in dict.fromkeys((*source.kinds, *tables))}
    observed = ledger.plausible_times(parsed.pages)
    manifest = {
        "source": source.name,
        "platform": source.platform,
        "batch": batch,
        "run_date": run_date.isoformat(),
        "ingest_id": landed.ingest_id,
        "is_simulated": any(page.is_simulated for page in parsed.pages),
        "first_observed_at": min(observed).isoformat() if observed else None,
        "last_observed_at": max(observed).isoformat() if observed else None,
        "landed": {kind: parsed.landed[kind] for kind in dict.fromkeys((*source.kinds, *parsed.landed))},
        "derived_zero": dict(parsed.derived_zero),
        "dropped": {kind: dict(reasons) for kind, reasons in parsed.dropped.items()},
        "rows": rows,
        "gaps": len(parsed.gaps),
        "redaction_version": REDACTION_VERSION,
        "requests": requests,
        **({"names_platforms": True} if isinstance(source, FileSource) and source.names_platforms else {}),
        **more,
    }
    folder = records_folder(home, source.name, run_date, batch, landed.ingest_id)
    write_folder(folder, {**tables, **ledgers}, manifest)
    return Collected(source.name, batch, run_date, landed.ingest_id, requests, rows, len(parsed.gaps), folder)


def records_folder(home: Home, source: str, run_date: date, batch: str, ingest_id: str) -> Path:
    return home.records / source / run_date.isoformat() / batch / ingest_id


def write_folder(folder: Path, tables: Mapping[str, pa.Table], manifest: Mapping[str, Any]) -> None:
    """All files or none: written aside, then renamed. Leftovers of crashed attempts go."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(".*.part"):
        shutil.rmtree(leftover)
    part = folder.parent / f".{uuid.uuid4().hex}.part"
    part.mkdir()
    try:
        for kind, table in tables.items():
            pq.write_table(table, part / f"{kind}.parquet")
        (part / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    except OSError:  # a full disk is not to stay full of this
        shutil.rmtree(part, ignore_errors=True)
        raise
    if folder.exists():
        folder.rename(folder.parent / f".{uuid.uuid4().hex}.part")
    part.rename(folder)
    for leftover in folder.parent.glob(".*.part"):
        shutil.rmtree(leftover)
