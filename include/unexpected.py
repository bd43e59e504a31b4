"""Errors that nobody foresaw, told by kind and place: their messages may quote a URL with a token in it."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

log = logging.getLogger(__name__)


def unexpected(error: Exception, place: str) -> str:
    """Tells the kind of an error and where it came from, in the log with all its frames. Not its message, which may quote a URL."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    detail = f"{place}: unexpected {type(error).__name__} in {where}"
    log.error("%s\n%s", detail, "".join(traceback.format_list(frames)))
    return detail
