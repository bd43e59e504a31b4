"""Survey exports. One layout so far: SurveyMonkey's 'All responses' CSV with two header rows (docs/sources/survey.md).

Reading recognises the layout, maps the questions and options it knows to their codes, and leaves everything else behind: what
is landed holds a pseudonym and codes, nothing that anybody typed.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractors.base import BadFile, Drop, FileSource, Gap, Page, Row, RowBatch

if TYPE_CHECKING:
    import pyarrow as pa

Seeds = Mapping[str, list[dict[str, str]]]

SURVEYMONKEY = "surveymonkey_two_header_rows"
RESPONDENT_ID, CUSTOM_DATA = ("respondent id", "respondentid", "respondent_id"), "custom data 1"
SIMULATED = "SIMULATED"
ONE_ANSWER = "response"
FREE_TEXT = "other (please specify)"

TICKED, HIDDEN = "1", "!"
"""Cells of the landed file, beside option codes: an option that was chosen; an answer that is none of the options, not shown."""

LANDED_COLUMNS = ("row", "respondent_key", "defect")
NO_ANSWER, UNKNOWN_FORCE, FORCE_QUESTION = "no_answer", "unknown", "force"

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


class SurveyExports(FileSource):
    """What the public wants from its police on social media, as the survey tool exports it."""

    name = "survey"
    title = "Survey exports"
    documentation = "docs/sources/survey.md"
    kinds = ("survey_answer",)

    def __init__(self, pseudonym: Callable[[str], str], seeds: Callable[[], Seeds]) -> None:
        self._pseudonym = pseudonym
        self._seeds = seeds

    def read(self, path: Path, run_date: date, observed_at: datetime) -> Iterator[Page | Gap]:
        seeds = self._seeds()
        wave = _wave(path, seeds)
        content = path.read_bytes()
        rows = _rows(path, content)
        first, second = _recognise(path, rows)
        columns = _columns(path, first, second, _questions(seeds))
        body, is_simulated = self._redact(path, rows, first, columns)
        yield Page(
            endpoint=SURVEYMONKEY,
            account_id=None,
            request=f"file {path.name}",
            status=200,
            observed_at=observed_at,
            body=body,
            is_simulated=is_simulated,
            run_date=run_date,
            context={"file": path.name, "file_sha256": hashlib.sha256(content).hexdigest(), "wave": wave, **_kinds_of(columns)},
        )

    def _redact(
        self, path: Path, rows: Sequence[tuple[int, list[str]]], header: list[str], columns: list[Column]
    ) -> tuple[str, bool]:
        """The file as it is landed, and whether it is simulated: codes and pseudonyms instead of people and their words."""
        names = [normalise(name) for name in header]
        id_index = next(index for index, name in enumerate(names) if name in RESPONDENT_ID)
        mark = names.index(CUSTOM_DATA) if CUSTOM_DATA in names else None
        marked = [mark is not None and len(row) == len(header) and row[mark].strip() == SIMULATED for _, row in rows]
        is_simulated = any(marked)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow((*LANDED_COLUMNS, *(column.landed_name for column in columns)))
        first_row: dict[str, int] = {}
        for (number, row), is_marked in zip(rows, marked, strict=True):
            respondent = row[id_index].strip() if id_index < len(row) else ""
            cells, defect = _cells(row, len(header), columns)
            if not respondent:
                defect = defect or "no Respondent ID"
            elif respondent in first_row:
                # the first row keeps the key: it must not be thrown out together with this one
                respondent, defect = "", f"the respondent stands already in row {first_row[respondent]}"
            else:
                first_row[respondent] = number
            if is_simulated and not is_marked:
                defect = defect or "not marked SIMULATED in a file of simulated answers"
            key = self._pseudonym(respondent) if respondent else ""
            writer.writerow((number, key, f"{path.name} row {number}: {defect}" if defect else "", *cells))
        return out.getvalue(), is_simulated

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        """Batches of kind survey_answer, one for each column: question × option shown. A bad row's answers all carry its defect."""
        import pandas as pd
        import pyarrow as pa

        frame = pd.read_csv(io.StringIO(page.body), dtype=str, keep_default_na=False)
        given = {name: frame[name].to_numpy() for name in frame.columns[len(LANDED_COLUMNS) :]}
        forces = pd.Series(given.get(FORCE_QUESTION, ""), index=frame.index)
        common: dict[str, pa.Array] = {
            "respondent_key": _texts(frame["respondent_key"]),
            "force_id": _texts(forces.where(~forces.isin((UNKNOWN_FORCE, HIDDEN)), "")),
            "_position": _texts(page.context["file"] + " row " + frame["row"]),
            "_defect": _texts(frame["defect"]),
        }
        wave = page.context["wave"]
        multiple, optional = (set(page.context[name].split(",")) for name in ("multiple", "optional"))
        nothing_since = pd.Series(True, index=frame.index)  # nothing answered in this column or after it
        for name in reversed(list(given)):
            question, _, option = name.partition(":")
            cells = frame[name]
            nothing_since &= cells.eq("")
            if question in multiple:
                # with no option chosen, nobody can tell 'none of these' from 'skipped': no rows
                parts = [column for column in given if column.partition(":")[0] == question]
                shown = (frame[parts] != "").any(axis=1)
                chosen = pd.Series(cells.eq(TICKED).to_numpy(), dtype="boolean").mask(cells.eq(HIDDEN))
                answers = {"option_code": option, "chosen": pa.array(chosen[shown], pa.bool_(), from_pandas=True)}
            else:
                shown = cells.ne("") if question in optional else ~nothing_since
                codes = cells.where(cells.ne(""), NO_ANSWER).mask(cells.eq(HIDDEN), "")
                answers = {"option_code": _texts(codes[shown]), "chosen": True}
            if shown.any():
                kept = {column: values.filter(pa.array(shown)) for column, values in common.items()}
                yield RowBatch("survey_answer", {"wave": wave, "question_code": question, **kept, **answers}, int(shown.sum()))
        silent = (frame[list(given)] == "").all(axis=1) & frame["defect"].ne("")
        if silent.any():
            kept = {column: values.filter(pa.array(silent)) for column, values in common.items()}
            yield RowBatch("survey_answer", {"wave": wave, **kept}, int(silent.sum()))

    def count(self, page: Page) -> Counter[str]:
        """Answers that the landed rows hold, row by row."""
        lines = csv.reader(io.StringIO(page.body))
        names = [name.split(":")[0] for name in next(lines)[len(LANDED_COLUMNS) :]]
        multiple, optional = (set(page.context[name].split(",")) for name in ("multiple", "optional"))
        widths = Counter(names)
        total = 0
        for line in lines:
            cells = line[len(LANDED_COLUMNS) :]
            answered = [position for position, cell in enumerate(cells) if cell]
            if not answered:
                total += bool(line[2])
                continue
            total += sum(widths[name] for name in {names[position] for position in answered} & multiple)
            single = [position for position in range(answered[-1] + 1) if names[position] not in multiple]
            total += sum(1 for position in single if cells[position] or names[position] not in optional)
        return Counter({"survey_answer": total})


def _texts(values: Any) -> pa.Array:
    """Arrow text in which an empty cell is null."""
    import pyarrow as pa

    return pa.array([value or None for value in values], pa.string())


def _kinds_of(columns: list[Column]) -> dict[str, str]:
    questions = {column.question.code: column.question for column in columns}
    return {
        "multiple": ",".join(code for code, question in questions.items() if question.is_multiple),
        "optional": ",".join(code for code, question in questions.items() if not question.is_required),
    }


# --- recognising: which wave, which layout ---


def _wave(path: Path, seeds: Seeds) -> str:
    waves = seeds["survey_waves"]
    for row in waves:
        if fnmatch(path.name.casefold(), row["file_name_pattern"].casefold()):
            if row["layout"] != SURVEYMONKEY:
                raise BadFile(f"{path.name}: layout {row['layout']!r} of wave {row['wave']} is not known; known is {SURVEYMONKEY}")
            return row["wave"]
    patterns = ", ".join(row["file_name_pattern"] for row in waves)
    raise BadFile(f"{path.name}: no wave has such a file name ({patterns}); rename the file, or add the wave to survey_waves.csv")


def _rows(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    """All rows with their numbers as a spreadsheet shows them."""
    if not content.strip():
        raise BadFile(f"{path.name}: the file is empty; export it again")
    if content.startswith(b"PK"):
        raise BadFile(f"{path.name}: this is a workbook or an archive; export the survey as CSV, or unpack it")
    try:
        rows = enumerate(csv.reader(io.StringIO(_decode(content), newline="")), start=1)
        return [(number, row) for number, row in rows if row]
    except csv.Error as error:
        raise BadFile(f"{path.name}: this is not CSV ({error}); export it again") from None


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _recognise(path: Path, rows: list[tuple[int, list[str]]]) -> tuple[list[str], list[str]]:
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


# --- mapping: question texts and option labels to codes ---


def _questions(seeds: Seeds) -> dict[str, Question]:
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


def _columns(path: Path, first: list[str], second: list[str], questions: Mapping[str, Question]) -> list[Column]:
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


def _cells(row: list[str], width: int, columns: list[Column]) -> tuple[list[str], str]:
    """The landed cells of one response, and what is wrong with it (empty: nothing)."""
    if len(row) != width:
        return [""] * len(columns), f"{len(row)} cells where the header has {width}"
    defect = ""
    for index, cell in enumerate(row):
        if cell.lstrip()[:1] == "=":
            defect = f"column {index + 1} is a formula ({_shown(cell)})"
            break
    cells = []
    for column in columns:
        cell = normalise(row[column.index])
        if not cell:
            cells.append("")
        elif column.option_code:
            known = cell == column.label or column.label == FREE_TEXT
            cells.append(TICKED if known else HIDDEN)
        else:
            cells.append(column.question.options.get(cell, HIDDEN))
        if cells[-1] == HIDDEN:
            what = "is a formula" if cell[0] in "=+-@" else "is none of the options"
            defect = defect or f"question {column.question.code}: the answer {what} ({_shown(row[column.index])})"
    return cells, defect


def _shown(cell: str) -> str:
    """Enough to find the cell, too little to tell what somebody typed."""
    text = cell.strip()
    return f"{text[:1]}…, {len(text)} characters"
