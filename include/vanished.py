"""Numbers that a platform no longer reports, noticed on the day: reported at the run before, and by nobody now.

A hole of one account is in the gap ledger with its cause. That a name has gone from the answers of all is another thing: nobody
refused it, so no error says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from include import accepted, registry
from include.settings import Home

FEWEST_ACCOUNTS = 3
"""That one account or two no longer have a number is theirs: the owner hid it, or the page is new."""
LONGEST_LOOK_BACK_DAYS = 35
EXPLAINED = "not_reported"
"""The one cause that says no more than that it was not there. Any other gap about the number is the explanation."""

COLUMNS = ("platform", "account_id", "object_type", "source_field", "origin")
Reported = tuple[str, str, str, str]


def fields(source: str, run_date: date, home: Home, causes: Mapping[str, str]) -> dict[str, str]:
    """Full name of each vanished field to what is known of it: how many accounts had it, and when.

    Compared are accounts that reported anything of the same kind (account, post) in both runs, or of which the answer came without
    just this number: all numbers of a kind may go at once. causes: of the run's open gaps, by subject. Zeros that an absence stands
    for (`absent_is_zero`) do not count as reported: they are how such a loss would hide.
    """
    before, earlier = _run_before(source, run_date, home)
    if before is None:
        return {}
    now = _reported(source, run_date, home)
    valid = {(row.platform, row.object_type, row.source_field) for row in registry.current().metric_map if row.is_valid(run_date)}
    answering, lacking = {key[:3] for key in now}, _lacking(source, run_date, home)
    had: dict[tuple[str, str, str], set[str]] = {}
    for platform, account, object_type, name in earlier:
        if (platform, account, object_type) in answering or (platform, account, object_type, name) in lacking:
            had.setdefault((platform, object_type, name), set()).add(account)
    still = {(platform, object_type, name) for platform, _, object_type, name in now}
    return {
        " ".join(key): f"reported for {len(accounts)} accounts on {before}, for none of them now"
        for key, accounts in sorted(had.items())
        if key in valid and key not in still and len(accounts) >= FEWEST_ACCOUNTS and causes.get(key[2], EXPLAINED) == EXPLAINED
    }


def _run_before(source: str, run_date: date, home: Home) -> tuple[date | None, set[Reported]]:
    """The newest run with observations before this one, and what it reported."""
    dates = accepted.distinct("conservation", ["run_date"], home, source).column("run_date").to_pylist()
    for earlier in sorted(dates, reverse=True):
        if run_date - timedelta(days=LONGEST_LOOK_BACK_DAYS) <= earlier < run_date:
            reported = _reported(source, earlier, home)
            if reported:
                return earlier, reported
    return None, set()


def _reported(source: str, run_date: date, home: Home) -> set[Reported]:
    """Platform, account, object type and name of every number that a run has, each once."""
    rows = accepted.distinct("observation", COLUMNS, home, source, run_date).to_pylist()
    return {
        (row["platform"], row["account_id"], row["object_type"], row["source_field"]) for row in rows if row["origin"] == "reported"
    }


def _lacking(source: str, run_date: date, home: Home) -> set[Reported]:
    """The same of every number that an answer of the run came without, for no reason given."""
    columns = ("platform", "account_id", "object_type", "subject", "cause")
    rows = accepted.distinct("collection", columns, home, source, run_date).to_pylist()
    return {(row["platform"], row["account_id"], row["object_type"], row["subject"]) for row in rows if row["cause"] == EXPLAINED}
