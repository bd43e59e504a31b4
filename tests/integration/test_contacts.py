"""Public contacts through the whole pipeline: response times equal the truth on both clocks, and nobody's words or ids stay."""

from __future__ import annotations

from datetime import date, timedelta
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from include.pseudonyms import pseudonym
from include.simulator.response_truth import response_truth
from tests.integration.worlds import WholeWorld, run_world

FORCES = ("gwent", "essex", "kent", "west-midlands", "hampshire", "lancashire", "merseyside", "thames-valley", "west-yorkshire")
SPRING = date(2026, 4, 27)


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> WholeWorld:
    """Seven weeks over the change of the clocks in spring, with Easter. Autumn and the end of August are in the common world."""
    days = [SPRING - timedelta(weeks=week) for week in range(6, -1, -1)]
    folder = tmp_path_factory.mktemp("contacts")
    return run_world(folder, days, forces=FORCES, platforms=("x",), with_files=False, with_publication=False)


@pytest.fixture(scope="module", params=["spring", "autumn"])
def contacts(request: pytest.FixtureRequest) -> WholeWorld:
    found: WholeWorld = request.getfixturevalue("spring" if request.param == "spring" else "world")
    return found


def keys_of(world: WholeWorld, ids: pd.Series) -> list[str]:
    with patch.dict("os.environ", {"INSIGHT_SECRETS": str(world.home.path.parent / "secrets")}):
        return [pseudonym(f"message x {each}") for each in ids]


def test_response_times_equal_the_truth_on_both_clocks(contacts: WholeWorld) -> None:
    import duckdb

    truth = response_truth(contacts.seed, contacts.as_of, contacts.instants, contacts.defects, contacts.forces)
    truth = truth.assign(message_key=keys_of(contacts, truth["message_id"])).sort_values(["account_id", "message_key"])
    with duckdb.connect(str(contacts.home.build_file), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        mart = connection.execute("from marts.fct_response order by account_id, message_key").df()
    named = f"world {contacts.seed}"
    assert list(zip(mart["account_id"], mart["message_key"], strict=True)) == list(
        zip(truth["account_id"], truth["message_key"], strict=True)
    ), named
    assert (mart["created_at"].dt.as_unit("us").to_numpy() == truth["sent_at"].dt.as_unit("us").to_numpy()).all(), named
    np.testing.assert_array_equal(mart["wants_answer"].to_numpy(bool), truth["wants_answer"].to_numpy(bool), named)
    for column in ("response_seconds_24_7", "response_seconds_office"):
        np.testing.assert_array_equal(mart[column].to_numpy(float), truth[column].to_numpy(float), f"{named} {column}")
    answered = [(None if pd.isna(one) else bool(one)) for one in mart["is_answered_within_7_days"]]
    assert answered == [(None if pd.isna(one) else bool(one)) for one in truth["is_answered_within_7_days"]], named
    _holds_every_case(truth, contacts.as_of)


def _holds_every_case(truth: pd.DataFrame, as_of: date) -> None:
    """The equality is about something: messages waited over a night, a weekend, a bank holiday and the change of the clocks."""
    replied = truth.dropna(subset=["first_reply_at"])
    sent, answered = (replied[name].dt.tz_convert("Europe/London") for name in ("sent_at", "first_reply_at"))
    changed = "2026-03-29 03:00" if as_of == SPRING else "2026-10-25 03:00"
    holiday = "2026-04-06 12:00" if as_of == SPRING else "2026-08-31 12:00"
    for moment in (changed, holiday):
        instant = pd.Timestamp(moment, tz="Europe/London")
        assert ((sent < instant) & (answered > instant)).any(), moment
    assert (sent.dt.date < answered.dt.date).sum() > 50
    assert ((sent.dt.weekday < 5) & (answered.dt.weekday < sent.dt.weekday)).any()
    assert (replied["response_seconds_office"] == 0).sum() > 5
    assert (replied["response_seconds_24_7"] > 7 * 86_400).any()
    assert truth["is_answered_within_7_days"].isna().any()
    assert (truth["is_answered_within_7_days"] == False).sum() > 50  # noqa: E712
