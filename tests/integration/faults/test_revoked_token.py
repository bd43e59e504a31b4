"""One of 43 tokens revoked, by the real scheduler: 42 forces complete and publish. In small: tests/integration/test_scheduler."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.test_scheduler import AS_OF, FAILING, scheduled_world

pytestmark = [pytest.mark.airflow, pytest.mark.full, pytest.mark.timeout(3600)]


def test_one_of_43_tokens_revoked_and_renewed(tmp_path: Path) -> None:
    with scheduled_world(tmp_path / "var", tmp_path / "secrets", None, seconds=1500) as world:
        for made, state, tries, number_ok in ((world.revoked, "failed", 1, 42), (world.renewed, "success", 2, 43)):
            assert made.runs["ingest_facebook"]["state"] == state
            collected = {each["rendered_map_index"]: each for each in made.tasks["ingest_facebook"] if each["task_id"] == "collect"}
            assert len(collected) == 43
            surrey = collected.pop("Surrey Police")
            assert (surrey["state"], surrey["try_number"]) == (state, tries), "an expired token is not retried"
            assert {(each["state"], each["try_number"]) for each in collected.values()} == {("success", 1)}
            assert made.runs["build_warehouse"]["state"] == "success"
            published = made.query(
                "select force_id from marts.fct_metric_daily where platform = 'facebook' and metric = 'followers_end'"
                " and metric_date = ? and status = 'ok'",
                AS_OF,
            )
            assert len({force_id for (force_id,) in published}) == number_ok
            gaps = made.query(
                "select force_id, cause, is_open from marts.gap_ledger where run_date = ? and platform = 'facebook'", AS_OF
            )
            assert gaps == [(FAILING, "expired_token", state == "failed")]
