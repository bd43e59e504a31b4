"""Survey exports. One layout so far: SurveyMonkey's 'All responses' CSV with two header rows (docs/sources/survey.md).

Reading recognises the layout (survey_layout.py), maps the questions and options it knows to their codes, and leaves everything
else behind: what is landed holds a pseudonym and codes, nothing that anybody typed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractors import survey_layout as layout
from extractors.base import Drop, FileSource, Gap, Page, Row, RowBatch
from extractors.survey_layout import SURVEYMONKEY, Column, Header, Seeds, Wave, normalise

if TYPE_CHECKING:
    import pyarrow as pa

SIMULATED = "SIMULATED"
FREE_TEXT = "other (please specify)"

TICKED, HIDDEN = "1", "!"
"""Cells of the landed file, beside option codes: an option that was chosen; an answer that is none of the options, not shown."""

LANDED_COLUMNS = ("row", "respondent_key", "defect")
NO_ANSWER, UNKNOWN_FORCE, FORCE_QUESTION = "no_answer", "unknown", "force"

AROUND_FIELDWORK = timedelta(days=30)
"""How far from the fieldwork a response may be dated: pilots before it, stragglers after it; not another wave's."""

MOST_LINE_BREAKS, LONGEST_CELL = 20, 5_000
"""Of one cell. More was not typed by a respondent."""

DATE = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})\b")


@dataclass(frozen=True)
class Defect:
    """What is wrong with a response: the rule, under which it is quarantined, and the reason. Without any answer in it."""

    rule: str
    reason: str


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
        wave = layout.wave(path, seeds)
        content = path.read_bytes()
        rows = layout.rows(path, content)
        first, second = layout.recognise(path, rows)
        header = layout.header_of(path, first)
        columns = layout.columns(path, first, second, layout.questions(seeds))
        layout.require_whole_rows(path, content, rows, header)
        body, is_simulated = self._redact(path, rows, header, columns, wave)
        yield Page(
            endpoint=SURVEYMONKEY,
            account_id=None,
            request=f"file {path.name}",
            status=200,
            observed_at=observed_at,
            body=body,
            is_simulated=is_simulated,
            run_date=run_date,
            context={
                "file": path.name,
                "file_sha256": hashlib.sha256(content).hexdigest(),
                "wave": wave.name,
                **_kinds_of(columns),
            },
        )

    def _redact(
        self, path: Path, rows: Sequence[tuple[int, list[str]]], header: Header, columns: list[Column], wave: Wave
    ) -> tuple[str, bool]:
        """The file as it is landed, and whether it is simulated: codes and pseudonyms instead of people and their words."""
        marked = [_at(row, header.mark) == SIMULATED for _, row in rows]
        is_simulated = 2 * sum(marked) >= len(marked)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow((*LANDED_COLUMNS, *(column.landed_name for column in columns)))
        first_row: dict[str, int] = {}
        for (number, row), is_marked in zip(rows, marked, strict=True):
            respondent = _at(row, header.respondent_id)
            cells, defect = _cells(row, header, columns)
            if not respondent:
                defect = defect or Defect("respondent_missing", "no Respondent ID")
            elif respondent in first_row:
                # the first row keeps the key: it must not be thrown out together with this one
                stands = f"the respondent stands already in row {first_row[respondent]}"
                respondent, defect = "", Defect("respondent_repeated", stands)
            else:
                first_row[respondent] = number
            defect = defect or _mark_defect(is_marked, is_simulated) or _date_defect(row, header, wave)
            key = self._pseudonym(respondent) if respondent else ""
            said = f"{defect.rule}: {path.name} row {number}: {defect.reason}" if defect else ""
            writer.writerow((number, key, said, *cells))
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


# --- one response ---


def _at(row: list[str], index: int | None) -> str:
    return row[index].strip() if index is not None and index < len(row) else ""


def _cells(row: list[str], header: Header, columns: list[Column]) -> tuple[list[str], Defect | None]:
    """The landed cells of one response, and what is wrong with it."""
    if len(row) != header.width:
        return [""] * len(columns), Defect("cell_count", f"{len(row)} cells where the header has {header.width}")
    defect = next((found for index, cell in enumerate(row) if (found := _cell_defect(index, cell))), None)
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
        if cells[-1] == HIDDEN and defect is None:
            rule, what = ("formula_cell", "is a formula") if cell[0] in "=+-@" else ("unknown_option", "is none of the options")
            defect = Defect(rule, f"question {column.question.code}: the answer {what} ({_shown(row[column.index])})")
    return cells, defect


def _cell_defect(index: int, cell: str) -> Defect | None:
    if cell.lstrip()[:1] == "=":
        return Defect("formula_cell", f"column {index + 1} is a formula ({_shown(cell)})")
    breaks = len(cell.splitlines()) - 1
    if breaks > MOST_LINE_BREAKS or len(cell) > LONGEST_CELL:
        return Defect("cell_too_long", f"column {index + 1} has {breaks} line breaks and {len(cell)} characters")
    return None


def _mark_defect(is_marked: bool, is_simulated: bool) -> Defect | None:
    """A response that is not what most of its file is."""
    if is_simulated and not is_marked:
        return Defect("mark_missing", "not marked SIMULATED in a file of simulated answers")
    if is_marked and not is_simulated:
        return Defect("simulated_mark_odd", "marked SIMULATED in a file of real answers")
    return None


def _date_defect(row: list[str], header: Header, wave: Wave) -> Defect | None:
    cell = _at(row, header.start) or _at(row, header.end)
    days = _days(cell.partition(" ")[0])
    if not days:
        return Defect(
            "date_unreadable", f"neither start nor end is a date ({_shown(cell)})" if cell else "no start and no end date"
        )
    earliest, latest = wave.fieldwork_start - AROUND_FIELDWORK, wave.fieldwork_end + AROUND_FIELDWORK
    if any(earliest <= day <= latest for day in days):
        return None
    return Defect("outside_fieldwork", f"answered in {days[0]:%Y-%m}, the wave {wave.name} in {wave.fieldwork_start:%Y-%m}")


@cache
def _days(text: str) -> tuple[date, ...]:
    """The days that a date may mean: as the tool writes it, month first; as a spreadsheet here may save it, day first."""
    found = DATE.match(text)
    if not found:
        return ()
    first, middle, last = (int(part) for part in found.groups())
    if len(found[1]) == 4:
        meant = [(first, middle, last)]
    else:
        year = last + 2000 if last < 100 else last
        meant = [(year, first, middle), (year, middle, first)]
    days = []
    for year, month, day in meant:
        try:
            days.append(date(year, month, day))
        except ValueError:
            continue
    return tuple(days)


def _shown(cell: str) -> str:
    """Enough to find the cell, too little to tell what somebody typed."""
    text = cell.strip()
    return f"{text[:1]}…, {len(text)} characters"
