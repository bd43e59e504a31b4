"""Data that its platform keeps for a limited time, and that nobody has collected lately: said before it is lost."""

from __future__ import annotations

from typing import Any

import duckdb

from include.settings import Home

QUESTION = """
    select
        force.official_name, expiring.platform, expiring.what, expiring.days_left, expiring.last_collected_on, expiring.account_id
    from marts.expiring_data as expiring
    inner join marts.dim_force as force on expiring.force_id = force.force_id
    where expiring.status = 'expiring'
    order by expiring.days_left, force.official_name, expiring.platform, expiring.what, expiring.account_id
"""

NOT_COLLECTED = """
    select platform, what, kept_days, count(distinct force_id), count(*)
    from marts.expiring_data
    where status = 'not_collected'
    group by platform, what, kept_days
    order by kept_days, platform, what
"""


class DataExpires(RuntimeError):
    """Something will be lost for good in some days. Names force, platform, what, and how many days are left."""


def lines(home: Home | None = None) -> list[str]:
    """What the publication that stands says is about to be lost: one line for each account and kind, the most urgent first."""
    return [
        f"{force}: {platform} {what} lost in {_days(days)} "
        f"({f'last collected {last}' if last else 'never collected'}, account {account})"
        for force, platform, what, days, last, account in _asked(QUESTION, home)
    ]


def lines_of_not_collected(home: Home | None = None) -> list[str]:
    """What no run asks for and the platform deletes all the same: one line for each kind, that with the fewest days first."""
    return [
        f"{platform} {what}: not collected, what is there today is lost in {_days(days)} ({accounts} accounts of {forces} forces)"
        for platform, what, days, forces, accounts in _asked(NOT_COLLECTED, home)
    ]


def _asked(question: str, home: Home | None) -> list[tuple[Any, ...]]:
    home = home or Home.current()
    with duckdb.connect(str(home.published / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(question).fetchall()


def _days(number: int) -> str:
    return f"{number} {'day' if number == 1 else 'days'}"


def require_nothing_expires(home: Home | None = None) -> None:
    """Raises DataExpires with every line."""
    found = lines(home)
    if found:
        named = "\n".join(f"  {line}" for line in found)
        raise DataExpires(f"collect now, or run a backfill over the days that are missing:\n{named}")
