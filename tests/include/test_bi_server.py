"""The PostgreSQL of `make serve` after a kill: its own leftover is stopped, nobody else's process is."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from include.bi import server as servers
from include.bi.server import EmbeddedPostgres, ServerNotStarted
from tests import bi_world


@pytest.fixture
def left() -> Iterator[EmbeddedPostgres]:
    """A server whose owner is as good as gone."""
    with bi_world.postgres() as server:
        server._lock.release()
        yield server


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's: under root PostgreSQL's tools run as another user, who could not enter it, and would end nobody's process."""
    with tempfile.TemporaryDirectory(prefix="insight_bi_") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def pid_file(folder: Path, pid: object) -> Path:
    file = folder / "data" / "postmaster.pid"
    file.parent.mkdir(parents=True, exist_ok=True)
    (file.parent / "PG_VERSION").write_text("18\n")
    file.write_text(f"{pid}\n{file.parent}\n1700000000\n54320\n\n127.0.0.1\n 0 0\nready\n")
    return file


@pytest.mark.parametrize("place", ["elsewhere", "data"])
def test_a_stranger_who_has_the_number_of_a_dead_server_lives_on(folder: Path, place: str) -> None:
    file = pid_file(folder, "")
    works_in = file.parent if place == "data" else folder
    stranger = subprocess.Popen(["sleep", "300"], **{**servers._as_user(), "cwd": works_in})
    try:
        pid_file(folder, stranger.pid)
        EmbeddedPostgres(folder)._stop_leftover()
        with pytest.raises(subprocess.TimeoutExpired):
            stranger.wait(0.5)
        assert not file.exists()
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("written", ["", "no number", 0, -5, 2**22 + 1, 10**30])
def test_a_pid_file_of_nobody_is_removed(folder: Path, written: object) -> None:
    file = pid_file(folder, written)
    EmbeddedPostgres(folder)._stop_leftover()
    assert not file.exists()


def test_the_server_of_another_folder_lives_on(left: EmbeddedPostgres, folder: Path) -> None:
    file = pid_file(folder, left.pid)
    EmbeddedPostgres(folder)._stop_leftover()
    left.check()
    assert not file.exists()


def test_a_leftover_that_does_not_stop_keeps_its_pid_file_and_is_told(
    left: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "STOP_SECONDS", 1)
    assert left.pid is not None
    os.kill(left.pid, signal.SIGSTOP)
    try:
        with pytest.raises(ServerNotStarted, match=rf"\(process {left.pid}\), and it does not stop"), EmbeddedPostgres(left.folder):
            pass
        assert (left.data / "postmaster.pid").exists()
    finally:
        os.kill(left.pid, signal.SIGCONT)


def test_a_leftover_is_known_by_its_words_where_its_program_may_not_be_seen(
    left: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(process: psutil.Process) -> str:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "exe", denied)
    found = servers._server_of(left.data)
    assert found is not None
    assert found.pid == left.pid
    assert not servers._serves(psutil.Process(), left.data)
    left._stop_leftover()
    with pytest.raises(ServerNotStarted, match="has ended by itself"):
        left.check()
