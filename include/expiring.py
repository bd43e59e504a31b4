"""Data that its platform keeps for a limited time, and that nobody has collected lately: said before it is lost."""

from __future__ import annotations

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


class DataExpires(RuntimeError):
    """Something will be lost for good in some days. Names force, platform, what, and how many days are left."""


def lines(home: Home | None = None) -> list[str]:
    """What the publication that stands says is about to be lost: one line for each account and kind, the most urgent first."""
    home = home or Home.current()
    with duckdb.connect(str(home.published / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(QUESTION).fetchall()
    return [
        f"{force}: {platform} {what} lost in {days} {'day' if days == 1 else 'days'} "
        f"({f'last collected {last}' if last else 'never collected'}, account {account})"
        for force, platform, what, days, last, account in rows
    ]


def require_nothing_expires(home: Home | None = None) -> None:
    """Raises DataExpires with every line."""
    found = lines(home)
    if found:
        named = "\n".join(f"  {line}" for line in found)
        raise DataExpires(f"collect now, or run a backfill over the days that are missing:\n{named}")
