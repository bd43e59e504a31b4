"""Exports of social-inbox tools up to the marts: beside what X lists, and of a platform that lists nothing."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import duckdb
import pytest

from include.inbox import collect_dropped
from include.pseudonyms import pseudonym
from include.run import simulated_connections
from include.settings import run_instant
from include.simulator.process import SimulatorProcess
from include.simulator.response_truth import response_truth
from include.validation import validate_run
from include.warehouse import build
from tests.extractors.test_inbox_contacts import as_csv
from tests.integration.worlds import at_home, collect_day

RUN_DATE = date(2026, 11, 2)
FORCES = ("west-midlands", "kent")


@pytest.mark.full
def test_a_message_counts_once_whoever_brings_it_and_silence_in_an_export_is_not_known(tmp_path: Path) -> None:
    seed = 11
    with (
        at_home(tmp_path) as home,
        SimulatorProcess(seed=seed, forces=FORCES, clock=run_instant(RUN_DATE)) as simulator,
        patch.dict(os.environ, simulated_connections(simulator)),
    ):
        collect_day(simulator, RUN_DATE, FORCES, ("x",))
        truth = response_truth(seed, RUN_DATE, [run_instant(RUN_DATE)], forces=FORCES, platform="x").set_index("message_id")
        listed = truth[truth["force_id"] == "west-midlands"].index[0]
        force = {"force": "west-midlands", "wants_answer": "yes", "direction": "inbound"}
        rows = [
            {**force, "platform": "x", "message_id": listed, "created_at": truth["sent_at"][listed].isoformat()},
            {**force, "platform": "x", "message_id": "77", "created_at": "2026-10-20T10:00:00Z"},
            {**force, "platform": "x", "message_id": "78", "created_at": "2026-11-01T10:00:00Z"},
            {**force, "platform": "tiktok", "message_id": "asked", "created_at": "2026-10-20T18:00:00Z"},
            {**force, "platform": "tiktok", "message_id": "silence", "created_at": "2026-10-20T18:00:00Z"},
            {**force, "platform": "tiktok", "message_id": "young", "created_at": "2026-11-01T18:00:00Z"},
            {"platform": "tiktok", "force": "west-midlands", "direction": "outbound", "message_id": "answered", "automatic": "no",
             "in_reply_to": "asked", "created_at": "2026-10-21T09:00:00Z"},
        ]  # fmt: skip
        (home.inbox / "contacts").mkdir(parents=True)
        as_csv(home.inbox / "contacts" / "export.csv", rows)
        collect_dropped("contacts", "export.csv", RUN_DATE, observed_at=run_instant(RUN_DATE) + timedelta(minutes=20))
        validate_run("contacts", RUN_DATE)
        build(RUN_DATE)
        keys = {pseudonym(f"message {row['platform']} {row['message_id']}"): (row["platform"], row["message_id"]) for row in rows}
    with duckdb.connect(str(home.build_file), read_only=True) as connection:
        on_x = connection.execute("select count(*) from marts.fct_response where platform = 'x'").fetchall()
        found = connection.execute(
            "select message_key, status, is_answered_within_7_days, response_seconds_24_7 from marts.fct_response "
            "where force_id = 'west-midlands'"
        ).fetchall()
        month = connection.execute(
            "select status, value from marts.hmicfrs_metrics where platform = 'x' and force_id = 'west-midlands' "
            "and metric = 'inbound_contacts' and month = date '2026-11-01'"
        ).fetchall()
    assert on_x == [(len(truth) + 2,)], "a message that both brought has one row, and so has each private one"
    of_export = {keys[key]: (status, is_answered, seconds) for key, status, is_answered, seconds in found if key in keys}
    assert of_export["x", "77"] == ("missing", None, None), "nobody can tell whether the export is whole"
    assert of_export["x", "78"] == ("provisional", None, None)
    assert of_export["tiktok", "asked"] == ("ok", True, 15 * 3600)
    assert of_export["tiktok", "silence"] == ("missing", None, None)
    assert of_export["tiktok", "young"] == ("provisional", None, None)
    november = truth[(truth["force_id"] == "west-midlands") & (truth["sent_at"] >= "2026-11-01")]
    assert month == [("provisional", len(november))], "private ones count in no month"
    assert len(november) > 0
