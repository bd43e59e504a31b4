"""The file of the ledger of budgets (include/budgets.py): its tables, how it is opened, and what it says to people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from include.settings import Home

SCHEMA = """
create table if not exists clock (host text primary key, monotonic real, moment real);
create table if not exists windows (
    budget text, name text, allowed real, remaining real, resets_at real, observed_at real, cost real, last_slot real,
    primary key (budget, name));
create table if not exists reservations (
    number integer primary key autoincrement, app text, token text, endpoint text, boot text, monotonic real, units text);
create table if not exists spent (budget text, quota text, period text, used real, allowed real, unit text,
    primary key (budget, quota, period));
create table if not exists counted (budget text, quota text, day text, resource text,
    primary key (budget, quota, day, resource)) without rowid;
create table if not exists stops (app text primary key, until real, message text);
"""


BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def _boot() -> str:
    """Names the time since which the machine has run: no call of an earlier one is under way. The same in all processes, or each
    would take the others' calls for those of the dead; where no name is to be had the monotonic clock alone tells."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


BOOT = _boot()


def ledger_path(home: Home) -> Path:
    return home.path / "budgets" / "budgets.sqlite"


def _is_locked(error: BaseException) -> bool:
    """Whether another process holds the file: a while later it does not. A full disk is as full then, and is said at once."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def open_ledger(home: Home) -> sqlite3.Connection:
    path = ledger_path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    # of several that make the file at once SQLite tells one that it is locked, without waiting
    waiting = Retrying(retry=retry_if_exception(_is_locked), stop=stop_after_delay(60), wait=wait_random(0, 0.2), reraise=True)
    for attempt in waiting:
        with attempt:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.executescript(SCHEMA)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("begin immediate")
    try:
        yield connection
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def reopen(app: str, home: Home | None = None) -> bool:
    """A platform that was stopped for want of credits may be asked again. Returns whether it was stopped."""
    home = home or Home.current()
    if not ledger_path(home).exists():
        return False
    connection = open_ledger(home)
    try:
        with transaction(connection):
            return connection.execute("delete from stops where app = ?", (app,)).rowcount > 0
    finally:
        connection.close()


def used_lines(home: Home, app: str | None = None) -> list[str]:
    """For people: what is used of every quota (its newest period), and the fullest window of every limit."""
    if not ledger_path(home).exists():
        return []
    connection = open_ledger(home)
    try:
        quotas = connection.execute(
            "select budget, quota, max(period), used, allowed, unit from spent group by budget, quota order by 1, 2"
        ).fetchall()
        # the fullest first; of windows that differ in whose they are ("pages of 17") only that one is shown
        windows = connection.execute(
            "select budget, name, allowed, remaining, resets_at from windows order by remaining / allowed, budget, name"
        ).fetchall()
        stops = connection.execute("select app, message from stops").fetchall()
    finally:
        connection.close()
    lines = []
    for budget, quota, period, used, allowed, unit in quotas:
        of = f" of {_shown(allowed)}" if allowed is not None else ""
        lines.append((budget, f"budget {budget.split(' ')[0]} {quota} {period}: {_shown(used)}{of} {unit}"))
    fullest: dict[tuple[str, str], str] = {}
    for budget, name, allowed, remaining, resets_at in windows:
        whose, kind = budget.split(" ")[0], name.partition(" of ")[0]
        unit = "calls" if resets_at is not None else "%"
        said = f"budget {whose} {kind}: {_shown(allowed - remaining)} of {_shown(allowed)} {unit}"
        fullest.setdefault((whose, kind), said)
    lines += sorted((whose, said) for (whose, _), said in fullest.items())
    lines += [(stopped, f"budget {stopped}: stopped: {message}") for stopped, message in stops]
    return [line for budget, line in lines if app is None or budget.split(" ")[0] == app]


def _shown(amount: float) -> str:
    return f"{amount:,.2f}".removesuffix(".00")
