"""The inbox: which files are taken, and where they go."""

import os
from datetime import date
from pathlib import Path

import pytest

from extractors.base import BadFile
from include.inbox import collect_dropped, collect_shipped, new_files
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
