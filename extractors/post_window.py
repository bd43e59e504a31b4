"""The posts that each run reads again: those of the last 30 days, on every platform whose lists go by time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from extractors.base import Page

POST_WINDOW_DAYS = 30
"""Days of posts read again in each run, the run date among them: the last reading is at an age of 28 days."""


def post_window(run_date: date) -> tuple[datetime, datetime]:
    """From the first instant of the window to the first after it (UTC)."""
    end = datetime.combine(run_date + timedelta(days=1), time(), tzinfo=UTC)
    return end - timedelta(days=POST_WINDOW_DAYS), end


def is_before_window(published: Any, run_date: date) -> bool:
    """Whether a post is older than what was asked. A time that cannot be read, or one to come, is not: the suite judges it."""
    return is_before(published, post_window(run_date)[0])


def is_before(published: Any, moment: datetime) -> bool:
    try:
        return datetime.fromisoformat(published) < moment
    except (TypeError, ValueError, OverflowError):
        return False


def is_outside_window(published: Any, page: Page) -> bool:
    """Before the window, or, where an old run is made up for, after it. What lies after the answer itself the suite judges."""
    if is_before_window(published, page.run_date):
        return True
    try:
        return post_window(page.run_date)[1] <= datetime.fromisoformat(published) <= page.observed_at
    except (TypeError, ValueError, OverflowError):
        return False
