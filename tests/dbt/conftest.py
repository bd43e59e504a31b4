"""Two worlds, built once: an autumn with holes, a merger and late runs; and one that spans both breaks of the platform's series."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.settings import Home
from tests.dbt.world import Marts, World, at, build

AS_OF = date(2026, 11, 2)
GWENT, DEVON, CORNWALL = "100000016000048", "100000009000027", "100000009000028"
CITY, HAMPSHIRE, CLEVELAND = "100000005000015", "100000017000051", "100000006000018"
ACCOUNTS = {
    GWENT: "gwent",
    DEVON: "devon-and-cornwall",
    CORNWALL: "devon-and-cornwall",
    CITY: "city-of-london",
    HAMPSHIRE: "hampshire",
    CLEVELAND: "cleveland",
}
RUNS = [date(2026, 9, 7) + timedelta(weeks=week) for week in range(9)]
BREAKS_AS_OF = date(2026, 7, 6)


def autumn() -> World:
    """Weekly runs from 7 September to 2 November 2026."""
    world = World(ACCOUNTS)
    _gwent(world)
    _devon_and_cornwall(world)
    # the City: everything collected, never a post
    world.plan(CITY, *RUNS)
    for run_date in RUNS:
        world.collected(CITY, run_date, "posts", "followers_count")
        world.observe(CITY, run_date, "followers_count", 900)
    # Hampshire: renamed on 15 September, its token expired all the time
    world.plan(HAMPSHIRE, *RUNS)
    for run_date in RUNS:
        world.gap(HAMPSHIRE, run_date, "*", "expired_token")
    # Cleveland: one run, stopped at the gate as a whole
    world.plan(CLEVELAND, RUNS[-1])
    world.collected(CLEVELAND, RUNS[-1], "posts", "followers_count")
    world.conserved(CLEVELAND, RUNS[-1], "post", is_stopped=True, landed=8, quarantined=8)
    # a run after the as-of date is not seen
    world.plan(GWENT, date(2026, 11, 9))
    world.observe(GWENT, date(2026, 11, 9), "followers_count", 9999)
    return world


def _gwent(world: World) -> None:
    followers = {"09-07": 1000, "09-14": 1100, "09-28": 1200, "10-12": 1400, "10-26": 1500, "11-02": 1600}
    world.plan(GWENT, *RUNS)
    for run_date in RUNS:
        world.collected(GWENT, run_date, "posts")
    for day, count in followers.items():
        run_date = date.fromisoformat(f"2026-{day}")
        world.observe(GWENT, run_date, "followers_count", count)
        world.observe(GWENT, run_date, "fan_count", count - 10)
        world.collected(GWENT, run_date, "followers_count")
    world.gap(GWENT, date(2026, 9, 21), "followers_count", "throttled")
    world.gap(GWENT, date(2026, 10, 19), "followers_count", "not_reported")
    # the run of 5 October came two days late: its count is of the 7th
    world.observe(GWENT, date(2026, 10, 5), "followers_count", 1300, observed_at=at("2026-10-07 09:00"))
    world.collected(GWENT, date(2026, 10, 5), "followers_count", after=timedelta(hours=36))

    # read at 13.5 days; the reading before it was too early, the one after too late
    world.post(GWENT, "g-september", at("2026-09-08 10:00"), *RUNS[1:4])
    world.read(GWENT, "g-september", RUNS[1], reactions=9, comments=1, shares=0, views=300)
    world.read(GWENT, "g-september", RUNS[2], reactions=10, comments=2, shares=1, views=500, views_paid=70, reach_since=400)
    world.read(GWENT, "g-september", RUNS[3], reactions=30, comments=4, shares=2, views=900, reach_since=700)
    # the shares never came
    world.post(GWENT, "g-no-shares", at("2026-09-09 10:00"), RUNS[1], RUNS[2])
    world.read(GWENT, "g-no-shares", RUNS[2], reactions=8, comments=1, views=100)
    # half past eleven at night UTC: in summer already the next month in London
    world.post(GWENT, "g-summer-midnight", at("2026-09-30 23:30"), RUNS[4], RUNS[5])
    world.read(GWENT, "g-summer-midnight", RUNS[5], reactions=20, comments=3, shares=0)
    world.gap(GWENT, RUNS[5], "post_media_view", "too_few_viewers", object_id="g-summer-midnight")
    # and in winter still the old month; two days old on the as-of date
    world.post(GWENT, "g-winter-midnight", at("2026-10-31 23:30"), RUNS[8])
    world.read(GWENT, "g-winter-midnight", RUNS[8], reactions=5, comments=1, shares=1, views=70)
    # seen young, never in the span
    world.post(GWENT, "g-missed", at("2026-10-01 12:00"), RUNS[4])
    world.read(GWENT, "g-missed", RUNS[4], reactions=4, comments=0, shares=0, views=40)
    # another's post, passed on; its text changed between two sightings
    world.post(GWENT, "g-repost", at("2026-10-10 10:00"), RUNS[5], kind="repost", text=None)
    world.post(GWENT, "g-repost", at("2026-10-10 10:00"), RUNS[6], kind="repost", text=None, permalink="https://example.org/new")
    world.read(GWENT, "g-repost", RUNS[6], reactions=1000, comments=1000, shares=1000, views=100000)

    # 31 October ends at 07:00 UTC of 1 November in California; inside the 48 hours a 0 says nothing yet
    world.day(GWENT, date(2026, 11, 2), "page_media_view", date(2026, 10, 31), 0, paid="0")
    # settled at 300, later 310: revised
    world.day(GWENT, date(2026, 10, 26), "page_media_view", date(2026, 10, 20), 300, paid="0")
    world.day(GWENT, date(2026, 11, 2), "page_media_view", date(2026, 10, 20), 310, paid="0")
    # first seen inside the lag: filling up is no revision
    world.day(GWENT, date(2026, 10, 26), "page_media_view", date(2026, 10, 24), 5, paid="0")
    world.day(GWENT, date(2026, 11, 2), "page_media_view", date(2026, 10, 24), 50, paid="0")
    world.day(GWENT, date(2026, 11, 2), "page_media_view", date(2026, 10, 24), 7, paid="1")
    world.conserved(GWENT, RUNS[8], "observation", landed=10, derived_zero=1, accepted=9, quarantined=1, dropped_duplicate=1)
    world.conserved(GWENT, RUNS[8], "post", landed=3, accepted=2, dropped_outside_window=1)


def _devon_and_cornwall(world: World) -> None:
    """Cornwall's page was merged into Devon's after 20 September."""
    world.plan(DEVON, *RUNS)
    world.plan(CORNWALL, *RUNS[:2])
    for run_date in RUNS[:2]:
        world.collected(CORNWALL, run_date, "posts", "followers_count")
        world.observe(CORNWALL, run_date, "followers_count", 700)
    for run_date in RUNS[:8]:
        world.observe(DEVON, run_date, "followers_count", 5000 if run_date < date(2026, 9, 20) else 5700)
        if run_date != RUNS[7]:
            world.collected(DEVON, run_date, "posts", "followers_count")
    # 26 October: throttled at first, collected an hour later; nothing at all happened on 2 November
    world.gap(DEVON, RUNS[7], "*", "throttled")
    world.gap(DEVON, RUNS[7], "posts", "throttled")
    world.collected(DEVON, RUNS[7], "posts", "followers_count", after=timedelta(hours=1))
    world.post(DEVON, "d-october", at("2026-10-10 10:00"), RUNS[6])
    world.read(DEVON, "d-october", RUNS[6], reactions=100, comments=10, shares=5, views=3000)


def breaks() -> World:
    """Weekly runs from 20 October 2025 to 6 July 2026, over 2025-11-15 and 2026-06-15."""
    world = World({GWENT: "gwent"})
    runs = [date(2025, 10, 20) + timedelta(weeks=week) for week in range(38)]
    world.plan(GWENT, *runs)
    for run_date in runs:
        world.collected(GWENT, run_date, "posts", "followers_count")
        world.observe(GWENT, run_date, "followers_count", 2000)
    # read before the first break; seen again after it
    world.post(GWENT, "b-impressions", at("2025-11-02 10:00"), runs[2], runs[4])
    world.read(GWENT, "b-impressions", date(2025, 11, 10), reactions=1, comments=1, shares=1, impressions=800, reach_before=600)
    world.read(GWENT, "b-impressions", date(2025, 11, 17), views=950)
    # read after it
    world.post(GWENT, "b-views", at("2025-11-05 10:00"), runs[3], runs[4])
    world.read(GWENT, "b-views", date(2025, 11, 10), impressions=90)
    world.read(GWENT, "b-views", date(2025, 11, 17), reactions=2, comments=2, shares=2, views=120, reach_before=100)
    # the same over the second break, for reach
    world.post(GWENT, "b-reach-before", at("2026-05-30 10:00"), runs[33])
    world.read(GWENT, "b-reach-before", date(2026, 6, 8), reactions=1, comments=0, shares=0, views=60, reach_before=50)
    world.read(GWENT, "b-reach-before", date(2026, 6, 15), reach_since=75)
    world.post(GWENT, "b-reach-since", at("2026-06-02 10:00"), runs[33])
    world.read(GWENT, "b-reach-since", date(2026, 6, 8), reach_before=20)
    world.read(GWENT, "b-reach-since", date(2026, 6, 15), reactions=1, comments=0, shares=0, views=80, reach_since=30)
    # a name asked after its end counts for nothing
    world.read(GWENT, "b-reach-since", date(2026, 6, 16), reach_before=999)
    for day in (13, 14):
        world.day(GWENT, date(2026, 6, 14), "page_impressions_unique", date(2026, 6, day), 40 + day)
    for day in (14, 15, 16):
        world.day(GWENT, date(2026, 6, 22), "page_total_media_view_unique", date(2026, 6, day), 60 + day)
    return world


@pytest.fixture(scope="session")
def autumn_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("autumn"))
    autumn().write(home)
    build(home, AS_OF)
    return home


@pytest.fixture(scope="session")
def autumn_marts(autumn_home: Home) -> Marts:
    return Marts(autumn_home)


@pytest.fixture(scope="session")
def breaks_marts(tmp_path_factory: pytest.TempPathFactory) -> Marts:
    home = Home(tmp_path_factory.mktemp("breaks"))
    breaks().write(home)
    build(home, BREAKS_AS_OF)
    return Marts(home)
