"""A full disk is told once and plainly, whichever library met it first, and nothing else is taken for one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import psycopg
import pytest

from include.disk import FULL, DiskFull, says_when_full
from include.settings import Home


@says_when_full("the work")
def work(error: Exception, home: Home | None = None) -> None:
    raise error


@pytest.mark.parametrize("code", FULL)
def test_names_what_where_how_much_is_free_and_what_to_do(tmp_path: Path, code: int) -> None:
    with pytest.raises(DiskFull) as told:
        work(OSError(code, os.strerror(code)), Home(tmp_path))
    assert str(told.value).startswith(f"{FULL[code]}: the work could not write under {tmp_path} (")
    assert "MB free" in str(told.value)
    assert str(told.value).endswith("Make room, then run it again")


def test_knows_it_in_the_text_of_another_library_and_in_what_led_to_an_error(tmp_path: Path) -> None:
    with pytest.raises(DiskFull):
        work(RuntimeError('IO Error: Could not write file "x": No space left on device'), Home(tmp_path))
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise ValueError("something about it") from error
    except ValueError as error:
        with pytest.raises(DiskFull):
            work(error, Home(tmp_path))


def test_the_full_disk_of_a_postgresql_is_not_ours(tmp_path: Path) -> None:
    full = psycopg.errors.DiskFull('could not extend file "base/16385/16402": No space left on device')
    with pytest.raises(psycopg.errors.DiskFull):
        work(full, Home(tmp_path))
    about = ValueError(f"the store could not be loaded: {full}")
    about.__cause__ = full
    with pytest.raises(ValueError, match="the store could not be loaded"):
        work(about, Home(tmp_path))
    ours = OSError(errno.ENOSPC, "No space left on device")
    ours.__context__ = full
    with pytest.raises(DiskFull):
        work(ours, Home(tmp_path))


def test_any_other_error_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        work(PermissionError(errno.EACCES, "Permission denied"), Home(tmp_path))


def test_without_a_home_it_is_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHT_HOME", str(tmp_path))
    with pytest.raises(DiskFull, match=str(tmp_path)):
        work(OSError(errno.ENOSPC, "No space left on device"))
