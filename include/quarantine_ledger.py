"""What the gate held back, as rows of the ledger: a number that did not come through is a hole like any other.

Kind `collection`, cause `quarantined`: one row per quarantined observation or post, by the field (subject) and object it is
about, or per open series; where the whole batch was stopped, one row for each account, subject `*`, or for each series. They
are recorded a moment after the rest of their ingest, and so are its latest attempt. When they pass the gate later
(include/release.py), the holes are closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from expectations.rules import CLOCK_TOLERANCE, EARLIEST
from include.records import to_table
from include.settings import run_instant

QUARANTINED = "quarantined"
MOMENT = timedelta(microseconds=1)
HELD_KINDS = ("post", "observation", "signal")

Identity = tuple[str | None, str | None, str | None, str]
"""account_id, object_type, object_id, subject."""


def with_held_back(
    collection: pa.Table, held: Mapping[str, Iterable[Mapping[str, Any]]], common: Mapping[str, Any], accounts: Iterable[str],
    stopped: str | None,
) -> pa.Table:  # fmt: skip
    """One ingest's ledger rows, with those of what the gate held back of it.

    collection: the ingest's rows so far; those of an earlier judgement are kept, and closed where they hold no longer.
    held: quarantined rows by kind, with rule and position. common: the columns that all rows of the ingest share. accounts:
    the batch's own, for rows that name none of the register. stopped: why the whole batch was stopped, if it was.
    """
    rows = collection.to_pylist()
    times = [row["recorded_at"] for row in rows if row["recorded_at"]]
    recorded_at: datetime = max(times, default=common["observed_at"] or run_instant(common["run_date"])) + MOMENT
    own = list(dict.fromkeys([row["account_id"] for row in rows if row["account_id"]] or accounts))
    known = {_identity(row): row for row in rows if row["cause"] == QUARANTINED}
    series = list(dict.fromkeys(row["subject"] for row in rows if row["account_id"] is None))
    found = _stopped(own, series, stopped) if stopped else _held(own, held)
    added = [
        {**common, **hole, "outcome": "gap", "cause": QUARANTINED, "recorded_at": recorded_at}
        for identity, hole in found.items()
        if identity not in known or _is_closed(rows, known[identity])
    ]
    passed = ("account_id", "object_type", "object_id", "subject")
    closed = [
        {**common, **{name: row[name] for name in passed}, "outcome": "collected", "recorded_at": recorded_at}
        for identity, row in known.items()
        if identity not in found and not _is_closed(rows, row)
    ]
    return to_table("collection", [*rows, *added, *closed])


def _identity(row: Mapping[str, Any]) -> Identity:
    return row["account_id"], row["object_type"], row["object_id"], row["subject"]


def _is_closed(rows: list[dict[str, Any]], hole: Mapping[str, Any]) -> bool:
    return any(
        row["outcome"] == "collected" and _identity(row) == _identity(hole) and row["recorded_at"] > hole["recorded_at"]
        for row in rows
    )


def _stopped(accounts: list[str], series: list[str], reason: str) -> dict[Identity, dict[str, Any]]:
    whole: list[tuple[str | None, str]] = [*((account_id, "*") for account_id in accounts), *((None, each) for each in series)]
    return {
        (account_id, None, None, subject): {
            "account_id": account_id,
            "object_type": None,
            "object_id": None,
            "subject": subject,
            "detail": f"the batch was stopped: {reason}",
        }
        for account_id, subject in whole
    }


def _held(accounts: list[str], held: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[Identity, dict[str, Any]]:
    """One hole per field and object, with the rules that its rows broke: reasons may quote a row, and a ledger is published."""
    holes: dict[Identity, dict[str, Any]] = {}
    rules: dict[Identity, Counter[str]] = {}
    for kind in HELD_KINDS:
        for row in held.get(kind, ()):
            hole = _hole(kind, row, accounts)
            if hole is not None:
                holes.setdefault(_identity(hole), hole)
                rules.setdefault(_identity(hole), Counter())[row["rule"]] += 1
    for identity, counted in rules.items():
        holes[identity]["detail"] = ", ".join(f"{rule} × {count}" if count > 1 else rule for rule, count in sorted(counted.items()))
    return holes


def _hole(kind: str, row: Mapping[str, Any], accounts: list[str]) -> dict[str, Any] | None:
    if kind == "signal":
        subject = f"{row['channel']}/{row['series']}" if row["channel"] and row["series"] else f"unnamed series: {row['position']}"
        return {"account_id": None, "object_type": None, "object_id": None, "subject": subject}
    # a row that names no account of the batch lay in an answer about one of its accounts: which one, it does not say
    account_id = row["account_id"] if row["account_id"] in accounts else next(iter(accounts), None)
    if account_id is None:
        return None
    unnamed = f"without id: {row['position']}"
    if kind == "post":
        published_at = row["published_at"] if _is_plausible(row["published_at"], row["observed_at"]) else None
        what = {"object_type": "post", "object_id": row["post_id"] or unnamed, "subject": "posts", "published_at": published_at}
    else:
        is_account = row["object_type"] == "account"
        what = {
            "object_type": row["object_type"],
            "object_id": None if is_account else row["object_id"] or unnamed,
            "subject": row["source_field"] or "unnamed field",
        }
    return {"account_id": account_id, **what}


def _is_plausible(published_at: datetime | None, observed_at: datetime | None) -> bool:
    if published_at is None or observed_at is None:
        return False
    return EARLIEST.tz_localize("UTC").to_pydatetime() <= published_at <= observed_at + CLOCK_TOLERANCE.to_pytimedelta()
