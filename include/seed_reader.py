"""Reads the seeds of the registry, and collects all that is wrong with them by file and line."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

from include.seed_tables import REQUIRED

Row = dict[str, str]


class SeedReader:
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


def boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("write true or false")
    return text == "true"


def optional_date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _overlaps(a: tuple[date, date | None], b: tuple[date, date | None]) -> bool:
    return a[0] <= (b[1] or date.max) and b[0] <= (a[1] or date.max)


def check_overlaps(reader: SeedReader, table: str, rows: Iterable[Any], key: Callable[[Any], Any], what: str) -> None:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        for earlier in groups[key(row)]:
            if _overlaps((earlier.valid_from, earlier.valid_to), (row.valid_from, row.valid_to)):
                shown = " ".join(str(part) for part in key(row) if part is not None)
                reader.problem(table, row.line, f"{what} {shown} overlaps in time with line {earlier.line}")
        groups[key(row)].append(row)
