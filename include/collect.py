"""Plan → fetch or read → landing → records, for one force, one file, or one open source. Called by the DAGs and by `make run`."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

import extractors
from extractors.base import Access, ApiSource, FileSource, Gap, Order, Page, SignalSource, Source, WatchedSeries
from include import credentials, landing, ledger, registry
from include.budget_ledger import reopen
from include.budgets import app_of
from include.disk import says_when_full
from include.fetching import Made, fetch_accounts, fetch_signals
from include.inbox import fingerprint, require_unchanged
from include.parsing import parse
from include.pseudonyms import KINDS_WITH_PSEUDONYMS, mark_key, require_same_key
from include.record_folder import PLAN_BATCH, Collected, only_attempt, records_folder, write_folder, write_ingest
from include.records import to_table
from include.settings import Home, run_instant

log = logging.getLogger(__name__)

SIGNAL_BATCH = "signals"
"""All series of an open source are one batch: they belong to no force."""


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
    write_folder(records_folder(home, source, run_date, PLAN_BATCH, ingest_id), {"plan": to_table("plan", rows)}, manifest)
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
    has_pseudonyms = _require_key(api, home)
    order = Order(force_id, accounts, run_date, seeds.source_fields(api.platform, run_date))
    allowed = access or credentials.access(source).for_force(force_id, api.needs_token)
    made = Made()
    with only_attempt(home, source, force_id):
        items = fetch_accounts(api, order, allowed, home, sleep, made)
        landed = landing.write(items, home.landing / source / run_date.isoformat() / force_id)
        parsed = parse(api, landed.path, force_id)
        outcomes = ledger.of_force(parsed, api, order, landed.ingest_id)
        collected = write_ingest(api, parsed, landed, home, run_date, force_id, made.requests, {"collection": outcomes})
    if has_pseudonyms:
        mark_key(home.accepted)
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
    has_pseudonyms = _require_key(files, home)
    with only_attempt(home, source, path.name):
        items = _unless_changed(files.read(path, run_date, moment), path)
        landed = landing.write(items, home.landing / source / run_date.isoformat() / path.name)
        parsed = parse(files, landed.path, None)
        ledgers = {} if files.platform is None else {"collection": ledger.of_uploads(parsed, files, run_date, landed.ingest_id)}
        collected = write_ingest(files, parsed, landed, home, run_date, path.name, 0, ledgers, file=path.name)
    if has_pseudonyms:
        mark_key(home.accepted)
    log.info("%s %s: %s, %d gaps", source, path.name, _shown(collected.rows), collected.gaps)
    return collected


def _require_key(source: Source, home: Home) -> bool:
    """Whether the source's records hold pseudonyms. Raises PseudonymKeyBroken where those before have another key."""
    has_pseudonyms = bool(KINDS_WITH_PSEUDONYMS.intersection(source.kinds))
    if has_pseudonyms:
        require_same_key(home.accepted)
    return has_pseudonyms


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
    made = Made()
    with only_attempt(home, source, SIGNAL_BATCH):
        items = fetch_signals(signals, by_host, run_date, sleep, made)
        landed = landing.write(items, home.landing / source / run_date.isoformat() / SIGNAL_BATCH)
        parsed = parse(signals, landed.path, None)
        outcomes = ledger.of_signals(parsed, signals, watched, run_date, landed.ingest_id)
        collected = write_ingest(signals, parsed, landed, home, run_date, SIGNAL_BATCH, made.requests, {"collection": outcomes})
    log.info("%s: %d series, %s, %d gaps", source, len(watched), _shown(collected.rows), collected.gaps)
    error = ledger.failure(parsed.gaps, made.reset_seconds)
    if error is not None:
        raise error
    return collected


def _api_source(name: str) -> ApiSource:
    found = extractors.source(name)
    if not isinstance(found, ApiSource):
        raise TypeError(f"{name} has no accounts of forces: files go through collect_file, open series through collect_signals")
    return found


def _shown(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in rows.items())
