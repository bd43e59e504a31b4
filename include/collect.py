"""Plan → fetch or read → landing → records, for one force or one file. Called by the DAGs, by `make run`, and by `reprocess`.

Records are always parsed from the landed file, never from memory: what is reprocessed later gives the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
import traceback
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock

import extractors
from extractors.base import (
    Access,
    Account,
    ApiSource,
    Drop,
    FileSource,
    Gap,
    Order,
    Page,
    RowBatch,
    SignalOrder,
    SignalSource,
    Source,
    SourceError,
    WatchedSeries,
)
from extractors.redaction import REDACTION_VERSION
from include import accepted, credentials, landing, ledger, registry
from include.budget_ledger import reopen
from include.budgets import LedgerPacer, app_of
from include.disk import says_when_full
from include.inbox import fingerprint, require_unchanged
from include.records import LEDGER_KINDS, batch_to_table, to_table
from include.settings import Home, contact, longest_wait_seconds, run_instant

if TYPE_CHECKING:
    from extractors.http import HttpClient

log = logging.getLogger(__name__)

PLAN_BATCH = "_plan"
SUFFIX = ".jsonl.gz"
SIGNAL_BATCH = "signals"
"""All series of an open source are one batch: they belong to no force."""


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


@says_when_full("collection")
def plan(source: str, run_date: date, forces: Iterable[str] | None = None, home: Home | None = None) -> list[str]:
    """Write down what a run means to collect, before it asks anything. forces: only these; by default all with open accounts.

    Grain of kind `plan`: account × run date. Returns the force ids, sorted. KeyError for a force without an open account.
    """
    home = home or Home.current()
    api = _api_source(source)
    platform = api.platform
    seeds = registry.current()
    known = seeds.forces_with_accounts(platform, run_date)
    wanted = sorted(set(forces)) if forces is not None else list(known)
    unknown = [force for force in wanted if force not in known]
    if unknown:
        raise KeyError(f"no open account on {platform} on {run_date}: {', '.join(unknown)}")
    accounts = [account for account in seeds.open_accounts(platform, run_date) if account.force_id in wanted]
    ids = "\n".join(sorted(account.account_id for account in accounts))
    ingest_id = hashlib.sha256(f"plan\n{source}\n{run_date}\n{ids}".encode()).hexdigest()[:20]
    simulated = ledger.simulated_accounts(platform)
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
    if reopen(app_of(api), home):
        log.info("%s: credits were used up a while ago; this run asks again", source)
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
    non-retryable SourceError, else a Throttled with the longest reset that was named, else the first retryable one.
    """
    home = home or Home.current()
    api = _api_source(source)
    seeds = registry.current()
    accounts = tuple(account for account in seeds.open_accounts(api.platform, run_date) if account.force_id == force_id)
    if not accounts:
        raise KeyError(f"no open account on {api.platform} on {run_date}: {force_id}")
    order = Order(force_id, accounts, run_date, seeds.source_fields(api.platform, run_date))
    allowed = access or credentials.access(source).for_force(force_id, api.needs_token)
    made = _Made()
    with _only_attempt(home, source, force_id):
        items = _fetch_accounts(api, order, allowed, home, sleep, made)
        landed = landing.write(items, home.landing / source / run_date.isoformat() / force_id)
        parsed = _parse(api, landed.path, force_id)
        outcomes = ledger.of_force(parsed, api, order, landed.ingest_id)
        collected = _record(api, parsed, landed, home, run_date, force_id, made.requests, {"collection": outcomes})
    log.info(
        "%s %s: %d accounts, %d pages, %s, %d gaps",
        source, force_id, len(accounts), landed.pages, _shown(collected.rows), collected.gaps,
    )  # fmt: skip
    error = ledger.failure(parsed.gaps, made.reset_seconds)
    if error is not None:
        raise error
    return collected


@says_when_full("collection")
def collect_file(
    source: str, path: Path, run_date: date, home: Home | None = None, observed_at: datetime | None = None
) -> Collected:
    """Read one file, land it redacted, and write its records. The batch is the file's name.

    observed_at: when the file was had; by default the run's planned instant. Raises BadFile, or FileStillChanging where the file
    is not finished, and then nothing is kept.
    """
    home = home or Home.current()
    files = extractors.source(source)
    if not isinstance(files, FileSource):
        raise TypeError(f"{source} is not a source of files")
    moment = observed_at or run_instant(run_date)
    with _only_attempt(home, source, path.name):
        items = _unless_changed(files.read(path, run_date, moment), path)
        landed = landing.write(items, home.landing / source / run_date.isoformat() / path.name)
        parsed = _parse(files, landed.path, None)
        ledgers = {} if files.platform is None else {"collection": ledger.of_uploads(parsed, files, run_date, landed.ingest_id)}
        collected = _record(files, parsed, landed, home, run_date, path.name, 0, ledgers, file=path.name)
    log.info("%s %s: %s, %d gaps", source, path.name, _shown(collected.rows), collected.gaps)
    return collected


def _unless_changed(items: Iterable[Page | Gap], path: Path) -> Iterator[Page | Gap]:
    """What was read from a file. Raises FileStillChanging before the end where the file is no longer what it was at the start."""
    before = fingerprint(path)
    yield from items
    require_unchanged(path, before)


@says_when_full("collection")
def collect_signals(
    source: str,
    run_date: date,
    home: Home | None = None,
    host: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Collected:
    """Fetch all series that the watchlist has of an open source, land them, and write their records.

    host: asked instead of the real host; by default what a connection named like the source says, if there is one. Raises, after
    all that could be had is landed and recorded, the first SourceError that another attempt may mend.
    """
    home = home or Home.current()
    signals = extractors.source(source)
    if not isinstance(signals, SignalSource):
        raise TypeError(f"{source} is not an open source of signals")
    watched = registry.current().watched_series(source)
    asked = host or credentials.other_host(source)
    by_host: dict[str, list[WatchedSeries]] = defaultdict(list)
    for series in watched:
        by_host[signals.base_url(series, asked)].append(series)
    made = _Made()
    with _only_attempt(home, source, SIGNAL_BATCH):
        items = _fetch_signals(signals, by_host, run_date, sleep, made)
        landed = landing.write(items, home.landing / source / run_date.isoformat() / SIGNAL_BATCH)
        parsed = _parse(signals, landed.path, None)
        outcomes = ledger.of_signals(parsed, signals, watched, run_date, landed.ingest_id)
        collected = _record(signals, parsed, landed, home, run_date, SIGNAL_BATCH, made.requests, {"collection": outcomes})
    log.info("%s: %d series, %s, %d gaps", source, len(watched), _shown(collected.rows), collected.gaps)
    error = ledger.failure(parsed.gaps, made.reset_seconds)
    if error is not None:
        raise error
    return collected


@dataclass
class _Made:
    """What asking took: requests, and the longest wait that a throttle named."""

    requests: int = 0
    reset_seconds: float | None = None

    def add(self, client: HttpClient) -> None:
        self.requests += client.requests_made
        waits = [wait for wait in (self.reset_seconds, client.reset_seconds) if wait is not None]
        self.reset_seconds = max(waits, default=None)


def _fetch_accounts(
    source: ApiSource, order: Order, access: Access, home: Home, sleep: Callable[[float], None], made: _Made
) -> Iterator[Page | Gap]:
    """What the source yields, host by host: on most platforms there is one."""
    from extractors.http import HttpClient

    by_host: dict[str, list[Account]] = defaultdict(list)
    for account in order.accounts:
        by_host[source.base_url(account, access.base_url)].append(account)
    for base_url, accounts in by_host.items():
        # the token is that of the connection's host, and no other host gets to see it
        is_its_host = urlsplit(base_url)[:2] == urlsplit(access.base_url)[:2]
        there = replace(access, base_url=base_url, token=access.token if is_its_host else None)
        pacer = LedgerPacer(source, there, order.run_date, home, sleep)
        client = HttpClient(
            there,
            run_date=order.run_date,
            classify=source.classify,
            redact_more=source.redact,
            own_items=source.own_items,
            token_header=source.token_header,
            pacer=pacer,
            reset_limit_seconds=longest_wait_seconds(),
        )
        try:
            yield from _fetch(source, client, replace(order, accounts=tuple(accounts)))
        finally:
            made.add(client)
            client.close()
            pacer.close()


def _fetch_signals(
    source: SignalSource,
    by_host: Mapping[str, list[WatchedSeries]],
    run_date: date,
    sleep: Callable[[float], None],
    made: _Made,
) -> Iterator[Page | Gap]:
    """What the source yields, host by host. What it lets through becomes a gap of the host's series that it had not finished."""
    from extractors.http import HttpClient

    for base_url, series in by_host.items():
        client = HttpClient(
            Access(base_url),
            run_date=run_date,
            classify=source.classify,
            redact_more=source.redact,
            own_items=source.own_items,
            contact=contact(),
            sleep=sleep,
        )
        answered: set[str] = set()
        try:
            for item in source.fetch(client, SignalOrder(run_date, tuple(series))):
                if isinstance(item, Gap):
                    answered.add(item.subject)
                elif "error" not in item.context:
                    answered.update(item.context.get("subjects", "").split(","))
                yield item
            continue
        except SourceError as error:
            cause, detail = error.cause, str(error)
        except Exception as error:
            cause, detail = "outage", _unexpected(error, f"{source.name}: after {client.requests_made} requests")
        finally:
            made.add(client)
            client.close()
        for each in series:
            if each.subject not in answered:
                yield Gap(None, each.subject, cause, detail)


def _api_source(name: str) -> ApiSource:
    found = extractors.source(name)
    if not isinstance(found, ApiSource):
        raise TypeError(f"{name} has no accounts of forces: files go through collect_file, open series through collect_signals")
    return found


def _only_attempt(home: Home, source: str, batch: str) -> FileLock:
    """One attempt at a batch at a time: another one would take its unfinished file for the leftover of a crash."""
    home.locks.mkdir(parents=True, exist_ok=True)
    # hashed: a batch of files is a file's name, which may be as long as a name can be
    return FileLock(home.locks / f"collect-{source}-{hashlib.sha256(batch.encode()).hexdigest()[:20]}.lock")


def _fetch(source: ApiSource, client: Any, order: Order) -> Iterator[Page | Gap]:
    """What the source yields. Whatever it lets through becomes a gap of the accounts that it had not finished: what came before
    is kept, and collect_force ends with that gap's error."""
    seen: dict[str | None, None] = {}
    pages, endpoint = 0, "any answer"
    try:
        for item in source.fetch(client, order):
            seen[item.account_id] = None
            if isinstance(item, Page):
                pages, endpoint = pages + 1, item.endpoint
            yield item
        return
    except SourceError as error:
        cause, detail = error.cause, str(error)
    except Exception as error:
        cause, detail = "outage", _unexpected(error, f"{order.force_id}: after page {pages} ({endpoint})")
    last = next(reversed(seen), None)
    for account in order.accounts:
        if account.account_id == last or account.account_id not in seen:
            yield Gap(account.account_id, "*", cause, detail)


def _unexpected(error: Exception, place: str) -> str:
    """Tells the kind of an error and where it came from, in the log with all its frames. Not its message, which may quote a URL."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    detail = f"{place}: unexpected {type(error).__name__} in {where}"
    log.error("%s\n%s", detail, "".join(traceback.format_list(frames)))
    return detail


# --- landed file → records ---


def records_again(source: str, path: Path, home: Home | None = None) -> Collected:
    """The records of a landed file once more, by the parser as it is now. No source is asked, and no clock.

    path: `landing/<source>/<run_date>/<batch>/<ingest_id>.jsonl.gz`. The rows of the ledger keep the time of the attempt and what
    was judged since (include/quarantine_ledger.py). Raises LandingDamaged, and for a file what its parser raises: then nothing is
    written, and what was accepted stands.
    """
    home = home or Home.current()
    of = extractors.source(source)
    run_date, batch, ingest_id = date.fromisoformat(path.parent.parent.name), path.parent.name, path.name.removesuffix(SUFFIX)
    seeds = registry.current()
    with _only_attempt(home, source, batch):
        force_id = batch if isinstance(of, ApiSource) else None
        parsed = _parse(of, path, force_id)
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
        return _record(of, parsed, landed, home, run_date, batch, 0, ledgers, **more)


def _ledger_so_far(home: Home, source: str, run_date: date, batch: str, ingest_id: str) -> tuple[datetime | None, pa.Table]:
    """When an ingest was first written down, and its rows of kind `collection` that are later: those of the gate."""
    schema = LEDGER_KINDS["collection"].record_schema
    waiting = _records_folder(home, source, run_date, batch, ingest_id) / "collection.parquet"
    is_waiting = waiting.is_file()  # collected, and not validated yet
    table = pq.ParquetFile(waiting).read() if is_waiting else accepted.read("collection", home, source, run_date)
    table = accepted.conform(table.filter(pc.equal(table.column("ingest_id"), ingest_id)), schema)
    first = pc.min(table.column("recorded_at"))
    return first.as_py(), table.filter(pc.greater(table.column("recorded_at"), first))


def _parse(source: Source, path: Path, force_id: str | None) -> _Parsed:
    parsed = _Parsed()
    ingest_id = path.name.removesuffix(SUFFIX)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in landing.read(path):
        if isinstance(item, Gap):
            parsed.gaps.append(item)
            continue
        parsed.pages.append(replace(item, body=""))
        if "error" in item.context:
            continue
        try:
            landed, records = source.count(item), list(source.parse(item))
        except Exception as error:
            if isinstance(source, FileSource):
                raise  # a file is kept or refused as a whole
            detail = _unexpected(error, f"{force_id or source.name}: page {len(parsed.pages)} ({item.endpoint})")
            subjects = [name for name in item.context.get("subjects", "").split(",") if name]
            object_type = item.context.get("object_type")
            parsed.gaps += [Gap(item.account_id, each, "outage", detail, None, object_type) for each in subjects or ["*"]]
            continue
        parsed.landed.update(landed)
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
        for record in records:
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


def _shown(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in rows.items())
