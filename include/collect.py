"""Plan → fetch or read → landing → records, for one force or one file. Called by the DAGs, by `make run`, and by `reprocess`.

Records are always parsed from the landed file, never from memory: what is reprocessed later gives the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

import extractors
from extractors.base import Access, Account, ApiSource, Drop, FileSource, Gap, Order, Page, RowBatch, Source, SourceError
from extractors.redaction import REDACTION_VERSION
from include import credentials, landing, registry
from include.disk import says_when_full
from include.records import batch_to_table, to_table
from include.settings import Home, run_instant

log = logging.getLogger(__name__)

PLAN_BATCH = "_plan"

WHOLE_ACCOUNT_SUBJECTS = ("*", "posts")
WORTH_ANOTHER_ATTEMPT = ("throttled", "outage")
"""A gap about one field fails a force only where another attempt may close it; the ledger has it in any case."""


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


@dataclass
class _Parsed:
    """All that one landed file gives."""

    pages: list[Page] = field(default_factory=list)  # bodies cut: they may be large
    gaps: list[Gap] = field(default_factory=list)
    tables: dict[str, list[pa.Table]] = field(default_factory=lambda: defaultdict(list))
    landed: Counter[str] = field(default_factory=Counter)
    derived_zero: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def plan(source: str, run_date: date, forces: Iterable[str] | None = None, home: Home | None = None) -> list[str]:
    """Write down what a run means to collect, before it asks anything. forces: only these; by default all with open accounts.

    Grain of kind `plan`: account × run date. Returns the force ids, sorted. KeyError for a force without an open account.
    """
    home = home or Home.current()
    platform = _api_source(source).platform
    seeds = registry.current()
    known = seeds.forces_with_accounts(platform, run_date)
    wanted = sorted(set(forces)) if forces is not None else list(known)
    unknown = [force for force in wanted if force not in known]
    if unknown:
        raise KeyError(f"no open account on {platform} on {run_date}: {', '.join(unknown)}")
    accounts = [account for account in seeds.open_accounts(platform, run_date) if account.force_id in wanted]
    ids = "\n".join(sorted(account.account_id for account in accounts))
    ingest_id = hashlib.sha256(f"plan\n{source}\n{run_date}\n{ids}".encode()).hexdigest()[:20]
    simulated = _simulated_accounts(platform)
    rows = [
        {
            "source": source,
            "platform": platform,
            "force_id": account.force_id,
            "run_date": run_date,
            "ingest_id": ingest_id,
            "is_simulated": account.account_id in simulated,
            "account_id": account.account_id,
            "planned_at": run_instant(run_date),
        }
        for account in accounts
    ]
    manifest = {
        "source": source,
        "platform": platform,
        "batch": PLAN_BATCH,
        "run_date": run_date.isoformat(),
        "ingest_id": ingest_id,
        "is_simulated": any(row["is_simulated"] for row in rows),
        "rows": {"plan": len(rows)},
    }
    _write_records(_records_folder(home, source, run_date, PLAN_BATCH, ingest_id), {"plan": to_table("plan", rows)}, manifest)
    log.info("%s %s: planned %d forces, %d accounts", source, run_date, len(wanted), len(rows))
    return wanted


@says_when_full("collection")
def collect_force(
    source: str,
    force_id: str,
    run_date: date,
    home: Home | None = None,
    access: Access | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Collected:
    """Fetch all that a force's accounts have, land it, and write its records.

    access: where and with what to ask; by default from the connection named like the source. Raises KeyError for a force
    without an open account, CredentialsMissing, and, after all that could be had is landed and recorded, the first
    non-retryable SourceError, else the first retryable one.
    """
    from extractors.http import HttpClient

    home = home or Home.current()
    api = _api_source(source)
    seeds = registry.current()
    accounts = tuple(account for account in seeds.open_accounts(api.platform, run_date) if account.force_id == force_id)
    if not accounts:
        raise KeyError(f"no open account on {api.platform} on {run_date}: {force_id}")
    order = Order(force_id, accounts, run_date, seeds.source_fields(api.platform, run_date))
    client = HttpClient(
        access or credentials.access(source).for_force(force_id), run_date=run_date, classify=api.classify, sleep=sleep
    )
    with _only_attempt(home, source, force_id):
        try:
            landed = landing.write(_fetch(api, client, order), home.landing / source / run_date.isoformat() / force_id)
        finally:
            client.close()
        parsed = _parse(api, landed.path, force_id)
        ledger = _ledger(parsed, api, order, landed.ingest_id)
        collected = _record(api, parsed, landed, home, run_date, force_id, client.requests_made, {"collection": ledger})
    log.info(
        "%s %s: %d accounts, %d pages, %s, %d gaps",
        source, force_id, len(accounts), landed.pages, _shown(collected.rows), collected.gaps,
    )  # fmt: skip
    error = _failure(parsed.gaps)
    if error is not None:
        raise error
    return collected


@says_when_full("collection")
def collect_file(
    source: str, path: Path, run_date: date, home: Home | None = None, observed_at: datetime | None = None
) -> Collected:
    """Read one file, land it redacted, and write its records. The batch is the file's name.

    observed_at: when the file was had; by default the run's planned instant. Raises BadFile, and then nothing is kept.
    """
    home = home or Home.current()
    files = extractors.source(source)
    if not isinstance(files, FileSource):
        raise TypeError(f"{source} is not a source of files")
    moment = observed_at or run_instant(run_date)
    with _only_attempt(home, source, path.name):
        items = files.read(path, run_date, moment)
        landed = landing.write(items, home.landing / source / run_date.isoformat() / path.name)
        parsed = _parse(files, landed.path, None)
        collected = _record(files, parsed, landed, home, run_date, path.name, 0, {}, file=path.name)
    log.info("%s %s: %s, %d gaps", source, path.name, _shown(collected.rows), collected.gaps)
    return collected


def _api_source(name: str) -> ApiSource:
    found = extractors.source(name)
    if not isinstance(found, ApiSource):
        raise TypeError(f"{name} has no API: its files go through collect_file")
    return found


def _only_attempt(home: Home, source: str, batch: str) -> FileLock:
    """One attempt at a batch at a time: another one would take its unfinished file for the leftover of a crash."""
    home.locks.mkdir(parents=True, exist_ok=True)
    return FileLock(home.locks / f"collect-{source}-{batch}.lock")


def _fetch(source: ApiSource, client: Any, order: Order) -> Iterator[Page | Gap]:
    """What the source yields. A SourceError that it lets through becomes a gap of the accounts that it had not finished."""
    seen: dict[str | None, None] = {}
    try:
        for item in source.fetch(client, order):
            seen[item.account_id] = None
            yield item
    except SourceError as error:
        last = next(reversed(seen), None)
        for account in order.accounts:
            if account.account_id == last or account.account_id not in seen:
                yield Gap(account.account_id, "*", error.cause, str(error))


# --- landed file → records ---


def _parse(source: Source, path: Path, force_id: str | None) -> _Parsed:
    parsed = _Parsed()
    ingest_id = path.name.removesuffix(".jsonl.gz")
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in landing.read(path):
        if isinstance(item, Gap):
            parsed.gaps.append(item)
            continue
        parsed.pages.append(replace(item, body=""))
        if "error" in item.context:
            continue
        parsed.landed.update(source.count(item))
        common = {
            "source": source.name,
            "platform": source.platform,
            "force_id": force_id,
            "run_date": item.run_date,
            "ingest_id": ingest_id,
            "observed_at": item.observed_at,
            "raw_sha256": item.sha256,
            "is_simulated": item.is_simulated,
        }
        for record in source.parse(item):
            if isinstance(record, Gap):
                parsed.gaps.append(record)
            elif isinstance(record, Drop):
                parsed.dropped[record.kind][record.reason] += record.count
            elif isinstance(record, RowBatch):
                parsed.tables[record.kind].append(batch_to_table(record.kind, {**common, **record.columns}, record.length))
            else:
                rows[record.kind].append({**common, **record.values, "_position": record.position})
                if record.values.get("origin") == "absent_is_zero":
                    parsed.derived_zero[record.kind] += 1
    for kind, of_kind in rows.items():
        parsed.tables[kind].append(to_table(kind, of_kind))
    return parsed


def _record(
    source: Source,
    parsed: _Parsed,
    landed: landing.Landed,
    home: Home,
    run_date: date,
    batch: str,
    requests: int,
    ledgers: Mapping[str, pa.Table],
    **more: Any,
) -> Collected:
    tables = {kind: pa.concat_tables(parts) for kind, parts in parsed.tables.items()}
    rows = {kind: tables[kind].num_rows if kind in tables else 0 for kind in dict.fromkeys((*source.kinds, *tables))}
    observed = [page.observed_at for page in parsed.pages]
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
        **more,
    }
    folder = _records_folder(home, source.name, run_date, batch, landed.ingest_id)
    _write_records(folder, {**tables, **ledgers}, manifest)
    return Collected(source.name, batch, run_date, landed.ingest_id, requests, rows, len(parsed.gaps), folder)


def _records_folder(home: Home, source: str, run_date: date, batch: str, ingest_id: str) -> Path:
    return home.records / source / run_date.isoformat() / batch / ingest_id


def _write_records(folder: Path, tables: Mapping[str, pa.Table], manifest: Mapping[str, Any]) -> None:
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


# --- the ledger: what became of each account and subject ---


def _ledger(parsed: _Parsed, source: ApiSource, order: Order, ingest_id: str) -> pa.Table:
    """Kind `collection`: account × object type × subject (× object, for gaps about one post)."""
    recorded_at = datetime.now(UTC)
    simulated = _simulated_accounts(source.platform)
    is_simulated = any(page.is_simulated for page in parsed.pages)
    rows = []
    for account in order.accounts:
        times = [page.observed_at for page in parsed.pages if page.account_id == account.account_id]
        common = {
            "source": source.name,
            "platform": source.platform,
            "force_id": order.force_id,
            "run_date": order.run_date,
            "ingest_id": ingest_id,
            "observed_at": max(times, default=None),
            "is_simulated": is_simulated or account.account_id in simulated,
            "account_id": account.account_id,
            "recorded_at": recorded_at,
        }
        gaps = _gaps_of(account, parsed, order)
        for gap in gaps:
            what = {"object_type": gap.object_type, "object_id": gap.object_id, "subject": gap.subject}
            rows.append({**common, **what, "outcome": "gap", "cause": gap.cause, "detail": gap.detail})
        closed = {(gap.object_type, gap.subject) for gap in gaps if gap.object_id is None}
        for object_type, subject in _answered_subjects(account, parsed, order):
            if (object_type, subject) not in closed:
                rows.append({**common, "object_type": object_type, "subject": subject, "outcome": "collected"})
    return to_table("collection", rows)


def _object_type(subject: str, said: str | None, order: Order) -> str | None:
    """Whose field a subject is. A name that the platform has for accounts only, or posts only, says it by itself."""
    asked = {each.object_type for each in order.fields if each.source_field == subject}
    return asked.pop() if len(asked) == 1 else said if subject not in WHOLE_ACCOUNT_SUBJECTS else None


def _gaps_of(account: Account, parsed: _Parsed, order: Order) -> list[Gap]:
    """The account's gaps, each subject and object once: the first cause is the one that led to the others."""
    gaps: dict[tuple[str | None, str, str | None], Gap] = {}
    for gap in parsed.gaps:
        if gap.account_id in (account.account_id, None):
            object_type = _object_type(gap.subject, gap.object_type, order)
            gaps.setdefault((object_type, gap.subject, gap.object_id), replace(gap, object_type=object_type))
    if not gaps and not any(page.account_id == account.account_id for page in parsed.pages):
        return [Gap(account.account_id, "*", "not_collected", "the attempt brought neither an answer nor a reason")]
    return list(gaps.values())


def _answered_subjects(account: Account, parsed: _Parsed, order: Order) -> list[tuple[str | None, str]]:
    """Object type and subject: '*' and what was asked for on pages that were of use.

    A subject with a gap is not collected, whatever else was answered.
    """
    useful = [page for page in parsed.pages if page.account_id == account.account_id and "error" not in page.context]
    named = (
        (_object_type(name, page.context.get("object_type"), order), name)
        for page in useful
        for name in page.context.get("subjects", "").split(",")
        if name
    )
    return list(dict.fromkeys(((None, "*"), *named))) if useful else []


def _simulated_accounts(platform: str) -> frozenset[str]:
    rows = registry.current().tables["accounts"]
    return frozenset(row["account_id"] for row in rows if row["platform"] == platform and row["is_simulated"] == "true")


def _failure(gaps: list[Gap]) -> SourceError | None:
    """The error that a force's part of a run ends with: the first that no retry mends, else the first that one may mend."""
    errors = []
    for gap in gaps:
        worth_it = gap.cause in WORTH_ANOTHER_ATTEMPT and gap.object_id is None
        if gap.subject in WHOLE_ACCOUNT_SUBJECTS or worth_it:
            kind = _error_class(gap.cause)
            errors.append(kind(f"account {gap.account_id}, {gap.subject}: {gap.detail}"))
    return next((error for error in errors if not error.retryable), errors[0] if errors else None)


def _error_class(cause: str) -> type[SourceError]:
    """The error of a cause; plain SourceError where the cause has none of its own."""
    direct = SourceError.__subclasses__()
    return next((each for each in direct if each.cause == cause and each.__module__ == "extractors.base"), SourceError)


def _shown(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in rows.items())
