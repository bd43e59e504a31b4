"""Exports of social-inbox tools: each row becomes keys, times and decisions, or a reason; nothing of a person is landed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from extractors import source
from extractors.base import BadFile, Page, Row
from extractors.contacts import Contacts
from extractors.inbox_contacts import COLUMNS, InboxContacts
from include import registry, upload_template

RUN_DATE, OBSERVED = date(2026, 11, 2), datetime(2026, 11, 2, 21, tzinfo=UTC)
ASKED, ANSWERED = "1990000000000000001", "1990000000000000002"
WORDS = "My name is Jane Doe, 07700 900123: is the A48 open?"


def hashed(value: str) -> str:
    """In the place of the keyed hash: as long, and not to be mistaken for what it stands for."""
    return value.encode().hex()[-32:].rjust(32, "0")


CONTACTS = InboxContacts(pseudonym=hashed, seeds=lambda: registry.current().tables)
QUESTION = {
    "platform": "x",
    "force": "gwent",
    "message_id": ASKED,
    "direction": "inbound",
    "created_at": "2026-10-31T18:05:00+01:00",
    "text": WORDS,
}
ANSWER = {
    "platform": "x",
    "force": "Gwent Police",
    "message_id": ANSWERED,
    "direction": "outbound",
    "created_at_utc": "2026-10-31 18:05",
    "in_reply_to": ASKED,
    "automatic": "no",
}


def as_csv(path: Path, rows: Sequence[dict[str, Any]], more: Sequence[str] = ()) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, [*COLUMNS, *more])
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_workbook(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "contacts"
    sheet.append(list(COLUMNS))
    for row in rows:
        sheet.append([row.get(name) for name in COLUMNS])
    book.save(path)
    return path


def pages(path: Path) -> list[Page]:
    found = list(CONTACTS.read(path, RUN_DATE, OBSERVED))
    assert all(isinstance(each, Page) for each in found)
    return [each for each in found if isinstance(each, Page)]


def rows_of(path: Path) -> list[Row]:
    found = []
    for page in pages(path):
        rows = [each for each in CONTACTS.parse(page) if isinstance(each, Row)]
        assert CONTACTS.count(page) == {"message": len(rows)}, "conservation"
        found += rows
    return found


def test_a_question_and_its_answer(tmp_path: Path) -> None:
    key = Contacts("x", hashed).key
    for path in (as_csv(tmp_path / "a.csv", [QUESTION, ANSWER]), as_workbook(tmp_path / "a.xlsx", [QUESTION, ANSWER])):
        asked, answered = (row.values for row in rows_of(path))
        assert (asked["platform"], asked["force_id"], asked["account_id"]) == ("x", "gwent", "1480160112000002512")
        assert asked["message_key"] == key(ASKED), "the key that the API's own messages have"
        assert (asked["created_at"], asked["wants_answer"], asked["is_automatic"]) == ("2026-10-31T17:05:00+00:00", True, None)
        assert (answered["created_at"], answered["is_automatic"]) == ("2026-10-31T18:05:00+00:00", False)
        assert (asked["reply_to_key"], answered["reply_to_key"]) == (None, key(ASKED))


def test_an_address_of_x_is_the_same_message(tmp_path: Path) -> None:
    plain, address = (
        rows_of(as_csv(tmp_path / f"{place}.csv", [{**QUESTION, "message_id": each}]))[0].values["message_key"]
        for place, each in enumerate((ASKED, f"https://twitter.com/janedoe/status/{ASKED}?s=20"))
    )
    assert plain == address


def test_nothing_of_a_person_is_landed(tmp_path: Path) -> None:
    rows = [
        {**QUESTION, "note": "rang Jane Doe back"},
        ANSWER,
        {**QUESTION, "message_id": "1990000000000000003", "direction": "Jane Doe"},
        {**QUESTION, "message_id": "1990000000000000004", "created_at": "Jane Doe"},
        {**QUESTION, "platform": "Jane Doe"},
        {**QUESTION, "wants_answer": "ask Jane Doe"},
    ]
    landed = "".join(page.body + page.request + str(page.context) for page in pages(as_csv(tmp_path / "a.csv", rows)))
    for secret in ("Jane", "Doe", "07700", "A48", ASKED[:12], "rang"):
        assert secret not in landed


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"platform": "myspace"}, "platform_unknown"),
        ({"force": "atlantis"}, "force_unknown"),
        ({"account": "@someone"}, "account_unknown"),
        ({"message_id": ""}, "cell_missing"),
        ({"message_id": "1.99E+18"}, "id_rounded"),
        ({"message_id": "9" * 301}, "id_unreadable"),
        ({"message_id": "1990000000000000000.0"}, "id_unreadable"),
        ({"message_id": "https://x.com/janedoe"}, "id_unreadable"),
        ({"platform": "facebook", "message_id": "https://www.facebook.com/p/posts/1?comment_id=5"}, "id_unreadable"),
        ({"direction": "sent"}, "direction_unreadable"),
        ({"created_at": "2026-10-31 18:05"}, "offset_missing"),
        ({"created_at": ""}, "time_unreadable"),
        ({"created_at_utc": "2026-10-31 18:05"}, "time_unreadable"),
        ({"created_at": "", "created_at_utc": "2026-10-31"}, "time_unreadable"),
        ({"created_at": "", "created_at_utc": "03/10/2026 10:00"}, "date_ambiguous"),
        ({"wants_answer": "perhaps"}, "yes_or_no"),
        ({"automatic": "no"}, "cell_misplaced"),
        ({"text": ""}, "undecided"),
    ],
)
def test_a_row_that_cannot_be_read_is_set_aside_alone(tmp_path: Path, change: dict[str, str], rule: str) -> None:
    good, bad = rows_of(as_csv(tmp_path / "a.csv", [{**QUESTION, **change}, ANSWER]))
    assert bad.values["_defect"].startswith(f"{rule}: row 2: ")
    assert bad.values["message_key"] is None
    assert good.values["direction"] == "outbound"
    assert good.values["reply_to_key"] is None, "what it answers is not in the file"


def test_decisions_of_people_come_before_the_rules(tmp_path: Path) -> None:
    rows = [
        {**QUESTION, "wants_answer": "no"},
        {**QUESTION, "message_id": "5", "wants_answer": "Yes", "text": ""},
        {**ANSWER, "automatic": "", "text": "This is an automated reply."},
        {**ANSWER, "message_id": "7", "automatic": "", "text": "It is open again."},
        {**ANSWER, "message_id": "8", "automatic": "no", "text": "This is an automated reply."},
    ]
    found = [row.values["wants_answer"] if row.values["direction"] == "inbound" else row.values["is_automatic"]
             for row in rows_of(as_csv(tmp_path / "a.csv", rows))]  # fmt: skip
    assert found == [False, True, True, False, False]


def test_the_same_words_to_several_people_at_once_are_a_machine(tmp_path: Path) -> None:
    rows = []
    for number in range(2):
        rows.append({**QUESTION, "message_id": f"10{number}", "created_at": f"2026-10-31T18:0{number}:00Z"})
        to = {"message_id": f"20{number}", "in_reply_to": f"10{number}", "created_at_utc": f"2026-10-31 18:0{number}:09"}
        rows.append({**ANSWER, **to, "automatic": "", "text": "Thank you, we are looking into it."})
    answers = [row.values for row in rows_of(as_csv(tmp_path / "a.csv", rows)) if row.values["direction"] == "outbound"]
    assert [each["is_automatic"] for each in answers] == [True, True]


def test_what_is_no_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"row 1: .*: number 13; .*Who wrote is never taken in"):
        pages(as_csv(tmp_path / "a.csv", [{**QUESTION, "author": "janedoe"}], more=["author"]))
    with pytest.raises(BadFile, match="number 13") as kept:  # the reason is kept, where the file is not
        pages(as_csv(tmp_path / "a.csv", [QUESTION], more=["Jane Doe 07700 900123"]))
    assert "jane" not in str(kept.value).casefold()
    other = tmp_path / "b.csv"
    other.write_text("Date,Message\n2026-10-31,hello\n")
    with pytest.raises(BadFile, match="not the header of the template for contacts") as refused:
        pages(other)
    assert "hello" not in str(refused.value)


@pytest.mark.parametrize("name", ["contacts.csv", "contacts.xlsx"])
def test_the_template_is_read_and_its_example_is_not(tmp_path: Path, name: str) -> None:
    upload_template.main([str(tmp_path / name), "--contacts"])
    with pytest.raises(BadFile, match="nothing but the example"):
        pages(tmp_path / name)


def test_it_is_a_source() -> None:
    assert isinstance(source("contacts"), InboxContacts)
