"""Public contacts through the whole pipeline: response times equal the truth on both clocks, and nobody's words or ids stay."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from datetime import date, timedelta
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from include import accepted
from include.pseudonyms import pseudonym
from include.settings import run_instant
from include.simulator.defects import Defect
from include.simulator.response_truth import planted_people, response_truth
from tests.integration.traces import traces
from tests.integration.worlds import WholeWorld, run_world

pytestmark = pytest.mark.timeout(1800)

FORCES = ("essex", "kent", "west-midlands", "thames-valley", "west-yorkshire")
PLATFORMS_WITH_CONTACTS = ("facebook", "instagram", "x", "bluesky")
SPRING = date(2026, 4, 27)
REMOVED = tuple(
    Defect("removed_post", "kent", SPRING - timedelta(weeks=2), SPRING, {"age_days": 8}, platform)
    for platform in PLATFORMS_WITH_CONTACTS
)
"""A post of the force itself is gone: on Facebook and Instagram with all that was said under it, which runs before had seen."""


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> WholeWorld:
    """Seven weeks over the change of the clocks in spring, with Easter. Autumn and the end of August are in the common world."""
    days = [SPRING - timedelta(weeks=week) for week in range(6, -1, -1)]
    folder = tmp_path_factory.mktemp("contacts")
    return run_world(folder, days, REMOVED, FORCES, PLATFORMS_WITH_CONTACTS, with_files=False, with_publication=False)


@pytest.fixture(scope="module", params=[pytest.param("spring", marks=pytest.mark.full), "autumn"])
def contacts(request: pytest.FixtureRequest) -> WholeWorld:
    found: WholeWorld = request.getfixturevalue("spring" if request.param == "spring" else "world")
    return found


KEYS = r'\\"message_key\\":\\"(\w+)\\",\\"reply_to_key\\":(?:null|\\"(\w+)\\"),\\"direction\\":\\"(\w+)'
"""Of a landed message: its key, whose it answers, its direction."""


def keys_of(world: WholeWorld, platform: str, ids: pd.Series) -> list[str]:
    with patch.dict("os.environ", {"INSIGHT_SECRETS": str(world.home.path.parent / "secrets")}):
        return [pseudonym(f"message {platform} {each}") for each in ids]


def truth_of(world: WholeWorld, platform: str) -> pd.DataFrame:
    truth = response_truth(world.seed, world.as_of, world.instants, world.defects, world.forces, platform=platform)
    keys = keys_of(world, platform, truth["message_id"])
    return truth.assign(platform=platform, message_key=keys).sort_values(["account_id", "message_key"])


def test_response_times_equal_the_truth_on_both_clocks(contacts: WholeWorld) -> None:
    import duckdb

    truths = []
    for platform in PLATFORMS_WITH_CONTACTS:
        truth = truth_of(contacts, platform)
        with duckdb.connect(str(contacts.home.build_file), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            rows = "from marts.fct_response where platform = ? order by account_id, message_key"
            mart = connection.execute(rows, [platform]).df()
        named = f"world {contacts.seed} {platform}"
        mine, true = (list(zip(each["account_id"], each["message_key"], strict=True)) for each in (mart, truth))
        assert mine == true, named
        assert (mart["created_at"].dt.as_unit("us").to_numpy() == truth["sent_at"].dt.as_unit("us").to_numpy()).all(), named
        np.testing.assert_array_equal(mart["wants_answer"].to_numpy(bool), truth["wants_answer"].to_numpy(bool), named)
        for column in ("response_seconds_24_7", "response_seconds_office"):
            np.testing.assert_array_equal(mart[column].to_numpy(float), truth[column].to_numpy(float), f"{named} {column}")
        answered, known = (
            [None if pd.isna(one) else bool(one) for one in each["is_answered_within_7_days"]] for each in (mart, truth)
        )
        assert answered == known, named
        truths.append(truth)
    _holds_every_case(pd.concat(truths), contacts.as_of)


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


@pytest.mark.full
def test_response_metrics_of_a_month_equal_the_truth(spring: WholeWorld) -> None:
    """Force × month: rate, median and p90 over the messages that want an answer, who was not answered being later than all."""
    import duckdb

    truth = truth_of(spring, "x")
    truth["month"] = truth["sent_at"].dt.tz_convert("Europe/London").dt.strftime("%Y-%m")
    with duckdb.connect(str(spring.home.build_file), read_only=True) as connection:
        mart = connection.execute(
            "select force_id, strftime(month, '%Y-%m') as month, metric, value, status from marts.hmicfrs_metrics "
            "where platform = 'x' and metric in (select metric from intermediate.int_metric_inputs where basis = 'contacts')"
        ).df()
    found = mart.set_index(["force_id", "month", "metric"])
    values = 0
    for (force_id, month), group in truth.groupby(["force_id", "month"]):
        if month not in set(mart["month"]):
            continue  # before the first run's month
        asked = group[group["wants_answer"]]
        times = asked.loc[asked["is_answered_within_7_days"].eq(True)]
        expected = {"inbound_contacts": float(len(group)), "response_rate": len(times) / len(asked) if len(asked) else np.nan}
        for clock in ("24_7", "office"):
            ordered = sorted(times[f"response_seconds_{clock}"])
            for name, share in (("median", 0.5), ("p90", 0.9)):
                place = int(np.ceil(share * len(asked))) - 1
                expected[f"{name}_first_response_seconds_{clock}"] = ordered[place] if 0 <= place < len(ordered) else np.nan
        for metric, value in expected.items():
            mine = found.loc[(force_id, month, metric)]
            np.testing.assert_equal(float(mine["value"]), float(value), f"world {spring.seed} {force_id} {month} {metric}")
            values += not np.isnan(value)
    assert values > 25
    states = found.loc[list(FORCES)].reset_index().groupby(["month", "metric"])["status"].agg(set)
    assert states["2026-03", "inbound_contacts"] == {"ok"}
    assert "provisional" in states["2026-04", "response_rate"]


def test_nobody_of_the_public_is_in_any_file(contacts: WholeWorld) -> None:
    """Ids, handles, names and telephone numbers, in every file under the state folder, decompressed and read as tables."""
    first, last = contacts.run_dates[0] - timedelta(days=40), contacts.as_of
    people = planted_people(contacts.seed, run_instant(first), run_instant(last), contacts.forces)
    assert len(people) > 500
    looked = Counter[str]()
    tokens = [token.encode() for token in contacts.tokens]
    assert traces(contacts.home, people, looked, tokens) == []
    assert looked[".gz"] > 50
    assert looked[".parquet"] > 10
    assert looked[".duckdb"] > 0


def test_what_was_deleted_upstream_is_in_no_file_of_the_collection(contacts: WholeWorld) -> None:
    """Known keys of deleted messages, hashed as they are: only a count of them stays. The build has read the rest."""
    erased = accepted.read("erasure", contacts.home).to_pylist()
    assert sum(row["erased"] for row in erased) > 3
    for platform in PLATFORMS_WITH_CONTACTS:
        rows = accepted.read("message", contacts.home, platform).to_pylist()
        inbound = {row["message_key"] for row in rows if row["direction"] == "inbound"}
        assert inbound == set(truth_of(contacts, platform)["message_key"]), f"world {contacts.seed} {platform}"
        files = contacts.home.landing.glob(f"{platform}/*/*/*.jsonl.gz")
        landed = "".join(gzip.decompress(path.read_bytes()).decode() for path in files)
        found = re.findall(KEYS, landed)
        # the force's own answers may be older than the window: landed with the page, dropped from the records
        keys = {said for said, _, direction in found if direction == "inbound"} | {to for _, to, _ in found if to}
        kept = inbound | {row["reply_to_key"] for row in rows if row["reply_to_key"]}
        assert keys == kept, f"world {contacts.seed} {platform}"
