"""The ledger of a collection: what became of each account and subject, or of each open series, and what it ends with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Protocol

import pyarrow as pa

from extractors.base import Account, ApiSource, Gap, Order, Page, SignalSource, SourceError, WatchedSeries
from include import registry
from include.records import to_table

WHOLE_ACCOUNT_SUBJECTS = ("*", "posts")
WORTH_ANOTHER_ATTEMPT = ("throttled", "outage")
"""A gap about one field fails a force only where another attempt may close it; the ledger has it in any case."""


class Parsed(Protocol):
    """What a landed file gave: its pages and its gaps, those of the parser among them."""

    @property
    def pages(self) -> Sequence[Page]: ...

    @property
    def gaps(self) -> Sequence[Gap]: ...


def of_force(parsed: Parsed, source: ApiSource, order: Order, ingest_id: str) -> pa.Table:
    """Kind `collection`: account × subject (× object, for gaps about one post)."""
    recorded_at = datetime.now(UTC)
    simulated = simulated_accounts(source.platform)
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
        gaps = _gaps_of(account, parsed)
        for gap in gaps:
            outcome = {"object_id": gap.object_id, "subject": gap.subject, "outcome": "gap", "cause": gap.cause}
            rows.append({**common, **outcome, "detail": gap.detail})
        closed = {gap.subject for gap in gaps if gap.object_id is None}
        for subject in _answered_subjects(account, parsed):
            if subject not in closed:
                rows.append({**common, "subject": subject, "outcome": "collected"})
    return to_table("collection", rows)


def of_signals(parsed: Parsed, source: SignalSource, watched: Iterable[WatchedSeries], run_date: date, ingest_id: str) -> pa.Table:
    """Kind `collection`: series × attempt. A series belongs to no platform, force or account."""
    recorded_at = datetime.now(UTC)
    gaps: dict[str, Gap] = {}
    for each in parsed.gaps:
        gaps.setdefault(each.subject, each)
    useful = [page for page in parsed.pages if "error" not in page.context]
    answered = {name for page in useful for name in page.context.get("subjects", "").split(",")}
    rows = []
    for series in watched:
        gap: Gap | None = gaps.get(series.subject)
        if gap is None and series.subject not in answered:
            gap = Gap(None, series.subject, "not_collected", "the attempt brought neither an answer nor a reason")
        outcome = {"outcome": "gap", "cause": gap.cause, "detail": gap.detail} if gap else {"outcome": "collected"}
        common = {
            "source": source.name,
            "run_date": run_date,
            "ingest_id": ingest_id,
            "observed_at": max((page.observed_at for page in parsed.pages), default=None),
            "is_simulated": any(page.is_simulated for page in parsed.pages),
            "recorded_at": recorded_at,
        }
        rows.append({**common, "subject": series.subject, **outcome})
    return to_table("collection", rows)


def _gaps_of(account: Account, parsed: Parsed) -> list[Gap]:
    """The account's gaps, each subject and object once: the first cause is the one that led to the others."""
    gaps: dict[tuple[str, str | None], Gap] = {}
    for gap in parsed.gaps:
        if gap.account_id in (account.account_id, None):
            gaps.setdefault((gap.subject, gap.object_id), gap)
    if not gaps and not any(page.account_id == account.account_id for page in parsed.pages):
        return [Gap(account.account_id, "*", "not_collected", "the attempt brought neither an answer nor a reason")]
    return list(gaps.values())


def _answered_subjects(account: Account, parsed: Parsed) -> list[str]:
    """'*' and what was asked for on pages that were of use. A subject with a gap is not collected, whatever else was answered."""
    useful = [page for page in parsed.pages if page.account_id == account.account_id and "error" not in page.context]
    named = (name for page in useful for name in page.context.get("subjects", "").split(",") if name)
    return list(dict.fromkeys(("*", *named))) if useful else []


def simulated_accounts(platform: str) -> frozenset[str]:
    rows = registry.current().tables["accounts"]
    return frozenset(row["account_id"] for row in rows if row["platform"] == platform and row["is_simulated"] == "true")


def failure(gaps: list[Gap]) -> SourceError | None:
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
