"""Files of the upload template, CSV or workbook, as rows of cells. Nothing is judged here but whether the file can be read."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extractors.base import BadFile
from extractors.upload_workbook import Formula, Line, lines_of_workbook

COLUMNS: dict[str, str] = {
    "row": "account or post; a row that says example is not read",
    "platform": "linkedin, tiktok, nextdoor or whatsapp: the folder it is dropped into",
    "force": "The force, as the register has it: gwent, or Gwent Police",
    "account": "The account's handle or id in the register; may stay empty where the force has one account there",
    "read_at": "When you read these figures off the dashboard: date and time in London; a date alone counts as noon",
    "followers": "Account rows: followers (members, neighbours reached) at that moment",
    "posts_from": "Account rows: first day of which every post of the account stands in this file",
    "posts_to": "Account rows: last such day, at most the day of reading",
    "posts_published": "Account rows: how many posts the account published on those days, deleted ones apart; 0 where none",
    "post": "Post rows: the post's id on the platform, as text; empty where the link is given",
    "published_at": "Post rows: when it was published, date and time in London; a date alone counts as noon",
    "kind": "Post rows: original, video or repost; empty: original",
    "link": "Post rows: its public address, https://…",
    "text": "Post rows: the force's own words; may stay empty",
    "objective": "Post rows: what the post was to achieve; may stay empty",
    "campaign": "Post rows: the campaign it is part of; may stay empty",
    "views": "Post rows: views or impressions, organic, from publication up to read_at",
    "unique_viewers": "Post rows: people reached, the platform's own unique count",
    "reactions": "Post rows: likes and all other reactions",
    "comments": "Post rows: comments",
    "shares": "Post rows: shares, reposts by others, forwards",
    "saves": "Post rows: saves or favourites",
    "clicks": "Post rows: clicks",
    "note": "For yourself: it is not kept",
}
"""The template: column to what goes into it. Figures are totals at read_at; an empty cell is not reported, 0 is zero."""

REQUIRED = ("row", "platform", "force", "read_at")
SHEET = "figures"


@dataclass(frozen=True)
class Layout:
    """One template: its columns, those without which a file is none, and how to get an empty one."""

    title: str
    columns: Mapping[str, str]
    told_by: tuple[str, ...]  # columns by which its header is known
    required: tuple[str, ...]
    sheet: str
    command: str
    advice: str = "rename or remove them"  # about columns that are not its own
    quotes: bool = True  # whether a refusal may repeat a header's words: the reason is kept, where the file may not be


FIGURES = Layout("upload template", COLUMNS, ("row", "platform"), REQUIRED, SHEET, "python -m include.upload_template")

LARGEST_FILE, MOST_ROWS = 20_000_000, 100_000
OLD_OR_LOCKED = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class RawRow:
    """One row under the header: its number as a spreadsheet shows it, cells by column of the template, and whether it is hidden."""

    number: int
    cells: dict[str, Any]
    is_hidden: bool
    surplus: int = 0  # cells behind the last column of the header

    def said(self, column: str) -> str:
        """A cell as one of a few words that the template knows."""
        return str(self.cells.get(column, "")).strip().casefold()


def rows(path: Path, layout: Layout = FIGURES) -> list[RawRow]:
    """All rows that are not empty, of the one table with the template's header. Raises BadFile."""
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise BadFile(f"{path.name}: {size:,} bytes, more than {LARGEST_FILE:,}; split it by force")
    content = path.read_bytes()
    if not content.strip():
        raise BadFile(f"{path.name}: the file is empty; fill in the template and drop it again")
    if content.startswith(OLD_OR_LOCKED):
        raise BadFile(f"{path.name}: an old .xls or a workbook with a password; save it as .xlsx without one, or as CSV UTF-8")
    lines = lines_of_workbook(path, content, layout.sheet, MOST_ROWS) if content.startswith(b"PK") else _csv(path, content)
    header: list[str] | None = None
    found: list[RawRow] = []
    for number, cells, is_hidden in lines:
        if not any(_is_filled(cell) for cell in cells):
            continue
        if header is None:
            header = _header(path, number, cells, layout)
            continue
        if len(found) == MOST_ROWS:
            raise BadFile(f"{path.name}: more than {MOST_ROWS:,} rows; split it by force")
        named = {name: cell for name, cell in zip(header, cells, strict=False) if name and _is_filled(cell)}
        surplus = sum(_is_filled(cell) for position, cell in enumerate(cells) if position >= len(header) or not header[position])
        found.append(RawRow(number, named, is_hidden, surplus))
    if header is None or not found:
        raise BadFile(f"{path.name}: no row under the header; fill in the template and drop it again")
    return found


def _is_filled(cell: Any) -> bool:
    return cell is not None and not (isinstance(cell, str) and not cell.strip())


def _header(path: Path, number: int, cells: Sequence[Any], layout: Layout) -> list[str]:
    """The names of the columns, by place. Raises BadFile where a name is unknown, doubled, or a required one is not there."""
    names = [str(cell).strip().casefold().replace(" ", "_") if _is_filled(cell) else "" for cell in cells]
    if not set(layout.told_by).issubset(names):
        told = " and ".join(repr(name) for name in layout.told_by)
        raise BadFile(
            f"{path.name} row {number}: this is not the header of the {layout.title} (no columns {told}); "
            f"make a new one with `{layout.command}`"
        )
    unknown = [(place, name) for place, name in enumerate(names, start=1) if name and name not in layout.columns]
    if unknown:
        said = []
        for place, name in unknown:
            near = difflib.get_close_matches(name, layout.columns, 1)
            said.append((f"{name[:40]!r}" if layout.quotes else f"number {place}") + (f" (is it {near[0]!r}?)" if near else ""))
        raise BadFile(f"{path.name} row {number}: columns that are not the template's: {', '.join(said)}; {layout.advice}")
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise BadFile(f"{path.name} row {number}: columns that stand there twice: {', '.join(doubled)}")
    absent = [name for name in layout.required if name not in names]
    if absent:
        raise BadFile(f"{path.name} row {number}: columns that are missing: {', '.join(absent)}")
    return names


def _csv(path: Path, content: bytes) -> Iterator[Line]:
    text = _decode(path, content)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    before = 0
    try:
        for row in reader:
            yield before + 1, [Formula(cell) if cell.lstrip()[:1] == "=" else cell for cell in row], False
            before = reader.line_num
    except csv.Error as error:
        raise BadFile(
            f"{path.name} row {before + 1}: this is not CSV ({error}): a quote is left open there, or stands where none may"
        ) from None


def _decode(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise BadFile(f"{path.name}: the file ends in the middle of a character; save it as 'CSV UTF-8'") from None
    if b"\x00" in content:
        raise BadFile(f"{path.name}: this is neither CSV nor a workbook; save it as 'CSV UTF-8' or .xlsx")
    with suppress(UnicodeDecodeError):
        return content.decode("utf-8-sig")
    # where a part of it is UTF-8, reading it as Windows-1252 would make two wrong letters of every accent
    if content.decode("utf-8", "ignore").isascii():
        with suppress(UnicodeDecodeError):
            return content.decode("cp1252")
    raise BadFile(f"{path.name}: neither UTF-8 nor Windows-1252, or a part of each; save it as 'CSV UTF-8'")
