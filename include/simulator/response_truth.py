"""What is true of response times in the simulated world, as runs at given instants can know it.

Written down anew, not from the models. Office time is walked through day by day on London's own clock, with hours and holidays read
from the seed files here.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from include.simulator.bluesky_world import BlueskyWorld, stranger_did
from include.simulator.contacts_world import Message, still_there, under_post
from include.simulator.defects import Defect, losses, removed_post
from include.simulator.readings import PLATFORMS
from include.simulator.register import SEEDS, Account, read_register
from include.simulator.timeline import Timeline
from include.simulator.times import DAY, LONDON, london_date, to_instant
from include.simulator.x_world import XWorld

LIST_DAYS = 30
COMMENT_DAYS, COMMENT_WINDOW_DAYS = 14, 16
"""On Facebook and Instagram: how long after a post its comments count, and of how many days every comment is then in a list."""

CENSORED_AFTER = 7 * DAY
COLUMNS = (
    *("force_id", "account_id", "message_id", "sent_at", "wants_answer", "first_reply_at"),
    *("response_seconds_24_7", "response_seconds_office", "is_answered_within_7_days"),
)


@lru_cache(maxsize=8)
def _calendar(seeds: Path) -> tuple[dict[str, dict[int, tuple[str, str]]], frozenset[date]]:
    hours: dict[str, dict[int, tuple[str, str]]] = defaultdict(dict)
    with (seeds / "office_hours.csv").open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            hours[row["force_id"]][int(row["weekday"])] = (row["opens"], row["closes"])
    with (seeds / "bank_holidays.csv").open(newline="", encoding="utf-8") as handle:
        holidays = frozenset(date.fromisoformat(row["holiday"]) for row in csv.DictReader(handle))
    return dict(hours), holidays


def _moment(day: date, clock_time: str) -> int:
    if clock_time == "24:00":
        day, clock_time = day + timedelta(days=1), "00:00"
    return to_instant(datetime.combine(day, time.fromisoformat(clock_time), LONDON))


def office_seconds(force_id: str, start: int, end: int, seeds: Path = SEEDS) -> int:
    """Seconds between two instants in which the force's contact centre was open."""
    hours, holidays = _calendar(seeds)
    of_week = hours.get(force_id, hours["default"])
    total, day = 0, london_date(start)
    while day <= london_date(end):
        if day not in holidays and day.isoweekday() in of_week:
            opens, closes = (_moment(day, clock_time) for clock_time in of_week[day.isoweekday()])
            total += max(0, min(end, closes) - max(start, opens))
        day += timedelta(days=1)
    return total


def _window_start(instant: int, days: int) -> int:
    return instant - instant % DAY + DAY - days * DAY


@dataclass
class _Visit:
    """One run's look at an account: what it lists, the replies that answer something of it, and from when on it has all."""

    instant: int
    start: int
    messages: dict[str, Message]
    replies: list[tuple[int, str]]


def _mentions(world: XWorld | BlueskyWorld, account: Account, instant: int) -> _Visit:
    start = _window_start(instant, LIST_DAYS)
    messages = {one.message_id: one for one in world.messages(account, start, instant) if one.is_there(instant)}
    replies = [
        (post.published_at, post.turn.answers.message_id)
        for post in world.posts(account, start, instant)
        if post.turn and not post.turn.is_automatic and post.turn.answers.message_id in messages
    ]
    return _Visit(instant, start, messages, replies)


def _comments(world: Timeline[Any], account: Account, instant: int, removals: Iterable[Defect]) -> _Visit:
    """removals: a post that the account has taken away takes along what was said under it."""
    messages: dict[str, Message] = {}
    replies = []
    removed = [removed_post(world, account, defect) for defect in removals]
    for post in world.posts(account, _window_start(instant, LIST_DAYS), instant):
        if post in removed:
            continue
        said, answers = under_post(world.seed, world.platform, post, account.handle(london_date(instant)))
        latest = min(instant, post.published_at + COMMENT_DAYS * DAY)
        there = {one.message_id: one for one in still_there(said, instant) if one.sent_at <= latest}
        messages |= there
        replies += [
            (one.sent_at, one.to.message_id)
            for one in answers
            if not one.is_automatic and one.to.message_id in there and one.sent_at <= instant
        ]
    return _Visit(instant, _window_start(instant, COMMENT_WINDOW_DAYS), messages, replies)


def response_truth(
    seed: int,
    as_of: date,
    run_instants: Iterable[datetime],
    defects: Iterable[Defect] = (),
    forces: Iterable[str] | None = None,
    seeds: Path = SEEDS,
    platform: str = "x",
) -> pd.DataFrame:
    """Every message (a mention on X and Bluesky, a comment on Facebook and Instagram) that a run has seen, and no later list as
    deleted.

    Grain: account × message.

    Columns: COLUMNS; times are instants (UTC), NaT and NaN where there was no reply. `is_answered_within_7_days` is null where no
    run has seen all of the seven days.
    """
    instants = sorted({to_instant(moment) for moment in run_instants if london_date(to_instant(moment)) <= as_of})
    planted = tuple(defects)
    world = PLATFORMS[platform].world(seed, read_register(seeds, tuple(forces) if forces is not None else None))
    rows: list[dict[str, Any]] = []
    for account in world.accounts.values():
        visits = []
        for instant in instants:
            day = london_date(instant)
            if account.is_open(day) and not _is_lost(planted, account.force_id, day, platform):
                if isinstance(world, XWorld | BlueskyWorld):
                    visits.append(_mentions(world, account, instant))
                else:
                    due = [each for each in planted if each.platform == platform and each.holds(account.force_id, day)]
                    removals = [each for each in due if each.kind == "removed_post"]
                    visits.append(_comments(world, account, instant, removals))
        rows += _of_account(account, visits, seeds)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.assign(**{name: pd.to_datetime(frame[name], unit="s", utc=True) for name in ("sent_at", "first_reply_at")})


def _is_lost(defects: Iterable[Defect], force_id: str, day: date, platform: str) -> bool:
    due = [each for each in defects if each.platform == platform and each.holds(force_id, day)]
    return losses(due, force_id, day, platform).posts or any(each.kind == "messages_permission_lost" for each in due)


def _of_account(account: Account, visits: list[_Visit], seeds: Path) -> list[dict[str, Any]]:
    known: dict[str, Message] = {}
    replies: dict[str, set[int]] = defaultdict(set)
    for visit in visits:
        for message_id in [one for one, message in known.items() if message.sent_at >= visit.start and one not in visit.messages]:
            del known[message_id]
            replies.pop(message_id, None)
        known |= visit.messages
        for replied_at, message_id in visit.replies:
            replies[message_id].add(replied_at)
    rows = []
    for message_id, message in known.items():
        if message.is_repost:
            continue
        answers = set(replies[message_id])
        for other in known.values():  # what the same person said after it
            if other.reply_to == message_id and other.person == message.person:
                answers |= replies[other.message_id]
        first = min((at for at in answers if at >= message.sent_at), default=None)
        is_in_time = first is not None and first <= message.sent_at + CENSORED_AFTER
        is_watched = any(v.start <= message.sent_at and v.instant >= message.sent_at + CENSORED_AFTER for v in visits)
        rows.append(
            {
                "force_id": account.force_id,
                "account_id": account.account_id,
                "message_id": message_id,
                "sent_at": message.sent_at,
                "wants_answer": message.wants_answer,
                "first_reply_at": first,
                "response_seconds_24_7": None if first is None else first - message.sent_at,
                "response_seconds_office": None
                if first is None
                else office_seconds(account.force_id, message.sent_at, first, seeds),
                "is_answered_within_7_days": True if is_in_time else False if is_watched else None,
            }
        )
    return rows


def planted_people(seed: int, first: datetime, last: datetime, forces: Iterable[str] | None = None) -> set[str]:
    """Every id of a person and of a message of the simulated public between two instants: what no file may hold."""
    start, end = to_instant(first), to_instant(last)
    register = read_register(SEEDS, tuple(forces) if forces is not None else None)
    found: list[Message] = []
    for platform in ("x", "bluesky", "facebook", "instagram"):
        world = PLATFORMS[platform].world(seed, register)
        for account in world.accounts.values():
            if isinstance(world, XWorld | BlueskyWorld):
                found += world.messages(account, start, end)
                continue
            for post in world.posts(account, start, end):
                found += under_post(seed, platform, post, account.handle(london_date(end)))[0]
    dids = {stranger_did(message.person.number) for message in found}
    return {message.message_id for message in found} | {message.person.person_id for message in found} | dids
