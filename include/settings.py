"""Where things live, and the few choices a deployment makes. Read from the environment at call time, never at import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
SAMPLE_DATA = PROJECT_ROOT / "include" / "sample_data"
LONDON = ZoneInfo("Europe/London")

DEFAULT_AS_OF = date(2026, 11, 2)
"""The default as-of date of `make run`: a Monday, so thirteen weekly run dates before it span three whole months."""

DEFAULT_WORLD_SEED = 20261102
HISTORY_WEEKS = 13

RUN_TIME = time(21, 0, tzinfo=UTC)
"""Collection of a run date starts at 21:00 UTC: the same instant every day of the year, so that weekly readings are
exactly 7 × 24 h apart across clock changes, and still the same date in London."""


DEFAULT_LONGEST_BACKFILL_DAYS = 400
"""A year back, and a month to notice."""


def longest_backfill_days() -> int:
    """How long after its run date an answer may have been observed (`INSIGHT_LONGEST_BACKFILL_DAYS`): later is a wrong clock."""
    return int(os.environ.get("INSIGHT_LONGEST_BACKFILL_DAYS") or DEFAULT_LONGEST_BACKFILL_DAYS)


def observation_bounds(run_date: date) -> tuple[datetime, datetime]:
    """Between which instants an answer of a run may be dated: from the day's first in London, less an hour for slow clocks, to
    the end of the longest backfill (UTC). No clock is asked: the simulator's, and a backfill's, may lie anywhere."""
    start = datetime.combine(run_date, time(), tzinfo=LONDON).astimezone(UTC)
    return start - timedelta(hours=1), start + timedelta(days=longest_backfill_days() + 1)


def run_instant(run_date: date) -> datetime:
    """The planned instant of collection for a run date (UTC)."""
    return datetime.combine(run_date, RUN_TIME)


def history_dates(as_of: date, weeks: int = HISTORY_WEEKS) -> list[date]:
    """The weekly run dates before the as-of date, oldest first, the as-of date itself not among them."""
    return [as_of - timedelta(weeks=week) for week in range(weeks, 0, -1)]


DEFAULT_LONGEST_WAIT_SECONDS = 120.0


def longest_wait_seconds() -> float:
    """The longest wait for a platform's limit that a task sleeps through (`INSIGHT_LONGEST_WAIT_SECONDS`): after a longer one its
    scheduler tries again, and the task's place is free meanwhile."""
    return float(os.environ.get("INSIGHT_LONGEST_WAIT_SECONDS") or DEFAULT_LONGEST_WAIT_SECONDS)


@dataclass(frozen=True)
class Home:
    """The state folder (`INSIGHT_HOME`, by default `var/` in the project) and its rooms."""

    path: Path

    @classmethod
    def current(cls) -> Home:
        path = Path(os.environ.get("INSIGHT_HOME") or PROJECT_ROOT / "var").resolve()
        if "'" in str(path):
            raise ValueError(f"INSIGHT_HOME cannot be {path}: a quote in it would end file names in SQL; choose another folder")
        return cls(path)

    @property
    def landing(self) -> Path:
        return self.path / "landing"

    @property
    def records(self) -> Path:
        return self.path / "records"

    @property
    def accepted(self) -> Path:
        return self.path / "accepted"

    @property
    def quarantine(self) -> Path:
        return self.path / "quarantine"

    @property
    def inbox(self) -> Path:
        return self.path / "inbox"

    @property
    def data_docs(self) -> Path:
        return self.path / "gx"

    @property
    def build(self) -> Path:
        return self.path / "build"

    @property
    def build_file(self) -> Path:
        return self.build / "warehouse.duckdb"

    @property
    def build_accepted(self) -> Path:
        """The accepted files that the build has read: a snapshot taken at its start."""
        return self.build / "accepted"

    @property
    def statistics(self) -> Path:
        return self.build / "statistics"

    @property
    def published(self) -> Path:
        return self.path / "published"

    @property
    def airflow(self) -> Path:
        return self.path / "airflow"

    @property
    def locks(self) -> Path:
        return self.path / "locks"


def contact() -> str:
    """Whom an open source can turn to about our requests (`INSIGHT_CONTACT`): a page or a mailbox that somebody reads."""
    return os.environ.get("INSIGHT_CONTACT") or "no contact set"


def secrets_folder() -> Path:
    """Where keys are kept: never under `var/`, so that a copy of the data never carries the key of its pseudonyms."""
    return _resolved(os.environ.get("INSIGHT_SECRETS") or str(PROJECT_ROOT / ".secrets"))


@cache
def _resolved(path: str) -> Path:
    """Looked up once: a pseudonym is made for every mention."""
    return Path(path).resolve()
