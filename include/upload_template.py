"""The upload template as an empty file: `python -m include.upload_template`, a workbook or CSV.

The workbook has the sheets figures (to be filled in, with pick lists), help (what goes where) and lists (forces and their
accounts). The example under the header is not read.
"""

from __future__ import annotations

import argparse
import csv
from datetime import datetime
from pathlib import Path
from typing import Any

from extractors.inbox_contacts import CONTACTS
from extractors.upload import EXAMPLE, Upload
from extractors.upload_file import COLUMNS, SHEET
from extractors.upload_rows import KINDS
from include import registry

EXAMPLE_ACCOUNT: dict[str, Any] = {
    "row": EXAMPLE,
    "platform": "linkedin",
    "force": "gwent",
    "read_at": datetime(2026, 10, 5, 9, 30),  # noqa: DTZ001  # what a cell of a workbook holds has no zone
    "followers": 12345,
    "posts_from": "2026-09-01",
    "posts_to": "2026-09-30",
    "posts_published": 14,
    "note": "an account row: change 'example' to account",
}
EXAMPLE_POST: dict[str, Any] = {
    "row": EXAMPLE,
    "platform": "linkedin",
    "force": "gwent",
    "read_at": datetime(2026, 10, 5, 9, 30),  # noqa: DTZ001
    "post": "7312345678901234567",
    "published_at": datetime(2026, 9, 24, 16, 5),  # noqa: DTZ001
    "kind": "video",
    "link": "https://www.linkedin.com/posts/…",
    "views": 5210,
    "reactions": 61,
    "comments": 4,
    "shares": 0,
    "note": "a post row: change 'example' to post; shares: 0 is zero, saves: empty is not reported",
}
LAST_ROW = 5000
"""Pick lists reach down to here."""


def write(path: Path) -> Path:
    """Writes a workbook (.xlsx) or a CSV (.csv), as the path ends. Returns it."""
    if path.suffix.casefold() == ".csv":
        with path.open("w", newline="", encoding="utf-8-sig") as handle:
            writer = csv.DictWriter(handle, list(COLUMNS))
            writer.writeheader()
            writer.writerows([EXAMPLE_ACCOUNT, EXAMPLE_POST])
        return path
    return _write_workbook(path)


def _write_workbook(path: Path) -> Path:
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = SHEET
    sheet.append(list(COLUMNS))
    for example in (EXAMPLE_ACCOUNT, EXAMPLE_POST):
        sheet.append([example.get(name) for name in COLUMNS])
    sheet.freeze_panes = "A2"
    letters = {name: get_column_letter(place) for place, name in enumerate(COLUMNS, start=1)}
    for name, letter in letters.items():
        sheet.column_dimensions[letter].width = max(14, len(name) + 2)
        sheet[f"{letter}1"].font = Font(bold=True)
    sheet.column_dimensions[letters["post"]].number_format = "@"  # an id must not become a number

    tables = registry.current().tables
    lists = book.create_sheet("lists")
    lists.append(["force_id", "official name", None, None, "force", "platform", "account"])
    names = {row["force_id"]: row["official_name"] for row in tables["forces"]}
    forces = sorted(names)
    accounts = [row for row in tables["accounts"] if row["platform"] in Upload.platforms and row["status"] == "open"]
    for place in range(max(len(forces), len(accounts))):
        force = forces[place] if place < len(forces) else None
        account = accounts[place] if place < len(accounts) else None
        known = [account["force_id"], account["platform"], account["handle"]] if account else []
        lists.append([force, names.get(force or ""), None, None, *known])
    for name, source in (
        ("row", '"account,post"'),
        ("platform", f'"{",".join(Upload.platforms)}"'),
        ("kind", f'"{",".join(KINDS)}"'),
        ("force", f"lists!$A$2:$A${len(forces) + 1}"),
    ):
        picked = DataValidation("list", formula1=source, allow_blank=True, showErrorMessage=name != "row")
        sheet.add_data_validation(picked)
        picked.add(f"{letters[name]}2:{letters[name]}{LAST_ROW}")

    help_sheet = book.create_sheet("help", 0)
    help_sheet.column_dimensions["A"].width = 18
    help_sheet.column_dimensions["B"].width = 110
    for line in (
        (
            "Upload template",
            "One row for each time you read an account, one for each time you read a post. Read weekly if you can.",
        ),
        ("Where it goes", "Drop the file into the folder of the platform: var/inbox/linkedin, tiktok, nextdoor or whatsapp."),
        ("Empty and zero", "An empty cell means: not reported. 0 means: none. Never write 0 for what you do not know."),
        ("No people", "Only figures and the force's own posts. No names, comments or messages of the public: not even in 'note'."),
        *COLUMNS.items(),
    ):
        help_sheet.append(line)
    book.active = 1
    book.save(path)
    return path


EXAMPLE_CONTACTS: tuple[dict[str, Any], ...] = (
    {
        "platform": "tiktok",
        "force": "gwent",
        "message_id": "7312345678901234567",
        "direction": "inbound",
        "created_at": "2026-10-31T18:05:00+00:00",
        "text": "How do I report a stolen bike?",
        "note": EXAMPLE,
    },
    {
        "platform": "tiktok",
        "force": "gwent",
        "message_id": "7312345678901239999",
        "direction": "outbound",
        "created_at_utc": "2026-10-31 18:45",
        "in_reply_to": "7312345678901234567",
        "automatic": "no",
        "note": EXAMPLE,
    },
)


def write_contacts(path: Path) -> Path:
    """The template for contacts, a workbook (.xlsx) or a CSV (.csv). Returns the path."""
    names = list(CONTACTS.columns)
    if path.suffix.casefold() == ".csv":
        with path.open("w", newline="", encoding="utf-8-sig") as handle:
            writer = csv.DictWriter(handle, names)
            writer.writeheader()
            writer.writerows(EXAMPLE_CONTACTS)
        return path
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    book = Workbook()
    help_sheet = book.worksheets[0]
    help_sheet.title = "help"
    help_sheet.column_dimensions["A"].width, help_sheet.column_dimensions["B"].width = 18, 110
    help_sheet.append(["Template for contacts", "One row for each message, either way. The file goes into var/inbox/contacts."])
    help_sheet.append(
        ["No people", "No names, handles, addresses or ids of people, in no column. The file is removed once it is read."]
    )
    for line in CONTACTS.columns.items():
        help_sheet.append(line)
    sheet = book.create_sheet(CONTACTS.sheet)
    sheet.append(names)
    for example in EXAMPLE_CONTACTS:
        sheet.append([example.get(name) for name in names])
    sheet.freeze_panes = "A2"
    for place, name in enumerate(names, start=1):
        letter = get_column_letter(place)
        sheet.column_dimensions[letter].width = max(14, len(name) + 2)
        if name in ("message_id", "in_reply_to"):
            sheet.column_dimensions[letter].number_format = "@"  # an id must not become a number
    book.active = 1
    book.save(path)
    return path


def main(arguments: list[str] | None = None) -> None:
    """The command: writes the template and says where."""
    parser = argparse.ArgumentParser(prog="python -m include.upload_template", description="The empty upload template")
    parser.add_argument("path", type=Path, nargs="?", default=Path("upload_template.xlsx"), help="ends in .xlsx or .csv")
    parser.add_argument("--contacts", action="store_true", help="the template for exports of social-inbox tools")
    given = parser.parse_args(arguments)
    print((write_contacts if given.contacts else write)(given.path))


if __name__ == "__main__":
    main()
