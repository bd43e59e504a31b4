"""Survey exports: the contract's layout, the registry's questionnaire, and files as people really send them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from extractors.base import BadFile, Page
from extractors.survey import SurveyExports
from include import registry
from include.records import batch_to_table

RUN_DATE = date(2026, 11, 2)
OBSERVED = datetime(2026, 11, 2, 21, tzinfo=UTC)
FILE = "survey_2026-autumn.csv"
METADATA = [
    "Respondent ID",
    "Collector ID",
    "Start Date",
    "End Date",
    "IP Address",
    "Email Address",
    "First Name",
    "Last Name",
    "Custom Data 1",
]
SURVEY = SurveyExports(
    pseudonym=lambda value: hashlib.sha256(value.encode()).hexdigest()[:32], seeds=lambda: registry.current().tables
)

TABLES = registry.current().tables
QUESTIONS = {row["question_code"]: row for row in TABLES["survey_questions"]}
LABELS: dict[str, dict[str, str]] = {}
for option in TABLES["survey_options"]:
    LABELS.setdefault(option["question_code"], {})[option["option_code"]] = option["option_label"]
WANTS = list(LABELS["want"])


def header() -> tuple[list[str], list[str]]:
    first, second = list(METADATA), [""] * len(METADATA)
    for code, question in QUESTIONS.items():
        labels = list(LABELS[code].values()) if question["question_type"] == "multiple" else ["Response"]
        first += [question["question_text"], *[""] * (len(labels) - 1)]
        second += labels
    return first, second


def response(
    number: int,
    wants: tuple[str, ...] = ("appeals",),
    mark: str = "SIMULATED",
    other: str = "",
    started: str = "09/14/2026 09:14:03",
    **answers: str,
) -> list[str]:
    """One row. answers: option codes by question; a text with a space, or of no option, stands in the cell as it is."""
    given = {"force": "gwent", "age_band": "25_34", "contacted": "yes", "answered": "no", "satisfied": "neither", **answers}
    row = [
        str(118_000_000_000 + number),
        "455",
        started,
        started and "09/14/2026 09:20:59",
        "192.0.2.7",
        "jane.doe@example.org",
        "Jane",
        "Doe",
        mark,
    ]
    for code, question in QUESTIONS.items():
        if question["question_type"] == "multiple":
            row += [
                (other or label if option == "other" else label) if option in wants else ""
                for option, label in LABELS[code].items()
            ]
        else:
            row.append(LABELS[code].get(given[code], given[code]))
    return row


def write(
    folder: Path, rows: list[list[str]], name: str = FILE, encoding: str = "utf-8", head: tuple[list[str], list[str]] | None = None
) -> Path:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([*(head or header()), *rows])
    path = folder / name
    path.write_bytes(out.getvalue().encode(encoding))
    return path


def read(path: Path) -> tuple[Page, list[dict[str, Any]]]:
    """The landed page and all its answers, through the record schema; conservation is checked on the way."""
    (page,) = SURVEY.read(path, RUN_DATE, OBSERVED)
    assert isinstance(page, Page)
    batches: list[Any] = list(SURVEY.parse(page))
    rows = [row for batch in batches for row in batch_to_table(batch.kind, batch.columns, batch.length).to_pylist()]
    assert SURVEY.count(page) == Counter({"survey_answer": len(rows)})
    return page, rows


def answers(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of one respondent: the option of each single question, the options chosen of the multiple one."""
    single = {row["question_code"]: row["option_code"] for row in rows if row["question_code"] != "want"}
    return single | {"want": [row["option_code"] for row in rows if row["question_code"] == "want" and row["chosen"]]}


def test_a_response_becomes_answers_in_codes(tmp_path: Path) -> None:
    page, rows = read(write(tmp_path, [response(1, ("appeals", "other"), other="More horses")]))
    assert answers(rows) == {
        "force": "gwent",
        "age_band": "25_34",
        "contacted": "yes",
        "answered": "no",
        "satisfied": "neither",
        "want": ["other", "appeals"],
    }
    assert len([row for row in rows if row["question_code"] == "want"]) == len(WANTS)
    assert {(row["wave"], row["force_id"], row["_position"], row["_defect"]) for row in rows} == {
        ("2026-autumn", "gwent", f"{FILE} row 3", None)
    }
    assert {row["chosen"] for row in rows if row["question_code"] != "want"} == {True}
    assert page.is_simulated


def test_nothing_that_names_a_person_is_landed(tmp_path: Path) -> None:
    page, _ = read(
        write(tmp_path, [response(1, ("other",), other="Ask Jane Doe, 01632 960000"), response(2, force="Jane Doe's patch")])
    )
    for planted in ("Jane", "Doe", "example.org", "192.0.2", "118000", "09:14", "01632", "patch"):
        assert planted not in page.body
        assert planted not in str(page.context)


def test_real_answers_are_not_simulated(tmp_path: Path) -> None:
    assert not read(write(tmp_path, [response(1, mark="")]))[0].is_simulated


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_encoding_a_spreadsheet_writes_gives_the_same_answers(tmp_path: Path, encoding: str) -> None:
    first, second = header()
    head = (
        [text + ("\u00a0" if text else "") for text in first],
        [text.replace("'", "\u2019") for text in second],
    )
    path = write(tmp_path, [response(1, ("other",), other="Caf\u00e9 \u2013 \u2018quoted\u2019")], encoding=encoding, head=head)
    assert answers(read(path)[1])["want"] == ["other"]


def test_line_breaks_in_cells_do_not_move_the_row_numbers(tmp_path: Path) -> None:
    _, rows = read(write(tmp_path, [response(1, ("other",), other="one\ntwo\nthree"), response(2)]))
    assert {row["_position"] for row in rows} == {f"{FILE} row 3", f"{FILE} row 4"}


def test_what_was_skipped_and_what_was_not_asked(tmp_path: Path) -> None:
    responses = [
        response(1, contacted="", answered=""),  # skipped: a later question has an answer
        response(2, wants=()),  # none ticked: skipped, or wants nothing; nobody can tell
        response(3, wants=(), contacted="", answered="", satisfied=""),  # left after the age
    ]
    _, rows = read(write(tmp_path, responses))
    found = {number: answers([row for row in rows if row["_position"].endswith(f" {number}")]) for number in (3, 4, 5)}
    assert found[3] == {
        "force": "gwent",
        "age_band": "25_34",
        "want": ["appeals"],
        "contacted": "no_answer",
        "satisfied": "neither",
    }
    assert "want" not in {row["question_code"] for row in rows if row["_position"].endswith(" 4")}
    assert found[5] == {"force": "gwent", "age_band": "25_34", "want": []}


@pytest.mark.parametrize("force", ["unknown", ""])
def test_who_cannot_be_placed_is_kept_without_a_force(tmp_path: Path, force: str) -> None:
    _, rows = read(write(tmp_path, [response(1, force=force)]))
    assert {row["force_id"] for row in rows} == {None}
    assert answers(rows)["force"] == (force or "no_answer")
    assert answers(rows)["satisfied"] == "neither"


@pytest.mark.parametrize(
    ("spoil", "rule", "reason"),
    [
        pytest.param(
            lambda: response(2, satisfied="=cmd|'/C calc'!A0"),
            "formula_cell",
            "column 24 is a formula (=…, 17 characters)",
            id="formula",
        ),
        pytest.param(
            lambda: response(2, ("other",), other="=HYPERLINK(1)"),
            "formula_cell",
            "is a formula (=…, 13 characters)",
            id="free text",
        ),
        pytest.param(
            lambda: response(2, force="+44 7700 900000"),
            "formula_cell",
            "question force: the answer is a formula (+…, 15",
            id="plus",
        ),
        pytest.param(
            lambda: response(2, force="@SUM(A1)"), "formula_cell", "question force: the answer is a formula (@…, 8", id="at"
        ),
        pytest.param(
            lambda: response(2, force="Narnia"),
            "unknown_option",
            "question force: the answer is none of the options (N…, 6 characters)",
            id="unknown",
        ),
        pytest.param(lambda: response(2)[:-1], "cell_count", "23 cells where the header has 24", id="too few"),
        pytest.param(lambda: [*response(2), "x"], "cell_count", "25 cells where the header has 24", id="too many"),
        pytest.param(lambda: ["", *response(2)[1:]], "respondent_missing", "no Respondent ID", id="nobody"),
        pytest.param(
            lambda: response(1, satisfied="no"), "respondent_repeated", "the respondent stands already in row 3", id="twice"
        ),
        pytest.param(lambda: response(2, mark=""), "mark_missing", "not marked SIMULATED in a file of simulated", id="unmarked"),
        pytest.param(
            lambda: response(2, ("other",), other="a\n" * 21 + "b"), "cell_too_long", "has 21 line breaks and 43", id="lines"
        ),
        pytest.param(lambda: response(2, ("other",), other="a" * 5001), "cell_too_long", "0 line breaks and 5001", id="long"),
        pytest.param(
            lambda: response(2, started="09/14/2019 09:14:03"),
            "outside_fieldwork",
            "answered in 2019-09, the wave 2026-autumn in 2026-09",
            id="another year",
        ),
        pytest.param(lambda: response(2, started="10/28/2026"), "outside_fieldwork", "answered in 2026-10", id="too late"),
        pytest.param(lambda: response(2, started="08/07/2026 23:59:59"), "outside_fieldwork", "in 2026-08", id="too early"),
        pytest.param(
            lambda: response(2, started="Jane's birthday"), "date_unreadable", "is a date (J…, 15 characters)", id="no date"
        ),
        pytest.param(lambda: response(2, started=""), "date_unreadable", "no start and no end date", id="empty date"),
        pytest.param(
            lambda: response(2, started="31/31/2026"), "date_unreadable", "neither start nor end is a date", id="month 31"
        ),
    ],
)
def test_a_bad_row_is_set_aside_whole_with_its_rule_and_reason_and_costs_no_other(
    tmp_path: Path, spoil: Callable[[], list[str]], rule: str, reason: str
) -> None:
    _, rows = read(write(tmp_path, [response(1), spoil(), response(3)]))
    bad = [row for row in rows if row["_position"] == f"{FILE} row 4"]
    good = [row for row in rows if row["_position"] != f"{FILE} row 4"]
    assert bad
    for row in bad:
        assert row["_defect"].startswith(f"{rule}: {FILE} row 4: ")
        assert reason in row["_defect"]
    assert {row["_defect"] for row in good} == {None}
    assert len(good) == 2 * len(read(write(tmp_path, [response(1)]))[1])


def test_one_mark_in_a_real_file_costs_one_respondent_and_not_the_file(tmp_path: Path) -> None:
    page, rows = read(write(tmp_path, [response(1, mark=""), response(2), response(3, mark="")]))
    assert not page.is_simulated
    defects = {row["_position"]: row["_defect"] for row in rows if row["_defect"]}
    assert defects == {f"{FILE} row 4": f"simulated_mark_odd: {FILE} row 4: marked SIMULATED in a file of real answers"}


@pytest.mark.parametrize("started", ["08/08/2026 00:00:01", "10/27/2026", "14/09/2026 09:14", "2026-09-14 09:14:03", "14.9.26"])
def test_a_response_near_the_fieldwork_is_of_the_wave_however_its_date_was_saved(tmp_path: Path, started: str) -> None:
    page, rows = read(write(tmp_path, [response(1, started=started)]))
    assert {row["_defect"] for row in rows} == {None}
    assert started[:10] not in page.body


def lines_of(folder: Path, count: int = 9) -> list[str]:
    return write(folder, [response(number) for number in range(1, count + 1)]).read_text().splitlines()


def spoilt(folder: Path, lines: list[str]) -> Path:
    path = folder / FILE
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode())
    return path


def test_a_quote_left_open_to_the_end_is_refused_with_its_row(tmp_path: Path) -> None:
    lines = lines_of(tmp_path)
    lines[4] = lines[4].replace(",Jane,", ',"Jane,')
    with pytest.raises(BadFile, match=rf"{FILE} row 5: this is not CSV .*a quote is left open there"):
        read(spoilt(tmp_path, lines))


@pytest.mark.parametrize(("opened", "closed"), [(4, 8), (4, 5)])
@pytest.mark.parametrize(("after", "before"), [(",Jane,", ",Doe,"), (",Jane,", ",455,"), (",SIMULATED,", ",jane.doe@example.org,")])
def test_a_quote_that_swallows_other_rows_is_refused_with_its_row(
    tmp_path: Path, opened: int, closed: int, after: str, before: str
) -> None:
    lines = lines_of(tmp_path)
    lines[opened] = lines[opened].replace(after, f',"{after[1:]}', 1)
    lines[closed] = lines[closed].replace(before, f'{before[:-1]}",', 1)
    with pytest.raises(BadFile, match=rf"{FILE} row {opened + 1}: .*a quote is left open there"):
        read(spoilt(tmp_path, lines))


def test_a_file_that_was_cut_off_is_refused_and_one_without_its_last_line_break_is_not(tmp_path: Path) -> None:
    path = spoilt(tmp_path, lines_of(tmp_path))
    whole = path.read_bytes()
    path.write_bytes(whole[:-60])
    with pytest.raises(BadFile, match=rf"{FILE} row 11: the file ends in the middle of this row"):
        read(path)
    path.write_bytes(whole.rstrip())
    assert len({row["respondent_key"] for row in read(path)[1]}) == 9


def test_a_quote_in_the_middle_of_a_text_is_a_text(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, 2)
    lines[2] = lines[2].replace(",Jane,", ',Jane "JD" D,')
    assert {row["_defect"] for row in read(spoilt(tmp_path, lines))[1]} == {None}


def test_a_long_answer_of_several_lines_with_commas_is_an_answer(tmp_path: Path) -> None:
    text = "First, dogs, horses\n01632 960000, please\n2, 3, 4\n\nThank you, all, of, you"
    _, rows = read(write(tmp_path, [response(1, ("other",), other=text), response(2)]))
    assert {row["_defect"] for row in rows} == {None}


def test_a_file_that_does_not_say_when_people_answered_is_refused(tmp_path: Path) -> None:
    first, second = header()
    kept = [index for index, name in enumerate(first) if name not in ("Start Date", "End Date")]
    head = ([first[index] for index in kept], [second[index] for index in kept])
    with pytest.raises(BadFile, match="no column 'Start Date' and no 'End Date'"):
        read(write(tmp_path, [[response(1)[index] for index in kept]], head=head))


def test_the_second_row_of_a_respondent_does_not_take_the_first_along(tmp_path: Path) -> None:
    _, rows = read(write(tmp_path, [response(1), response(1)]))
    assert {row["respondent_key"] is None for row in rows if row["_defect"]} == {True}
    assert {row["respondent_key"] is None for row in rows if not row["_defect"]} == {False}


def without(column: str) -> tuple[list[str], list[str]]:
    """The header with a question or an option away."""
    first, second = header()
    filled = [text or first[max(i for i in range(index) if first[i])] for index, text in enumerate(first)]
    index = next(i for i, text in enumerate(filled) if column in (text, second[i]))
    return [*first[:index], *first[index + 1 :]], [*second[:index], *second[index + 1 :]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"PK\x03\x04rest of a workbook", "a workbook or an archive"),
        (b"ID,Start time,Completion time,Email\n1,2,3,4\n", "not SurveyMonkey's export"),
        (b"Respondent ID,Q1\n1,a\n2,b\n", "not the second header row"),
        (b"Respondent ID\n", "not SurveyMonkey's export"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / FILE
    path.write_bytes(content)
    with pytest.raises(BadFile, match=said) as refused:
        list(SURVEY.read(path, RUN_DATE, OBSERVED))
    assert FILE in str(refused.value)


def test_a_file_of_headers_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="headers and no responses"):
        read(write(tmp_path, []))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (QUESTIONS["force"]["question_text"], "no column for force"),
        (QUESTIONS["satisfied"]["question_text"], "no column for satisfied"),
        (LABELS["want"]["court_results"], "no column for want .*: court_results"),
    ],
)
def test_a_missing_column_is_named(tmp_path: Path, column: str, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        read(write(tmp_path, [response(1)], head=without(column)))


def test_a_missing_optional_question_was_not_asked(tmp_path: Path) -> None:
    head = without(QUESTIONS["answered"]["question_text"])
    index = header()[0].index(QUESTIONS["answered"]["question_text"])
    row = response(1)
    _, rows = read(write(tmp_path, [[*row[:index], *row[index + 1 :]]], head=head))
    assert "answered" not in answers(rows)
    assert {row["_defect"] for row in rows} == {None}


def test_every_unknown_option_of_the_header_is_listed(tmp_path: Path) -> None:
    first, second = header()
    second = [{"Court case results": "Court results!", "Job adverts": "Jobs!"}.get(label, label) for label in second]
    with pytest.raises(BadFile, match=r"'Court results!'.*'Jobs!'.*no column for want .*court_results, job_adverts"):
        read(write(tmp_path, [response(1)], head=(first, second)))


def test_a_question_twice_is_refused(tmp_path: Path) -> None:
    first, second = header()
    head = ([*first, QUESTIONS["age_band"]["question_text"]], [*second, "Response"])
    with pytest.raises(BadFile, match="age_band has 2 columns"):
        read(write(tmp_path, [[*response(1), "x"]], head=head))


def test_a_question_that_the_registry_does_not_know_is_left_behind(tmp_path: Path) -> None:
    first, second = header()
    head = ([*first, "Anything else to tell us?"], [*second, "Open-Ended Response"])
    page, rows = read(write(tmp_path, [[*response(1), "My neighbour Jane"]], head=head))
    assert "neighbour" not in page.body
    assert {row["_defect"] for row in rows} == {None}


def test_a_file_of_no_wave_is_refused_with_the_names_that_would_do(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"survey_2026-autumn\*\.csv"):
        read(write(tmp_path, [response(1)], name="final FINAL v2.csv"))
