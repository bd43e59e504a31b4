"""One process at a time: the second says that it waits, waits, and gives up by name."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from include.locks import StillHeld, held
from include.settings import Home


def test_the_second_says_that_it_waits_and_goes_on_after_the_first(tmp_path: Path) -> None:
    home, said, order = Home(tmp_path), [], []
    free = threading.Event()

    def second() -> None:
        with held(home, "build", "build", say=lambda text: (said.append(text), free.set())):
            order.append("second")

    with held(home, "build", "build", say=said.append):
        thread = threading.Thread(target=second)
        thread.start()
        assert free.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert said == [f"another build is under way ({tmp_path / 'locks' / 'build.lock'}): waiting for its end"]


def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with held(home, "build", "build"), pytest.raises(StillHeld, match=r"another build holds .*build\.lock"):  # noqa: SIM117
        with held(home, "build", "build", seconds=0.1):
            pass


def test_an_error_gives_the_lock_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(ZeroDivisionError), held(home, "build", "build"):
        raise ZeroDivisionError
    with held(home, "build", "build", seconds=0.1):
        pass
