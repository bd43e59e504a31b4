"""What `make run` shows: stages with their times, progress, plain lines where there is no terminal. All else goes to a log file."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

KIBIBYTES_PER_GIBIBYTE = 1024**2


@dataclass
class Stage:
    """One stage of the job: `advance` once for each piece that is done, `note` for what a person wants to know."""

    screen: Screen
    title: str
    unit: str
    bar: TaskID | None = None
    done: int = 0
    rows: int = 0

    def advance(self, rows: int = 0, step: str = "") -> None:
        self.done += 1
        self.rows += rows
        if self.bar is not None:
            shown = f"{step}  {self.rows:,} rows" if self.rows else step
            self.screen.progress.update(self.bar, advance=1, shown=shown)

    def note(self, text: str) -> None:
        self.screen.line(f"  {text}")


@dataclass
class Screen:
    """`console` writes to the terminal (or pipe) that the job was started from, whatever happens to stdout meanwhile."""

    console: Console = field(default_factory=lambda: Console(file=os.fdopen(os.dup(1), "w"), highlight=False, soft_wrap=True))
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}  {task.fields[shown]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )

    def line(self, text: str = "", style: str = "") -> None:
        self.console.print(text, style=style or None, markup=False)

    @contextmanager
    def stage(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Stage]:
        """A stage from its first to its last line; its time is shown and kept. `total` pieces of a `unit` show a bar."""
        self.line(title, style="bold")
        started = time.monotonic()
        stage = Stage(self, title, unit)
        with self.progress if self.console.is_terminal and total else _nothing():
            if self.console.is_terminal and total:
                stage.bar = self.progress.add_task(title, total=total, unit=unit, shown="")
            yield stage
            if stage.bar is not None:
                self.progress.remove_task(stage.bar)
        self.seconds[title] = time.monotonic() - started
        done = f"{stage.done:,} {unit}, " if stage.done else ""
        rows = f"{stage.rows:,} rows, " if stage.rows else ""
        self.line(f"  {done}{rows}{self.seconds[title]:.1f} s")

    def times(self) -> None:
        """The time of each stage, their sum, and the most memory that was held."""
        self.line("\nTimes", style="bold")
        for title, seconds in self.seconds.items():
            self.line(f"  {seconds:7.1f} s  {title}")
        self.line(f"  {sum(self.seconds.values()):7.1f} s  in all; at most {peak_gibibytes():.2f} GiB of memory")


def peak_gibibytes(children: int = 2) -> float:
    """The most that this process has held, plus as many times the most that one of its ended children has as ran at once: an
    upper bound of all together."""
    here, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (here + children * child) / KIBIBYTES_PER_GIBIBYTE


@contextmanager
def chatter_to(log: Path) -> Iterator[None]:
    """Everything that libraries write to stdout and stderr, whatever way they take, goes to a file until the end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1), os.dup(2)
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for saved, stream in zip(before, (1, 2), strict=True):
            os.dup2(saved, stream)
            os.close(saved)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
