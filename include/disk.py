"""A full disk, said once and plainly, whichever library met it first."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from include.settings import Home

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not grow any more (a limit on the size of files: see ulimit -f)",
}

SQLITE_BEGINS_WITH = 128 * 1024
"""Bytes: its database, its log and their index."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class DiskFull(RuntimeError):
    """There was no room to write. Names what wanted to write, where, how much is free, and what to do."""


def says_when_full(what: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """For functions that write under a home (their argument `home`, by default the current one): they raise DiskFull.

    DuckDB and dbt tell a full disk as text only, each with an error of its own; SQLite (the budgets) tells that it could not write,
    not why, so that is tried.
    """

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
            try:
                return function(*arguments, **named)
            except Exception as error:
                if isinstance(error, DiskFull):
                    raise
                home = signature.bind(*arguments, **named).arguments.get("home") or Home.current()
                why = why_full(error) or (_why_nothing_is_written(home) if _is_of_sqlite(error) else None)
                if why is None:
                    raise
                free = shutil.disk_usage(home.path).free / 1024**2
                raise DiskFull(
                    f"{why}: {what} could not write under {home.path} ({free:,.1f} MB free). What was complete before still"
                    " stands, and nothing half-written will be read. Make room, then run it again"
                ) from error

        return call

    return decorate


def why_full(error: BaseException | None) -> str | None:
    """In words, where an error or what led to it is that there was no room here; else None.

    What PostgreSQL tells is of its server's disk, and so is the text of whatever error it led to.
    """
    led: list[BaseException] = []
    while error is not None and error not in led:
        led.append(error)
        error = error.__cause__ or error.__context__
    is_of_server = any(type(each).__module__.startswith("psycopg") for each in led)
    for each in led:
        if isinstance(each, OSError) and each.errno in FULL:
            return FULL[each.errno]
        for code, words in FULL.items():
            if not is_of_server and os.strerror(code) in str(each):
                return words
    return None


def _is_of_sqlite(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, sqlite3.OperationalError):
            return True
        error = error.__cause__
    return False


def _why_nothing_is_written(home: Home) -> str | None:
    """In words, where a file of the size that SQLite begins with finds no room; else None."""
    try:
        with tempfile.TemporaryFile(dir=home.path) as file:
            file.write(bytes(SQLITE_BEGINS_WITH))
            file.flush()
    except OSError as error:
        return FULL.get(error.errno or 0)
    return None
