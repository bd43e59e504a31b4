"""The account register against what data.police.uk lists: proposals that a person accepts by editing the seed `accounts`.

Nothing here writes to a seed. What was asked and answered is landed like everything else; the proposals are accepted rows of kind
`proposal`, and a file that people open.
"""

from __future__ import annotations

import csv
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from extractors import police_uk
from extractors.base import Access, Gap, Page, SourceError
from extractors.police_uk import Listed
from include import accepted, credentials, landing, ledger, registry
from include.disk import says_when_full
from include.records import to_table
from include.registry import Registry
from include.settings import Home, contact

log = logging.getLogger(__name__)

BATCH = "forces"
NEW, CHANGED, GONE, STALE = "new", "changed", "gone", "stale"


@dataclass(frozen=True)
class Proposal:
    """One change to the register that a force's page there suggests, with its evidence.

    new: listed, and not in the register. changed: the force's only open account of the platform has another handle there. gone:
    open in the register, listed there some time before and no more. stale: listed, and ended in the register: nothing to do.
    """

    change: str
    force_id: str
    platform: str
    handle: str
    current_handle: str | None  # the register's, where there is one
    account_id: str | None
    url: str | None
    detail: str
    evidence: Page | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Discovered:
    """What one run of the discovery has brought."""

    run_date: date
    ingest_id: str
    forces: int  # that answered
    out_of_scope: tuple[str, ...]  # listed there and not in the register: Northern Ireland, British Transport Police
    listed: int
    proposals: tuple[Proposal, ...]
    gaps: tuple[Gap, ...]
    report: Path


@dataclass(frozen=True)
class RegisterAccount:
    """One row of the register as `compare` sees it."""

    platform: str
    account_id: str
    force_id: str
    handle: str
    is_open: bool
    names: frozenset[str]  # how an address may call it: handle, id, the handle of its own address

    @classmethod
    def of(cls, row: dict[str, str], on: date) -> RegisterAccount:
        is_open = row["valid_from"] <= on.isoformat() and (not row["valid_to"] or on.isoformat() <= row["valid_to"])
        own = police_uk.normalise(row.get("url") or "")
        names = {row["handle"].lstrip("@").casefold(), row["account_id"].casefold(), *((own[1],) if own else ())}
        return cls(row["platform"], row["account_id"], row["force_id"], row["handle"], is_open, frozenset(names))


def compare(
    register: Iterable[RegisterAccount],
    listed: Sequence[Listed],
    answered: Iterable[str],
    before: Iterable[tuple[str, str, str]] = (),
) -> list[Proposal]:
    """Proposals, sorted. answered: forces whose page was read; of the others nothing is known, and nothing gone. before: force,
    platform and handle of what was ever listed: what never was cannot be gone from there.

    Only platforms that the register knows are looked at: the caller leaves the others out.
    """
    accounts: dict[tuple[str, str], list[RegisterAccount]] = defaultdict(list)
    everywhere: dict[tuple[str, str], RegisterAccount] = {}
    for account in register:
        accounts[account.force_id, account.platform].append(account)
        for name in account.names:
            everywhere.setdefault((account.platform, name), account)
    there: dict[tuple[str, str], list[Listed]] = defaultdict(list)
    for each in listed:
        there[each.force_id, each.platform].append(each)
    earlier = set(before)
    found = []
    for force_id in sorted(set(answered)):
        platforms = sorted({platform for force, platform in (*accounts, *there) if force == force_id})
        for platform in platforms:
            own, theirs = accounts[force_id, platform], there[force_id, platform]
            open_accounts = [account for account in own if account.is_open]
            known = {name for account in open_accounts for name in account.names}
            ended = {name: account for account in own if not account.is_open for name in account.names if name not in known}
            strange = [each for each in theirs if each.handle not in known and each.handle not in ended]
            missing = [account for account in open_accounts if account.names.isdisjoint(each.handle for each in theirs)]
            for each in theirs:
                if each.handle in ended:
                    was = ended[each.handle]
                    detail = "the register has ended this account: data.police.uk is behind"
                    found.append(_proposal(STALE, each, was, detail))
            if len(strange) == 1 and len(missing) == len(open_accounts) == 1:
                detail = f"the register has {missing[0].handle}: a rename (close its row, open the next), or another account"
                found.append(_proposal(CHANGED, strange[0], missing[0], detail))
                continue
            for each in strange:
                other = everywhere.get((platform, each.handle))
                detail = f"the register has it as {other.force_id}'s" if other else "not in the register"
                found.append(_proposal(NEW, each, None, detail))
            for account in missing:
                if any((force_id, platform, name) in earlier for name in account.names):
                    found.append(
                        Proposal(GONE, force_id, platform, account.handle, account.handle, account.account_id, None,
                                 "listed before, and no more: closed, merged, or only taken off the page")
                    )  # fmt: skip
    return sorted(found, key=lambda each: (each.force_id, each.platform, each.change, each.handle))


def _proposal(change: str, listed: Listed, account: RegisterAccount | None, detail: str) -> Proposal:
    current = account.handle if account else None
    return Proposal(change, listed.force_id, listed.platform, listed.handle, current, account.account_id if account else None,
                    listed.url, detail)  # fmt: skip


@says_when_full("discovery of accounts")
def discover(
    run_date: date, home: Home | None = None, host: str | None = None, sleep: Callable[[float], None] = time.sleep
) -> Discovered:
    """Ask, land, compare, and write the proposals down: kind `proposal`, and `account_proposals/<run_date>.csv`.

    host: asked instead of the real one; by default what a connection named police_uk says, if there is one. Raises, after all
    that could be had is landed and written down, the first SourceError that another attempt may mend.
    """
    from extractors.http import HttpClient

    home = home or Home.current()
    seeds = registry.current()
    client = HttpClient(
        Access(host or credentials.other_host(police_uk.NAME) or police_uk.DEFAULT_HOST),
        run_date=run_date,
        classify=police_uk.classify,
        redact_more=police_uk.only_needed,
        own_items=police_uk.OWN_ITEMS,
        contact=contact(),
        sleep=sleep,
    )
    folder = home.landing / police_uk.NAME
    try:
        landed = landing.write(police_uk.fetch(client, seeds.force_ids, sleep), folder / run_date.isoformat() / BATCH)
    finally:
        client.close()
    items = list(landing.read(landed.path))
    pages = {each.context["force_id"]: each for each in items if isinstance(each, Page) and each.endpoint == "force"
             and not {"error", "superseded"} & each.context.keys()}  # fmt: skip
    listed = [each for page in pages.values() for each in police_uk.parse(page)]
    proposals = [
        Proposal(**{**vars(each), "evidence": pages[each.force_id]})
        for each in compare(
            [RegisterAccount.of(row, run_date) for row in seeds.tables["accounts"]],
            [each for each in listed if each.platform in seeds.platforms],
            pages,
            _listed_before(folder, run_date),
        )
    ]
    gaps = tuple(each for each in items if isinstance(each, Gap))
    accepted.ensure_schema_files(home)
    # each merge is atomic; a process killed between them leaves proposals that count, and the next attempt writes the rest
    _accept(proposals, run_date, landed.ingest_id, home)
    _record_outcomes(pages, gaps, run_date, landed.ingest_id, home)
    found = Discovered(
        run_date,
        landed.ingest_id,
        len(pages),
        _out_of_scope(items, seeds),
        len(listed),
        tuple(proposals),
        gaps,
        _write_report(proposals, home.path / "account_proposals" / f"{run_date}.csv"),
    )
    log.info("%s: %d forces, %d accounts listed, %d proposals", run_date, found.forces, found.listed, len(proposals))
    if error := ledger.failure(gaps, client.reset_seconds):
        raise error
    if not pages:
        raise SourceError("data.police.uk gave no page of any force: " + "; ".join(gap.detail for gap in gaps[:3]))
    return found


def _listed_before(folder: Path, run_date: date) -> set[tuple[str, str, str]]:
    """What any earlier run listed: force, platform and handle. Not the newest alone: a proposal stands until somebody acts on it,
    and a force's page may not have been had the last time."""
    days = (path for path in folder.glob("*") if path.name < run_date.isoformat())
    return {
        (each.force_id, each.platform, each.handle)
        for day in days
        for path in (day / BATCH).glob("*.jsonl.gz")
        for page in landing.read(path)
        if isinstance(page, Page)
        for each in police_uk.parse(page)
    }


def _out_of_scope(items: Iterable[Page | Gap], seeds: Registry) -> tuple[str, ...]:
    import json

    pages = [each for each in items if isinstance(each, Page) and each.endpoint == "forces" and "error" not in each.context]
    there = {force_id for page in pages for force_id in police_uk.forces(json.loads(page.body))}
    return tuple(sorted(there - set(seeds.force_ids)))


def _accept(proposals: Sequence[Proposal], run_date: date, ingest_id: str, home: Home) -> None:
    """One row a proposal, with the answer that is its evidence."""
    rows = []
    for each in proposals:
        assert each.evidence is not None
        rows.append(
            {
                "source": police_uk.NAME,
                "platform": each.platform,
                "force_id": each.force_id,
                "run_date": run_date,
                "ingest_id": ingest_id,
                "observed_at": each.evidence.observed_at,
                "raw_sha256": each.evidence.sha256,
                "is_simulated": each.evidence.is_simulated,
                "account_id": each.account_id,
                "change": each.change,
                "handle": each.handle,
                "current_handle": each.current_handle,
                "url": each.url,
                "detail": each.detail,
            }
        )
    accepted.merge("proposal", police_uk.NAME, run_date, to_table("proposal", rows), home, [ingest_id])


def _record_outcomes(pages: Mapping[str, Page], gaps: Iterable[Gap], run_date: date, ingest_id: str, home: Home) -> None:
    """Kind `collection`: force × attempt; the subject is the force (`*`: the list of forces). It belongs to no platform."""
    recorded_at = datetime.now(UTC)
    common = {
        "source": police_uk.NAME,
        "run_date": run_date,
        "ingest_id": ingest_id,
        "recorded_at": recorded_at,
        "is_simulated": any(page.is_simulated for page in pages.values()),
    }
    rows: list[dict[str, Any]] = [
        {**common, "force_id": force_id, "subject": force_id, "outcome": "collected", "observed_at": page.observed_at}
        for force_id, page in pages.items()
    ]
    if pages:
        seen_at = max(page.observed_at for page in pages.values())
        rows.append({**common, "subject": "*", "outcome": "collected", "observed_at": seen_at})
    for gap in gaps:
        force_id = None if gap.subject == "*" else gap.subject
        what = {"outcome": "gap", "cause": gap.cause, "detail": gap.detail}
        rows.append({**common, "force_id": force_id, "subject": gap.subject, **what})
    accepted.merge("collection", police_uk.NAME, run_date, to_table("collection", rows), home, [ingest_id])


def _write_report(proposals: Sequence[Proposal], path: Path) -> Path:
    """For people: a CSV without anything that a spreadsheet would compute."""
    names = ("change", "force_id", "platform", "handle", "current_handle", "account_id", "url", "detail")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    with aside.open("w", newline="", encoding="utf-8-sig") as handle:
        writer = csv.writer(handle)
        writer.writerow((*names, "answer_sha256"))
        for each in proposals:
            cells = [getattr(each, name) or "" for name in names]
            sha256 = each.evidence.sha256 if each.evidence else ""
            writer.writerow([f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in (*cells, sha256)])
    aside.replace(path)
    return path
