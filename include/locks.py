"""One process at a time: file locks of the home, which the operating system gives back when their holder dies."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from include.settings import Home

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 30 * 60


class StillHeld(TimeoutError):
    """Another process has held a lock for longer than anybody waits. Names the lock file."""


@contextmanager
def held(
    home: Home,
    name: str,
    what: str,
    seconds: float = LONGEST_WAIT_SECONDS,
    say: Callable[[str], object] = log.warning,
) -> Iterator[None]:
    """Hold a lock (`locks/<name>.lock`) for a block. what: what holds it, for people ("build"). Raises StillHeld.

    Where another process holds it, that is said once; then this one waits, `seconds` at most.
    """
    home.locks.mkdir(parents=True, exist_ok=True)
    path = home.locks / f"{name}.lock"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"another {what} is under way ({path}): waiting for its end")
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            raise StillHeld(f"another {what} holds {path} for {seconds / 60:.0f} minutes") from None
    try:
        yield
    finally:
        lock.release()
