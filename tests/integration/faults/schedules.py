"""Random schedules of faults against a small world: what a run has in the end is what it has without them, or a hole says so.

A schedule draws faults of many kinds at random requests to every platform, a defect or two, and a process that is killed. Each
force is then collected as the scheduler does it: another attempt where one may help, three at most. What a person would do (renew a
token, clear the red tasks) is done in some schedules and not in others.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd

from expectations.check import first_failures
from expectations.rules import Rule
from extractors import http
from extractors.base import Page, SourceError
from include import accepted, landing, validation
from include.collect import collect_force, plan
from include.records import RECORD_KINDS
from include.run import simulated_connections
from include.settings import Home, run_instant
from include.simulator.defects import META, SOCIAL, Defect
from include.simulator.faults import FAULTS, META_ONLY, Fault
from include.simulator.process import SimulatorProcess
from tests.integration.worlds import PLATFORMS

RUN_DATE = date(2026, 11, 2)
FORCES = ("city-of-london", "gwent", "kent", "surrey", "wiltshire")
ATTEMPTS = 3
READ_TIMEOUT_SECONDS = 0.3
"""Half of what a slow answer takes."""

NOT_COMPARED = ("ingest_id", "raw_sha256", "reply_to_key")
"""Which answer a number came in: another one, where a request was made again in parts. And what an own reply answers, which an
attempt that was refused the mentions does not know."""


@dataclass(frozen=True)
class Schedule:
    """One drawing. killed: the request at which a process collecting a force dies, by platform and force."""

    number: int
    faults: tuple[Fault, ...]
    defects: tuple[Defect, ...]
    killed: dict[tuple[str, str], int]
    is_renewed: bool
    """Whether somebody looks after what no retry mends, before the day is over."""


@dataclass
class Outcome:
    """What a schedule came to. fired: faults by kind. holes: open gaps of the ledger, account and object type to subjects."""

    fired: Counter[str]
    lost: int
    holes: int


def draw(seed: int, number: int, platforms: tuple[str, ...], asked: dict[str, int]) -> Schedule:
    """asked: how many requests the undisturbed run takes, by platform."""
    chance = random.Random(f"{seed}/{number}")
    faults: list[Fault] = []
    for platform in platforms:
        kinds = [kind for kind in FAULTS if kind not in META_ONLY or platform in META]
        lasting = 1 if chance.random() < 0.6 else chance.choice((5, 8, 16))
        places = sorted(chance.sample(range(1, asked[platform] + 1), min(10, asked[platform])))
        chosen = chance.sample(kinds, len(places))
        for index, (kind, first) in enumerate(zip(chosen, places, strict=True)):
            times = lasting if index == 0 else chance.choice((1, 1, 2))
            faults.append(Fault(kind, platform, first, times if kind != "slow" else 1))
    defects = []
    for platform in platforms:
        if platform in SOCIAL and chance.random() < 0.5:
            defects.append(Defect("duplicate_page", chance.choice(FORCES), RUN_DATE, RUN_DATE, platform=platform))
        if platform in META and chance.random() < 0.3:
            defects.append(Defect("too_much_data", chance.choice(FORCES), RUN_DATE, RUN_DATE, platform=platform))
    killed = {(chance.choice(platforms), chance.choice(FORCES)): chance.randint(1, 8)}
    return Schedule(number, tuple(faults), tuple(defects), killed, chance.random() < 0.5)


def _batches_alone(frame: pd.DataFrame, rules: Sequence[Rule]) -> pd.Series:
    """The gate for batches as it is; no row is judged. Faults of the wire spoil no row that arrives."""
    return first_failures(frame, rules) if "bad_share" in frame else pd.Series(dtype="int64")


@contextmanager
def faulty_world(seed: int, rows_are_judged: bool = True) -> Iterator[SimulatorProcess]:
    """A simulator of five forces with its clock at the run, and a client that does not wait for slow answers."""
    judge = first_failures if rows_are_judged else _batches_alone
    hurried = partial(http.HttpClient, read_timeout_seconds=READ_TIMEOUT_SECONDS)
    with (
        SimulatorProcess(seed, forces=FORCES) as simulator,
        patch.dict(os.environ, simulated_connections(simulator)),
        patch.object(http, "HttpClient", hurried),
        patch.object(validation, "first_failures", judge),
    ):
        simulator.set_clock(run_instant(RUN_DATE))
        yield simulator


def run(simulator: SimulatorProcess, home: Home, schedule: Schedule, platforms: tuple[str, ...]) -> Counter[str]:
    """Collects and validates all platforms under a schedule. Returns what has come about, by kind."""
    simulator.plant(schedule.defects)
    simulator.plant_faults(schedule.faults)
    again: list[tuple[str, str]] = []
    fired = Counter[str]()
    for platform in platforms:
        for force_id in plan(platform, RUN_DATE, FORCES, home):
            at = schedule.killed.get((platform, force_id))
            if at is not None and _killed_at(at, platform, force_id, home):
                fired["killed"] += 1
            if not _attempts(platform, force_id, home):
                again.append((platform, force_id))
    told = simulator.faults()
    for each in told["fired"]:
        fired[each["kind"]] += each["count"]
    if schedule.is_renewed:  # the faults are over, and somebody clears the red tasks
        simulator.plant_faults([])
        for platform, force_id in again:
            _attempts(platform, force_id, home)
    for platform in platforms:
        validation.validate_run(platform, RUN_DATE, home=home)
    for defect in schedule.defects:
        fired[defect.kind] += 1
    return fired


def _attempts(platform: str, force_id: str, home: Home) -> bool:
    """As the scheduler: again, where another attempt may succeed. Whether the last one was clean."""
    for _ in range(ATTEMPTS):
        try:
            collect_force(platform, force_id, RUN_DATE, home, sleep=lambda seconds: None)
        except SourceError as error:
            if error.retryable:
                continue
            return False
        return True
    return False


def _killed_at(request: int, platform: str, force_id: str, home: Home) -> bool:
    """A process of its own collects a force and dies by SIGKILL at its n-th request. Whether it came so far."""
    child = os.fork()
    if child == 0:
        asked = 0
        receive = http.HttpClient.func._receive if isinstance(http.HttpClient, partial) else http.HttpClient._receive

        def counting(self: Any, url: str) -> Any:
            nonlocal asked
            asked += 1
            if asked == request:
                os.kill(os.getpid(), signal.SIGKILL)
            return receive(self, url)

        try:
            client = http.HttpClient.func if isinstance(http.HttpClient, partial) else http.HttpClient
            client._receive = counting
            collect_force(platform, force_id, RUN_DATE, home, sleep=lambda seconds: None)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


# --- what is compared ---

Figures = dict[str, dict[tuple[Any, ...], dict[str, Any]]]
"""Kind → the row as a tuple → the row."""

Answers = Counter[tuple[str | None, str]]
"""How many good answers there were, by account and request."""


def figures(home: Home, platform: str) -> Figures:
    """What accepted knows of the run: each thing once per instant, without a trace of how often it was asked.

    Asserts that no ingest holds a thing twice, and that two ingests that hold it agree.
    """
    found: Figures = {}
    for kind, definition in RECORD_KINDS.items():
        seen: set[tuple[Any, ...]] = set()
        of_key: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in accepted.read(kind, home, platform, RUN_DATE).to_pylist():
            key = (*(row[name] for name in definition.key), row["observed_at"])
            assert (row["ingest_id"], *key) not in seen, f"doubled: {row}"
            seen.add((row["ingest_id"], *key))
            whole = tuple(value for name, value in row.items() if name not in NOT_COMPARED)
            assert of_key.setdefault(key, whole) == whole, f"two ingests disagree: {whole} and {of_key[key]}"
            rows[whole] = row
        found[kind] = rows
    return found


def answers(home: Home, platform: str, ingest_id: str = "*") -> Answers:
    """Of all attempts of the run, or of one."""
    paths = (home.landing / platform / RUN_DATE.isoformat()).glob(f"*/{ingest_id}.jsonl.gz")
    items = (item for path in paths for item in landing.read(path))
    return Counter((item.account_id, item.endpoint) for item in items if isinstance(item, Page) and item.status == 200)


def open_holes(home: Home, platform: str) -> list[dict[str, Any]]:
    """The ledger's holes that no later attempt of the run has closed."""
    rows = accepted.read("collection", home, platform, RUN_DATE).to_pylist()
    collected = [row for row in rows if row["outcome"] == "collected"]

    def closes(row: dict[str, Any], hole: dict[str, Any]) -> bool:
        return (
            row["account_id"] == hole["account_id"]
            and row["recorded_at"] > hole["recorded_at"]
            and (hole["subject"] == "*" or row["subject"] == hole["subject"])
            and (hole["object_type"] is None or row["object_type"] in (None, hole["object_type"]))
        )

    return [row for row in rows if row["outcome"] == "gap" and not any(closes(each, row) for each in collected)]


def compare(
    undisturbed: Figures, answered: Answers, home: Home, platform: str, longer: frozenset[str] = frozenset()
) -> tuple[int, int]:
    """Asserts that the run has what the undisturbed one has but for what its open holes name, and that each hole is one.

    answered: what that one was answered. longer: forces whose lists have more pages than there, and nothing new on them.

    Returns rows lost and holes open.
    """
    found, holes = figures(home, platform), open_holes(home, platform)
    lost_rows = 0
    explaining: set[int] = set()
    of_account: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for number, hole in enumerate(holes):
        of_account.setdefault(hole["account_id"], []).append((number, hole))
    for kind, expected in undisturbed.items():
        invented = found[kind].keys() - expected.keys()
        assert not invented, f"{kind}: rows that the undisturbed run has not: {list(invented)[:3]}"
        for whole in expected.keys() - found[kind].keys():
            lost_rows += 1
            row = expected[whole]
            named = {number for number, hole in of_account.get(row["account_id"], ()) if _is_of(row, kind, hole)}
            assert named, f"{kind}: lost, and no hole says so: {row}\n{shown(holes)}"
            explaining |= named
    idle = [hole for number, hole in enumerate(holes) if number not in explaining]
    unfounded = _unfounded([hole for hole in idle if hole["force_id"] not in longer], undisturbed, answered, home, platform)
    assert not unfounded, f"holes of which nothing is missing: {shown(unfounded)}"
    return lost_rows, len(holes)


def _unfounded(
    holes: list[dict[str, Any]], undisturbed: Figures, answered: Answers, home: Home, platform: str
) -> list[dict[str, Any]]:
    """Holes whose own attempt has all that they are about. Founded are those of which another attempt had it (a token revoked
    before the end of the second one), those about a number that the platform never had (it need not have all of every post), and
    those of an attempt that ended before the last page of a list: only who reads it knows that nothing new is on it."""
    if not holes:
        return []
    of_account: dict[str, list[tuple[str, tuple[Any, ...], dict[str, Any]]]] = {}
    for kind, rows in undisturbed.items():
        for whole, row in rows.items():
            of_account.setdefault(row.get("account_id") or "", []).append((kind, whole, row))
    had: set[tuple[str, str, tuple[Any, ...]]] = set()
    for kind in undisturbed:
        for row in accepted.read(kind, home, platform, RUN_DATE).to_pylist():
            had.add((row["ingest_id"], kind, tuple(value for name, value in row.items() if name not in NOT_COMPARED)))
    unfounded = []
    for hole in holes:
        about = [(kind, whole) for kind, whole, row in of_account.get(hole["account_id"], ()) if _is_of(row, kind, hole)]
        of_attempt = answers(home, platform, hole["ingest_id"])
        lacks_a_page = any(of_attempt[whose] < count for whose, count in answered.items() if whose[0] == hole["account_id"])
        if about and not lacks_a_page and all((hole["ingest_id"], *each) in had for each in about):
            unfounded.append(hole)
    return unfounded


def shown(holes: list[dict[str, Any]]) -> str:
    names = ("account_id", "object_type", "object_id", "subject", "cause", "detail", "recorded_at", "ingest_id")
    return "\n".join(str({name: hole[name] for name in names}) for hole in holes)


def _is_of(row: dict[str, Any], kind: str, hole: dict[str, Any]) -> bool:
    """Whether a hole is about a row: all of its account, the list that would have shown it, or its field."""
    if row["account_id"] != hole["account_id"]:
        return False
    subject, of_type = hole["subject"], hole["object_type"]
    if subject == "*":
        return True
    if subject == "posts":
        # comments are asked post by post
        return kind in ("post", "message") or (kind == "observation" and row["object_type"] == "post")
    if kind == "message":
        return subject not in ("*", "posts") and of_type in (None, "message")
    if kind == "account":  # it comes with the account's own numbers
        return of_type == "account" and hole["object_id"] is None
    if kind != "observation" or row["source_field"] != subject or of_type not in (None, row["object_type"]):
        return False
    return hole["object_id"] in (None, row["object_id"])


def folder_of(root: Path, number: int) -> Home:
    return Home(root / f"schedule_{number}")


def covered_platforms(number: int, how_many: int) -> tuple[str, ...]:
    """Which platforms a schedule is about: all in turn."""
    first = number * how_many % len(PLATFORMS)
    turned = (*PLATFORMS[first:], *PLATFORMS[:first])
    return tuple(turned[:how_many])
