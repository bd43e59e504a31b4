"""The ledger of budgets: shared between processes, kept through a kill, and by the platform's clock."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from extractors.base import Access, CreditsDepleted, NoAnswer, Secret, Throttled
from extractors.facebook import FacebookPages
from extractors.http import Received
from extractors.pacing import Limits, Quota, rate_limit_windows
from extractors.x import XPosts
from extractors.youtube import YouTubeChannels
from include import budget_ledger, budgets
from include.budget_ledger import reopen, used_lines
from include.budgets import LedgerPacer
from include.settings import Home

RUN_DATE = date(2026, 11, 2)
NOW = datetime(2026, 11, 2, 21, 0, tzinfo=UTC)


class Counted(XPosts):
    """A platform that announces nothing: 10 units a day, 3 searches of their own, midnight Pacific."""

    name = "counted"
    limits = Limits(
        quotas=(
            Quota("units", "units", 10, time_zone="America/Los_Angeles", cost={"search": 0}),
            Quota("search", "searches", 3, time_zone="America/Los_Angeles", cost={"search": 1}, other=0),
        )
    )


class Windowed(XPosts):
    name = "windowed"
    limits = Limits()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "var")


@pytest.fixture
def pacer(home: Home) -> Iterator[Callable[..., LedgerPacer]]:
    made: list[LedgerPacer] = []

    def make(source: Any = Counted, token: str = "one", **more: Any) -> LedgerPacer:
        access = Access("https://platform.example", Secret(token), more.pop("limits", {}))
        made.append(LedgerPacer(source(), access, RUN_DATE, home, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def received(at: datetime = NOW, body: Any = None, **headers: str) -> Received:
    return Received(200, CaseInsensitiveDict({name.replace("_", "-"): text for name, text in headers.items()}), body or {}, at)


def left(remaining: int, at: datetime = NOW, reset: datetime = NOW + timedelta(minutes=15), limit: int = 5) -> Received:
    said = {"x_rate_limit_limit": limit, "x_rate_limit_remaining": remaining, "x_rate_limit_reset": int(reset.timestamp())}
    return received(at, **{name: str(value) for name, value in said.items()})


def call(pacer: LedgerPacer, endpoint: str = "list", answer: Received | None = None) -> None:
    pacer.after(pacer.before(endpoint), endpoint, answer or received(), None)


def test_what_no_header_announces_is_counted_for_all_tokens_together(pacer: Callable[..., LedgerPacer], home: Home) -> None:
    one, other = pacer(token="one"), pacer(token="other")
    for number in range(10):
        call((one, other)[number % 2])
    with pytest.raises(Throttled, match="10 of 10 units of this day are used") as raised:
        other.before("list")
    # midnight Pacific is 08:00 UTC in winter
    assert raised.value.reset_seconds == pytest.approx(11 * 3600, abs=5)
    for _ in range(3):
        call(one, "search")  # its own bucket
    with pytest.raises(Throttled, match="3 of 3 searches"):
        one.before("search")
    assert used_lines(home, "counted") == [
        "budget counted search 2026-11-02: 3 of 3 searches",
        "budget counted units 2026-11-02: 10 of 10 units",
    ]


def test_searches_on_youtube_have_a_bucket_of_their_own(pacer: Callable[..., LedgerPacer], home: Home) -> None:
    one = pacer(YouTubeChannels)
    call(one, "videos")
    for _ in range(100):
        call(one, "search")
    with pytest.raises(Throttled, match="100 of 100 searches of this day are used"):
        one.before("search")
    call(one, "videos")
    assert "budget youtube units 2026-11-02: 2 of 10,000 units" in used_lines(home)


def test_the_day_is_that_of_the_answer(pacer: Callable[..., LedgerPacer], home: Home) -> None:
    one = pacer()
    for _ in range(10):
        call(one)
    tomorrow = NOW + timedelta(hours=12)
    one._set_clock(tomorrow)  # as the answer of another budget would
    call(one, answer=received(tomorrow))
    assert "budget counted units 2026-11-03: 1 of 10 units" in used_lines(home)


def test_a_call_that_reached_nobody_costs_nothing(pacer: Callable[..., LedgerPacer], home: Home) -> None:
    one = pacer()
    call(one)
    one.after(one.before("list"), "list", None, NoAnswer("no answer"))
    assert "budget counted units 2026-11-02: 1 of 10 units" in used_lines(home)


def test_a_window_is_kept_to_and_waited_for_by_the_platforms_clock(pacer: Callable[..., LedgerPacer]) -> None:
    slept: list[float] = []
    one = pacer(Windowed, sleep=slept.append)
    call(one, answer=left(2, reset=NOW + timedelta(seconds=60)))
    first, second = one.before("list"), one.before("list")  # both under way: the two that are left
    one.after(first, "list", left(1, reset=NOW + timedelta(seconds=60)), None)
    one.after(second, "list", left(0, reset=NOW + timedelta(seconds=60)), None)
    assert slept == []
    call(one, answer=left(4, NOW + timedelta(seconds=61), NOW + timedelta(seconds=120)))
    assert slept == [pytest.approx(61, abs=1)]


def test_a_long_wait_is_left_to_the_scheduler(pacer: Callable[..., LedgerPacer]) -> None:
    one = pacer(Windowed)
    call(one, answer=left(0))
    with pytest.raises(Throttled, match="calls: none of 5 calls left") as raised:
        one.before("list")
    assert raised.value.reset_seconds == pytest.approx(901, abs=2)


def test_another_token_has_its_own_window_and_the_same_token_has_not(pacer: Callable[..., LedgerPacer]) -> None:
    call(pacer(Windowed, "one"), answer=left(0))
    call(pacer(Windowed, "other"))
    with pytest.raises(Throttled):
        pacer(Windowed, "one").before("list")


def test_windows_of_each_request_are_apart(pacer: Callable[..., LedgerPacer]) -> None:
    one = pacer(XPosts)
    call(one, "account", left(0))
    call(one, "tweets", left(3))
    with pytest.raises(Throttled):
        one.before("account")


def test_answers_that_overtake_each_other_do_not_raise_what_is_left(pacer: Callable[..., LedgerPacer]) -> None:
    one = pacer(Windowed)
    early, late = one.before("list"), one.before("list")
    one.after(late, "list", left(0), None)
    one.after(early, "list", left(1), None)
    with pytest.raises(Throttled):
        one.before("list")


def usage(percent: int, at: datetime = NOW) -> Received:
    entry = f'{{"type":"pages","call_count":{percent},"total_time":1,"total_cputime":1,"estimated_time_to_regain_access":0}}'
    return received(at, x_business_use_case_usage=f'{{"7":[{entry}]}}')


def test_an_overtaken_answer_does_not_set_the_time_back_and_a_later_question_does(pacer: Callable[..., LedgerPacer]) -> None:
    late, quick = pacer(Windowed, token="late"), pacer(Windowed, token="quick")
    under_way = late.before("list")
    soon = NOW + timedelta(minutes=20)
    call(quick, answer=left(0, soon, soon + timedelta(minutes=15)))
    late.after(under_way, "list", left(3, NOW), None)
    with pytest.raises(Throttled):  # told under a clock that is not to come: it would bind nobody
        quick.before("list")
    call(late, answer=left(2, NOW))  # asked after the later answer: the platform's clock was set back
    call(quick, answer=left(0, NOW, NOW + timedelta(minutes=5)))
    with pytest.raises(Throttled) as raised:
        quick.before("list")
    assert raised.value.reset_seconds == pytest.approx(301, abs=5)


def test_calls_slow_down_as_the_used_share_rises(pacer: Callable[..., LedgerPacer]) -> None:
    slept: list[float] = []
    one = pacer(FacebookPages, sleep=slept.append)
    at, pauses = NOW, []
    for percent in range(66, 88, 2):
        call(one, answer=usage(percent, at))
        pauses.append(sum(slept))
        at += timedelta(seconds=sum(slept) + 1)
        slept.clear()
    assert pauses[:4] == [0] * 4
    assert pauses == sorted(pauses)
    assert 20 < pauses[-1] < 120
    call(one, answer=usage(97, at + timedelta(seconds=120)))
    with pytest.raises(Throttled, match="pages of 7: 97 % used") as raised:
        one.before("list")
    assert raised.value.reset_seconds
    assert raised.value.reset_seconds > 120


def test_the_first_402_ends_the_asking_for_all_forces(pacer: Callable[..., LedgerPacer], home: Home) -> None:
    one, other = pacer(XPosts, "one"), pacer(XPosts, "other")
    one.after(one.before("account"), "account", received(), CreditsDepleted("credits depleted: buy credits"))
    with pytest.raises(CreditsDepleted, match="another force of this run was told: credits depleted: buy credits"):
        other.before("account")
    assert "budget x: stopped: credits depleted: buy credits" in used_lines(home)
    assert (reopen("x", home), reopen("x", home)) == (True, False)
    call(other, "account")
    one.after(one.before("account"), "account", received(), CreditsDepleted("credits depleted"))
    other._set_clock(NOW + timedelta(hours=1))  # an hour later somebody may have bought credits
    call(other, "account", received(NOW + timedelta(hours=1)))


def test_money_is_counted_once_a_day_for_each_resource_and_ends_the_run(pacer: Callable[..., LedgerPacer], home: Home) -> None:
    one, other = pacer(XPosts, "one", limits={"credits": 0.55}), pacer(XPosts, "other", limits={"credits": 0.55})
    posts = {"data": [{"id": str(number)} for number in range(10)]}
    call(one, "tweets", received(body=posts))
    call(other, "tweets", received(body=posts))  # the same posts on the same day
    assert "budget x credits 2026-11: 0.05 of 0.55 US dollars" in used_lines(home)
    assert "budget x posts 2026-11: 10 of 3,000,000 posts" in used_lines(home)
    call(one, "tweets", received(body={"data": [{"id": "999111"}]}))
    with pytest.raises(CreditsDepleted, match="wait for the next month, or raise what is allowed"):
        one.before("tweets")  # might cost half a dollar
    assert not any(b"999111" in path.read_bytes() for path in (home.path / "budgets").iterdir())


def _ask_until_refused(home: Home, granted: Any) -> None:
    one = LedgerPacer(Many(), Access("https://platform.example", Secret("t")), RUN_DATE, home)
    try:
        while True:
            number = one.before("list")
            with granted.get_lock():
                granted.value += 1
            one.after(number, "list", received(), None)
    except Throttled:
        one.close()


class Many(XPosts):
    name = "many"
    limits = Limits(quotas=(Quota("units", "units", 200),))


def test_processes_share_one_budget_to_the_last_unit(home: Home) -> None:
    context = multiprocessing.get_context("spawn")
    granted = context.Value("i", 0)
    askers = [context.Process(target=_ask_until_refused, args=(home, granted)) for _ in range(3)]
    for each in askers:
        each.start()
    for each in askers:
        each.join(60)
        assert each.exitcode == 0
    assert granted.value == 200
    assert used_lines(home) == ["budget many units 2026-11-02: 200 of 200 units"]


def _reserve_and_hang(home: Home, ready: Any) -> None:
    one = LedgerPacer(Windowed(), Access("https://platform.example", Secret("one")), RUN_DATE, home)
    one.before("list")
    ready.set()
    time.sleep(60)


def test_what_a_killed_process_reserved_comes_free(
    home: Home, pacer: Callable[..., LedgerPacer], monkeypatch: pytest.MonkeyPatch
) -> None:
    call(pacer(Windowed), answer=left(1))
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_reserve_and_hang, args=(home, ready))
    other.start()
    assert ready.wait(60)
    assert other.pid
    os.kill(other.pid, signal.SIGKILL)
    other.join(60)
    with pytest.raises(Throttled):
        pacer(Windowed).before("list")  # its call may still be under way
    monkeypatch.setattr(budgets, "STALE_SECONDS", 0.0)
    call(pacer(Windowed), answer=left(0))


def test_without_a_name_of_the_boot_processes_still_know_each_other(
    home: Home, pacer: Callable[..., LedgerPacer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, and in sandboxes that hide the name."""
    monkeypatch.setattr(budget_ledger, "BOOT_ID", Path("/nowhere"))
    monkeypatch.setattr(os, "getpid", lambda: 7)
    first = budget_ledger._boot()
    monkeypatch.setattr(os, "getpid", lambda: 8)
    monkeypatch.setattr(budgets, "BOOT", first)
    call(pacer(token="one"))
    reserved = pacer(token="one").before("list")
    monkeypatch.setattr(budgets, "BOOT", budget_ledger._boot())  # as another process has it
    other = pacer(token="two")
    call(other)
    other.after(reserved, "list", received(), None)
    assert used_lines(home) == [
        "budget counted search 2026-11-02: 0 of 3 searches",
        "budget counted units 2026-11-02: 3 of 10 units",
    ]


def test_after_a_throttle_calls_go_side_by_side_again(pacer: Callable[..., LedgerPacer]) -> None:
    slept: list[float] = []
    one = pacer(Windowed, sleep=slept.append)
    one.after(one.before("list"), "list", received(), Throttled("slow down", 30.0))
    one._set_clock(NOW + timedelta(minutes=1))
    one.before("list")
    one.before("list")  # the first is still under way
    assert slept == []


def test_a_throttle_that_names_no_end_is_heard_by_all_forces_and_longer_each_time(pacer: Callable[..., LedgerPacer]) -> None:
    slept: list[float] = []
    for number in range(7):
        one = pacer(FacebookPages, ("one", "other")[number % 2], sleep=slept.append)
        reserved = one.before("list")
        one.after(reserved, "list", received(NOW + timedelta(seconds=sum(slept))), Throttled("(#4) app limit"))
    assert slept == [pytest.approx(2.0**number + 1, abs=1) for number in range(1, 7)]
    with pytest.raises(Throttled, match="refused without a time") as raised:
        pacer(FacebookPages, "third").before("list")
    assert raised.value.reset_seconds == pytest.approx(129, abs=2)


def test_one_answer_ends_a_block_that_names_no_end(pacer: Callable[..., LedgerPacer]) -> None:
    slept: list[float] = []
    one = pacer(FacebookPages, sleep=slept.append)
    first, second = one.before("list"), one.before("list")
    for number in (first, second):  # both were under way: one refusal
        one.after(number, "list", received(), Throttled("(#4) app limit"))
    call(one, answer=received(NOW + timedelta(seconds=3)))
    assert slept == [pytest.approx(3, abs=1)]
    one.before("list")
    one.before("list")
    assert len(slept) == 1
    one.after(one.before("list"), "list", received(NOW + timedelta(seconds=3)), Throttled("(#4) app limit"))
    one.before("list")
    assert slept[1:] == [pytest.approx(3, abs=1)]


def test_time_goes_on_after_the_machine_has_started_again(pacer: Callable[..., LedgerPacer]) -> None:
    ticks = [5000.0]
    call(pacer(Windowed, monotonic=lambda: ticks[0]), answer=left(0))
    ticks[0] = 3.0
    with pytest.raises(Throttled) as raised:
        pacer(Windowed, monotonic=lambda: ticks[0]).before("list")
    assert raised.value.reset_seconds == pytest.approx(901)  # no longer than the window: not till the run date's midnight
    ticks[0] = 3.0 + 902
    call(pacer(Windowed, monotonic=lambda: ticks[0]), answer=left(4, NOW + timedelta(seconds=902)))


def test_what_was_told_under_a_later_clock_binds_nobody(home: Home) -> None:
    """A simulator that is started again for an earlier as-of date."""
    earlier = NOW - timedelta(weeks=20)
    one = LedgerPacer(Shared(), Access("http://127.0.0.1:2"), earlier.date(), home)
    other = LedgerPacer(Shared(), Access("http://127.0.0.1:1"), RUN_DATE, home)
    call(other, answer=left(0))
    call(one, answer=left(3, earlier, earlier + timedelta(minutes=15)))
    call(one, answer=left(0, earlier, earlier + timedelta(minutes=15)))
    with pytest.raises(Throttled):
        one.before("list")  # and its own are kept to
    one.close()
    other.close()


class Shared(XPosts):
    """One window for all tokens and hosts."""

    name = "shared"
    limits = Limits(read=lambda received: (replace(one, counted_by="app") for one in rate_limit_windows(received)))


def test_a_reset_in_years_shuts_a_window_for_a_day(pacer: Callable[..., LedgerPacer]) -> None:
    call(pacer(Windowed), answer=left(0, reset=NOW + timedelta(days=3000)))
    one = pacer(Windowed)
    with pytest.raises(Throttled):
        one.before("list")
    one._set_clock(NOW + timedelta(days=1))
    one.before("list")


def test_a_ledger_that_another_process_is_just_making_is_waited_for(home: Home) -> None:
    path = budget_ledger.ledger_path(home)
    path.parent.mkdir(parents=True)
    maker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    maker.execute("begin immediate")
    threading.Timer(0.2, lambda: maker.execute("commit")).start()
    budget_ledger.open_ledger(home).close()
    maker.close()


def test_a_ledger_for_which_there_is_no_room_is_not_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is as full a minute later. Retrying would hold every force's task up before it says so."""
    connected, opened = sqlite3.connect, []

    def without_room(*arguments: Any, **named: Any) -> sqlite3.Connection:
        opened.append(connected(*arguments, **named))
        opened[-1].execute("pragma max_page_count = 1")
        return opened[-1]

    monkeypatch.setattr(budget_ledger.sqlite3, "connect", without_room)
    monkeypatch.setattr(budget_ledger, "wait_random", lambda *_: lambda state: pytest.fail("waited for room"))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        budget_ledger.open_ledger(home)
    opened[0].close()
