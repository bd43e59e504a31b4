"""The ledger of a collection: what became of each account and subject, or of each open series, and what it ends with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Protocol

import pyarrow as pa

from extractors.base import (
    Account,
    ApiSource,
    FileSource,
    Gap,
    Order,
    Page,
    SignalSource,
    SourceError,
    Throttled,
    WatchedSeries,
)
from include import registry
from include.records import to_table
from include.settings import observation_bounds

WHOLE_ACCOUNT_SUBJECTS = ("*", "posts")
WORTH_ANOTHER_ATTEMPT = ("throttled", "outage")
"""A gap about one field fails a force only where another attempt may close it; the ledger has it in any case."""


class Parsed(Protocol):
    """What a landed file gave: its pages and its gaps, those of the parser among them."""

    @property
    def pages(self) -> Sequence[Page]: ...

    @property
    def gaps(self) -> Sequence[Gap]: ...


def of_force(parsed: Parsed, source: ApiSource, order: Order, ingest_id: str, recorded_at: datetime | None = None) -> pa.Table:
    """Kind `collection`: account × object type × subject (× object, for gaps about one post).

    recorded_at: when the attempt was written down, where that was not now (reprocess). Raises ValueError where the source names a
    field without saying whose, and its platform has that name for accounts and posts.
    """
    recorded_at = recorded_at or datetime.now(UTC)
    simulated = simulated_accounts(source.platform)
    is_simulated = any(page.is_simulated for page in parsed.pages)
    rows = []
    for account in order.accounts:
        times = plausible_times(page for page in parsed.pages if page.account_id == account.account_id)
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
        gaps = _gaps_of(account, parsed, order, source.name)
        for gap in gaps:
            what = {"object_type": gap.object_type, "object_id": gap.object_id, "subject": gap.subject}
            rows.append({**common, **what, "outcome": "gap", "cause": gap.cause, "detail": gap.detail})
        closed = {(gap.object_type, gap.subject) for gap in gaps if gap.object_id is None}
        for object_type, subject in _answered_subjects(account, parsed, order, source.name):
            if (object_type, subject) not in closed:
                rows.append({**common, "object_type": object_type, "subject": subject, "outcome": "collected"})
    return to_table("collection", rows)


def of_uploads(parsed: Parsed, source: FileSource, run_date: date, ingest_id: str, recorded_at: datetime | None = None) -> pa.Table:
    """Kind `collection` of an uploaded file: account × subject, and every span of which it holds all posts. One page an account.

    A file speaks for the accounts that it names, and for no other. recorded_at: as for of_force.
    """
    assert source.platform is not None
    recorded_at, simulated = recorded_at or datetime.now(UTC), simulated_accounts(source.platform)
    rows = []
    for page in parsed.pages:
        if page.account_id is None:
            continue
        common = {
            "source": source.name,
            "platform": source.platform,
            "force_id": page.context["force_id"],
            "run_date": run_date,
            "ingest_id": ingest_id,
            "observed_at": page.observed_at,
            "is_simulated": page.is_simulated or page.account_id in simulated,
            "account_id": page.account_id,
            "recorded_at": recorded_at,
        }
        rows.append({**common, "subject": "*", "outcome": "collected"})
        for span in filter(None, page.context.get("lists", "").split(",")):
            start, _, end = span.partition("/")
            rows.append({**common, "subject": "posts", "outcome": "collected", "list_from": start, "list_to": end})
        if "lists_short" in page.context:
            detail = page.context["lists_short"]
            rows.append({**common, "subject": "posts", "outcome": "gap", "cause": "not_uploaded", "detail": detail})
        gaps = {(gap.object_type, gap.subject, gap.object_id): gap for gap in parsed.gaps if gap.account_id == page.account_id}
        for gap in gaps.values():
            what = {"object_type": gap.object_type, "object_id": gap.object_id, "subject": gap.subject}
            rows.append({**common, **what, "outcome": "gap", "cause": gap.cause, "detail": gap.detail})
        closed = {(gap.object_type, gap.subject) for gap in gaps.values() if gap.object_id is None}
        for subject in filter(None, page.context.get("subjects", "").split(",")):
            object_type = page.context.get("object_type")
            if (object_type, subject) not in closed:
                rows.append({**common, "object_type": object_type, "subject": subject, "outcome": "collected"})
    return to_table("collection", rows)


def of_signals(
    parsed: Parsed,
    source: SignalSource,
    watched: Iterable[WatchedSeries],
    run_date: date,
    ingest_id: str,
    recorded_at: datetime | None = None,
) -> pa.Table:
    """Kind `collection`: series × attempt. A series belongs to no platform, force or account. recorded_at: as for of_force."""
    recorded_at = recorded_at or datetime.now(UTC)
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
            "observed_at": max(plausible_times(parsed.pages), default=None),
            "is_simulated": any(page.is_simulated for page in parsed.pages),
            "recorded_at": recorded_at,
        }
        rows.append({**common, "subject": series.subject, **outcome})
    return to_table("collection", rows)


def _object_type(subject: str, said: str | None, order: Order, source: str) -> str | None:
    """Whose field a subject is. A name that the platform has for accounts only, or posts only, says it by itself."""
    if subject in WHOLE_ACCOUNT_SUBJECTS:
        return None
    asked = {each.object_type for each in order.fields if each.source_field == subject}
    if len(asked) > 1 and said not in asked:
        raise ValueError(
            f"{source}: {subject!r} is a field of {' and of '.join(sorted(asked))}; its gaps and the context of its pages must say "
            f"of which (object_type), they say {said}: else the hole of one would pass for the other's (docs/add-a-source.md)"
        )
    return asked.pop() if len(asked) == 1 else said


def _gaps_of(account: Account, parsed: Parsed, order: Order, source: str) -> list[Gap]:
    """The account's gaps, each subject and object once: the first cause is the one that led to the others."""
    gaps: dict[tuple[str | None, str, str | None], Gap] = {}
    for gap in parsed.gaps:
        if gap.account_id in (account.account_id, None):
            object_type = _object_type(gap.subject, gap.object_type, order, source)
            gaps.setdefault((object_type, gap.subject, gap.object_id), replace(gap, object_type=object_type))
    if not gaps and not any(page.account_id == account.account_id for page in parsed.pages):
        return [Gap(account.account_id, "*", "not_collected", "the attempt brought neither an answer nor a reason")]
    return list(gaps.values())


def _answered_subjects(account: Account, parsed: Parsed, order: Order, source: str) -> list[tuple[str | None, str]]:
    """Object type and subject: '*' and what was asked for on pages that were of use.

    A subject with a gap is not collected, whatever else was answered.
    """
    useful = [page for page in parsed.pages if page.account_id == account.account_id and "error" not in page.context]
    named = (
        (_object_type(name, page.context.get("object_type"), order, source), name)
        for page in useful
        for name in page.context.get("subjects", "").split(",")
        if name
    )
    return list(dict.fromkeys(((None, "*"), *named))) if useful else []


def simulated_accounts(platform: str) -> frozenset[str]:
    rows = registry.current().tables["accounts"]
    return frozenset(row["account_id"] for row in rows if row["platform"] == platform and row["is_simulated"] == "true")


def failure(gaps: Sequence[Gap], reset_seconds: float | None) -> SourceError | None:
    """The error that a force's part of a run ends with: the first that no retry mends, else a throttle, else the first.

    reset_seconds: the longest wait that a throttle named. It goes with the error, so that no retry comes before it.
    """
    errors: list[SourceError] = []
    for gap in gaps:
        worth_it = gap.cause in WORTH_ANOTHER_ATTEMPT and gap.object_id is None
        if gap.subject in WHOLE_ACCOUNT_SUBJECTS or worth_it:
            kind = _error_class(gap.cause)
            message = f"account {gap.account_id}, {gap.subject}: {gap.detail}"
            errors.append(Throttled(message, reset_seconds) if kind is Throttled else kind(message))
    lasting = [error for error in errors if not error.retryable]
    throttles = [error for error in errors if isinstance(error, Throttled)]
    return next(iter([*lasting, *throttles, *errors]), None)


def plausible_times(pages: Iterable[Page]) -> list[datetime]:
    """When the pages were observed, without dates that the gate does not believe either (rule observed_at_implausible)."""
    times = []
    for page in pages:
        earliest, latest = observation_bounds(page.run_date)
        if earliest <= page.observed_at < latest:
            times.append(page.observed_at)
    return times


def _error_class(cause: str) -> type[SourceError]:
    """The error of a cause; plain SourceError where the cause has none of its own."""
    direct = SourceError.__subclasses__()
    return next((each for each in direct if each.cause == cause and each.__module__ == "extractors.base"), SourceError)
