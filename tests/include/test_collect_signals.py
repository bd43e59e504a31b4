"""Collection of open signals: landing, records and ledger of one source over real servers, and where it asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from extractors.base import Throttled
from include import credentials, registry
from include.collect import collect_force, collect_signals
from include.record_folder import Collected
from include.settings import Home
from tests.extractors.loopback import Asked, Loopback, Reply, serving

RUN_DATE = date(2026, 11, 2)
GONE = Reply({"detail": "no data", "status": 404}, 404)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "var")


def wikimedia(asked: Asked) -> Any:
    return {"items": [{"timestamp": "2026110100", "views": 12}]}


def mastodon(asked: Asked) -> Any:
    return [{"week": "1761512400", "statuses": "9", "logins": "5", "registrations": "1"}]


def run(home: Home, script: Callable[[Asked], Any], source: str = "signals_wikimedia") -> tuple[Collected, Loopback]:
    with serving(script) as server:
        return collect_signals(source, RUN_DATE, home, server.base_url, sleep=lambda _: None), server


def ledger(home: Home, source: str = "signals_wikimedia") -> list[dict[str, Any]]:
    (path,) = (home.records / source / RUN_DATE.isoformat() / "signals").glob("*/collection.parquet")
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def test_every_watched_series_is_landed_and_recorded_as_one_batch(home: Home) -> None:
    collected, server = run(home, wikimedia)
    watched = registry.current().watched_series("signals_wikimedia")
    assert len(server.asked) == len(watched) == collected.requests > 3
    assert collected.batch == "signals"
    assert collected.rows == {"signal": len(watched)}
    manifest = json.loads((collected.records / "manifest.json").read_text())
    assert (manifest["landed"], manifest["platform"], manifest["gaps"]) == ({"signal": len(watched)}, None, 0)
    rows = pq.read_table(collected.records / "signal.parquet").to_pylist()
    assert {(row["channel"], row["series"]) for row in rows} == {(each.channel, each.series) for each in watched}
    assert {(row["platform"], row["force_id"], row["is_simulated"]) for row in rows} == {(None, None, True)}
    assert [(row["subject"], row["outcome"], row["account_id"]) for row in ledger(home)] == [
        (each.subject, "collected", None) for each in watched
    ]


def test_the_same_answers_change_nothing(home: Home) -> None:
    assert run(home, wikimedia)[0].ingest_id == run(home, wikimedia)[0].ingest_id


def test_every_server_is_asked_once_at_its_own_address(home: Home) -> None:
    _, server = run(home, mastodon, "signals_mastodon")
    hosts = {each.asked_as.partition("/")[0] for each in registry.current().watched_series("signals_mastodon")}
    assert sorted(one.path for one in server.asked) == sorted(f"/{host}/api/v1/instance/activity" for host in hosts)


def test_a_series_that_is_gone_is_in_the_ledger_and_fails_nothing(home: Home) -> None:
    run(home, lambda asked: GONE if "Bluesky" in asked.path else wikimedia(asked))
    gaps = {row["subject"]: row["cause"] for row in ledger(home) if row["outcome"] == "gap"}
    assert gaps == {"bluesky/wikipedia_views": "not_reported"}


def test_a_server_that_has_switched_its_activity_off_turns_no_run_red(home: Home) -> None:
    _, server = run(home, lambda _: Reply(b"", 404), "signals_mastodon")
    assert {row["cause"] for row in ledger(home, "signals_mastodon")} == {"retired_metric"}
    hosts = {each.asked_as.partition("/")[0] for each in registry.current().watched_series("signals_mastodon")}
    assert len(server.asked) == len(hosts)


def test_a_throttle_fails_the_run_after_all_that_could_be_had_is_recorded(home: Home) -> None:
    def script(asked: Asked) -> Any:
        return Reply(b"slow down", 429, {"Content-Type": "text/plain"}) if "Bluesky" in asked.path else wikimedia(asked)

    with pytest.raises(Throttled, match="bluesky/wikipedia_views"):
        run(home, script)
    outcomes = {row["subject"]: row["cause"] or row["outcome"] for row in ledger(home)}
    assert outcomes.pop("bluesky/wikipedia_views") == "throttled"
    assert set(outcomes.values()) == {"collected"}


def test_whom_to_ask_about_us_is_in_every_request(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHT_CONTACT", "https://insight.example")
    _, server = run(home, wikimedia)
    assert {one.headers["user-agent"] for one in server.asked} == {"police-social-insight/0.1 (+https://insight.example)"}


def test_a_connection_gives_another_host(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(wikimedia) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SIGNALS_WIKIMEDIA", json.dumps({"conn_type": "http", "host": server.base_url}))
        assert credentials.other_host("signals_wikimedia") == server.base_url
        collect_signals("signals_wikimedia", RUN_DATE, home)
        assert server.asked


def test_a_connection_that_cannot_be_read_is_no_reason_to_ask_the_real_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SIGNALS_WIKIMEDIA", "{")
    with pytest.raises(credentials.CredentialsMissing, match="not readable"):
        credentials.other_host("signals_wikimedia")


def test_signals_and_forces_have_each_their_own_call(home: Home) -> None:
    with pytest.raises(TypeError, match="not an open source"):
        collect_signals("facebook", RUN_DATE, home)
    with pytest.raises(TypeError, match="no accounts of forces"):
        collect_force("signals_wikimedia", "gwent", RUN_DATE, home)
