"""The upload template as people really fill it in: every bad input has a clear reason, and costs nothing else."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from defusedxml.common import DefusedXmlException

from extractors import source
from extractors.base import BadFile, Gap, Page, Row
from extractors.upload import Upload
from extractors.upload_file import COLUMNS
from include import registry, upload_template
from include.records import to_table

RUN_DATE = date(2026, 11, 2)
OBSERVED = datetime(2026, 11, 2, 21, tzinfo=UTC)
GWENT = "90001616"
HALF_PAST_NINE, FIVE_PAST_FOUR = datetime.fromisoformat("2026-10-05T09:30"), datetime.fromisoformat("2026-09-24T16:05")
LINKEDIN = source("linkedin")
assert isinstance(LINKEDIN, Upload)

ACCOUNT = {"row": "account", "platform": "linkedin", "force": "gwent", "read_at": "2026-10-05 09:30", "followers": "1200"}
POST = {
    "row": "post",
    "platform": "linkedin",
    "force": "gwent",
    "read_at": "2026-10-05 09:30",
    "post": "7312345678901234567",
    "published_at": "2026-09-24 16:05",
    "views": "500",
    "unique_viewers": "400",
    "reactions": "12",
    "comments": "0",
    "shares": "3",
}


def as_csv(path: Path, rows: Sequence[dict[str, Any]], encoding: str = "utf-8", delimiter: str = ",", names: Any = None) -> Path:
    with path.open("w", newline="", encoding=encoding) as handle:
        writer = csv.DictWriter(handle, names or list(COLUMNS), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_workbook(path: Path, rows: Sequence[dict[str, Any]]) -> tuple[Path, Any, Any]:
    """A workbook that is saved by the caller."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "figures"
    sheet.append(list(COLUMNS))
    for row in rows:
        sheet.append([row.get(name) for name in COLUMNS])
    return path, book, sheet


def pages(path: Path, of: Any = LINKEDIN) -> list[Page]:
    found = list(of.read(path, RUN_DATE, OBSERVED))
    assert all(isinstance(each, Page) for each in found)
    return found


def parsed(path: Path, of: Any = LINKEDIN) -> tuple[list[Row], list[Gap], Counter[str]]:
    """Rows, gaps, and what the second counter says the pages hold."""
    items = [item for page in pages(path, of) for item in of.parse(page)]
    rows = [item for item in items if isinstance(item, Row)]
    counted = sum((of.count(page) for page in pages(path, of)), Counter[str]())
    assert +Counter(row.kind for row in rows) == +counted, "conservation"
    return rows, [item for item in items if isinstance(item, Gap)], counted


def figures(path: Path, of: Any = LINKEDIN) -> dict[tuple[str, str], Any]:
    """(object id, field) to value, of good rows."""
    rows, _, _ = parsed(path, of)
    return {
        (row.values["object_id"], row.values["source_field"]): row.values["value"]
        for row in rows
        if row.kind == "observation" and "_defect" not in row.values
    }


def defects(path: Path, of: Any = LINKEDIN) -> list[str]:
    rows, _, _ = parsed(path, of)
    return [row.values["_defect"] for row in rows if "_defect" in row.values]


GOOD = {
    (GWENT, "followers"): 1200.0,
    ("7312345678901234567", "views"): 500.0,
    ("7312345678901234567", "unique_viewers"): 400.0,
    ("7312345678901234567", "reactions"): 12.0,
    ("7312345678901234567", "comments"): 0.0,
    ("7312345678901234567", "shares"): 3.0,
}


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ","), ("utf-8-sig", ","), ("utf-16", "\t"), ("cp1252", ";"), ("utf-8", ";")]
)
def test_csv_in_every_encoding_that_a_spreadsheet_writes(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = "Café ‘Heddlu’ – £5"
    path = as_csv(tmp_path / "a.csv", [ACCOUNT, {**POST, "text": text}], encoding, delimiter)
    assert figures(path) == GOOD
    post = next(row for row in parsed(path)[0] if row.kind == "post")
    assert post.values["text"] == text
    assert (post.values["account_id"], post.values["force_id"], post.values["kind"]) == (GWENT, "gwent", "original")
    assert post.values["published_at"] == "2026-09-24T15:05:00+00:00", "London is an hour ahead"
    assert post.position == "a.csv row 3"


def test_a_workbook_gives_the_same_as_its_csv(tmp_path: Path) -> None:
    number = {name: int(value) if value.isdigit() and name != "post" else value for name, value in POST.items()}
    rows = [
        {**ACCOUNT, "followers": 1200, "read_at": HALF_PAST_NINE},
        {**number, "read_at": HALF_PAST_NINE, "published_at": FIVE_PAST_FOUR},
    ]
    path, book, _ = as_workbook(tmp_path / "a.xlsx", rows)
    book.save(path)
    assert figures(path) == GOOD
    of_csv = parsed(as_csv(tmp_path / "a.csv", [ACCOUNT, POST]))[0]
    assert [dict(row.values) for row in parsed(path)[0]] == [dict(row.values) for row in of_csv]


def test_every_record_has_the_types_of_its_kind_and_the_instant_of_its_reading(tmp_path: Path) -> None:
    rows, _, _ = parsed(as_csv(tmp_path / "a.csv", [ACCOUNT, {**POST, "read_at": "2026-10-25T01:30:00+01:00"}]))
    for row in rows:
        table = to_table(row.kind, [{**row.values, "_position": row.position}])
        assert table.column("_defect").to_pylist() == [None]
    assert {row.values["observed_at"] for row in rows} == {"2026-10-05T08:30:00+00:00", "2026-10-25T00:30:00+00:00"}


def test_empty_is_not_reported_and_nought_is_none(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "a.csv", [{**ACCOUNT, "followers": "", "posts_from": "2026-09-01", "posts_to": "2026-09-30",
                                        "posts_published": "0"}, {**POST, "views": "", "saves": "", "shares": "0"}])  # fmt: skip
    found = figures(path)
    assert found["7312345678901234567", "shares"] == 0
    assert (GWENT, "followers") not in found
    _, gaps, _ = parsed(path)
    assert {(gap.subject, gap.object_id, gap.object_type, gap.cause) for gap in gaps} == {
        ("followers", None, "account", "not_reported"),
        ("views", "7312345678901234567", "post", "not_reported"),
    }, "saves are none of LinkedIn's"


@pytest.mark.parametrize(
    ("typed", "value"), [("1,234", 1234), ("1 234", 1234), ("1\u00a0234", 1234), ("12,345,678", 12345678), (" 7 ", 7), ("3.0", 3)]
)
def test_thousands_are_read_however_they_are_written(tmp_path: Path, typed: str, value: int) -> None:
    assert figures(as_csv(tmp_path / "a.csv", [{**POST, "views": typed}]))["7312345678901234567", "views"] == value


@pytest.mark.parametrize("typed", ["1.2K", "n/a", "12%", "1,23", "about 40", "1.5", "1.000", "9" * 400, "True"])
def test_what_is_no_count_is_quarantined_alone_and_not_quoted(tmp_path: Path, typed: str) -> None:
    path = as_csv(tmp_path / "a.csv", [ACCOUNT, {**POST, "views": typed}])
    rows, _, _ = parsed(path)
    bad = next(row for row in rows if row.values.get("source_field") == "views")
    table = to_table("observation", [{**bad.values, "_position": bad.position}])
    assert "expected a number" in table.column("_defect").to_pylist()[0]
    assert len(rows) == 7
    assert typed not in "".join(page.body for page in pages(path)) or len(typed) < 4


ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown force": ({"force": "ruritania"}, "force_unknown: row 3: force is not in the register (r…, 9 characters)"),
    "no force": ({"force": ""}, "cell_missing: row 3: force is empty"),
    "an unknown account": ({"account": "someone"}, "account_unknown: row 3: account is none of gwent on linkedin"),
    "another force's account": ({"account": "sim-kent-police"}, "account_unknown: row 3"),
    "a day that may be a month": ({"read_at": "03/10/2026"}, "date_ambiguous: row 3: read_at may be 2026-10-03 or 2026-03-10"),
    "a serial number for a date": ({"read_at": "46321"}, "date_unreadable: row 3: read_at"),
    "a date that does not exist": ({"read_at": "31/09/2026"}, "date_unreadable: row 3: read_at"),
    "an hour that the clocks left out": ({"published_at": "2026-03-29 01:30"}, "time_unreadable: row 3: published_at"),
    "read before it was published": ({"read_at": "2026-09-24 10:00"}, "read_before_published: row 3"),
    "no instant": ({"read_at": ""}, "cell_missing: row 3: read_at is empty"),
    "a rounded id": ({"post": "7.31235E+18"}, "id_rounded: row 3: post"),
    "no id and no link": ({"post": ""}, "post_missing: row 3"),
    "a formula": ({"views": "=SUM(A1:A9)"}, "formula_cell: row 3: views is a formula"),
    "a hostile id": ({"post": '=HYPERLINK("https://evil.example")'}, "formula_cell: row 3: post"),
    "a hostile campaign": ({"campaign": "@SUM(1+1)"}, "formula_cell: row 3: campaign"),
    "a hostile text": ({"text": "=cmd|' /C calc'!A0"}, "formula_cell: row 3: text"),
    "an address without https": ({"link": "javascript:alert(1)"}, "link_unreadable: row 3: link"),
    "another kind": ({"kind": "poem"}, "kind_unknown: row 3: kind is none of original, video, repost"),
    "another row": ({"row": "total"}, "row_unknown: row 3: row is neither account nor post"),
    "another platform": ({"platform": "tiktok"}, "platform_wrong: row 3: platform is not linkedin"),
    "followers of a post": ({"followers": "5"}, "cell_misplaced: row 3: followers"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_row_says_what_is_wrong_and_costs_no_other_row(tmp_path: Path, name: str) -> None:
    change, message = ROWS[name]
    other = {**POST, "post": "7999999999999999999"}
    path = as_csv(tmp_path / "a.csv", [ACCOUNT, {**POST, **change}, other])
    found = defects(path)
    assert len(found) == 1
    assert message in found[0]
    assert figures(path)[GWENT, "followers"] == 1200
    assert figures(path)["7999999999999999999", "views"] == 500
    assert ("7312345678901234567", "views") not in figures(path)
    landed = "".join(page.body for page in pages(path))
    typed = next(iter(change.values()))
    assert len(typed) < 12 or typed not in landed, "what cannot be read stays in the file"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"posts_from": "2026-09-01"}, "posts_incomplete: row 2: row has posts_from only"),
        ({"posts_from": "2026-09-30", "posts_to": "2026-09-01", "posts_published": "1"}, "posts_incomplete: row 2"),
        ({"posts_from": "2026-09-01", "posts_to": "2026-10-06", "posts_published": "1"}, "posts_to after the day of reading"),
        (
            {"posts_from": "2026-09-01", "posts_to": "2026-09-30", "posts_published": "x"},
            "number_unreadable: row 2: posts_published",
        ),
        ({"followers": ""}, "row_empty: row 2"),
        ({"views": "7"}, "cell_misplaced: row 2: views"),
    ],
)
def test_a_bad_account_row_says_what_is_wrong(tmp_path: Path, change: dict[str, str], message: str) -> None:
    path = as_csv(tmp_path / "a.csv", [{**ACCOUNT, **change}, POST])
    assert message in defects(path)[0]
    assert figures(path)["7312345678901234567", "views"] == 500


@pytest.mark.parametrize("typed", ["24/09/2026 16:05", "2026-09-24T16:05", "09/24/2026 16:05", "24.09.2026 16:05"])
def test_a_date_that_can_only_be_one_is_read(tmp_path: Path, typed: str) -> None:
    post = next(row for row in parsed(as_csv(tmp_path / "a.csv", [{**POST, "published_at": typed}]))[0] if row.kind == "post")
    assert post.values["published_at"] == "2026-09-24T15:05:00+00:00"


@pytest.mark.parametrize(
    "cell", [{"link": "https://[x"}, {"published_at": "0001-01-01 00:00+14:00"}, {"published_at": "9999-12-31 23:59-14:00"}]
)
def test_a_hostile_cell_costs_no_other_row(tmp_path: Path, cell: dict[str, str]) -> None:
    path = as_csv(tmp_path / "a.csv", [ACCOUNT, POST, {**POST, "post": "7312345678901234999", **cell}])
    assert len(defects(path)) == 1
    assert figures(path)["7312345678901234567", "views"] == 500


def test_a_date_alone_is_noon_in_london(tmp_path: Path) -> None:
    path, book, _ = as_workbook(tmp_path / "a.xlsx", [{**POST, "published_at": date(2026, 9, 24), "read_at": "2026-11-01"}])
    book.save(path)
    post = next(row for row in parsed(path)[0] if row.kind == "post")
    assert post.values["published_at"] == "2026-09-24T11:00:00+00:00"
    assert post.values["observed_at"] == "2026-11-01T12:00:00+00:00"


def test_lists_are_complete_when_they_hold_what_they_say(tmp_path: Path) -> None:
    span = {"posts_from": "2026-09-01", "posts_to": "2026-09-30", "posts_published": "1"}
    whole = pages(as_csv(tmp_path / "a.csv", [{**ACCOUNT, **span}, POST]))[0]
    assert whole.context["lists"] == "2026-08-31T23:00:00+00:00/2026-09-30T23:00:00+00:00"
    assert "lists_short" not in whole.context
    short = pages(as_csv(tmp_path / "b.csv", [{**ACCOUNT, **span, "posts_published": "2"}, POST]))[0]
    assert "lists" not in short.context
    assert short.context["lists_short"] == "row 2: 2 posts from 2026-09-01 to 2026-09-30, the file has 1"
    today = pages(as_csv(tmp_path / "c.csv", [{**ACCOUNT, **span, "posts_to": "2026-10-05"}, POST]))[0]
    assert today.context["lists"].endswith("/2026-10-05T08:30:00+00:00"), "up to the moment of reading"
    none = pages(as_csv(tmp_path / "d.csv", [{**ACCOUNT, **span, "posts_published": "0"}]))[0]
    assert "lists" in none.context, "no post, and somebody says so"


def test_addresses_lose_their_query_and_notes_and_others_words_stay_behind(tmp_path: Path) -> None:
    link = "https://www.linkedin.com/posts/gwent_1?utm_source=share&access_token=SECRET"
    path = as_csv(tmp_path / "a.csv", [
        {**POST, "post": "", "link": link, "note": "asked by Jane Citizen"},
        {**POST, "kind": "repost", "text": "Words of another"},
    ])  # fmt: skip
    rows, _, _ = parsed(path)
    posts = [row.values for row in rows if row.kind == "post"]
    assert posts[0]["post_id"] == posts[0]["permalink"] == "https://www.linkedin.com/posts/gwent_1"
    assert posts[1]["text"] is None
    landed = "".join(page.body for page in pages(path))
    assert not any(word in landed for word in ("SECRET", "Jane", "Words of another"))


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "blank": (b"  \r\n \r\n", "the file is empty"),
    "another table": (b"Date,Impressions\n2026-10-01,5\n", "not the header of the upload template"),
    "header alone": (",".join(COLUMNS).encode(), "no row under the header"),
    "an open quote": ((",".join(COLUMNS) + '\npost,"linkedin').encode(), "row 2: this is not CSV"),
    "binary": (b"\x00\x01\x02", "neither CSV nor a workbook"),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + b"\0" * 100, "an old .xls or a workbook with a password"),
    "a damaged workbook": (b"PK\x03\x04rubbish", "this workbook cannot be read"),
    "a column of its own": (b"row,platform,force,read_at,Citizen name\n", "'citizen_name'"),
    "a misspelt column": (b"row,platform,force,read_at,reaction\n", "'reaction' (is it 'reactions'?)"),
    "a column twice": (b"row,platform,force,read_at,views,views\n", "columns that stand there twice: views"),
    "no column of the force": (b"row,platform,read_at\n", "columns that are missing: force"),
    "nothing but the example": (b"row,platform,force,read_at\nexample,linkedin,gwent,2026-10-05\n", "nothing but the example"),
    "another inbox": (b"row,platform,force,read_at\npost,tiktok,gwent,2026-10-05\n", "drop it into var/inbox/tiktok/"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_as_a_whole_says_why(tmp_path: Path, name: str) -> None:
    content, message = FILES[name]
    path = tmp_path / "upload.csv"
    path.write_bytes(content)
    with pytest.raises(BadFile) as raised:
        pages(path)
    assert message in str(raised.value)
    assert str(raised.value).startswith("upload.csv")


def test_a_surplus_cell_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "row,platform,force,read_at,followers\naccount,linkedin,gwent,2026-10-05,1,234\naccount,linkedin,gwent,2026-10-06,7\n"
    )
    assert defects(path) == ["cell_count: row 2: row has 1 cells more than the header: a comma too many?"]
    assert figures(path) == {(GWENT, "followers"): 7}


# --- workbooks ---


def test_a_formula_in_a_workbook_is_no_empty_cell(tmp_path: Path) -> None:
    path, book, sheet = as_workbook(tmp_path / "a.xlsx", [ACCOUNT, POST])
    sheet.cell(3, list(COLUMNS).index("views") + 1, "=1+1")
    book.save(path)
    assert defects(path) == ["formula_cell: row 3: views is a formula; paste its value"]


def test_a_hidden_row_is_not_taken_and_not_passed_over(tmp_path: Path) -> None:
    path, book, sheet = as_workbook(tmp_path / "a.xlsx", [ACCOUNT, POST])
    sheet.row_dimensions[3].hidden = True
    book.save(path)
    assert "row_hidden: row 3" in defects(path)[0]
    assert figures(path) == {(GWENT, "followers"): 1200}


def test_merged_cells_are_refused_by_name(tmp_path: Path) -> None:
    path, book, sheet = as_workbook(tmp_path / "a.xlsx", [ACCOUNT, POST])
    sheet.merge_cells("C2:C3")
    book.save(path)
    with pytest.raises(BadFile, match="merged cells C2:C3"):
        pages(path)


def test_a_number_for_an_id_is_refused_as_the_spreadsheet_has_rounded_it(tmp_path: Path) -> None:
    path, book, _ = as_workbook(tmp_path / "a.xlsx", [{**POST, "post": 7312345678901234567}])
    book.save(path)
    assert "id_rounded: row 2: post" in defects(path)[0]


def test_a_date_for_a_count_is_no_number(tmp_path: Path) -> None:
    path, book, _ = as_workbook(tmp_path / "a.xlsx", [{**POST, "views": date(1900, 5, 14)}])
    book.save(path)
    bad = next(row for row in parsed(path)[0] if row.values.get("source_field") == "views")
    assert isinstance(bad.values["value"], str)


def test_the_sheet_has_its_name(tmp_path: Path) -> None:
    path, book, sheet = as_workbook(tmp_path / "a.xlsx", [ACCOUNT])
    sheet.title = "Sheet1"
    book.save(path)
    with pytest.raises(BadFile, match="no sheet 'figures'"):
        pages(path)


def test_macros_are_not_kept_and_harm_nothing(tmp_path: Path) -> None:
    path, book, _ = as_workbook(tmp_path / "a.xlsm", [ACCOUNT])
    book.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0 AutoOpen")
    assert figures(path) == {(GWENT, "followers"): 1200}


@pytest.mark.parametrize("harm", ["mergeCells><mergeCell", "hyperlinks><hyperlink"])
def test_a_range_over_the_whole_sheet_is_refused_before_it_fills_the_memory(tmp_path: Path, harm: str) -> None:
    path, book, _ = as_workbook(tmp_path / "a.xlsx", [ACCOUNT])
    book.save(path)
    outer, _, _ = harm.partition(">")
    planted = f'<{harm} ref="A1:XFD1048576" location="a"/></{outer}>'.encode()
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b"</sheetData>", b"</sheetData>" + planted)
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    with pytest.raises(BadFile, match="over A1:XFD1048576; undo that"):
        pages(path)


def test_a_sheet_whose_corners_lie_far_apart_is_refused(tmp_path: Path) -> None:
    path, book, sheet = as_workbook(tmp_path / "a.xlsx", [ACCOUNT])
    sheet["GR90000"] = "x"
    book.save(path)
    with pytest.raises(BadFile, match="reaches to row 90,000, column 200"):
        pages(path)


def test_a_file_too_large_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as handle:
        handle.truncate(10**12)
    with pytest.raises(BadFile, match="more than 20,000,000"):
        pages(path)


@pytest.mark.parametrize("cell", [0.05, 1234.5])
def test_a_part_of_a_count_is_no_number(tmp_path: Path, cell: float) -> None:
    path, book, _ = as_workbook(tmp_path / "a.xlsx", [{**ACCOUNT, "followers": cell}])
    book.save(path)
    assert figures(path) == {(GWENT, "followers"): "no number: not a whole one"}


@pytest.mark.parametrize("before", ["", "\n\n", "\r\n;;\r\n"])
def test_lines_before_the_header_do_not_hide_what_parts_the_columns(tmp_path: Path, before: str) -> None:
    path = as_csv(tmp_path / "a.csv", [{**ACCOUNT, "note": "a, b, c"}], delimiter=";")
    path.write_text(before + path.read_text())
    assert figures(path) == {(GWENT, "followers"): 1200.0}


@pytest.mark.parametrize("broken", [b"5\xff0", b"5\xe2\x820"])
def test_a_file_that_is_utf_8_but_for_one_place_is_not_read_as_another_encoding(tmp_path: Path, broken: bytes) -> None:
    path = as_csv(tmp_path / "a.csv", [{**POST, "text": "Café for £5"}])
    path.write_bytes(path.read_bytes().replace(b"500", broken))
    with pytest.raises(BadFile, match="or a part of each"):
        pages(path)


@pytest.mark.parametrize("post", ["12\n34", "12 34", "12\x0034", "12\u200b34"])
def test_an_id_holds_no_space_and_nothing_that_cannot_be_seen(tmp_path: Path, post: str) -> None:
    path = as_csv(tmp_path / "a.csv", [{**POST, "post": post}], "utf-16")
    assert len(defects(path)) == 1
    assert defects(path)[0].startswith("id_unreadable: row 2: post holds a space")


def test_an_endless_id_is_none_and_the_error_of_a_formula_no_word(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "a.csv", [{**POST, "post": "9" * 301}, {**POST, "campaign": "#N/A"}, {**POST, "text": "#REF!"}])
    assert defects(path) == [
        "id_unreadable: row 2: post is too long for an id (301 characters)",
        "formula_cell: row 3: campaign is what a formula leaves that failed",
        "formula_cell: row 4: text is what a formula leaves that failed",
    ]


@pytest.mark.parametrize("link", ["https://:secret@example.org/1", "https://@example.org/1", "https://exam\u200bple.org/1"])
def test_an_address_has_no_password_and_no_hidden_sign(tmp_path: Path, link: str) -> None:
    assert defects(as_csv(tmp_path / "a.csv", [{**POST, "link": link}]))[0].startswith("link_unreadable: row 2: link is no https")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * 40_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(BadFile, match="too large"):
        pages(path)


def test_a_cell_at_the_end_of_the_sheet_does_not_fill_the_memory(tmp_path: Path) -> None:
    path, book, sheet = as_workbook(tmp_path / "a.xlsx", [ACCOUNT])
    sheet["XFD1048576"] = "x"
    book.save(path)
    with pytest.raises(BadFile, match="reaches to row 1,048,576"):
        pages(path)


def test_entities_of_a_hostile_workbook_are_not_expanded(tmp_path: Path) -> None:
    path, book, _ = as_workbook(tmp_path / "a.xlsx", [ACCOUNT])
    book.save(path)
    hostile = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(hostile, "w") as after:
        for part in before.namelist():
            content = before.read(part)
            if part == "xl/worksheets/sheet1.xml":
                entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol" * 10}">' for n in range(9))
                content = b'<?xml version="1.0"?><!DOCTYPE w [' + entities.encode() + b"]>" + content.partition(b"?>")[2]
                content = content.replace(b"</sheetData>", b'<row r="9"><c r="A9" t="str"><v>&e8;</v></c></row></sheetData>')
            after.writestr(part, content)
    path.write_bytes(hostile.getvalue())
    with pytest.raises(BadFile, match="cannot be read"):
        pages(path)
    with pytest.raises(ValueError, match="invalid XML") as raised:
        openpyxl.load_workbook(path)
    assert isinstance(raised.value.__cause__ or raised.value.__context__, DefusedXmlException)


# --- the template ---


@pytest.mark.parametrize("ending", [".xlsx", ".csv"])
def test_the_template_is_read_and_holds_nothing_but_its_example(tmp_path: Path, ending: str) -> None:
    path = upload_template.write(tmp_path / f"upload_template{ending}")
    with pytest.raises(BadFile, match="nothing but the example"):
        pages(path)


def test_the_template_filled_in_is_accepted_and_its_example_ignored(tmp_path: Path) -> None:
    path = upload_template.write(tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(path)
    sheet = book["figures"]
    sheet.append([POST.get(name) for name in COLUMNS])
    book.save(path)
    assert defects(path) == []
    assert figures(path)["7312345678901234567", "views"] == 500
    rules = {str(rule.sqref): rule.formula1 for rule in sheet.data_validations.dataValidation}
    assert rules["A2:A5000"] == '"account,post"'
    assert set(rules.values()) >= {'"linkedin,tiktok,nextdoor,whatsapp"', "lists!$A$2:$A$44"}


def test_every_figure_of_the_map_is_a_column_of_the_template() -> None:
    uploaded = [row for row in registry.current().metric_map if row.platform in Upload.platforms]
    assert {row.source_field for row in uploaded} <= set(COLUMNS)
    assert {row.platform for row in uploaded} == set(Upload.platforms)


def test_what_a_platform_has_not_is_named_by_the_map_and_not_lost(tmp_path: Path) -> None:
    """It becomes an observation whose field no row of the map has: the gate quarantines it by name."""
    nextdoor = source("nextdoor")
    path = as_csv(tmp_path / "a.csv", [{**POST, "platform": "nextdoor", "force": "kent", "shares": "3"}])
    account = next(row.account_id for row in registry.current().accounts if (row.platform, row.force_id) == ("nextdoor", "kent"))
    rows, _, _ = parsed(path, nextdoor)
    assert {row.values["account_id"] for row in rows} == {account}
    mapped = {row.source_field for row in registry.current().metric_map if row.platform == "nextdoor"}
    assert {row.values["source_field"] for row in rows if row.kind == "observation"} - mapped == {"shares", "unique_viewers"}


def test_a_page_is_plain_json_and_says_whether_it_is_simulated(tmp_path: Path) -> None:
    page = pages(as_csv(tmp_path / "a.csv", [{**ACCOUNT, "note": "SIMULATED"}]))[0]
    assert page.is_simulated
    assert json.loads(page.body)["rows"][0]["followers"] == 1200
    assert not pages(as_csv(tmp_path / "b.csv", [ACCOUNT]))[0].is_simulated
