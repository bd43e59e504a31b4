"""The registry: the seeds of dbt_project/seeds, as Airflow reads them.

dbt loads the same files. A wrong row fails here before any run starts, by file, line and name.
Light on imports (csv only): DAG files read it when they are parsed.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from extractors.base import Account, SourceField, WatchedSeries
from include.settings import SEEDS


class RegistryError(ValueError):
    """Rows of the registry that cannot be right. One line for each, with file and line number."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("the registry has wrong rows:\n" + "\n".join(f"  {problem}" for problem in self.problems))


Row = dict[str, str]


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


@dataclass(frozen=True)
class MapRow:
    """One row of platform_metric_map: a platform's own name of a number, valid between two dates of asking."""

    platform: str
    object_type: str
    source_field: str
    period: str
    breakdown: str | None
    breakdown_value: str | None
    valid_from: date
    valid_to: date | None
    metric: str | None
    preferred: bool
    line: int

    def is_valid(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)

    @property
    def field_key(self) -> tuple[str | None, ...]:
        return (self.platform, self.object_type, self.source_field, self.period, self.breakdown, self.breakdown_value)


@dataclass(frozen=True)
class Registry:
    """All seeds, checked."""

    folder: Path
    tables: dict[str, list[Row]] = field(repr=False)
    accounts: tuple[AccountRow, ...] = field(repr=False)
    metric_map: tuple[MapRow, ...] = field(repr=False)

    @property
    def force_ids(self) -> tuple[str, ...]:
        return tuple(row["force_id"] for row in self.tables["forces"])

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(row["platform"] for row in self.tables["platforms"])

    def is_uploaded(self, platform: str | None) -> bool:
        """Whether people upload a platform's figures, because its API is closed to forces."""
        return any(row["platform"] == platform and row["collected_by"] == "upload" for row in self.tables["platforms"])

    def open_accounts(self, platform: str, on: date) -> tuple[Account, ...]:
        """Accounts open on a date, in the order of the register."""
        return tuple(
            Account(row.platform, row.account_id, row.handle, row.force_id)
            for row in self.accounts
            if row.platform == platform and row.is_valid(on)
        )

    def forces_with_accounts(self, platform: str, on: date) -> tuple[str, ...]:
        return tuple(sorted({account.force_id for account in self.open_accounts(platform, on)}))

    def known_account_ids(self, platform: str) -> frozenset[str]:
        """Every account id the register has ever had on a platform, closed ones too."""
        return frozenset(row.account_id for row in self.accounts if row.platform == platform)

    def watched_series(self, source: str) -> tuple[WatchedSeries, ...]:
        """What the watchlist has of an open source, in its order."""
        rows = (row for row in self.tables["horizon_watchlist"] if row["source"] == source)
        return tuple(WatchedSeries(row["channel"], row["series"], row["asked_as"]) for row in rows)

    def source_fields(self, platform: str, on: date) -> tuple[SourceField, ...]:
        """The numbers to ask a platform for on a date, each name once."""
        types: dict[str, set[str]] = defaultdict(set)
        for each in self.tables["metric_media_types"]:
            ends = each["valid_to"] or date.max.isoformat()
            if each["platform"] == platform:
                # outside its dates the type stays named, without effect: the number is none of every type then either
                types[each["source_field"]].update({each["media_type"]} if each["valid_from"] <= on.isoformat() <= ends else ())
        fields = {
            SourceField(
                row.object_type,
                row.source_field,
                row.period,
                row.breakdown,
                frozenset(types[row.source_field]) if row.object_type == "post" and row.source_field in types else None,
            ): None
            for row in self.metric_map
            if row.platform == platform and row.is_valid(on)
        }
        return tuple(fields)


class _Reader:
    """Reads the seeds and collects what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[str] = []

    def table(self, name: str) -> list[Row]:
        path = self.folder / f"{name}.csv"
        if not path.is_file():
            self.problems.append(f"{name}.csv: the file is missing")
            return []
        try:
            text = path.read_text(encoding="utf-8-sig")  # a spreadsheet may put a byte order mark in front
        except UnicodeDecodeError as error:
            self.problems.append(f"{name}.csv: byte {error.start} is not UTF-8; save it as 'CSV UTF-8'")
            return []
        reader = csv.DictReader(io.StringIO(text, newline=""), restkey="_too_many", restval=None)
        absent = [column for column in REQUIRED[name] if column not in (reader.fieldnames or ())]
        if absent:
            found = ", ".join(reader.fieldnames or ()) or "nothing"
            self.problems.append(f"{name}.csv line 1: no column {', '.join(absent)}; found {found[:120]} (commas between columns?)")
            return []
        rows: list[Row] = []
        for row in reader:
            if "_too_many" in row or None in row.values():
                self.problem(name, reader.line_num, f"has not the {len(reader.fieldnames or ())} columns of the header")
                continue
            line = reader.line_num
            for column, value in row.items():
                if value != value.strip():
                    self.problem(name, line, f"{column} {value!r} has a space at its beginning or end")
                if not value and column in REQUIRED[name]:
                    self.problem(name, line, f"{column} is empty")
            rows.append({**row, "_line": str(line)})
        return rows

    def problem(self, table: str, line: int | str, text: str) -> None:
        self.problems.append(f"{table}.csv line {line}: {text}")

    def convert(self, table: str, row: Row, column: str, how: Callable[[str], Any]) -> Any:
        try:
            return how(row[column])
        except (KeyError, ValueError) as error:
            what = f"no column {column}" if isinstance(error, KeyError) else f"{column} {row[column]!r} is not right: {error}"
            self.problem(table, row["_line"], what)
            return None


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("write true or false")
    return text == "true"


def _optional_date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


TABLES = (
    "forces",
    "force_population",
    "platforms",
    "accounts",
    "metrics",
    "platform_metric_map",
    "metric_media_types",
    "expiring_data_kinds",
    "content_categories",
    "statuses",
    "gap_causes",
    "contact_platforms",
    "office_hours",
    "bank_holidays",
    "survey_waves",
    "survey_questions",
    "survey_options",
    "horizon_watchlist",
)

REQUIRED: dict[str, tuple[str, ...]] = {
    "forces": ("force_id", "official_name", "pfa_code", "region", "country", "per_head_is_meaningful"),
    "force_population": ("force_id", "year", "population_all_ages", "population_16_plus"),
    "platforms": ("platform", "platform_name", "day_tz", "reporting_lag_hours", "list_window_days", "collected_by"),
    "accounts": ("platform", "account_id", "force_id", "handle", "valid_from", "status", "is_simulated"),
    "metrics": ("metric", "metric_version", "metric_name", "definition", "formula", "unit", "direction", "grains", "additivity"),
    "platform_metric_map": ("platform", "object_type", "source_field", "period", "valid_from", "preferred"),
    "metric_media_types": ("platform", "source_field", "media_type", "valid_from"),
    "expiring_data_kinds": ("platform", "what", "kept_days", "warn_days"),
    "content_categories": ("category_code", "category_name", "is_named", "sort_order"),
    "statuses": ("code", "code_type", "label"),
    "gap_causes": ("cause", "label", "is_retryable"),
    "contact_platforms": ("platform", "contacts", "has_contacts"),
    "office_hours": ("force_id", "weekday", "opens", "closes", "is_assumed"),
    "bank_holidays": ("holiday", "title"),
    "survey_waves": ("wave", "fieldwork_start", "fieldwork_end", "layout", "file_name_pattern"),
    "survey_questions": ("question_code", "question_type", "question_text", "is_required"),
    "survey_options": ("question_code", "option_code", "option_label"),
    "horizon_watchlist": ("channel", "series", "source", "unit", "is_stock", "value_period"),
}
"""Columns that must be there and filled in every row; the others may be empty."""

ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]*")
"""What platforms call an account. A spreadsheet turns long numbers into 1.00000001E+14: that is none."""

DEFAULT_HOURS = "default"
"""In the place of a force id: the office hours of every force without rows of its own."""

WEEKDAYS = tuple("1234567")
CLOCK_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")

UNIQUE: dict[str, tuple[str, ...]] = {
    "forces": ("force_id",),
    "force_population": ("force_id", "year"),
    "platforms": ("platform",),
    "metrics": ("metric", "metric_version"),
    "metric_media_types": ("platform", "source_field", "media_type", "valid_from"),
    "expiring_data_kinds": ("platform", "what"),
    "content_categories": ("category_code",),
    "statuses": ("code",),
    "gap_causes": ("cause",),
    "contact_platforms": ("platform",),
    "office_hours": ("force_id", "weekday"),
    "bank_holidays": ("holiday",),
    "survey_waves": ("wave",),
    "survey_questions": ("question_code",),
    "survey_options": ("question_code", "option_code"),
    "horizon_watchlist": ("channel", "series"),
}

REFERENCES: tuple[tuple[str, str, str, str], ...] = (
    ("force_population", "force_id", "forces", "force_id"),
    ("accounts", "force_id", "forces", "force_id"),
    ("accounts", "platform", "platforms", "platform"),
    ("platform_metric_map", "platform", "platforms", "platform"),
    ("platform_metric_map", "metric", "metrics", "metric"),
    ("metric_media_types", "platform", "platforms", "platform"),
    ("contact_platforms", "platform", "platforms", "platform"),
    ("expiring_data_kinds", "platform", "platforms", "platform"),
    ("survey_options", "question_code", "survey_questions", "question_code"),
    ("survey_options", "category_code", "content_categories", "category_code"),
)
"""(table, column, other table, other column). An empty cell refers to nothing."""

COLLECTED_BY = ("api", "upload")
ACCOUNT_STATUSES = ("open", "closed", "merged", "renamed")


def _overlaps(a: tuple[date, date | None], b: tuple[date, date | None]) -> bool:
    return a[0] <= (b[1] or date.max) and b[0] <= (a[1] or date.max)


def _check_overlaps(reader: _Reader, table: str, rows: Iterable[Any], key: Callable[[Any], Any], what: str) -> None:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        for earlier in groups[key(row)]:
            if _overlaps((earlier.valid_from, earlier.valid_to), (row.valid_from, row.valid_to)):
                shown = " ".join(str(part) for part in key(row) if part is not None)
                reader.problem(table, row.line, f"{what} {shown} overlaps in time with line {earlier.line}")
        groups[key(row)].append(row)


def _accounts(reader: _Reader, rows: list[Row]) -> tuple[AccountRow, ...]:
    accounts = []
    for row in rows:
        start = reader.convert("accounts", row, "valid_from", date.fromisoformat)
        end = reader.convert("accounts", row, "valid_to", _optional_date)
        reader.convert("accounts", row, "is_simulated", _boolean)
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
    _check_overlaps(reader, "accounts", accounts, lambda row: (row.platform, row.account_id), "the validity of account")
    _check_overlaps(
        reader, "accounts", accounts, lambda row: (row.platform, row.handle.casefold()), "duplicate handle: the validity of"
    )
    return tuple(accounts)


def _metric_map(reader: _Reader, rows: list[Row]) -> tuple[MapRow, ...]:
    mapped = []
    for row in rows:
        start = reader.convert("platform_metric_map", row, "valid_from", date.fromisoformat)
        end = reader.convert("platform_metric_map", row, "valid_to", _optional_date)
        preferred = reader.convert("platform_metric_map", row, "preferred", _boolean)
        if start is None or preferred is None:
            continue
        mapped.append(
            MapRow(
                row["platform"],
                row["object_type"],
                row["source_field"],
                row["period"],
                row["breakdown"] or None,
                row["breakdown_value"] or None,
                start,
                end,
                row["metric"] or None,
                preferred,
                int(row["_line"]),
            )
        )
    _check_overlaps(reader, "platform_metric_map", mapped, lambda row: row.field_key, "the validity of field")
    _check_overlaps(
        reader,
        "platform_metric_map",
        [row for row in mapped if row.preferred and row.metric],
        lambda row: (row.platform, row.object_type, row.metric),
        "a second preferred field of metric",
    )
    return tuple(mapped)


def _office_hours(reader: _Reader, tables: dict[str, list[Row]]) -> None:
    forces = {row["force_id"] for row in tables["forces"]} | {DEFAULT_HOURS}
    for row in tables["office_hours"]:
        if row["force_id"] not in forces:
            reader.problem("office_hours", row["_line"], f"unknown force_id {row['force_id']!r}: it is not in forces.csv")
        reader.convert("office_hours", row, "is_assumed", _boolean)
        times = [reader.convert("office_hours", row, column, _clock_time) for column in ("opens", "closes")]
        if None not in times and times[0] >= times[1]:
            reader.problem("office_hours", row["_line"], f"closes ({row['closes']}) before it opens ({row['opens']})")
        if row["weekday"] not in WEEKDAYS:
            reader.problem("office_hours", row["_line"], f"weekday {row['weekday']!r} is none of 1 (Monday) to 7 (Sunday)")
    for row in tables["contact_platforms"]:
        reader.convert("contact_platforms", row, "has_contacts", _boolean)
        reader.convert("contact_platforms", row, "window_days", lambda text: int(text) if text else None)
        if row.get("has_contacts") != "true" and row.get("window_days"):
            reader.problem("contact_platforms", row["_line"], "window_days of a platform that has no contacts")
    for row in tables["bank_holidays"]:
        reader.convert("bank_holidays", row, "holiday", date.fromisoformat)


def _clock_time(text: str) -> str:
    if not CLOCK_TIME.fullmatch(text):
        raise ValueError("write HH:MM, 00:00 to 24:00")
    return text


def load(folder: Path = SEEDS) -> Registry:
    """Read and check all seeds. Raises RegistryError with every wrong row, by file and line."""
    reader = _Reader(folder)
    tables = {name: reader.table(name) for name in TABLES}
    if not all(tables.values()):
        # what refers to a table that could not be read would be called unknown: a flood that hides the cause
        raise RegistryError(reader.problems or [f"{name}.csv: no row" for name, rows in tables.items() if not rows])
    for name, columns in UNIQUE.items():
        seen: dict[tuple[str, ...], str] = {}
        for row in tables[name]:
            key = tuple(row.get(column, "") for column in columns)
            if key in seen:
                reader.problem(name, row["_line"], f"{' '.join(key)} stands already in line {seen[key]}")
            seen.setdefault(key, row["_line"])
    for name, column, other, other_column in REFERENCES:
        known = {row.get(other_column) for row in tables[other]}
        for row in tables[name]:
            if row.get(column) and row[column] not in known:
                reader.problem(name, row["_line"], f"unknown {column} {row[column]!r}: it is not in {other}.csv")
    for row in tables["force_population"]:
        for column in ("population_all_ages", "population_16_plus"):
            residents = reader.convert("force_population", row, column, int)
            if residents is not None and residents <= 0:
                reader.problem("force_population", row["_line"], f"{column} {residents} is not a number of residents")
    for row in tables["platforms"]:
        if row["collected_by"] and row["collected_by"] not in COLLECTED_BY:
            problem = f"collected_by {row['collected_by']!r} is none of {', '.join(COLLECTED_BY)}"
            reader.problem("platforms", row["_line"], problem)
        for column in ("list_window_days", "day_window_days"):
            days = reader.convert("platforms", row, column, int) if row.get(column) else None
            if days is not None and days <= 0:
                reader.problem("platforms", row["_line"], f"{column} {days} is not a number of days")
    _office_hours(reader, tables)
    versions = {(row["metric"], row["metric_version"]) for row in tables["metrics"]}
    for row in tables["platform_metric_map"]:
        if row["metric"] and (row["metric"], row["metric_version"]) not in versions:
            reader.problem(
                "platform_metric_map", row["_line"], f"metrics.csv has no version {row['metric_version']!r} of {row['metric']}"
            )
    without = {row["force_id"] for row in tables["forces"]} - {row["force_id"] for row in tables["force_population"]}
    reader.problems.extend(f"force_population.csv: force {force} has no row" for force in sorted(without))
    for row in tables["expiring_data_kinds"]:
        for column in ("kept_days", "warn_days"):
            reader.convert("expiring_data_kinds", row, column, int)
    for row in tables["metric_media_types"]:
        reader.convert("metric_media_types", row, "valid_from", date.fromisoformat)
        reader.convert("metric_media_types", row, "valid_to", _optional_date)
    accounts = _accounts(reader, tables["accounts"])
    metric_map = _metric_map(reader, tables["platform_metric_map"])
    if reader.problems:
        raise RegistryError(reader.problems)
    return Registry(folder, tables, accounts, metric_map)


@cache
def current() -> Registry:
    """The project's own registry, read once in a process."""
    return load()
