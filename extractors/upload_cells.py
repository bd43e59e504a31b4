"""Single cells of an upload: numbers, instants, ids, as people and spreadsheets write them."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from extractors.upload_workbook import Formula

LONDON = ZoneInfo("Europe/London")
NOON = time(12)

GROUPED = re.compile(r"\d{1,3}(?:[, \u00a0\u202f]\d{3}){1,4}")
PLAIN = re.compile(r"-?\d{1,15}(?:\.0{1,2})?")
"""Not 1.000, which is a thousand to half of Europe's spreadsheets."""
DAY_OR_MONTH_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
ROUNDED_ID = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+")

EARLIEST_YEAR, LATEST_YEAR = 1970, 3000
LONGEST_ID = 300
ERRORS = frozenset({"#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"})
"""What a spreadsheet shows where a formula failed."""
EXACT_DIGITS = 15
"""A spreadsheet keeps this many digits of a number, and writes zeros for the rest."""


class Wrong(ValueError):
    """A cell that cannot be read: the rule under which its row is quarantined, and the reason, which does not quote it."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule, self.reason = rule, reason


def shown(cell: Any) -> str:
    """Enough to find the cell, too little to tell what somebody typed."""
    text = str(cell).strip()
    return f"{text[:1]}…, {len(text)} characters"


def number(cell: Any) -> float | str:
    """A count; what is none comes back as a text that says so, and the gate names it. Formulas raise Wrong."""
    if isinstance(cell, Formula):
        raise Wrong("formula_cell", "is a formula; paste its value")
    if isinstance(cell, bool | datetime | date | time):
        return f"no number: {type(cell).__name__}"
    if isinstance(cell, float) and not math.isfinite(cell):
        return "no number: not finite"
    if isinstance(cell, float) and not cell.is_integer():
        return "no number: not a whole one"  # 0.05 is what a workbook holds where 5% is shown
    if isinstance(cell, int | float):
        return float(cell) if abs(cell) < 10**EXACT_DIGITS else "no number: too large"
    text = str(cell).strip()
    if GROUPED.fullmatch(text):
        return float(re.sub(r"\D", "", text))
    return float(text) if PLAIN.fullmatch(text) else f"no number: {shown(text)}"


def whole_number(cell: Any) -> int:
    """Raises Wrong for what is no count."""
    value = number(cell)
    if isinstance(value, str) or value < 0 or value != int(value):
        raise Wrong("number_unreadable", f"is no count ({shown(cell)})")
    return int(value)


def day(cell: Any) -> date:
    """A date. Raises Wrong."""
    return _moment(cell)[0]


def instant(cell: Any) -> datetime:
    """Date and time in London, or with their own offset, in UTC; a date alone is noon in London. Raises Wrong."""
    on, at, offset = _moment(cell)
    if not EARLIEST_YEAR <= on.year < LATEST_YEAR:
        raise Wrong("time_unreadable", f"is in the year {on.year}")
    if offset is not None:
        return offset.astimezone(UTC)
    local = datetime.combine(on, NOON if at is None else at, LONDON)
    if local.astimezone(UTC).astimezone(LONDON).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise Wrong("time_unreadable", "is a time that London's clocks left out when they went forward")
    return local.astimezone(UTC)


def instant_with_offset(cell: Any, is_utc: bool) -> datetime:
    """Date and time with their own offset, or in UTC where the column says so. Raises Wrong: nothing is assumed of a message."""
    on, at, offset = _moment(cell)
    if not EARLIEST_YEAR <= on.year < LATEST_YEAR:
        raise Wrong("time_unreadable", f"is in the year {on.year}")
    if offset is not None:
        return offset.astimezone(UTC)
    if not is_utc:
        raise Wrong("offset_missing", "has no offset (2026-10-31T14:05:00+00:00); where the tool exports UTC, use created_at_utc")
    if at is None and not isinstance(cell, datetime):
        raise Wrong("time_unreadable", "is a date without its time")
    return datetime.combine(on, at or time(0), UTC)


def _moment(cell: Any) -> tuple[date, time | None, datetime | None]:
    """Date, time where there is one, and the whole with its offset where it has one."""
    if isinstance(cell, Formula):
        raise Wrong("formula_cell", "is a formula; paste its value")
    if isinstance(cell, datetime):
        # a date of a workbook is midnight of its day: nobody reads a dashboard then
        return cell.date(), None if cell.time() == time(0) else cell.time().replace(microsecond=0), None
    if isinstance(cell, date):
        return cell, None, None
    if isinstance(cell, bool | int | float | time):
        raise Wrong("date_unreadable", "is no date; format the column as date, or write 2026-10-31")
    text = str(cell).strip()
    found = DAY_OR_MONTH_FIRST.fullmatch(text)
    try:
        if found:
            return _uk(found)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text), None, None
        moment = datetime.fromisoformat(text)
    except Wrong:
        raise
    except ValueError:
        raise Wrong("date_unreadable", f"is no date ({shown(text)}); write 2026-10-31 or 2026-10-31 14:05") from None
    if not re.match(r"\d{4}-\d{2}-\d{2}[ T]", text):
        raise Wrong("date_unreadable", f"is no date ({shown(text)}); write 2026-10-31 or 2026-10-31 14:05")
    return moment.date(), moment.time(), moment if moment.tzinfo else None


def _uk(found: re.Match[str]) -> tuple[date, time | None, None]:
    first, second, year = (int(part) for part in found.groups()[:3])
    at = time(int(found[4]), int(found[5]), int(found[6] or 0)) if found[4] else None
    if first <= 12 and second <= 12 and first != second:
        raise Wrong("date_ambiguous", f"may be {year}-{second:02}-{first:02} or {year}-{first:02}-{second:02}; write one of these")
    day_of_month, month = (second, first) if second > 12 else (first, second)
    return date(year, month, day_of_month), at, None


def text(cell: Any, is_prose: bool = False) -> str:
    """A text without spaces around it. Raises Wrong for what a spreadsheet would compute when somebody opens it again."""
    said = str(cell).strip()
    if isinstance(cell, Formula) or said[:1] == "=" or (not is_prose and said[:1] in ("+", "-", "@", "\t", "\r")):
        raise Wrong("formula_cell", "begins like a formula")
    if said in ERRORS:
        raise Wrong("formula_cell", "is what a formula leaves that failed")
    return said


def identity(cell: Any) -> str:
    """An id as text. Raises Wrong where a spreadsheet has made a rounded number of it."""
    if isinstance(cell, bool | float | datetime | date | time):
        if isinstance(cell, float) and cell.is_integer() and abs(cell) < 10**EXACT_DIGITS:
            return str(int(cell))
        raise Wrong("id_rounded", "is a number, rounded; format the column as text and paste the id again")
    is_long = isinstance(cell, int) and abs(cell) >= 10**EXACT_DIGITS
    said = "" if is_long else text(cell)
    if is_long or ROUNDED_ID.fullmatch(said):
        raise Wrong("id_rounded", "is a number that a spreadsheet has rounded; format the column as text and paste the id again")
    if len(said) > LONGEST_ID:
        raise Wrong("id_unreadable", f"is too long for an id ({len(said)} characters)")
    if not said.isprintable() or " " in said:
        raise Wrong("id_unreadable", f"holds a space, a line break or a sign that nobody sees ({shown(said)})")
    return said


def address(cell: Any) -> str:
    """A public address without its query, which may hold a token. Raises Wrong."""
    said = text(cell)
    try:
        parts = urlsplit(said)
    except ValueError:
        raise Wrong("link_unreadable", f"is no https address ({shown(said)})") from None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or " " in said or not said.isprintable():
        raise Wrong("link_unreadable", f"is no https address ({shown(said)})")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
