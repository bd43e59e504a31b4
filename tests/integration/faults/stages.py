"""The four stages of a run as processes of their own, to be killed, starved or started twice.

They are forked from a server that has imported everything once: a kill then falls into the stage's work, never into its imports.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from include.settings import Home

AS_OF = date(2026, 11, 2)
WEEK_BEFORE = date(2026, 10, 26)
FORCES = ("gwent", "kent", "surrey")
SOURCE = "facebook"
SIGNALS = "signals_mastodon"
"""The open source that the small world collects beside it."""
DROPPED = "survey_2026-autumn.csv"
STAGES = ("extract", "validate", "build", "publish")
LONGEST_SECONDS = 180
RENAMES = ("rename", "replace", "symlink", "link")
"""What puts a file under its final name. pathlib and shutil call these too."""

_processes = get_context("forkserver")
_processes.set_forkserver_preload(["tests.integration.faults.warm", "tests.integration.faults.stages"])


@dataclass(frozen=True)
class Ended:
    """How a stage's process ended. calls: how often it put a file under another name."""

    exit_code: int
    seconds: float
    result: Any
    error: str | None
    trace: str | None
    log: str
    calls: int

    @property
    def is_killed(self) -> bool:
        return self.exit_code == -signal.SIGKILL


class MountRefused(RuntimeError):
    """This machine lets no process have a file system of its own."""


class Stage:
    """One stage under way in a process of its own."""

    def __init__(
        self,
        name: str,
        home: Home,
        environment: Mapping[str, str],
        kill_at_call: int | None = None,
        file_bytes: int | None = None,
        disk_bytes: int | None = None,
    ) -> None:
        """kill_at_call: SIGKILL before the n-th renaming. file_bytes: no file may become larger. disk_bytes: `_on_a_small_disk`."""
        self._ours, theirs = _processes.Pipe()
        arguments = (name, str(home.path), dict(environment), kill_at_call, file_bytes, disk_bytes, theirs)
        self.process = _processes.Process(target=_work, args=arguments)
        self.process.start()
        theirs.close()
        assert self._ours.recv() == "ready"
        self.started = time.monotonic()
        self._ours.send("go")

    def kill(self) -> None:
        """SIGKILL, unless it has ended already."""
        if self.process.is_alive() and self.process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)

    def end(self) -> Ended:
        """Waits for it."""
        said: dict[str, Any] = {}
        try:
            if self._ours.poll(LONGEST_SECONDS):
                said = self._ours.recv()
        except EOFError:
            pass  # killed: it could not say anything
        seconds = time.monotonic() - self.started
        self.process.join(LONGEST_SECONDS)
        if self.process.exitcode is None:
            self.kill()
            raise AssertionError(f"a stage did not end within {LONGEST_SECONDS} s")
        told = (said.get(name) for name in ("result", "error", "trace"))
        return Ended(self.process.exitcode, seconds, *told, log=said.get("log", ""), calls=said.get("calls", 0))


def run(name: str, home: Home, environment: Mapping[str, str], **more: Any) -> Ended:
    """A stage from its beginning to its end, whatever that is."""
    return Stage(name, home, environment, **more).end()


def run_well(name: str, home: Home, environment: Mapping[str, str]) -> Ended:
    ended = run(name, home, environment)
    assert ended.exit_code == 0, f"{name}: {ended.error}\n{ended.trace}"
    return ended


def run_and_kill(name: str, home: Home, environment: Mapping[str, str], after_seconds: float) -> Ended:
    stage = Stage(name, home, environment)
    time.sleep(after_seconds)
    stage.kill()
    return stage.end()


# --- in the stage's own process ---


def _work(
    name: str,
    home: str,
    environment: dict[str, str],
    kill_at_call: int | None,
    file_bytes: int | None,
    disk_bytes: int | None,
    pipe: Connection,
) -> None:
    import io
    import logging
    import resource

    os.environ.update(environment | {"INSIGHT_HOME": home})
    logged = io.StringIO()
    logging.basicConfig(stream=logged, level=logging.INFO, force=True)
    calls = _counted(Path(home), kill_at_call)
    if file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))
    pipe.send("ready")
    pipe.recv()
    answer: dict[str, Any] = {}
    try:
        work = globals()[f"_{name}"]
        answer["result"] = work(Home(Path(home))) if disk_bytes is None else _on_a_small_disk(work, Home(Path(home)), disk_bytes)
    except Exception as error:
        answer |= {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    pipe.send({**answer, "log": logged.getvalue(), "calls": calls[0]})
    pipe.close()
    os._exit(1 if "error" in answer else 0)


def _counted(home: Path, kill_at: int | None) -> list[int]:
    """Counts the calls that put a file of the home under another name; dies by SIGKILL before the n-th of them."""
    calls = [0]

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(source: Any, target: Any, *arguments: Any, **named: Any) -> Any:
            if Path(os.fspath(target)).is_relative_to(home) and "dbt_" not in str(target):
                calls[0] += 1
                if calls[0] == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
            return original(source, target, *arguments, **named)

        return call

    for name in RENAMES:
        setattr(os, name, counting(getattr(os, name)))
    return calls


def _on_a_small_disk(work: Callable[[Home], Any], home: Home, room: int) -> Any:
    """Work with the home on a file system of this process's own that has `room` bytes left. Afterwards the home is copied back.

    Raises what the work raises; MountRefused where the machine lets no process have such a file system.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespaces = 0x00020000 | (0x10000000 if os.geteuid() else 0)  # of mounts; and of users, where that needs it
    if libc.unshare(new_namespaces):
        raise MountRefused(os.strerror(ctypes.get_errno()))
    kept = home.path.with_name("on_disk")
    home.path.rename(kept)
    home.path.mkdir()
    if libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None) or libc.mount(
        b"none", os.fsencode(home.path), b"tmpfs", 0, b"size=256m"
    ):
        raise MountRefused(os.strerror(ctypes.get_errno()))
    shutil.copytree(kept, home.path, symlinks=True, dirs_exist_ok=True)
    with (home.path / "other_peoples_files").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(home.path).free - room)
    try:
        return work(home)
    finally:
        (home.path / "other_peoples_files").unlink()
        shutil.rmtree(kept)
        shutil.copytree(home.path, kept, symlinks=True)
        libc.umount2(os.fsencode(home.path), 2)
        home.path.rmdir()
        kept.rename(home.path)


def _week_before(home: Home) -> None:
    """A whole run, the survey's export and the shipped series among it: the publication that stands when all else begins.

    All 43 forces are planned and three collected: a publication wants every force, and has a gap for those without figures.
    """
    from extractors import source
    from extractors.base import FileSource
    from include.collect import collect_force, collect_signals, plan
    from include.inbox import collect_dropped, collect_shipped
    from include.publish import publish
    from include.validation import validate_run

    plan(SOURCE, WEEK_BEFORE)
    for force_id in FORCES:
        collect_force(SOURCE, force_id, WEEK_BEFORE)
    collect_signals(SIGNALS, WEEK_BEFORE)
    collect_dropped("survey", DROPPED, WEEK_BEFORE)
    fediverse = source("signals_fediverse")
    assert isinstance(fediverse, FileSource)
    collect_shipped(fediverse, WEEK_BEFORE)
    for name in (SOURCE, SIGNALS, "survey", "signals_fediverse"):
        validate_run(name, WEEK_BEFORE)
    _built(WEEK_BEFORE, home)
    publish(WEEK_BEFORE)


def _extract(home: Home) -> list[str]:
    """All forces, then the open series: what one lets through costs no other its data. Returns the errors."""
    from extractors.base import SourceError
    from include.collect import collect_force, collect_signals

    def hurried(seconds: float) -> None:
        time.sleep(seconds / 20)

    errors = []
    for asked in (*FORCES, SIGNALS):
        try:
            if asked == SIGNALS:
                collect_signals(SIGNALS, AS_OF, home, sleep=hurried)
            else:
                collect_force(SOURCE, asked, AS_OF, home, sleep=hurried)
        except SourceError as error:
            errors.append(f"{asked}: {type(error).__name__}: {error}")
    return errors


def _plan(home: Home) -> list[str]:
    from include.collect import plan

    return plan(SOURCE, AS_OF, home=home)


def _signals(home: Home) -> None:
    from include.collect import collect_signals

    collect_signals(SIGNALS, AS_OF, home)


def _dropped(home: Home) -> None:
    from include.inbox import collect_dropped

    collect_dropped("survey", DROPPED, AS_OF, home)


def _validate(home: Home) -> list[int]:
    from include.validation import validate_run

    return [validate_run(source, AS_OF, data_docs=True, home=home).accepted for source in (SIGNALS, SOURCE)]


def _build(home: Home) -> dict[str, int]:
    said: list[str] = []
    rows = _built(AS_OF, home, said.append)
    return {**rows, "waited": sum("wait" in line for line in said)}


def _built(as_of: date, home: Home, progress: Callable[[str], None] | None = None) -> dict[str, int]:
    """Without dbt's tests, which only read, unless DBT_TESTS is set: they are more than a third of the work."""
    from include import warehouse

    return warehouse.build(as_of, home, progress=progress, tests="data" if os.environ.get("DBT_TESTS") else "none").rows()


def _publish(home: Home) -> str:
    from include.publish import publish

    return publish(AS_OF, home).publication_id
