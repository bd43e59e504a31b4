"""The world is the same in every process, whatever was asked before, and looks as it should."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from include.simulator.process import SimulatorProcess
from include.simulator.register import SEEDS, read_register
from include.simulator.times import DAY, LONDON, from_instant, london_date, to_instant
from include.simulator.world import PLATEAU, World
from tests.simulator.conftest import CITY, FORCES, GWENT, SEED, Asking, without_secrets

START, END = to_instant(datetime(2026, 8, 1, tzinfo=UTC)), to_instant(datetime(2026, 11, 2, 21, tzinfo=UTC))
MOMENTS = [datetime(2025, 11, 14, 21, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 11, 2, 21, tzinfo=UTC)]
FIELDS = "id,message,created_time,shares,reactions.limit(0).summary(true),comments.limit(0).summary(true)"
REQUESTS = [
    (moment, force, path, parameters)
    for moment in MOMENTS
    for force, page in (("gwent", GWENT), ("city-of-london", CITY), ("kent", "100000020000061"))
    for path, parameters in (
        (page, {"fields": "name,followers_count,fan_count"}),
        (f"{page}/published_posts", {"fields": FIELDS, "limit": 13}),
        (f"{page}/insights", {"metric": "page_media_view", "breakdown": "is_from_ads", "period": "day"}),
        (f"{page}/insights", {"metric": "page_follows,page_impressions_unique"}),
    )
]


def answers(order: list[int]) -> dict[int, tuple[int, str]]:
    with SimulatorProcess(SEED, forces=FORCES) as simulator:
        asking = Asking(simulator)
        found = {}
        for place in order:
            moment, force, path, parameters = REQUESTS[place]
            simulator.set_clock(moment)
            answer = asking.get(path, force, **parameters)
            found[place] = (answer.status_code, without_secrets(simulator, answer.text))
        return found


def test_two_processes_say_the_same_in_any_order() -> None:
    order = list(range(len(REQUESTS)))
    shuffled = random.Random(1).sample(order, len(order))
    first, second = answers(order), answers(shuffled)
    assert first == second
    assert {status for status, _ in first.values()} == {200, 400}  # before the break, and a closed page


def test_forces_left_out_change_nothing_for_the_others() -> None:
    small, whole = World(SEED, read_register(SEEDS, ("gwent",))), World(SEED, read_register())
    page = whole.register.pages[GWENT]
    assert small.posts(page, START, END) == whole.posts(page, START, END) != []
    assert small.followers(page, date(2026, 5, 1)) == whole.followers(page, date(2026, 5, 1))
    assert small.page_day(page, date(2026, 5, 1)) == whole.page_day(page, date(2026, 5, 1))


def test_another_seed_is_another_world() -> None:
    register = read_register()
    page = register.pages[GWENT]
    one, other = World(1, register), World(2, register)
    assert one.posts(page, START, END) != other.posts(page, START, END)
    assert one.followers(page, date(2026, 5, 1)) != other.followers(page, date(2026, 5, 1))


def test_the_world_has_no_end() -> None:
    world = World(SEED, read_register())
    page = world.register.pages[GWENT]
    begin = to_instant(datetime(2044, 2, 1, tzinfo=UTC))
    assert len(world.posts(page, begin, begin + 28 * DAY)) > 5
    assert world.followers(page, date(2044, 2, 29)) > 0


@pytest.fixture(scope="module")
def world() -> World:
    return World(SEED, read_register())


def test_posts_stand_in_order_within_their_pages_life(world: World) -> None:
    for page in world.register.pages.values():
        posts = world.posts(page, START, END)
        assert [post.published_at for post in posts] == sorted(post.published_at for post in posts)
        assert list(world.posts_backwards(page, START, END)) == posts[::-1]
        assert all(START <= post.published_at <= END and page.is_open(london_date(post.published_at)) for post in posts)
        assert len({post.post_id for post in posts}) == len(posts)
        assert all(world.post(post.post_id) is post for post in posts)
    assert world.posts(world.register.pages["100000020000061"], START, END) == []


@pytest.mark.parametrize(
    "post_id", ["", "x", f"{GWENT}_", f"{GWENT}_1", f"{GWENT}_122000000861999", "1_122000000861000", f"{GWENT}_{'9' * 30}"]
)
def test_no_post_of_a_wrong_id(world: World, post_id: str) -> None:
    assert world.post(post_id) is None


def test_big_forces_post_more_and_mostly_by_day(world: World) -> None:
    weeks = (END - START) / (7 * DAY)
    rates = {page.force_id: len(world.posts(page, START, END)) / weeks for page in world.register.pages.values() if page.is_main}
    assert min(rates.values()) > 2
    assert max(rates.values()) < 16
    assert rates["metropolitan"] > 2 * rates["city-of-london"]
    everything = [post for page in world.register.pages.values() for post in world.posts(page, START, END)]
    hours = [from_instant(post.published_at).astimezone(LONDON).hour for post in everything]
    assert 0.93 < sum(7 <= hour < 22 for hour in hours) / len(hours) < 0.995
    assert 0.05 < sum(not post.is_original for post in everything) / len(everything) < 0.14
    assert 0.02 < sum(post.message is None for post in everything) / len(everything) < 0.12
    assert {post.category for post in everything} == set(world.register.categories)
    assert 0 < sum(post.final.paid_views > 0 for post in everything) / len(everything) < 0.1


def test_counts_never_fall_and_stop_at_the_plateau(world: World) -> None:
    post = world.posts(world.register.pages[GWENT], START, END)[0]
    ages = [0, 3600, DAY, 2 * DAY, 7 * DAY, 14 * DAY, PLATEAU - 1, PLATEAU, 4 * PLATEAU]
    seen = [post.at(post.published_at + age) for age in ages]
    for name in ("reactions", "comments", "shares", "organic_views", "paid_views", "reach", "organic_impressions"):
        values = [getattr(counts, name) for counts in seen]
        assert values == sorted(values)
    assert seen[-1] == seen[-2] == post.final
    assert post.at(post.published_at - 1).organic_views == 0


def test_followers_are_of_the_size_of_the_force_and_steady(world: World) -> None:
    today = date(2026, 11, 2)
    sizes = {page.force_id: world.followers(page, today) for page in world.register.pages.values() if page.is_main}
    assert sizes["metropolitan"] > sizes["gwent"] > sizes["city-of-london"] > 1000
    page = world.register.pages[GWENT]
    path = [world.followers(page, today - timedelta(days=back)) for back in range(400)]
    assert len(set(path)) > 300
    assert all(abs(a / b - 1) < 0.005 for a, b in pairwise(path))


def test_a_days_total_holds_at_least_what_its_posts_gained(world: World) -> None:
    """Independent of the world's own sum: post by post, from midnight to midnight in Los Angeles."""
    page, begin = world.register.pages[GWENT], to_instant(datetime(2026, 9, 2, 7, tzinfo=UTC))
    gained = sum(
        post.at(begin + DAY).organic_views - post.at(begin).organic_views
        for post in world.posts(page, begin - PLATEAU, begin + DAY)
    )
    total = world.page_day(page, date(2026, 9, 2))
    visits = world.followers(page, date(2026, 9, 1)) * 0.01
    assert gained + 0.2 * visits < total.organic_views < gained + 4 * visits
    assert 0 < total.reach < total.organic_views + total.paid_views


def test_the_simulator_shares_no_code_with_the_pipeline() -> None:
    """Were a parsing rule shared, both sides would agree in their mistakes."""
    project = Path(__file__).resolve().parents[2]
    code = (
        "import sys, include.simulator.__main__, include.simulator.process, include.simulator.truth, include.simulator.survey\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('extractors', 'expectations', 'dags')"
        " or (name.startswith('include.') and not name.startswith('include.simulator'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    for path in (project / "include" / "simulator").glob("*.py"):
        imported = re.findall(
            r"^\s*(?:from|import) ((?:include|extractors|expectations|dags)[\w.]*)", path.read_text("utf-8"), re.M
        )
        assert [name for name in imported if not name.startswith("include.simulator")] == [], path
    for folder in ("extractors", "expectations"):
        for path in (project / folder).rglob("*.py"):
            assert "include.simulator" not in path.read_text("utf-8"), f"{path} knows the simulator"


def test_the_process_wants_a_secret_and_ends_with_its_parent() -> None:
    project = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "include.simulator", "--seed", "1", "--forces", "gwent"]
    without = subprocess.run(command, cwd=project, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert without.returncode == 2
    assert "SIMULATOR_SECRET is not set" in without.stderr
    with subprocess.Popen(
        command, cwd=project, env={"SIMULATOR_SECRET": "s3cr3t"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert json.loads(process.stdout.readline())["port"] > 0
        process.stdin.close()
        assert process.wait(20) == 0


def test_tokens_are_new_in_every_process_and_in_the_connection() -> None:
    with SimulatorProcess(SEED, forces=("gwent",)) as one, SimulatorProcess(SEED, forces=("gwent",)) as other:
        assert one.tokens("facebook").keys() == {"gwent"}
        assert one.tokens("facebook") != other.tokens("facebook")
        connection = json.loads(one.connection_json("facebook"))
        assert connection == {"conn_type": "http", "host": one.base_url("facebook"), "extra": {"tokens": one.tokens("facebook")}}


def test_an_unknown_force_is_named() -> None:
    with pytest.raises(KeyError, match=r"no such force .* atlantis"):
        SimulatorProcess(SEED, forces=("gwent", "atlantis"))
