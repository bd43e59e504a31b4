"""Faults of the wire: each kind as a client sees it, at the request it was planted for and no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from include.simulator.faults import FAULTS, META_ONLY, SLOW_SECONDS, Fault
from include.simulator.process import SimulatorFailed, SimulatorProcess
from tests.simulator.conftest import GWENT, Asking


@pytest.fixture(autouse=True)
def no_faults_afterwards(simulator: SimulatorProcess) -> Iterator[None]:
    yield
    simulator.plant_faults([])


def test_a_fault_meets_the_request_that_it_was_planted_for_and_says_so(simulator: SimulatorProcess) -> None:
    facebook = Asking(simulator)
    simulator.plant_faults([Fault("server_error", "facebook", 2, 2), Fault("throttled", "x", 1)])
    assert [facebook.get(GWENT).status_code for _ in range(4)] == [200, 500, 500, 200]
    assert simulator.faults() == {
        "asked": {"facebook": 4},
        "fired": [{"platform": "facebook", "kind": "server_error", "count": 2}],
    }


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_every_kind_spoils_an_answer_in_its_own_way(simulator: SimulatorProcess, kind: str) -> None:
    facebook = Asking(simulator)
    whole = facebook.get(GWENT)
    simulator.plant_faults([Fault(kind, "facebook", 1)])
    seen: str
    try:
        answer = facebook.get(GWENT) if kind != "slow" else facebook.session.get(
            f"{simulator.base_url('facebook')}/v26.0/{GWENT}", timeout=SLOW_SECONDS / 2
        )  # fmt: skip
        same = answer.content == whole.content
        seen = f"{answer.status_code} {'whole' if same else 'other'} {'dated' if 'date' in answer.headers else 'undated'}"
        if kind == "truncated":
            assert whole.content.startswith(answer.content)
            assert len(answer.content) == len(whole.content) // 2
    except requests.RequestException as error:
        seen = type(error).__name__
    expected = {
        "slow": "ReadTimeout", "reset": "ConnectionError", "broken_off": "ChunkedEncodingError", "no_date": "200 whole undated",
        "redirect": "200 whole dated", "server_error": "500 other dated", "bad_gateway": "502 other dated",
        "throttled": "429 other dated", "throttled_silently": "429 other dated", "transient": "500 other dated",
        "too_much": "500 other dated", "revoked": "401 other dated", "truncated": "200 other dated", "html_page": "200 other dated",
        "empty": "200 other dated",
    }  # fmt: skip
    assert seen == expected[kind]
    assert [each["kind"] for each in simulator.faults()["fired"]] == [kind]
    assert facebook.get(GWENT).content == whole.content, "the next request is well again"


def test_what_is_no_fault_is_refused(simulator: SimulatorProcess) -> None:
    with pytest.raises(ValueError, match="unknown kind of fault 'earthquake'"):
        Fault("earthquake", "x", 1)
    for kind in META_ONLY:
        with pytest.raises(ValueError, match="an error of Meta's, not of 'x'"):
            Fault(kind, "x", 1)
    with pytest.raises(SimulatorFailed, match="unknown kind of fault"):
        simulator._order("PUT", "faults", [{"kind": "earthquake", "platform": "x", "first": 1}])
