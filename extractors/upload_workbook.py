"""Workbooks (.xlsx, .xlsm) as lines of cells.

A workbook comes from a stranger: it may be a zip bomb, hold formulas, macros, merged cells or hidden rows. openpyxl reads its XML
with defusedxml, runs no macro and computes no formula; but it makes a cell of every place in a range, so ranges are measured first.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from xml.parsers import expat

from extractors.base import BadFile

LARGEST_UNPACKED, MOST_PARTS, MOST_COLUMNS, MOST_CELLS = 30_000_000, 1_000, 200, 3_000_000

RANGES = frozenset({"mergeCell", "hyperlink"})
"""Elements whose `ref` openpyxl fills with cells."""
LARGEST_RANGE = 10_000

Line = tuple[int, list[Any], bool]
"""A row's number as a spreadsheet shows it, its cells, and whether it is hidden."""


class Formula(str):
    """A cell that holds a formula instead of a value."""

    __slots__ = ()


def lines_of_workbook(path: Path, content: bytes, wanted: str, most_rows: int) -> Iterator[Line]:
    """Lines of the sheet of that name. Raises BadFile."""
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            if unpacked > LARGEST_UNPACKED or len(parts) > MOST_PARTS:
                raise BadFile(f"{path.name}: {len(parts)} parts of {unpacked:,} bytes unpacked: too large for {wanted}")
            for part in parts:
                _require_small_ranges(path, archive.read(part))
        book = load_workbook(io.BytesIO(content), data_only=False, keep_links=False, keep_vba=False)
    except BadFile:
        raise
    except Exception as error:  # a damaged archive fails in many ways, none of which says more
        raise BadFile(f"{path.name}: this workbook cannot be read ({type(error).__name__}); save it again as .xlsx") from None
    sheets = [sheet for sheet in book.worksheets if sheet.title.casefold() == wanted]
    if not sheets:
        advice = f"no sheet {wanted!r}; keep the sheets of the template, or save the one with the {wanted} as CSV"
        raise BadFile(f"{path.name}: {advice}")
    sheet = sheets[0]
    merged = [str(area) for area in sheet.merged_cells.ranges]
    if merged:
        raise BadFile(f"{path.name}: merged cells {', '.join(sorted(merged)[:5])} in {sheet.title!r}; unmerge them, fill every row")
    if sheet.max_row > most_rows or sheet.max_column > MOST_COLUMNS or sheet.max_row * sheet.max_column > MOST_CELLS:
        reach = f"row {sheet.max_row:,}, column {sheet.max_column:,}"
        raise BadFile(f"{path.name}: {sheet.title!r} reaches to {reach}; remove what is there")
    is_hidden_sheet = sheet.sheet_state != "visible"
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        values = [Formula(_formula(cell.value)) if cell.data_type == "f" else _value(cell.value) for cell in cells]
        is_hidden = is_hidden_sheet or (number in sheet.row_dimensions and bool(sheet.row_dimensions[number].hidden))
        yield number, values, is_hidden


def _require_small_ranges(path: Path, part: bytes) -> None:
    """Merged cells and links over whole columns would fill the memory before anything could be said of them."""
    from openpyxl.utils import range_boundaries

    total = 0

    def begins(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal total
        if name.rpartition(" ")[2] not in RANGES or "ref" not in attributes:
            return
        left, top, right, bottom = range_boundaries(attributes["ref"])
        total += (right - left + 1) * (bottom - top + 1)
        if total > LARGEST_RANGE:
            what = "merged cells" if name.endswith("mergeCell") else "a link"
            raise BadFile(f"{path.name}: {what} over {attributes['ref'][:40]}; undo that, and fill every row")

    def refuse_entity(*_: Any) -> None:
        raise ValueError("entities are not expanded")

    reader = expat.ParserCreate(namespace_separator=" ")
    reader.StartElementHandler = begins
    reader.EntityDeclHandler = refuse_entity
    try:
        reader.Parse(part, True)
    except expat.ExpatError:
        return  # no XML, or damaged: whoever needs the part says so


def _formula(value: Any) -> str:
    return value if isinstance(value, str) else "=…"


def _value(value: Any) -> Any:
    if isinstance(value, datetime | date | time | bool | int | float | str) or value is None:
        return value
    return str(value)
