"""One budget for all forces and all processes: what is left of a platform's limits, in a ledger that survives a kill.

A SQLite file (`var/budgets/budgets.sqlite`, WAL): reserved in one transaction before a call, corrected in one after it. Its clock
is the `Date` of the last answer plus the machine's monotonic clock since, never the wall clock: limits reset by the platform's
time. A machine that has started again goes on from the last answer. What a killed process had reserved of a window comes free
after ten minutes; of a quota it stays spent, for the call may have been made.

    python -m include.budgets            what is used of every budget
    python -m include.budgets reopen x   ask again at once after credits were bought
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from extractors.base import Access, ApiSource, CreditsDepleted, NoAnswer, SourceError, Throttled
from extractors.pacing import Quota, Window, pause_seconds
from include.budget_ledger import BOOT, open_ledger, reopen, transaction, used_lines
from include.pseudonyms import pseudonym
from include.settings import Home, longest_wait_seconds, observation_bounds

if TYPE_CHECKING:
    from extractors.http import Received

log = logging.getLogger(__name__)

STALE_SECONDS = 600.0
"""No call takes so long: its reservation is that of a killed process."""
STOP_SECONDS = 3600.0
"""How long nobody asks a platform whose credits are used up; a new plan of its run asks at once."""
SAME_WINDOW_SECONDS = 2.0
SAFETY_SECONDS = 1.0
"""Waited beyond a reset: dates have whole seconds."""
SET_BACK_SECONDS = 60.0
"""Answers of several hosts differ by less: what was told later than now was told under another clock, and says nothing."""
REFUSED = "refused"
"""The window of a throttle answer: shut until its end, and then nothing."""
UNNAMED, FIRST_PAUSE_SECONDS = "refused without a time", 2.0
"""The same where the answer names no end: shut for all of the app's calls, twice as long after each such answer, until one is
answered: going on makes the block longer."""


def app_of(source: ApiSource) -> str:
    return source.limits.app or source.name


class LedgerPacer:
    """The pacer of one client: one source, one token, one thread. See extractors/pacing.py: Pacer."""

    def __init__(
        self,
        source: ApiSource,
        access: Access,
        run_date: date,
        home: Home,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._limits, self._app = source, source.limits, app_of(source)
        self._quotas = tuple(quota for quota in source.limits.quotas if _limit_of(quota, access) is not None or quota.weigh)
        self._allowed = {quota.name: _limit_of(quota, access) for quota in self._quotas}
        token = access.token.reveal() if access.token else ""
        self._host = urlsplit(access.base_url).netloc
        self._token = hashlib.sha256(f"{access.base_url}\n{token}".encode()).hexdigest()[:16]
        self._not_before = observation_bounds(run_date)[0].timestamp()
        self._sleep, self._monotonic = sleep, monotonic
        self._slept_until = 0.0  # the platform's time after the last sleep, which the monotonic clock may not have seen: a test's
        self._longest_wait = longest_wait_seconds()
        self._connection = open_ledger(home)
        self.waited_seconds = 0.0

    def close(self) -> None:
        self._connection.close()

    # --- Pacer ---

    def before(self, endpoint: str) -> int:
        while True:
            with transaction(self._connection):
                now = self._now()
                self._require_not_stopped(now)
                wait, why = self._wait(endpoint, now)
                if wait <= 0:
                    return self._reserve(endpoint, now)
            if wait > self._longest_wait:
                raise Throttled(f"{why}: not asked, so that {self._source.title} has no reason to refuse", wait)
            log.info("%s %s: %s, waiting %.0f s", self._source.name, endpoint, why, wait)
            self.waited_seconds += wait
            self.sleep(wait)

    def after(self, reservation: int, endpoint: str, received: Received | None, error: SourceError | None) -> None:
        with transaction(self._connection) as ledger:
            row = ledger.execute("select units, monotonic from reservations where number = ?", (reservation,)).fetchone()
            ledger.execute("delete from reservations where number = ?", (reservation,))
            moment = received.observed_at if received else datetime.fromtimestamp(self._now(), UTC)
            if received is not None:
                self._set_clock(received.observed_at, row[1] if row else None)
            self._correct(json.loads(row[0]) if row else {}, endpoint, moment, received, error)
            if isinstance(error, Throttled):
                if error.reset_seconds:
                    until = moment.timestamp() + error.reset_seconds
                    self._announce(Window(REFUSED, 1.0, 0.0, datetime.fromtimestamp(until, UTC)), endpoint, moment)
                else:
                    self._put_off(moment.timestamp())
            elif received is not None:
                ledger.execute("delete from windows where budget = ? and name = ?", (self._app, UNNAMED))
                for window in self._limits.read(received):
                    self._announce(window, endpoint, moment)
            if isinstance(error, CreditsDepleted):
                self._stop(moment, str(error))

    def sleep(self, seconds: float) -> None:
        until = self._now() + seconds
        self._sleep(seconds)
        self._slept_until = max(self._slept_until, until)

    # --- the clock ---

    def _now(self) -> float:
        """The platform's time: no earlier than the run date's first instant, which also holds where no answer has come yet."""
        row = self._connection.execute("select monotonic, moment from clock where host = ?", (self._host,)).fetchone()
        if row is None:
            return max(self._not_before, self._slept_until)
        ticks = self._monotonic()
        if ticks < row[0]:  # the machine has started again. Without this its time would stand still, and a shut window stay shut
            self._connection.execute("update clock set monotonic = ? where host = ?", (ticks, self._host))
        return max(self._not_before, self._slept_until, row[1] + max(0.0, ticks - row[0]))

    def _set_clock(self, observed_at: datetime, asked_at: float | None = None) -> None:
        """asked_at: the monotonic time of the question. An answer that was overtaken by a later one does not set the time back."""
        self._slept_until = 0.0  # the answer's date has it in it
        row = self._connection.execute("select monotonic, moment from clock where host = ?", (self._host,)).fetchone()
        if row is not None and asked_at is not None and asked_at <= row[0] and observed_at.timestamp() < row[1]:
            return
        self._connection.execute(
            "insert or replace into clock (host, monotonic, moment) values (?, ?, ?)",
            (self._host, self._monotonic(), observed_at.timestamp()),
        )

    # --- windows ---

    def _budget(self, counted_by: str) -> str:
        return self._app if counted_by == "app" else f"{self._app} {self._token}"

    def _outstanding(self, window_name: str, budget: str) -> int:
        """Calls under way that the announced figures may not hold yet."""
        by = "app = ?" if budget == self._app else "token = ?"
        values: list[Any] = [self._app if budget == self._app else self._token]
        if self._limits.by_endpoint and "/" in window_name:
            by, values = f"{by} and endpoint = ?", [*values, window_name.partition("/")[0]]
        query = f"select count(*) from reservations where {by} and boot = ? and monotonic > ? and monotonic <= ?"  # noqa: S608
        ticks = self._monotonic()
        return int(self._connection.execute(query, (*values, BOOT, ticks - STALE_SECONDS, ticks)).fetchone()[0])

    def _wait(self, endpoint: str, now: float) -> tuple[float, str]:
        """The longest wait that a window or quota asks for, and why."""
        longest, why = 0.0, ""
        for budget in (self._app, self._budget("token")):
            rows = self._connection.execute(
                "select name, allowed, remaining, resets_at, cost, last_slot from windows where budget = ? and observed_at <= ?",
                (budget, now + SET_BACK_SECONDS),
            ).fetchall()
            for name, allowed, remaining, resets_at, cost, last_slot in rows:
                if "/" in name and name.partition("/")[0] != endpoint:
                    continue
                if name.rpartition("/")[2] in (REFUSED, UNNAMED) and resets_at <= now:
                    continue
                under_way = self._outstanding(name, budget)
                if resets_at is not None:
                    left = (remaining if resets_at > now else allowed) - under_way
                    # a passed window of which other calls are under way: the first of them will tell of the new one
                    wait = 0.0 if left >= 1 else max(resets_at - now, 0.0) + SAFETY_SECONDS
                    said = f"{name}: none of {allowed:.0f} calls left"
                else:
                    percent = 100 * (1 - remaining / allowed) + (under_way + 1) * cost
                    wait = last_slot + pause_seconds(percent) - now if pause_seconds(percent) else 0.0
                    said = f"{name}: {100 * (1 - remaining / allowed):.0f} % used"
                if wait > longest:
                    longest, why = wait, said
        for quota in self._quotas:
            allowed = self._allowed[quota.name]
            moment = datetime.fromtimestamp(now, UTC)
            used = self._used(quota, quota.period_of(moment))
            if allowed is None or used + quota.cost_of(endpoint) <= allowed:
                continue
            wait = quota.end_of_period(moment).timestamp() - now + SAFETY_SECONDS
            said = f"{used:g} of {allowed:g} {quota.unit} of this {quota.period} are used"
            if quota.is_paid:
                raise CreditsDepleted(
                    f"{said} on {self._source.title}: not asked; wait for the next {quota.period}, or raise what is allowed "
                    f"(extra.limits.{quota.name} of the connection, where it stands there), then clear the task"
                )
            if wait > longest:
                longest, why = wait, said
        return longest, why

    def _announce(self, window: Window, endpoint: str, moment: datetime) -> None:
        budget = self._budget(window.counted_by)
        name = f"{endpoint}/{window.name}" if self._limits.by_endpoint and window.counted_by == "token" else window.name
        # one that is longer than a day is a garbled one: believed, nobody would ask again
        furthest = moment.timestamp() + Throttled.longest_reset_seconds
        resets_at = min(window.resets_at.timestamp(), furthest) if window.resets_at else None
        remaining, cost = max(window.remaining, 0.0), 0.0
        before = self._connection.execute(
            "select remaining, resets_at, observed_at, cost, last_slot from windows where budget = ? and name = ?", (budget, name)
        ).fetchone()
        last_slot = moment.timestamp()
        if before is not None and before[2] <= moment.timestamp() + SET_BACK_SECONDS:
            was, was_until, observed, learned, slot = before
            if resets_at is not None and was_until is not None:
                if resets_at < was_until - SAME_WINDOW_SECONDS and moment.timestamp() <= was_until:
                    return  # the answer of a window that is past
                if abs(resets_at - was_until) <= SAME_WINDOW_SECONDS:
                    remaining = min(remaining, was)  # answers overtake each other
            if resets_at is None and was_until is None:
                if moment.timestamp() <= observed:
                    remaining = min(remaining, was)
                cost = max(was - remaining, 0.95 * learned, 0.0)
            last_slot = max(last_slot, slot)
        self._connection.execute(
            "insert or replace into windows values (?, ?, ?, ?, ?, ?, ?, ?)",
            (budget, name, window.limit, remaining, resets_at, moment.timestamp(), min(cost, 25.0), last_slot),
        )

    def _put_off(self, moment: float) -> None:
        """After a throttle that names no end. Of several refusals at once only the first counts."""
        query = "select resets_at, cost from windows where budget = ? and name = ?"
        until, before = self._connection.execute(query, (self._app, UNNAMED)).fetchone() or (0.0, 0.0)
        is_of_now = abs(until - moment) <= STOP_SECONDS  # not of another day, or of a clock that was set back
        if is_of_now and moment < until:
            return
        pause = min(max(2 * before, FIRST_PAUSE_SECONDS), STOP_SECONDS) if is_of_now else FIRST_PAUSE_SECONDS
        self._connection.execute(
            "insert or replace into windows values (?, ?, 1, 0, ?, ?, ?, ?)",
            (self._app, UNNAMED, moment + pause, moment, pause, moment),
        )

    # --- reservations and quotas ---

    def _reserve(self, endpoint: str, now: float) -> int:
        moment = datetime.fromtimestamp(now, UTC)
        units: dict[str, tuple[str, float]] = {}
        for quota in self._quotas:
            period, cost = quota.period_of(moment), quota.cost_of(endpoint)
            units[quota.name] = (period, cost)
            self._spend(quota, period, cost)
        # every slot of a rolling window puts the next one off
        self._connection.execute(
            "update windows set last_slot = max(last_slot, ?) where resets_at is null and budget in (?, ?)",
            (now, self._app, self._budget("token")),
        )
        ticks = self._monotonic()
        self._connection.execute(
            "delete from reservations where boot <> ? or monotonic <= ? or monotonic > ?", (BOOT, ticks - STALE_SECONDS, ticks)
        )
        row = (self._app, self._token, endpoint, BOOT, ticks, json.dumps(units))
        done = self._connection.execute(
            "insert into reservations (app, token, endpoint, boot, monotonic, units) values (?, ?, ?, ?, ?, ?)", row
        )
        return int(done.lastrowid or 0)

    def _used(self, quota: Quota, period: str) -> float:
        row = self._connection.execute(
            "select used from spent where budget = ? and quota = ? and period = ?",
            (self._budget(quota.counted_by), quota.name, period),
        ).fetchone()
        return float(row[0]) if row else 0.0

    def _spend(self, quota: Quota, period: str, units: float) -> None:
        self._connection.execute(
            "insert into spent values (?, ?, ?, ?, ?, ?) on conflict do update set "
            "used = round(max(used + excluded.used, 0), 6), allowed = excluded.allowed",
            (self._budget(quota.counted_by), quota.name, period, units, self._allowed[quota.name], quota.unit),
        )

    def _correct(
        self,
        reserved: Mapping[str, tuple[str, float]],
        endpoint: str,
        moment: datetime,
        received: Received | None,
        error: SourceError | None,
    ) -> None:
        """What was reserved becomes what it really cost, in the period of the answer. A call that reached nobody cost nothing."""
        for quota in self._quotas:
            period, units = reserved.get(quota.name, (quota.period_of(moment), 0.0))
            cost = 0.0 if isinstance(error, NoAnswer) else quota.cost_of(endpoint)
            if quota.weigh is not None and received is not None:
                cost = 0.0 if error is not None else self._newly_counted(quota, moment, quota.weigh(endpoint, received.body))
            self._spend(quota, period, -units)
            self._spend(quota, quota.period_of(moment), cost)

    def _newly_counted(self, quota: Quota, moment: datetime, resources: Mapping[str, float]) -> float:
        """Units of the resources that no earlier answer of the same UTC day had. Kept as pseudonyms: some are of the public."""
        budget, day = self._budget(quota.counted_by), f"{moment:%Y-%m-%d}"
        self._connection.execute("delete from counted where budget = ? and quota = ? and day < ?", (budget, quota.name, day))
        of_cost: dict[float, list[tuple[str, str, str, str]]] = {}
        for resource, cost in resources.items():
            of_cost.setdefault(cost, []).append((budget, quota.name, day, pseudonym(resource)))
        units = 0.0
        for cost, rows in of_cost.items():
            before = self._connection.total_changes
            self._connection.executemany("insert or ignore into counted values (?, ?, ?, ?)", rows)
            units += cost * (self._connection.total_changes - before)
        return units

    # --- stops ---

    def _stop(self, moment: datetime, message: str) -> None:
        until = moment.timestamp() + STOP_SECONDS
        self._connection.execute("insert or replace into stops values (?, ?, ?)", (self._app, until, message))

    def _require_not_stopped(self, now: float) -> None:
        row = self._connection.execute("select until, message from stops where app = ?", (self._app,)).fetchone()
        if row is not None and now < row[0]:
            raise CreditsDepleted(f"not asked, for another force of this run was told: {row[1].removeprefix('not asked, ')}"[:500])


def _limit_of(quota: Quota, access: Access) -> float | None:
    """The connection's own limit where it is the smaller one."""
    given = [limit for limit in (quota.limit, access.limits.get(quota.name)) if limit is not None]
    return min(given, default=None)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m include.budgets", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["show", "reopen"], default="show")
    parser.add_argument("app", nargs="?", help="whose calls are counted together: x, youtube, meta, …")
    chosen = parser.parse_args(arguments)
    home = Home.current()
    if chosen.what == "reopen":
        if not chosen.app:
            parser.error("reopen needs the name of the app")
        print(f"{chosen.app}: " + ("may be asked again" if reopen(chosen.app, home) else "was not stopped"))
    else:
        print("\n".join(used_lines(home, chosen.app)) or "nothing has been asked yet")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
