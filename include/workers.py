"""The processes that share the work of `make run`: one would leave half of a small machine idle."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

PROCESSES = 2


def workers() -> ProcessPoolExecutor:
    """They start at their first work, with the environment of that moment, and keep what they have imported."""
    return ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn"))
