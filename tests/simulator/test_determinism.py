"""Instagram, X and the open series: the same answers from every process, in any order, whichever forces are there."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from include.simulator.process import SimulatorProcess
from tests.simulator.conftest import SEED, Asking, account_id, without_secrets

USER_AGENT = "project/1.0 (https://www.example.org; contact)"
MOMENTS = [datetime(2026, 3, 29, 1, 30, tzinfo=UTC), datetime(2026, 11, 2, 21, tzinfo=UTC)]
INSTAGRAM, X, YOUTUBE = (account_id(platform, "gwent") for platform in ("instagram", "x", "youtube"))
PAGEVIEWS = "api/rest_v1/metrics/pageviews/per-article/en.wikipedia/all-access/user/Bluesky/daily/20260101/20261101"
REQUESTS = [
    (moment, *request)
    for moment in MOMENTS
    for request in (
        ("instagram", "v26.0", INSTAGRAM, {"fields": "followers_count"}),
        (
            "instagram",
            "v26.0",
            f"{INSTAGRAM}/media",
            {"fields": "id,caption,like_count,insights.metric(views,saved)", "limit": "9"},
        ),
        ("instagram", "v26.0", f"{INSTAGRAM}/insights", {"metric": "reach", "since": "2026-03-10", "until": "2026-03-20"}),
        ("x", "2", "users/by", {"usernames": "sim_gwent,nobody", "user.fields": "public_metrics"}),
        ("x", "2", f"users/{X}/tweets", {"tweet.fields": "public_metrics,created_at", "max_results": "50"}),
        ("youtube", "youtube/v3", "channels", {"part": "statistics,snippet", "id": YOUTUBE}),
        (
            "youtube",
            "youtube/v3",
            "playlistItems",
            {"part": "contentDetails", "playlistId": f"UU{YOUTUBE[2:]}", "maxResults": "50"},
        ),
        ("wikimedia", PAGEVIEWS.partition("/")[0], PAGEVIEWS.partition("/")[2], {}),
        ("mastodon", "mastodon.example", "api/v1/instance/activity", {}),
    )
]


def answers(order: list[int], forces: tuple[str, ...]) -> dict[int, str]:
    found = {}
    with SimulatorProcess(SEED, forces=forces) as simulator:
        asking = {platform: Asking(simulator, platform) for platform in ("instagram", "x", "youtube", "wikimedia", "mastodon")}
        for place in order:
            moment, platform, version, path, parameters = REQUESTS[place]
            simulator.set_clock(moment)
            asking[platform].session.headers["User-Agent"] = USER_AGENT
            force = "gwent" if platform in ("instagram", "x", "youtube") else None
            answer = asking[platform].get(path, force, version, **parameters)
            assert answer.status_code == 200, answer.text
            text = answer.text
            for token in simulator.tokens(platform).values():
                text = text.replace(token, "TOKEN")
            found[place] = without_secrets(simulator, text) if text.startswith("{") else text
    return found


def test_two_processes_say_the_same_in_any_order_and_with_any_forces() -> None:
    order = list(range(len(REQUESTS)))
    shuffled = random.Random(1).sample(order, len(order))
    first, second = answers(order, ("gwent",)), answers(shuffled, ("kent", "gwent", "metropolitan"))
    assert first == second
    assert len(set(first.values())) == len(REQUESTS)
