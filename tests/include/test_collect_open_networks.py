"""Bluesky and Mastodon through the whole collection of a day, from the simulator: nobody of the public is in anything written."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest

from extractors.base import Access, PermissionMissing
from include.collect import collect_force, plan
from include.credentials import access
from include.pseudonyms import pseudonym
from include.run import simulated_connections
from include.settings import Home, run_instant
from include.simulator.defects import Defect
from include.simulator.process import SimulatorProcess
from include.simulator.response_truth import response_truth

RUN_DATE = date(2026, 11, 2)
FORCES = ("gwent", "kent")
CITIZENS = ("citizen", "simcit", "simlast", "planted", "07700 900")
"""How every name, id, address and text of a simulated member of the public begins."""

DEFECTS = [
    *(Defect("unknown_account_post", "gwent", RUN_DATE, RUN_DATE, platform=platform) for platform in ("bluesky", "mastodon")),
    Defect("posts_permission_lost", "kent", RUN_DATE, RUN_DATE, platform="mastodon"),
]


@pytest.fixture(scope="module", params=["bluesky", "mastodon"])
def collected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Home]]:
    home = Home(tmp_path_factory.mktemp(request.param) / "var")
    with (
        SimulatorProcess(7, forces=FORCES, defects=DEFECTS, clock=run_instant(RUN_DATE)) as simulator,
        patch.dict(os.environ, simulated_connections(simulator)),
    ):
        plan(request.param, RUN_DATE, FORCES, home)
        collect_force(request.param, "gwent", RUN_DATE, home)
        if request.param == "mastodon":
            with pytest.raises(PermissionMissing):
                collect_force(request.param, "kent", RUN_DATE, home)
        yield request.param, home


def landed(home: Home) -> str:
    return "\n".join(gzip.decompress(path.read_bytes()).decode() for path in home.landing.rglob("*.jsonl.gz"))


def rows(home: Home, kind: str) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in home.records.rglob(f"{kind}.parquet")])


def test_nobody_of_the_public_is_landed_or_recorded(collected: tuple[str, Home]) -> None:
    """Not by the posts that the account answers, quotes, mentions or repeats, nor by one that a defect puts among its own."""
    platform, home = collected
    kinds = rows(home, "post")["kind"].value_counts()
    assert (kinds[["original", "reply", "repost"]] > 0).all(), "there were people to be found"
    kept = ("post", "account", "observation", "collection", *(("message",) if platform == "bluesky" else ()))
    records = [rows(home, kind).to_csv() for kind in kept]
    text = "\n".join([landed(home), *records]).lower()
    assert not [word for word in CITIZENS if word in text], platform


def test_the_messages_of_bluesky_are_those_of_the_simulated_public(collected: tuple[str, Home]) -> None:
    """Every mention that was there, by key, time and what it wants; every answer of a person to one of them."""
    platform, home = collected
    if platform != "bluesky":
        pytest.skip("Mastodon tells nobody's mentions without the account's own token")
    truth = response_truth(7, RUN_DATE, [run_instant(RUN_DATE)], forces=["gwent"], platform="bluesky")
    messages = rows(home, "message")
    inbound = messages[messages["direction"] == "inbound"].set_index("message_key")
    truth["message_key"] = [pseudonym(f"message bluesky {each}") for each in truth["message_id"]]
    true = truth.set_index("message_key")
    assert set(inbound.index) == set(true.index)
    assert len(true) > 5
    assert true["wants_answer"].to_dict() == inbound["wants_answer"].to_dict()
    assert true["sent_at"].to_dict() == inbound["created_at"].to_dict()
    answers = messages[(messages["direction"] == "outbound") & (messages["is_automatic"] == False)]  # noqa: E712
    first = answers.dropna(subset=["reply_to_key"]).groupby("reply_to_key")["created_at"].min()
    # to the message itself; what follows a follow-up the marts find
    assert all(first[key] == true["first_reply_at"][key] for key in first.index)
    assert len(first) > 2
    assert set(true["first_reply_at"].dropna().index) >= set(first.index)
    assert rows(home, "collection").set_index("subject")["outcome"]["messages"] == "collected"


def test_without_a_token_the_mentions_are_a_gap_and_all_else_is_there(tmp_path: Path) -> None:
    home = Home(tmp_path / "var")
    with SimulatorProcess(7, forces=("gwent",), clock=run_instant(RUN_DATE)) as simulator:
        with patch.dict(os.environ, simulated_connections(simulator)):
            asked = access("bluesky").base_url
        collect_force("bluesky", "gwent", RUN_DATE, home, Access(asked))
    outcomes = rows(home, "collection")
    gaps = outcomes[outcomes["outcome"] == "gap"]
    assert list(zip(gaps["subject"], gaps["cause"], strict=True)) == [("messages", "permission")]
    assert set(rows(home, "message")["direction"]) == {"outbound"}
    assert rows(home, "message")["reply_to_key"].isna().all()


def test_what_was_asked_of_each_server_is_told(collected: tuple[str, Home]) -> None:
    platform, home = collected
    if platform != "mastodon":
        pytest.skip("one host for all")
    outcomes = rows(home, "collection").set_index(["force_id", "subject"])["outcome"]
    assert outcomes["gwent", "posts"] == "collected"
    assert outcomes["kent", "posts"] == "gap"
    assert outcomes["kent", "followers_count"] == "collected"


def test_the_token_of_a_connection_reaches_its_own_host_alone(tmp_path: Path) -> None:
    """An account on another server than the connection's is asked without it."""
    from extractors.base import Secret
    from tests.extractors.loopback import Reply, serving

    with serving(lambda asked: Reply({"error": "Record not found"}, 404)) as own, serving(lambda asked: []) as other:
        from extractors.mastodon import Mastodon

        with patch.object(Mastodon, "base_url", lambda self, account, connection: other.base_url):
            collect_force("mastodon", "gwent", RUN_DATE, Home(tmp_path / "var"), Access(own.base_url, Secret("planted0123456789")))
    assert other.asked
    assert not own.asked
    assert all("authorization" not in one.headers for one in other.asked)
