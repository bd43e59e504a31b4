"""The fediverse's users and servers, daily: a real open series, shipped with the project (docs/sources/fediverse.md)."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from extractors.base import BadFile, Drop, FileSource, Gap, Page, Row, RowBatch

HEADER = ["date", "users_last", "instances_last"]
SERIES = {"users_last": "users", "instances_last": "instances"}
NUMBER = re.compile(r"-?\d+(\.\d+)?")


class FediverseUsers(FileSource):
    """Registered users and servers of the fediverse, at the end of each day: two stocks."""

    name = "signals_fediverse"
    title = "Fediverse users and servers"
    documentation = "docs/sources/fediverse.md"
    kinds = ("signal",)
    shipped = Path(__file__).resolve().parent.parent / "include" / "sample_data" / "mastodon_users_daily_2018_2020.csv"

    def read(self, path: Path, run_date: date, observed_at: datetime) -> Iterator[Page | Gap]:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise BadFile(f"{path.name}: this is not UTF-8 text; take the file as it was published") from None
        if not text.strip():
            raise BadFile(f"{path.name}: the file is empty; take it as it was published")
        rows: list[list[str]] = []
        try:
            rows.extend(csv.reader(io.StringIO(text), strict=True))
        except csv.Error as error:
            raise BadFile(f"{path.name} row {len(rows) + 1}: this is not CSV ({error}); take it as it was published") from None
        if rows[0] != HEADER:
            raise BadFile(f"{path.name} row 1: the header is {','.join(rows[0])[:100]!r}; it must be {','.join(HEADER)!r}")
        if not any(rows[1:]):
            raise BadFile(f"{path.name}: the file has a header and no days; take it as it was published")
        yield Page(
            endpoint="daily",
            account_id=None,
            request=f"file {path.name}",
            status=200,
            observed_at=observed_at,
            body=text,
            is_simulated=False,
            run_date=run_date,
            context={"file": path.name},
        )

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        """Kind signal: series × day. An empty cell is a missing day, not a 0."""
        first_row: dict[str, int] = {}
        for number, row in enumerate(csv.reader(io.StringIO(page.body)), start=1):
            if number == 1 or not row:
                continue
            place = f"{page.context['file']} row {number}"
            if len(row) != len(HEADER):
                yield _row(place, row[0], None, None, f"cell_count: {place}: {len(row)} cells where the header has {len(HEADER)}")
                continue
            day = row[0].strip()
            defect = f"day_repeated: {place}: {day} stands already in row {first_row[day]}" if day in first_row else None
            first_row.setdefault(day, number)
            for name, cell in zip(HEADER[1:], row[1:], strict=True):
                if cell.strip():
                    yield _row(f"{place} {name}", day, SERIES[name], cell.strip(), defect)

    def count(self, page: Page) -> Counter[str]:
        """Cells with a value in rows of three; a row of another length is one record, whatever is in it."""
        lines = [line for line in csv.reader(page.body.splitlines()[1:]) if line]
        whole = [line for line in lines if len(line) == 3]
        return Counter({"signal": len(lines) - len(whole) + sum(bool(cell.strip()) for line in whole for cell in line[1:])})


def _row(position: str, day: str, series: str | None, cell: str | None, defect: str | None) -> Row:
    value: Any = float(cell) if cell is not None and NUMBER.fullmatch(cell) else cell
    if defect is None and isinstance(value, float) and value < 0:
        defect = f"value_below_zero: {position}: {cell} is below zero"
    values = {"channel": "fediverse", "series": series, "period_start": day, "period": "day", "value": value, "is_stock": True}
    return Row("signal", values | ({"_defect": defect} if defect else {}), position)
