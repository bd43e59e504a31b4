"""What is missing, why, and what is only known later: one world of forces with one fault each, worked by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from include import registry
from include.settings import Home
from tests.dbt.world import Marts, World, at, build

AS_OF = date(2026, 11, 2)
EARLY = date(2026, 9, 16)
GWENT, KENT, CLEVELAND, ESSEX = "100000016000048", "100000020000060", "100000006000018", "100000013000039"
SURREY, CUMBRIA, DORSET = "100000036000108", "100000007000021", "100000010000030"
MANCHESTER, COMMUNITY = "100000015000045", "100000015000046"
FORCES = {
    GWENT: "gwent",
    KENT: "kent",
    CLEVELAND: "cleveland",
    ESSEX: "essex",
    SURREY: "surrey",
    CUMBRIA: "cumbria",
    DORSET: "dorset",
    MANCHESTER: "greater-manchester",
    COMMUNITY: "greater-manchester",
}
RUNS = [date(2026, 9, 7) + timedelta(weeks=week) for week in range(9)]
NUMBERS = {"reactions": 10.0, "comments": 2.0, "shares": 1.0, "views": 500.0}
COMMENTS = "comments.summary.total_count"


def holes() -> World:
    """Weekly runs from 7 September to 2 November 2026."""
    world = World(FORCES)
    for account_id in FORCES:
        world.plan(account_id, *RUNS)
    for run_date in RUNS:
        collected(world, GWENT, run_date)
        collected(world, KENT, run_date, followers=None if run_date.month == 10 else 1000)
        collected(world, CUMBRIA, run_date)
        collected(world, DORSET, run_date, after=timedelta(hours=1) if run_date == RUNS[4] else timedelta(seconds=4))
        collected(world, MANCHESTER, run_date)
    # Gwent: of two posts listed on 12 and 19 October one did not pass, though its numbers did; and a count of comments did not
    world.post(GWENT, "listed", at("2026-10-07 10:00"), RUNS[5], RUNS[6])
    world.read(GWENT, "listed", RUNS[6], **NUMBERS)
    world.read(GWENT, "held", RUNS[6], **NUMBERS)
    for run_date in RUNS[5:7]:
        world.quarantined(GWENT, run_date, "posts", "held", object_type="post", published_at=at("2026-10-08 10:00"))
    world.post(GWENT, "no-comments", at("2026-09-10 10:00"), RUNS[1], RUNS[2])
    world.read(GWENT, "no-comments", RUNS[2], reactions=1, shares=1, views=10)
    world.quarantined(GWENT, RUNS[2], COMMENTS, "no-comments")
    # Kent: the count of followers did not pass in October
    for run_date in RUNS[4:8]:
        world.quarantined(KENT, run_date, "followers_count")
    # Cleveland: three runs stopped at the gate, each with a gap about one post in it
    for run_date in RUNS:
        if run_date in RUNS[5:8]:
            world.collected(CLEVELAND, run_date, "posts", "followers_count")
            world.gap(CLEVELAND, run_date, "post_media_view", "too_few_viewers", object_id="c")
            world.conserved(CLEVELAND, run_date, "post", is_stopped=True, landed=8, quarantined=8)
        else:
            collected(world, CLEVELAND, run_date)
    # Essex: no token until the list of 12 October, which reaches back to 13 September
    for run_date in RUNS:
        if run_date < date(2026, 10, 12):
            world.gap(ESSEX, run_date, "*", "expired_token")
        else:
            collected(world, ESSEX, run_date)
    world.post(ESSEX, "reached", at("2026-09-28 22:00"), RUNS[5])
    world.read(ESSEX, "reached", RUNS[5], **NUMBERS)
    # Surrey: the run of 14 September was made up for on the 25th
    collected(world, SURREY, RUNS[0])
    world.gap(SURREY, RUNS[1], "*", "expired_token")
    world.collected(SURREY, RUNS[1], "posts", "followers_count", after=timedelta(days=11))
    world.observe(SURREY, RUNS[1], "followers_count", 9999, observed_at=at("2026-09-25 21:00"))
    late = {"published_at": at("2026-09-13 10:00"), "kind": "original", "text": "x"}
    world.add("post", SURREY, RUNS[1], at("2026-09-25 21:00"), post_id="late", **late)
    # Cumbria: refused once, read a week later
    world.post(CUMBRIA, "read-later", at("2026-09-14 22:00"), RUNS[2], RUNS[3])
    world.gap(CUMBRIA, RUNS[2], "post_media_view", "too_few_viewers", object_id="read-later")
    world.read(CUMBRIA, "read-later", RUNS[3], **NUMBERS)
    # Dorset: throttled, and collected an hour later; a post lacks its reading for a reason nobody named
    world.gap(DORSET, RUNS[4], "*", "throttled")
    world.gap(DORSET, RUNS[4], "posts", "throttled")
    world.post(DORSET, "never-read", at("2026-09-28 10:00"), RUNS[4], RUNS[5])
    # Greater Manchester: nothing of the second account since October
    for run_date in RUNS:
        if run_date < date(2026, 9, 29):
            collected(world, COMMUNITY, run_date)
        else:
            world.gap(COMMUNITY, run_date, "*", "permission")
    world.post(MANCHESTER, "seen", at("2026-10-07 10:00"), RUNS[5], RUNS[6])
    world.read(MANCHESTER, "seen", RUNS[6], **NUMBERS)
    return world


def collected(
    world: World, account_id: str, run_date: date, followers: float | None = 1000, after: timedelta = timedelta(seconds=4)
) -> None:
    """A run with its list of posts and, unless told otherwise, the count of followers."""
    world.collected(account_id, run_date, "posts", "followers_count", after=after)
    if followers is not None:
        world.observe(account_id, run_date, "followers_count", followers)


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Marts:
    home = Home(tmp_path_factory.mktemp("holes"))
    holes().write(home)
    build(home, AS_OF)
    return Marts(home)


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> Marts:
    """The same records, as of a day in the middle of them."""
    home = Home(tmp_path_factory.mktemp("early"))
    holes().write(home)
    build(home, EARLY)
    return Marts(home)


WHOLE = "value, status, coverage, gap_cause"


def test_a_month_with_a_post_that_did_not_pass_is_partial(marts: Marts) -> None:
    assert marts.month("gwent", "2026-10", "posts_published", WHOLE) == (1, "partial", 0.5, "quarantined")
    assert marts.month("gwent", "2026-10", "interactions", WHOLE) == (13, "partial", 0.5, "quarantined")
    days = marts.rows(
        "select metric_date, value, status, gap_cause from marts.fct_metric_daily "
        f"where account_id = '{GWENT}' and metric = 'posts_published' and metric_date >= date '2026-10-01' order by all"
    )
    assert days == [(date(2026, 10, 7), 1, "ok", None), (date(2026, 10, 8), None, "missing", "quarantined")]


def test_a_part_that_did_not_pass_leaves_no_interactions_and_says_why(marts: Marts) -> None:
    assert marts.month("gwent", "2026-09", "interactions", WHOLE) == (None, "missing", 0, "quarantined")
    assert marts.month("gwent", "2026-09", "views", WHOLE) == (10, "ok", 1, None)


def test_followers_that_did_not_pass_are_missing_because_of_the_gate(marts: Marts) -> None:
    assert marts.month("kent", "2026-10", "followers_end", WHOLE) == (None, "missing", 0, "quarantined")
    assert marts.month("kent", "2026-09", "followers_end", "value, status") == (1000, "ok")


def test_what_the_gate_held_back_is_in_the_ledger(marts: Marts) -> None:
    ledger = marts.rows(
        "select account_id, run_date, object_type, object_id, subject, metric, is_open from marts.gap_ledger "
        f"where cause = 'quarantined' and account_id in ('{GWENT}', '{CLEVELAND}') order by all"
    )
    assert ledger == [
        *((CLEVELAND, run_date, None, None, "*", None, True) for run_date in RUNS[5:8]),
        (GWENT, RUNS[2], "post", "no-comments", COMMENTS, "comments", True),
        *((GWENT, run_date, "post", "held", "posts", None, True) for run_date in RUNS[5:7]),
    ]


def test_days_that_no_list_has_seen_make_the_month_partial(marts: Marts) -> None:
    """1 to 12 September, and the first hour of the 13th: the window is in UTC, London an hour ahead."""
    assert marts.month("essex", "2026-09", "posts_published", WHOLE) == (1, "partial", 17 / 30, "expired_token")
    assert marts.month("essex", "2026-10", "posts_published", WHOLE) == (0, "ok", 1, None)
    assert marts.month("cleveland", "2026-10", "posts_published", WHOLE) == (0, "ok", 1, None), "a later list reached back"


def test_coverage_counts_what_was_not_seen(marts: Marts) -> None:
    assert marts.month("greater-manchester", "2026-10", "posts_published", WHOLE) == (1, "partial", 0.5, "permission")
    assert marts.month("greater-manchester", "2026-10", "interactions", WHOLE) == (13, "partial", 0.5, "permission")
    # nothing was collected of its accounts elsewhere: of all of them, one was seen throughout
    seeds = registry.current()
    its_own = [one for each in seeds.platforms for one in seeds.open_accounts(each, date(2026, 10, 31))]
    share = 1 / sum(one.force_id == "greater-manchester" for one in its_own)
    assert marts.month("greater-manchester", "2026-10", "interactions", WHOLE, "all") == (13, "partial", share, "permission")


def test_a_hole_that_was_closed_in_time_is_nobodys_cause(marts: Marts) -> None:
    assert marts.month("dorset", "2026-09", "views", WHOLE) == (None, "missing", 0, "not_collected")
    assert marts.month("cumbria", "2026-09", "views", WHOLE) == (500, "ok", 1, None)
    closed = marts.rows(f"select is_open, closed_at from marts.gap_ledger where account_id = '{CUMBRIA}'")
    assert closed == [(False, datetime(2026, 9, 28, 21, 0, 4, tzinfo=UTC))]


def test_the_national_value_says_of_how_many_forces(marts: Marts) -> None:
    columns = "national_value, national_forces_n"
    assert marts.month("gwent", "2026-10", "interactions", columns) == (13 + 13, 7)
    assert marts.month("gwent", "2026-10", "followers_end", columns) == (None, None)


def test_what_was_seen_later_is_not_known_yet(early: Marts) -> None:
    seen = early.rows(
        "select max(metric_date), max(value) from marts.fct_metric_daily union all "
        "select cast(max(first_seen_at) as date), count(*) filter (where post_id = 'late') from marts.fct_post union all "
        "select cast(max(last_seen_at) as date), count(*) filter (where not is_open) from marts.gap_ledger"
    )
    assert seen == [(date(2026, 9, 14), 1000), (date(2026, 9, 14), 0), (date(2026, 9, 14), 0)]
    assert early.month("surrey", "2026-09", "followers_end", "value, status") == (1000, "provisional")


def test_the_register_is_as_of_the_date_too(early: Marts) -> None:
    """Cornwall's page was merged after 20 September, Hampshire's renamed on the 15th."""
    ends = early.rows(
        "select force_id, valid_to, status, successor_account_id from marts.dim_account "
        "where force_id in ('devon-and-cornwall', 'hampshire') and platform = 'facebook' order by force_id, account_id, valid_from"
    )
    assert ends == [
        ("devon-and-cornwall", None, "open", None),
        ("devon-and-cornwall", None, "open", None),
        ("hampshire", date(2026, 9, 14), "renamed", None),
        ("hampshire", None, "open", None),
    ]
