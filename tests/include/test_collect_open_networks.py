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

from extractors.base import PermissionMissing
from include.collect import collect_force, plan
from include.run import simulated_connections
from include.settings import Home, run_instant
from include.simulator.defects import Defect
from include.simulator.process import SimulatorProcess

RUN_DATE = date(2026, 11, 2)
FORCES = ("gwent", "kent")
CITIZENS = ("citizen", "simlast", "planted")
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
    records = [rows(home, kind).to_csv() for kind in ("post", "account", "observation", "collection")]
    text = "\n".join([landed(home), *records]).lower()
    assert not [word for word in CITIZENS if word in text], platform


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
    from extractors.base import Access, Secret
    from tests.extractors.loopback import Reply, serving

    with serving(lambda asked: Reply({"error": "Record not found"}, 404)) as own, serving(lambda asked: []) as other:
        from extractors.mastodon import Mastodon

        with patch.object(Mastodon, "base_url", lambda self, account, connection: other.base_url):
            collect_force("mastodon", "gwent", RUN_DATE, Home(tmp_path / "var"), Access(own.base_url, Secret("planted0123456789")))
    assert other.asked
    assert not own.asked
    assert all("authorization" not in one.headers for one in other.asked)
