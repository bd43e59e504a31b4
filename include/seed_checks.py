"""What is checked of the registry as a whole: keys, references, numbers, dates, office hours."""

from __future__ import annotations

import re
from datetime import date

from include.seed_reader import Row, SeedReader, boolean, optional_date
from include.seed_tables import REFERENCES, UNIQUE

DEFAULT_HOURS = "default"
"""In the place of a force id: the office hours of every force without rows of its own."""

WEEKDAYS = tuple("1234567")
CLOCK_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")

COLLECTED_BY = ("api", "upload")


def check_tables(reader: SeedReader, tables: dict[str, list[Row]]) -> None:
    """Everything but the account register and the metric map, which have modules of their own."""
    _keys(reader, tables)
    _references(reader, tables)
    _populations(reader, tables)
    _platforms(reader, tables)
    _office_hours(reader, tables)
    _metric_dates(reader, tables)
    for name, column in (
        ("expiring_data_kinds", "kept_days"),
        ("expiring_data_kinds", "warn_days"),
    ):
        for row in tables[name]:
            reader.convert(name, row, column, int)
    _contact_platforms(reader, tables)


def _keys(reader: SeedReader, tables: dict[str, list[Row]]) -> None:
    for name, columns in UNIQUE.items():
        seen: dict[tuple[str, ...], str] = {}
        for row in tables[name]:
            key = tuple(row.get(column, "") for column in columns)
            if key in seen:
                reader.problem(name, row["_line"], f"{' '.join(key)} stands already in line {seen[key]}")
            seen.setdefault(key, row["_line"])


def _references(reader: SeedReader, tables: dict[str, list[Row]]) -> None:
    for name, column, other, other_column in REFERENCES:
        known = {row.get(other_column) for row in tables[other]}
        for row in tables[name]:
            if row.get(column) and row[column] not in known:
                reader.problem(name, row["_line"], f"unknown {column} {row[column]!r}: it is not in {other}.csv")
    versions = {(row["metric"], row["metric_version"]) for row in tables["metrics"]}
    for row in tables["platform_metric_map"]:
        if row["metric"] and (row["metric"], row["metric_version"]) not in versions:
            reader.problem(
                "platform_metric_map", row["_line"], f"metrics.csv has no version {row['metric_version']!r} of {row['metric']}"
            )


def _populations(reader: SeedReader, tables: dict[str, list[Row]]) -> None:
    for row in tables["force_population"]:
        for column in ("population_all_ages", "population_16_plus"):
            residents = reader.convert("force_population", row, column, int)
            if residents is not None and residents <= 0:
                reader.problem("force_population", row["_line"], f"{column} {residents} is not a number of residents")
    without = {row["force_id"] for row in tables["forces"]} - {row["force_id"] for row in tables["force_population"]}
    reader.problems.extend(f"force_population.csv: force {force} has no row" for force in sorted(without))


def _platforms(reader: SeedReader, tables: dict[str, list[Row]]) -> None:
    for row in tables["platforms"]:
        if row["collected_by"] and row["collected_by"] not in COLLECTED_BY:
            problem = f"collected_by {row['collected_by']!r} is none of {', '.join(COLLECTED_BY)}"
            reader.problem("platforms", row["_line"], problem)
        for column in ("list_window_days", "day_window_days"):
            days = reader.convert("platforms", row, column, int) if row.get(column) else None
            if days is not None and days <= 0:
                reader.problem("platforms", row["_line"], f"{column} {days} is not a number of days")


def _metric_dates(reader: SeedReader, tables: dict[str, list[Row]]) -> None:
    for row in tables["metric_media_types"]:
        reader.convert("metric_media_types", row, "valid_from", date.fromisoformat)
        reader.convert("metric_media_types", row, "valid_to", optional_date)


def _contact_platforms(reader: SeedReader, tables: dict[str, list[Row]]) -> None:
    """`window_days` is empty where no run asks for contacts."""
    for row in tables["contact_platforms"]:
        reader.convert("contact_platforms", row, "has_contacts", boolean)
        if not row.get("window_days"):
            continue
        reader.convert("contact_platforms", row, "window_days", int)
        if row.get("has_contacts") == "false":
            reader.problem("contact_platforms", row["_line"], "window_days of a platform that has no contacts")


def _office_hours(reader: SeedReader, tables: dict[str, list[Row]]) -> None:
    forces = {row["force_id"] for row in tables["forces"]} | {DEFAULT_HOURS}
    for row in tables["office_hours"]:
        if row["force_id"] not in forces:
            reader.problem("office_hours", row["_line"], f"unknown force_id {row['force_id']!r}: it is not in forces.csv")
        reader.convert("office_hours", row, "is_assumed", boolean)
        times = [reader.convert("office_hours", row, column, _clock_time) for column in ("opens", "closes")]
        if None not in times and times[0] >= times[1]:
            reader.problem("office_hours", row["_line"], f"closes ({row['closes']}) before it opens ({row['opens']})")
        if row["weekday"] not in WEEKDAYS:
            reader.problem("office_hours", row["_line"], f"weekday {row['weekday']!r} is none of 1 (Monday) to 7 (Sunday)")
    for row in tables["bank_holidays"]:
        reader.convert("bank_holidays", row, "holiday", date.fromisoformat)


def _clock_time(text: str) -> str:
    if not CLOCK_TIME.fullmatch(text):
        raise ValueError("write HH:MM, 00:00 to 24:00")
    return text
