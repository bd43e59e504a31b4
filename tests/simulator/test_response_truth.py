"""What is true of contacts in the simulated world where a force takes away a post."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from extractors.contacts import AT_ONCE_SECONDS
from include.settings import run_instant
from include.simulator.contacts_world import Conversations, under_post
from include.simulator.defects import Defect, removed_post
from include.simulator.readings import PLATFORMS
from include.simulator.register import SEEDS, read_register
from include.simulator.response_truth import response_truth

AS_OF = date(2026, 11, 2)
REMOVED_ON = AS_OF - timedelta(days=2)
INSTANTS = [run_instant(AS_OF - timedelta(days=days)) for days in range(9, -1, -1)]


@pytest.mark.parametrize("platform", ["facebook", "instagram"])
def test_what_was_said_under_a_post_goes_with_it(platform: str) -> None:
    """It was seen for days, and is deleted upstream as soon as its post is: nothing else of the account is touched."""
    world = PLATFORMS[platform].world(7, read_register(SEEDS, None))
    defects = [
        Defect("removed_post", force_id, REMOVED_ON, AS_OF, {"age_days": 6}, platform)
        for force_id in sorted({account.force_id for account in world.accounts.values()})
    ]
    before, after = (
        response_truth(7, AS_OF, INSTANTS, planted, platform=platform).set_index("message_id") for planted in ([], defects)
    )
    gone = before.drop(after.index)
    assert set(after.index) < set(before.index)
    assert after.equals(before.loc[after.index])
    said = {
        one.message_id
        for defect in defects
        for account in world.accounts.values()
        if account.force_id == defect.force_id and (post := removed_post(world, account, defect)) is not None
        for one in under_post(7, platform, post, account.handle(AS_OF))[0]
    }
    assert set(gone.index) <= said
    assert len(gone) > 5


@pytest.mark.parametrize("platform", ["x", "bluesky"])
def test_a_mention_stands_without_the_post_that_it_answers(platform: str) -> None:
    defects = [Defect("removed_post", "kent", REMOVED_ON, AS_OF, {"age_days": 6}, platform)]
    before, after = (response_truth(7, AS_OF, INSTANTS, each, forces=["kent"], platform=platform) for each in ([], defects))
    assert len(after) > 5
    assert after.equals(before)


def test_no_person_answers_as_fast_as_a_machine() -> None:
    """By himself or after a machine's answer: the rule takes the same words within a minute for a machine's."""
    rng = np.random.default_rng(17)
    after_machines = 0
    for _ in range(60):
        times = sorted(int(at) for at in 1_793_000_000 + rng.integers(0, 3600, 60))  # many replies in an hour: some seconds apart
        conversations = Conversations(rng, "1", "sim", lambda instant, person, number: f"{instant}{person.number}{number}")
        turns = conversations.answered(times, ())
        by_people = [at - turn.answers.sent_at for at, turn in zip(times, turns, strict=True) if not turn.is_automatic]
        assert min(by_people) > AT_ONCE_SECONDS
        after_machines += sum(1 for turn in turns if not turn.is_automatic and not turn.messages)
    assert after_machines > 20
