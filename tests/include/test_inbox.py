"""The inbox: which files are taken, and where they go."""

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import extractors
from extractors.base import BadFile
from include.inbox import FileStillChanging, collect_dropped, collect_shipped, is_being_written, new_files
from include.settings import Home

RUN_DATE = date(2026, 11, 2)


def drop(home: Home, name: str, content: str = "", age_seconds: int = 3600) -> Path:
    path = home.inbox / "survey" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    dropped = path.stat().st_mtime - age_seconds
    os.utime(path, (dropped, dropped))
    return path


def test_files_that_are_still_being_written_are_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert new_files("survey", home) == []
    for name in ("b.csv", "a.csv", ".hidden.csv", "c.csv.part", "d.tmp"):
        drop(home, name)
    drop(home, "just_now.csv", age_seconds=0)
    (home.inbox / "survey" / "processed").mkdir()
    assert new_files("survey", home) == ["a.csv", "b.csv"]


def test_a_file_that_cannot_be_read_is_rejected_with_its_reason_and_kept(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number in (1, 2):
        drop(home, "survey_2026-autumn.csv", "no survey\n")
        with pytest.raises(BadFile, match=r"survey_2026-autumn\.csv"):
            collect_dropped("survey", "survey_2026-autumn.csv", RUN_DATE, home)
        rejected = sorted(path.name for path in (home.inbox / "survey" / "rejected").iterdir())
        assert len(rejected) == 2 * number, "a second one of the same name does not replace the first"
    assert rejected == [
        "survey_2026-autumn.2.csv",
        "survey_2026-autumn.2.csv.reason.txt",
        "survey_2026-autumn.csv",
        "survey_2026-autumn.csv.reason.txt",
    ]
    assert new_files("survey", home) == []


def test_another_error_leaves_the_file_to_be_tried_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    drop(home, "a.csv")
    (home.inbox / "survey").rename(home.inbox / "surveys")
    with pytest.raises(KeyError, match="no source 'surveys'"):
        collect_dropped("surveys", "a.csv", RUN_DATE, home)
    assert (home.inbox / "surveys" / "a.csv").is_file()


def test_only_a_source_that_ships_a_file_can_be_read_without_one() -> None:
    from extractors import source

    with pytest.raises(ValueError, match="ships no file"):
        collect_shipped(source("survey"), RUN_DATE)  # type: ignore[arg-type]


def test_a_file_that_a_process_still_writes_is_left_alone_however_long_it_pauses(tmp_path: Path) -> None:
    home = Home(tmp_path)
    path = drop(home, "a.csv", "half of it")
    with path.open("a"):
        assert is_being_written(path)
        assert new_files("survey", home) == []
    with path.open():
        assert new_files("survey", home) == ["a.csv"], "readers do no harm"


def series() -> str:
    shipped = getattr(extractors.source("signals_fediverse"), "shipped")  # noqa: B009
    return "".join(shipped.read_text().splitlines(keepends=True)[:30])


def written_while_read(monkeypatch: pytest.MonkeyPatch, when: str, again: str) -> None:
    """The source of the test below is read as it is, and somebody writes to the file at a moment of the collection."""
    real = extractors.source("signals_fediverse")

    class Slow(type(real)):  # type: ignore[misc]
        def read(self, path: Path, *more: Any) -> Iterator[Any]:
            yield from super().read(path, *more)
            if when == "read":
                path.write_text(again)

        def parse(self, page: Any) -> Iterator[Any]:
            yield from super().parse(page)
            if when == "parse":
                next(iter(self.inbox.glob("*.csv"))).write_text(again)

    source = Slow()
    monkeypatch.setattr(extractors, "SOURCES", (source,))


@pytest.mark.parametrize("when", ["read", "parse"])
def test_a_file_that_changes_while_it_is_collected_leaves_no_records_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    home = Home(tmp_path)
    whole = series()
    half = whole[: len(whole) // 2].rpartition("\n")[0] + "\n"
    path = home.inbox / "signals_fediverse" / "daily.csv"
    path.parent.mkdir(parents=True)
    path.write_text(half)
    with monkeypatch.context() as patch:
        written_while_read(patch, when, whole)
        setattr(extractors.SOURCES[0], "inbox", path.parent)  # noqa: B010
        with pytest.raises(FileStillChanging, match=r"daily\.csv: the file is still being written; it stays"):
            collect_dropped("signals_fediverse", "daily.csv", RUN_DATE, home)
    assert path.read_text() == whole
    assert not [each for each in home.records.rglob("*") if each.is_file()]
    collected = collect_dropped("signals_fediverse", "daily.csv", RUN_DATE, home)
    assert collected.rows == {"signal": 29 * 2}
    assert not path.exists()


@pytest.mark.parametrize(
    "name", ["survey_2026-autumn" + "x" * 220 + ".csv", os.fsdecode(b"survey_2026-autumn\xff.csv"), "survey_2026-autumn\nx.csv"]
)
def test_a_name_that_cannot_be_used_is_rejected_and_does_not_come_back(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path)
    drop(home, name, "x")
    (waiting,) = new_files("survey", home)
    assert waiting.isascii()
    with pytest.raises(
        BadFile, match="is not UTF-8, holds a line break, or is longer than 180 bytes; give it a shorter, plain name"
    ):
        collect_dropped("survey", waiting, RUN_DATE, home)
    assert new_files("survey", home) == []
    rejected = sorted(path.name for path in (home.inbox / "survey" / "rejected").iterdir())
    assert rejected == [waiting, f"{waiting}.reason.txt"]


@pytest.mark.parametrize("target", ["elsewhere.csv", "nowhere.csv"])
def test_a_link_is_rejected_and_what_it_leads_to_not_touched(tmp_path: Path, target: str) -> None:
    home = Home(tmp_path / "var")
    (tmp_path / "elsewhere.csv").write_text(series())
    inbox = home.inbox / "signals_fediverse"
    inbox.mkdir(parents=True)
    (inbox / "a.csv").symlink_to(tmp_path / target)
    assert new_files("signals_fediverse", home) == ["a.csv"]
    with pytest.raises(BadFile, match=r"a\.csv: this is a link to a file elsewhere; drop the file itself"):
        collect_dropped("signals_fediverse", "a.csv", RUN_DATE, home)
    assert new_files("signals_fediverse", home) == []
    assert "a link" in (inbox / "rejected" / "a.csv.reason.txt").read_text()
    assert (tmp_path / "elsewhere.csv").read_text() == series()


@pytest.mark.parametrize("name", ["processed", "rejected"])
def test_a_file_named_as_a_folder_of_the_inbox_is_rejected_and_stops_no_other(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path)
    drop(home, "z.csv", "no survey")
    drop(home, name, "x")
    inbox = home.inbox / "survey"
    for waiting in new_files("survey", home):
        with pytest.raises(BadFile):
            collect_dropped("survey", waiting, RUN_DATE, home)
    assert new_files("survey", home) == []
    kept = sorted(path.read_text() for path in (inbox / "rejected").iterdir() if not path.name.endswith(".reason.txt"))
    assert kept == ["no survey", "x"]


def test_a_file_in_the_folders_place_is_still_there_after_another_was_put_away(tmp_path: Path) -> None:
    home = Home(tmp_path)
    drop(home, "rejected", "x")
    drop(home, "a.csv", "no survey")
    with pytest.raises(BadFile):
        collect_dropped("survey", "a.csv", RUN_DATE, home)
    (waiting,) = new_files("survey", home)
    assert waiting.startswith("rejected-")
    assert (home.inbox / "survey" / waiting).read_text() == "x"


def test_what_programs_leave_beside_an_open_file_is_no_file(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name in ("~$figures.xlsx", ".~lock.figures.xlsx#", "figures.xlsx.PART"):
        drop(home, name, "x")
    assert new_files("survey", home) == []


def test_a_file_that_may_not_be_read_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    for name in ("a.csv", "b.csv"):
        drop(home, name, "x")
    really = os.open

    def denied(path: Any, *more: Any) -> int:
        if Path(path).name == "a.csv":
            raise PermissionError
        return really(path, *more)

    monkeypatch.setattr(os, "open", denied)
    assert new_files("survey", home) == ["a.csv", "b.csv"]


def test_a_long_name_that_is_still_a_name_is_collected(tmp_path: Path) -> None:
    home = Home(tmp_path)
    path = home.inbox / "signals_fediverse" / f"{'d' * 176}.csv"
    path.parent.mkdir(parents=True)
    path.write_text(series())
    assert collect_dropped("signals_fediverse", path.name, RUN_DATE, home).rows == {"signal": 29 * 2}
