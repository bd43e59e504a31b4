"""The layout of SurveyMonkey's 'All responses' export: rows, header, and which column answers what (docs/sources/survey.md).

Raises BadFile where the file as a whole is not what it should be; what is wrong with one response is for survey.py.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

from extractors.base import BadFile

Seeds = Mapping[str, list[dict[str, str]]]

SURVEYMONKEY = "surveymonkey_two_header_rows"
RESPONDENT_ID = ("respondent id", "respondentid", "respondent_id")
START_DATE, END_DATE = ("start date", "startdate", "start_date"), ("end date", "enddate", "end_date")
CUSTOM_DATA = "custom data 1"
ONE_ANSWER = "response"

SAME_CHARACTERS = str.maketrans({"\u00a0": " ", "\u2007": " ", "\u202f": " ", "\ufeff": "", "\u2018": "'", "\u2019": "'",
                                 "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"})  # fmt: skip
"""What spreadsheets change when a file is saved again."""


def normalise(text: str) -> str:
    """Text as it is compared: spaces of every kind made one, quotes and dashes plain, case ignored."""
    return " ".join(text.replace("\u00c2\u00a0", " ").translate(SAME_CHARACTERS).split()).casefold()


@dataclass(frozen=True)
class Question:
    """A question of the registry. options: normalised label to code."""

    code: str
    is_multiple: bool
    is_required: bool
    text: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """A column of the export that answers a question. option_code: of one option; None where the cell names the option."""

    index: int
    question: Question
    option_code: str | None
    label: str

    @property
    def landed_name(self) -> str:
        return f"{self.question.code}:{self.option_code}" if self.option_code else self.question.code


@dataclass(frozen=True)
class Wave:
    """A row of the seed survey_waves."""

    name: str
    fieldwork_start: date
    fieldwork_end: date


@dataclass(frozen=True)
class Header:
    """Where things stand. start, end: the columns of dates, None where there is none; mark: of Custom Data 1."""

    width: int
    respondent_id: int
    start: int | None
    end: int | None
    mark: int | None


# --- recognising: which wave, which layout ---


def wave(path: Path, seeds: Seeds) -> Wave:
    """The wave that a file's name says. Whether its responses are of it, their dates say."""
    waves = seeds["survey_waves"]
    for row in waves:
        if fnmatch(path.name.casefold(), row["file_name_pattern"].casefold()):
            if row["layout"] != SURVEYMONKEY:
                raise BadFile(f"{path.name}: layout {row['layout']!r} of wave {row['wave']} is not known; known is {SURVEYMONKEY}")
            return Wave(row["wave"], date.fromisoformat(row["fieldwork_start"]), date.fromisoformat(row["fieldwork_end"]))
    patterns = ", ".join(row["file_name_pattern"] for row in waves)
    raise BadFile(f"{path.name}: no wave has such a file name ({patterns}); rename the file, or add the wave to survey_waves.csv")


def rows(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    """All rows with their numbers as a spreadsheet shows them."""
    if not content.strip():
        raise BadFile(f"{path.name}: the file is empty; export it again")
    if content.startswith(b"PK"):
        raise BadFile(f"{path.name}: this is a workbook or an archive; export the survey as CSV, or unpack it")
    reader = csv.reader(io.StringIO(_decode(content), newline=""), strict=True)
    number = 0  # of the last row that was read whole
    found = []
    try:
        for number, row in enumerate(reader, start=1):
            if row:
                found.append((number, row))
    except csv.Error as error:
        raise BadFile(
            f"{path.name} row {number + 1}: this is not CSV ({error}): a quote is left open there, or stands where none may; "
            "export it again"
        ) from None
    return found


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def require_whole_rows(path: Path, content: bytes, rows: Sequence[tuple[int, list[str]]], header: Header) -> None:
    """The file has its end, and no response lies inside another one's cell. Raises BadFile.

    A quote too many makes one cell of all up to the next quote, and the rows between would be gone without a word. The rows of
    the file are recognised by themselves here: a line within a cell that begins as a response does, or holds as many cells.
    """
    last, cells = rows[-1]
    if len(cells) < header.width and not _decode(content).endswith(("\n", "\r")):
        raise BadFile(f"{path.name} row {last}: the file ends in the middle of this row: it is cut off; export or copy it again")
    before_id = r"(?:[^,]*,)" * header.respondent_id
    response = re.compile(rf'{before_id}\s*"?\s*\d{{6,}}\s*"?\s*(?:,[^,]*){{3,}}')
    for number, row in rows:
        lines = [line for cell in row if "\n" in cell or "\r" in cell for line in cell.splitlines()[1:]]
        swallowed = sum(bool(response.match(line)) or line.count(",") >= header.width - 2 for line in lines)
        if swallowed or (lines and len(row) != header.width):
            what = (
                f"{swallowed} other rows lie in it" if swallowed else f"over several lines, with {len(row)} cells of {header.width}"
            )
            raise BadFile(
                f"{path.name} row {number}: {what}: a quote is left open there, or stands where none may; export it again"
            )


def recognise(path: Path, rows: list[tuple[int, list[str]]]) -> tuple[list[str], list[str]]:
    """Takes the two header rows off. Raises BadFile where the file has not this layout."""
    if len(rows) < 2 or not {normalise(name) for name in rows[0][1]}.intersection(RESPONDENT_ID):
        raise BadFile(
            f"{path.name}: this is not SurveyMonkey's export of all responses: no column 'Respondent ID' in row 1, or no second "
            "header row; export 'All responses data' as CSV with expanded columns and the actual answer text"
        )
    (_, first), (_, second) = rows[:2]
    if ONE_ANSWER not in {normalise(label) for label in second} or len(first) != len(second):
        raise BadFile(f"{path.name} row 2: this is not the second header row (no cell 'Response', or not as many cells as row 1)")
    if len(rows) == 2:
        raise BadFile(f"{path.name}: the file has headers and no responses; export it again")
    del rows[:2]
    return first, second


def header_of(path: Path, first: list[str]) -> Header:
    """Where the columns about a response stand. Raises BadFile where nothing says when people answered."""
    names = [normalise(name) for name in first]

    def index(*of: str) -> int | None:
        return next((position for position, name in enumerate(names) if name in of), None)

    respondent_id, start, end = index(*RESPONDENT_ID), index(*START_DATE), index(*END_DATE)
    assert respondent_id is not None, "recognise() has found it"
    if start is None and end is None:
        raise BadFile(
            f"{path.name} row 1: no column 'Start Date' and no 'End Date': nothing but the file's name would say of which wave it "
            "is; export it with them"
        )
    return Header(len(first), respondent_id, start, end, index(CUSTOM_DATA))


# --- mapping: question texts and option labels to codes ---


def questions(seeds: Seeds) -> dict[str, Question]:
    """Normalised question text to question."""
    options: dict[str, dict[str, str]] = {}
    for row in seeds["survey_options"]:
        options.setdefault(row["question_code"], {})[normalise(row["option_label"])] = row["option_code"]
    return {
        normalise(row["question_text"]): Question(
            row["question_code"],
            row["question_type"] == "multiple",
            row["is_required"] == "true",
            row["question_text"],
            options.get(row["question_code"], {}),
        )
        for row in seeds["survey_questions"]
    }


def columns(path: Path, first: list[str], second: list[str], questions: Mapping[str, Question]) -> list[Column]:
    """The columns that answer known questions. Raises BadFile that lists every missing, unknown or repeated one."""
    columns: list[Column] = []
    problems: list[str] = []
    text = ""
    for index, (above, below) in enumerate(zip(first, second, strict=True)):
        text = above if above.strip() else text
        question, label = questions.get(normalise(text)), normalise(below)
        if question is None:
            continue
        if question.is_multiple:
            code = question.options.get(label)
            if code is None:
                problems.append(f"column {index + 1}: option {below!r} of question {question.code} is not in survey_options.csv")
                continue
            columns.append(Column(index, question, code, label))
        elif label == ONE_ANSWER:
            columns.append(Column(index, question, None, label))
    found = Counter(column.landed_name for column in columns)
    problems += [f"{name} has {times} columns" for name, times in found.items() if times > 1]
    for question in questions.values():
        if question.is_multiple:
            missing = [code for code in question.options.values() if f"{question.code}:{code}" not in found]
            if question.is_required and missing:
                problems.append(f"no column for {question.code} ({question.text!r}): {', '.join(missing)}")
        elif question.is_required and question.code not in found:
            problems.append(f"no column for {question.code} ({question.text!r})")
    if problems:
        raise BadFile(f"{path.name}: the header does not fit the registry; correct the export or the seeds: {'; '.join(problems)}")
    return columns
