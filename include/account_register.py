"""The account register (seed `accounts`): which account was a force's, from when to when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from include.seed_reader import Row, SeedReader, boolean, check_overlaps, optional_date

ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]*")
"""What platforms call an account. A spreadsheet turns long numbers into 1.00000001E+14: that is none."""

ACCOUNT_STATUSES = ("open", "closed", "merged", "renamed")


@dataclass(frozen=True)
class AccountRow:
    """One validity of one account: a rename closes one row and opens the next."""

    platform: str
    account_id: str
    force_id: str
    handle: str
    valid_from: date
    valid_to: date | None
    status: str
    line: int

    def is_valid(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


def read_accounts(reader: SeedReader, rows: list[Row]) -> tuple[AccountRow, ...]:
    accounts = []
    for row in rows:
        start = reader.convert("accounts", row, "valid_from", date.fromisoformat)
        end = reader.convert("accounts", row, "valid_to", optional_date)
        reader.convert("accounts", row, "is_simulated", boolean)
        if row["account_id"] and not ACCOUNT_ID.fullmatch(row["account_id"]):
            reader.problem(
                "accounts", row["_line"], f"account_id {row['account_id']!r} is no account id; format the column as text"
            )
        if row["status"] not in ACCOUNT_STATUSES:
            reader.problem("accounts", row["_line"], f"status {row['status']!r} is none of {', '.join(ACCOUNT_STATUSES)}")
        if start is None:
            continue
        if end is not None and end < start:
            reader.problem("accounts", row["_line"], f"account {row['handle']} ends ({end}) before it begins ({start})")
        if (row["status"] == "open") != (end is None):
            reader.problem("accounts", row["_line"], f"account {row['handle']}: open means no valid_to, and no valid_to means open")
        accounts.append(
            AccountRow(
                row["platform"], row["account_id"], row["force_id"], row["handle"], start, end, row["status"], int(row["_line"])
            )
        )
    check_overlaps(reader, "accounts", accounts, lambda row: (row.platform, row.account_id), "the validity of account")
    check_overlaps(
        reader, "accounts", accounts, lambda row: (row.platform, row.handle.casefold()), "duplicate handle: the validity of"
    )
    return tuple(accounts)
