"""The gate: what is good is accepted, what is bad waits with its reason, and nothing is lost, whatever happens."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include import accepted, registry
from include.metric_map import MapRow
from include.records import RECORD_KINDS
from include.registry import Registry
from include.release import main as release_command
from include.release import release
from include.settings import Home
from include.validation import RunNotClean, RunReport, require_clean, validate_run
from tests.record_folders import OBSERVED, RUN_DATE, account_id, common, good_row, write_ingest

FUTURE = datetime(2099, 1, 1, tzinfo=UTC)
UNMAPPED = "facebook post post_hugs lifetime"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "var")


def good(kind: str, count: int, **more: Any) -> list[dict[str, Any]]:
    return [good_row(kind, number, **more) for number in range(count)]


def run(home: Home, source: str = "facebook", **more: Any) -> RunReport:
    return validate_run(source, RUN_DATE, home=home, **more)


def quarantined(home: Home, kind: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = accepted.read_quarantine(kind, home).to_pylist()
    return rows


def stored(home: Home) -> dict[str, bytes]:
    """Every accepted and quarantined file by name, as bytes."""
    files = [path for root in (home.accepted, home.quarantine) for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(home.path)): path.read_bytes() for path in files}


# what is good, and what is not there


def test_good_rows_of_every_kind_are_accepted_and_their_records_are_gone(home: Home) -> None:
    social = {"account": good("account", 1), "post": good("post", 3), "observation": good("observation", 4)}
    write_ingest(home, {**social, "message": good("message", 3)})
    write_ingest(home, {"survey_answer": good("survey_answer", 2)}, batch="survey.csv")
    write_ingest(home, {"signal": good("signal", 2)}, batch="fediverse.csv")
    for source in ("facebook", "survey", "signals_fediverse"):
        report = run(home, source)
        require_clean(report)
        assert report.quarantined == Counter()
    counts = {kind: accepted.read(kind, home).num_rows for kind in RECORD_KINDS}
    assert counts == {"account": 1, "post": 3, "observation": 4, "message": 3, "survey_answer": 2, "signal": 2}
    assert not [path for path in home.records.rglob("*") if path.is_file()]


def test_a_run_without_records_has_an_empty_report(home: Home) -> None:
    report = run(home)
    assert report == RunReport("facebook", RUN_DATE)
    require_clean(report)
    assert report.summary_lines() == ["facebook 2026-11-02: 0 batches, 0 rows accepted"]
    assert accepted.read("observation", home).num_rows == 0


def test_the_plan_is_carried_over_and_an_account_nobody_asked_for_makes_the_run_red(home: Home) -> None:
    import pyarrow.parquet as pq

    from include.records import to_table

    folder = home.records / "facebook" / RUN_DATE.isoformat() / "_plan" / "p1"
    folder.mkdir(parents=True)
    planned = [
        {**common("facebook", "facebook", force, "p1"), "account_id": account_id(force), "planned_at": OBSERVED}
        for force in ("gwent", "kent")
    ]
    pq.write_table(to_table("plan", planned), folder / "plan.parquet")
    attempt = {"account_id": account_id("gwent"), "subject": "*", "outcome": "collected", "recorded_at": OBSERVED}
    write_ingest(home, {"post": good("post", 1)}, collection=[{**common("facebook", "facebook", "gwent", "i1"), **attempt}])
    report = run(home)
    assert accepted.read("plan", home).num_rows == 2
    assert report.not_attempted == (f"kent ({account_id('kent')})",)
    with pytest.raises(RunNotClean, match=r"failed kent \(\d+\): not collected"):
        require_clean(report)


# bad rows


@pytest.mark.parametrize(
    ("kind", "wrong", "rule", "reason"),
    [
        ("observation", {"value": "48210"}, "wrong_type", "value: expected a number, got '48210' (str)"),
        ("observation", {"value": -3}, "value_below_zero", "value -3 is below zero"),
        ("post", {"published_at": FUTURE}, "published_at_in_future", "published_at 2099-01-01 is after"),
        ("post", {"account_id": "42"}, "account_unknown", "account 42 is not in the register"),
        ("post", {"published_at": "not a time"}, "wrong_type", "published_at: expected a time, got 'not a time'"),
        ("survey_answer", {"_defect": "formula_cell: begins with ="}, "formula_cell", "begins with ="),
    ],
)
def test_a_bad_row_waits_with_rule_reason_and_position_and_costs_no_other_row(
    home: Home, kind: str, wrong: dict[str, Any], rule: str, reason: str
) -> None:
    rows = good(kind, 5)
    rows[2] = {**rows[2], **wrong}
    source = rows[0]["source"]
    write_ingest(home, {kind: rows})
    report = run(home, source)
    require_clean(report)
    assert report.quarantined == {rule: 1}
    assert accepted.read(kind, home).num_rows == 4
    [bad] = quarantined(home, kind)
    assert (bad["rule"], bad["position"], bad["batch"]) == (rule, rows[2]["_position"], "gwent")
    assert reason in bad["reason"]
    assert json.loads(bad["row_json"])["_position"] == rows[2]["_position"]


def test_a_bad_row_of_one_force_costs_no_other_force_its_data(home: Home) -> None:
    write_ingest(home, {"observation": good("observation", 5)})
    bad = [{**row, "value": -1} for row in good("observation", 30, force_id="kent", ingest_id="i2")]
    write_ingest(home, {"observation": bad}, batch="kent", ingest_id="i2")
    report = run(home)
    assert list(report.stopped) == ["kent"]
    assert {row["force_id"] for row in accepted.read("observation", home).to_pylist()} == {"gwent"}


def test_all_answers_of_a_respondent_with_one_bad_answer_wait(home: Home) -> None:
    rows = [{**row, "option_code": option} for row in good("survey_answer", 3) for option in ("appeals", "other", "job_adverts")]
    rows[4] = {**rows[4], "option_code": None, "_defect": "formula_cell: the cell begins with ="}
    write_ingest(home, {"survey_answer": rows}, batch="survey.csv")
    report = run(home, "survey")
    assert report.quarantined == {"formula_cell": 3}
    assert {row["respondent_key"] for row in quarantined(home, "survey_answer")} == {rows[4]["respondent_key"]}
    reasons = [row["reason"] for row in quarantined(home, "survey_answer")]
    assert sorted(reasons) == ["another answer of this respondent: the cell begins with ="] * 2 + ["the cell begins with ="]
    assert {row["respondent_key"] for row in accepted.read("survey_answer", home).to_pylist()} == {
        rows[0]["respondent_key"],
        rows[8]["respondent_key"],
    }


def test_a_row_twice_in_one_ingest_is_dropped_once_and_the_last_one_stays(home: Home) -> None:
    rows = good("observation", 3)
    write_ingest(home, {"observation": [*rows, {**rows[1], "value": 77}]})
    report = run(home)
    require_clean(report)
    assert report.dropped == {"duplicate": 1}
    assert sorted(accepted.read("observation", home).column("value").to_pylist()) == [12, 14, 77]


def test_drops_of_the_parser_are_counted(home: Home) -> None:
    write_ingest(
        home,
        {"post": good("post", 3)},
        landed={"post": 8},
        derived_zero={"post": 1},
        dropped={"post": {"duplicate": 4, "outside_window": 2}},
    )
    report = run(home)
    require_clean(report)
    assert report.dropped == {"duplicate": 4, "outside_window": 2}


# fields that nobody has mapped


def with_hugs(known: Registry) -> Registry:
    """The registry with the one row in the map that was missing."""
    hugs = MapRow("facebook", "post", "post_hugs", "lifetime", None, None, date(2015, 1, 1), None, None, True, 99)
    return Registry(known.folder, known.tables, known.accounts, (*known.metric_map, hugs))


def hugs(count: int) -> list[dict[str, Any]]:
    return [{**row, "source_field": "post_hugs"} for row in good("observation", count)]


def test_an_unmapped_field_makes_the_run_red_by_name_and_stops_nothing(home: Home) -> None:
    write_ingest(home, {"observation": [*good("observation", 4), *hugs(30)]})
    report = run(home)
    assert report.unmapped_fields == {UNMAPPED: 30}
    assert report.stopped == {}
    assert accepted.read("observation", home).num_rows == 4
    with pytest.raises(RunNotClean) as error:
        require_clean(report)
    assert f"unmapped field {UNMAPPED} (30 rows wait in quarantine)" in str(error.value)
    assert "map it in dbt_project/seeds/platform_metric_map.csv" in str(error.value)


def test_rows_of_a_field_that_was_mapped_since_are_released(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = {"account_id": account_id("gwent"), "subject": "*", "outcome": "collected", "recorded_at": OBSERVED}
    collection = [{**common("facebook", "facebook", "gwent", "i1"), **attempt}]
    still_bad = {**good_row("observation", 90), "value": "many"}
    rows = {"observation": [*good("observation", 4), *hugs(30), still_bad], "post": good("post", 2)}
    write_ingest(home, rows, collection=collection)
    before = run(home)
    mended = with_hugs(registry.current())
    monkeypatch.setattr(registry, "current", lambda: mended)
    report = release("facebook", RUN_DATE, home)
    require_clean(report)
    assert report.quarantined == {"wrong_type": 1}
    assert report.accepted == before.accepted + 30
    assert accepted.read("post", home).num_rows == 2
    assert ledger(home)[None, None, "*"] is None
    assert release("facebook", RUN_DATE, home) == report


def test_the_release_command_says_what_became_of_each_run(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ingest(home, {"observation": [*good("observation", 4), *hugs(2)]})
    run(home)
    monkeypatch.setenv("INSIGHT_HOME", str(home.path))
    release_command(["facebook", "2026-10-26", "2026-11-02"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "facebook 2026-10-26: 0 batches, 0 rows accepted"
    assert lines[1] == "facebook 2026-11-02: 1 batches, 4 rows accepted"
    assert "  quarantined by unmapped_field: 2" in lines


def test_a_batch_that_was_mostly_bad_is_released_when_its_account_is_registered(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ingest(home, {"post": [{**row, "account_id": "42"} for row in good("post", 30)], "account": good("account", 1)})
    assert list(run(home).stopped) == ["gwent"]
    known = registry.current()
    account = replace(next(row for row in known.accounts if row.force_id == "gwent"), account_id="42")
    monkeypatch.setattr(registry, "current", lambda: replace(known, accounts=(*known.accounts, account)))
    report = release("facebook", RUN_DATE, home)
    require_clean(report)
    assert (report.accepted, report.quarantined) == (31, Counter())
    assert accepted.read_quarantine("post", home).num_rows == 0


# what the gate held back is in the ledger


def ledger(home: Home) -> dict[tuple[Any, ...], str | None]:
    """Object type, object and subject of each account's newest attempts: the cause, or None where it was collected."""
    rows = sorted(accepted.read("collection", home).to_pylist(), key=lambda row: row["recorded_at"])
    return {(row["object_type"], row["object_id"], row["subject"]): row["cause"] for row in rows}


def test_every_quarantined_number_and_post_is_a_hole_of_its_field(home: Home) -> None:
    account = account_id("gwent")
    bad_post = {**good_row("post", 7), "published_at": FUTURE}
    bad_link = {**good_row("post", 8), "permalink": "http://example.org"}
    followers = {"object_type": "account", "object_id": account, "source_field": "followers_count", "period": "snapshot"}
    bad_numbers = [{**good_row("observation", 9), "value": -1}, {**good_row("observation"), **followers, "value": -5}]
    rows = {"post": [*good("post", 3), bad_post, bad_link], "observation": [*good("observation", 4), *bad_numbers]}
    write_ingest(home, rows, collection=[gap("*", None), gap("posts", None), gap("followers_count", None, object_type="account")])
    report = run(home)
    require_clean(report)
    field = "reactions.summary.total_count"
    assert ledger(home) == {
        (None, None, "*"): None,
        (None, None, "posts"): None,
        ("post", f"{account}_7", "posts"): "quarantined",
        ("post", f"{account}_8", "posts"): "quarantined",
        ("post", f"{account}_9", field): "quarantined",
        ("account", None, "followers_count"): "quarantined",
    }
    posts = {row["object_id"]: row for row in accepted.read("collection", home).to_pylist() if row["subject"] == "posts"}
    assert posts[f"{account}_7"]["published_at"] is None, "a time that cannot be right is no time"
    assert posts[f"{account}_8"]["published_at"] == bad_link["published_at"]
    assert (posts[f"{account}_8"]["detail"], posts[f"{account}_8"]["force_id"]) == ("permalink_not_https", "gwent")
    assert "  open gaps: 4 quarantined" in report.summary_lines()


def test_every_account_of_a_stopped_batch_is_a_hole(home: Home) -> None:
    write_ingest(home, {"post": good("post", 3)}, collection=[gap("*", None), gap("posts", None)], landed={"post": 5})
    report = run(home)
    assert ledger(home) == {(None, None, "*"): "quarantined", (None, None, "posts"): None}
    assert report.failed == ()
    assert list(report.stopped) == ["gwent"]


def of_series(outcome_of: str) -> dict[str, Any]:
    blank = dict.fromkeys(("platform", "force_id", "account_id"))
    return {**gap(outcome_of, None), **blank, "source": "signals_fediverse", "cause": None, "outcome": "collected"}


def test_a_quarantined_period_is_a_hole_of_its_series_and_of_no_account(home: Home) -> None:
    rows = {"signal": [*good("signal", 6), {**good_row("signal", 7), "value": -3}]}
    both = [of_series("fediverse/users"), of_series("fediverse/instances")]
    write_ingest(home, rows, batch="signals", collection=both)
    run(home, "signals_fediverse")
    assert ledger(home) == {(None, None, "fediverse/users"): "quarantined", (None, None, "fediverse/instances"): None}
    held = [row for row in accepted.read("collection", home).to_pylist() if row["cause"] == "quarantined"]
    assert [(row["account_id"], row["force_id"], row["detail"]) for row in held] == [(None, None, "value_below_zero")]


def test_every_series_of_a_stopped_batch_is_a_hole(home: Home) -> None:
    both = [of_series("fediverse/users"), of_series("fediverse/instances")]
    write_ingest(home, {"signal": good("signal", 6)}, batch="signals", collection=both, landed={"signal": 9})
    run(home, "signals_fediverse")
    assert set(ledger(home).items()) == {
        ((None, None, "fediverse/users"), "quarantined"),
        ((None, None, "fediverse/instances"), "quarantined"),
    }


def test_a_clean_ingest_of_the_same_run_closes_them(home: Home) -> None:
    bad = {"observation": [*good("observation", 4), {**good_row("observation", 9), "value": -1}]}
    write_ingest(home, bad, collection=[gap("*", None)])
    assert len(run(home).gaps) == 1
    field = "reactions.summary.total_count"
    later = [gap("*", None, 5, "i2"), gap(field, None, 5, "i2", object_type="post")]
    write_ingest(home, {"observation": good("observation", 10, ingest_id="i2")}, ingest_id="i2", collection=later)
    assert run(home).gaps == ()


def test_a_release_closes_what_it_let_through(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    still_bad = {**good_row("observation", 90), "value": "many"}
    rows = {"observation": [*good("observation", 4), *hugs(2), still_bad]}
    write_ingest(home, rows, collection=[gap("*", None)])
    assert run(home).gaps[0].count == 2
    mended = with_hugs(registry.current())
    monkeypatch.setattr(registry, "current", lambda: mended)
    report = release("facebook", RUN_DATE, home)
    assert [(each.subject, each.cause, each.count) for each in report.gaps] == [("reactions.summary.total_count", "quarantined", 1)]
    before = accepted.read("collection", home)
    assert release("facebook", RUN_DATE, home) == report
    assert accepted.read("collection", home).equals(before), "a second release finds nothing more to close"


# batches that are stopped


def test_a_batch_whose_numbers_do_not_add_up_is_stopped_as_a_whole_and_by_name(home: Home) -> None:
    write_ingest(home, {"post": good("post", 3), "observation": good("observation", 4)}, landed={"post": 3, "observation": 5})
    other = {"post": good("post", 2, force_id="kent", ingest_id="i2")}
    write_ingest(home, other, batch="kent", ingest_id="i2")
    report = run(home)
    assert "conservation: observation: 5 landed + 0 derived zeros, but 4 accepted" in report.stopped["gwent"]
    assert report.quarantined == {"batch_stopped": 7}
    assert {row["force_id"] for row in accepted.read("post", home).to_pylist()} == {"kent"}
    assert accepted.read("observation", home).num_rows == 0
    with pytest.raises(RunNotClean, match="batch gwent stopped: conservation: observation"):
        require_clean(report)
    by_kind = {row["record_kind"]: row for row in accepted.read("conservation", home).to_pylist() if row["batch"] == "gwent"}
    assert by_kind["post"]["quarantined"] == 3
    assert by_kind["post"]["is_stopped"]
    assert by_kind["post"]["accepted"] == 0


def test_a_kind_that_landed_and_of_which_no_row_came_stops_the_batch(home: Home) -> None:
    write_ingest(home, {"post": good("post", 3)}, landed={"post": 3, "observation": 40})
    assert "observation: 40 landed" in run(home).stopped["gwent"]


@pytest.mark.parametrize(("bad", "total", "is_stopped"), [(4, 20, False), (5, 20, True), (10, 19, False)])
def test_a_batch_is_stopped_when_more_than_a_fifth_of_twenty_rows_or_more_is_bad(
    home: Home, bad: int, total: int, is_stopped: bool
) -> None:
    rows = good("observation", total)
    rows[:bad] = [{**row, "value": -1} for row in rows[:bad]]
    write_ingest(home, {"observation": rows})
    report = run(home)
    assert bool(report.stopped) is is_stopped
    assert accepted.read("observation", home).num_rows == (0 if is_stopped else total - bad)
    if is_stopped:
        assert report.stopped["gwent"].endswith(
            f"observation: {bad} of {total} rows are bad, more than 20%: value_below_zero {bad}"
        )
        own = [row["reason"] for row in quarantined(home, "observation") if "this row: value_below_zero" in row["reason"]]
        assert len(own) == bad


def test_a_manifest_that_says_other_rows_than_the_file_has_stops_the_batch(home: Home) -> None:
    write_ingest(home, {"post": good("post", 3)}, rows={"post": 4})
    assert "manifest_mismatch: post: the manifest says 4 rows, the file has 3" in run(home).stopped["gwent"]


@pytest.mark.parametrize(
    "foreign",
    [{"ingest_id": "other"}, {"ingest_id": None}, {"source": "x"}, {"run_date": date(2026, 1, 1)}, {"platform": "youtube"}],
    ids=lambda foreign: str(next(iter(foreign))),
)
def test_rows_that_belong_to_another_ingest_stop_the_batch_and_can_be_merged_again(home: Home, foreign: dict[str, Any]) -> None:
    rows = good("post", 3)
    for _ in range(2):
        write_ingest(home, {"post": [*rows[:2], {**rows[2], **foreign}]}, source="facebook")
        assert "foreign_rows: post: 1 rows belong to another" in run(home).stopped["gwent"]
    assert len(quarantined(home, "post")) == 3


def test_the_dropped_duplicates_of_a_stopped_batch_wait_with_the_others(home: Home) -> None:
    rows = good("post", 3)
    write_ingest(home, {"post": [*rows, rows[0]], "observation": []}, landed={"post": 4, "observation": 1})
    report = run(home)
    assert report.quarantined == {"batch_stopped": 4}
    assert report.dropped == {}


@pytest.mark.parametrize("damage", ["truncated", "not_json", "no_manifest", "list", "text_count", "unknown_kind"])
def test_a_folder_that_cannot_be_read_is_named_and_stays_and_costs_no_other_its_data(home: Home, damage: str) -> None:
    write_ingest(home, {"post": good("post", 2)})
    folder = write_ingest(home, {"post": good("post", 2, force_id="kent", ingest_id="i2")}, batch="kent", ingest_id="i2")
    manifest, file = folder / "manifest.json", folder / "post.parquet"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-40])
    elif damage == "not_json":
        manifest.write_text("<html>")
    elif damage == "no_manifest":
        manifest.unlink()
    elif damage == "list":
        manifest.write_text("[]")
    elif damage == "text_count":
        manifest.write_text(manifest.read_text().replace('"post": 2', '"post": "2"'))
    else:
        file.rename(folder / "rumour.parquet")
    for _ in range(2):
        report = run(home)
        assert list(report.unreadable) == ["kent/i2"]
        with pytest.raises(RunNotClean, match=r"batch kent/i2 stopped: records cannot be read: .*; collect it again"):
            require_clean(report)
    assert accepted.read("post", home).num_rows == 2
    assert folder.is_dir()


# the report


def gap(subject: str, cause: str | None, minute: int = 0, ingest_id: str = "i1", **more: Any) -> dict[str, Any]:
    return {
        **common("facebook", "facebook", "gwent", ingest_id),
        **{"account_id": account_id("gwent"), "subject": subject, "cause": cause, "detail": "said so" if cause else None},
        **{"outcome": "gap" if cause else "collected", "recorded_at": OBSERVED + timedelta(minutes=minute), **more},
    }


def test_a_force_whose_posts_could_not_be_had_makes_the_run_red_and_a_missing_field_does_not(home: Home) -> None:
    hidden = [gap("post_media_view", "too_few_viewers", object_id=str(number)) for number in range(3)]
    write_ingest(home, {"post": good("post", 1)}, collection=[*hidden, gap("*", None)])
    report = run(home)
    require_clean(report)
    assert [(row.subject, row.cause, row.count) for row in report.gaps] == [("post_media_view", "too_few_viewers", 3)]
    assert "  open gaps: 3 too_few_viewers" in report.summary_lines()
    write_ingest(home, {"post": []}, ingest_id="i2", collection=[gap("posts", "permission", 5, "i2")], source="facebook")
    with pytest.raises(RunNotClean, match=r"failed gwent: posts \(permission\): said so"):
        require_clean(run(home))


def test_a_later_attempt_that_collected_the_subject_closes_the_gap(home: Home) -> None:
    write_ingest(home, {"post": []}, collection=[gap("*", "outage")], source="facebook")
    assert run(home).failed != ()
    write_ingest(home, {"post": good("post", 1, ingest_id="i2")}, ingest_id="i2", collection=[gap("*", None, 5, "i2")])
    require_clean(run(home))


def test_of_a_batch_collected_twice_the_later_ingest_counts_in_the_report(home: Home) -> None:
    write_ingest(home, {"observation": hugs(2)})
    assert run(home).unmapped_fields == {UNMAPPED: 2}
    later = [{**row, "observed_at": OBSERVED + timedelta(hours=1)} for row in good("observation", 3, ingest_id="i0")]
    write_ingest(home, {"observation": later}, ingest_id="i0")
    report = run(home)
    require_clean(report)
    assert (report.unmapped_fields, report.accepted) == ({}, 3)


def test_an_answer_dated_2099_waits_and_does_not_make_its_ingest_the_latest(home: Home) -> None:
    rows = good("observation", 3)
    rows[1] = {**rows[1], "observed_at": FUTURE}
    write_ingest(home, {"observation": rows})
    assert run(home).quarantined == Counter({"observed_at_implausible": 1})
    later = [{**row, "observed_at": OBSERVED + timedelta(hours=1)} for row in good("observation", 5, ingest_id="i0")]
    write_ingest(home, {"observation": later}, ingest_id="i0")
    report = run(home)
    assert (report.quarantined, report.accepted) == (Counter(), 5)


def test_an_ingest_without_a_row_keeps_the_time_of_its_answers(home: Home) -> None:
    """As of a force whose accounts the register no longer has, or of a file of which only the heading is left."""
    write_ingest(home, {"post": []}, "wiltshire", last_observed_at=OBSERVED.isoformat(), collection=[])
    assert not run(home).stopped
    assert set(accepted.read("conservation", home).column("observed_at").to_pylist()) == {OBSERVED}


def test_a_snapshot_of_another_force_reaches_no_figure(home: Home) -> None:
    rows = [{**good_row("account"), "account_id": account_id("kent")}]
    write_ingest(home, {"account": rows})
    assert run(home).quarantined == Counter({"account_of_another_force": 1})
    assert accepted.read("account", home).num_rows == 0


def test_the_report_goes_through_json_and_sums_up(home: Home) -> None:
    rows = [*good("observation", 5), *hugs(1), {**good_row("observation", 9), "value": -1}, good_row("observation", 0)]
    write_ingest(home, {"observation": rows}, collection=[gap("posts", "outage")])
    report = run(home)
    assert RunReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.by_kind() == {"observation": {"landed": 8, "derived_zero": 0, "accepted": 5, "quarantined": 2, "dropped": 1}}
    lines = report.summary_lines()
    assert lines[0] == "facebook 2026-11-02: 1 batches, 5 rows accepted"
    assert "  observation: 8 landed, 0 derived zero, 5 accepted, 2 quarantined, 1 dropped" in lines
    assert f"  unmapped field {UNMAPPED}: 1 rows wait" in lines


# again, and after a crash


def varied_run(home: Home) -> None:
    posts = good("post", 4)
    posts[1] = {**posts[1], "published_at": FUTURE}
    rows = {
        "account": good("account", 1),
        "post": posts,
        "observation": [*good("observation", 5), *hugs(2), good_row("observation")],
    }
    write_ingest(home, rows, collection=[gap("post_media_view", "not_reported")])
    kent = {"post": good("post", 2, force_id="kent", ingest_id="i2")}
    write_ingest(home, kent, batch="kent", ingest_id="i2", landed={"post": 3})


def test_the_same_records_again_change_nothing(home: Home) -> None:
    varied_run(home)
    first = run(home)
    files = stored(home)
    assert run(home) == first  # nothing left to do
    varied_run(home)
    assert run(home) == first
    assert stored(home) == files


class Killed(BaseException):
    """As a signal ends a process: no handler of errors sees it."""


def test_a_run_killed_at_any_rename_and_run_again_ends_with_the_same_files(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    varied_run(home)
    report, files = run(home), stored(home)
    rename = Path.replace

    def run_killed_at(target: int, when: str) -> bool:
        """True when the run got as far as that rename."""
        other = Home(tmp_path / f"{when}{target}")
        accepted.ensure_schema_files(other)
        varied_run(other)
        calls = 0

        def replace(self: Path, goal: Path) -> Path:
            nonlocal calls
            calls += 1
            if calls == target and when == "before":
                raise Killed
            done = rename(self, goal)
            if calls == target:
                raise Killed
            return done

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", replace)
            try:
                run(other)
                return False
            except Killed:
                pass
        assert run(other) == report
        assert stored(other) == files
        assert not [path for path in other.records.rglob("*") if path.is_file()]
        return True

    for when in ("before", "after"):
        reached = 0
        while run_killed_at(reached + 1, when):
            reached += 1
        # accepted and quarantine of what there is, collection, conservation, and the removal of two folders
        assert reached == 9


def test_files_do_not_depend_on_which_batch_is_read_first(tmp_path: Path) -> None:
    homes = [Home(tmp_path / "a"), Home(tmp_path / "b")]
    for home, order in zip(homes, (["gwent", "kent"], ["kent", "gwent"]), strict=True):
        for force in order:
            write_ingest(home, {"post": good("post", 3, force_id=force, ingest_id=force)}, batch=force, ingest_id=force)
            run(home)
    assert stored(homes[0]) == stored(homes[1])


# nothing is lost, whatever comes

MUTATIONS: dict[str, dict[str, Any]] = {
    "good": {},
    "negative": {"value": -1},
    "text": {"value": "12"},
    "unmapped": {"source_field": "post_hugs"},
    "stranger": {"account_id": "42"},
    "no_day": {"object_type": "account", "source_field": "page_follows", "period": "day"},
    "no_value": {"value": None},
}


@settings(max_examples=25)
@given(
    batches=st.lists(
        st.lists(st.tuples(st.sampled_from(sorted(MUTATIONS)), st.integers(0, 12)), max_size=40), min_size=1, max_size=3
    ),
    miscounted=st.integers(-1, 2),
)
def test_every_row_is_accepted_quarantined_or_dropped_and_counted(
    batches: list[list[tuple[str, int]]], miscounted: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home(tmp_path_factory.mktemp("run"))
    forces = ("gwent", "kent", "essex")
    landed = {}
    for position, (force, content) in enumerate(zip(forces, batches, strict=False)):
        rows = [{**good_row("observation", number, force, force), **MUTATIONS[name]} for name, number in content]
        landed[force] = len(rows) + (1 if position == miscounted else 0)
        write_ingest(home, {"observation": rows}, batch=force, ingest_id=force, landed={"observation": landed[force]})
    report = run(home)
    by_batch = {row.batch: row for row in report.batches}
    in_accepted = Counter(row["ingest_id"] for row in accepted.read("observation", home).to_pylist())
    in_quarantine = Counter(row["batch"] for row in quarantined(home, "observation"))
    for position, (force, content) in enumerate(zip(forces, batches, strict=False)):
        row = by_batch[force]
        assert (row.accepted, sum(row.quarantined.values())) == (in_accepted[force], in_quarantine[force])
        if position == miscounted:
            assert row.is_stopped
            assert (row.accepted, in_quarantine[force]) == (0, len(content))
        else:
            assert landed[force] == row.accepted + sum(row.quarantined.values()) + sum(row.dropped.values())
        if not row.is_stopped:
            assert in_quarantine[force] == sum(name != "good" for name, _ in content)
            assert in_accepted[force] == len({number for name, number in content if name == "good"})


# Data Docs


def test_data_docs_name_the_rules_and_show_counts_and_no_value(home: Home) -> None:
    rows = good("survey_answer", 3)
    rows[1] = {**rows[1], "option_code": "call me on 01632 960 001"}
    write_ingest(home, {"survey_answer": rows}, batch="survey.csv")
    report = run(home, "survey", data_docs=True)
    assert report.data_docs is not None
    page = Path(report.data_docs)
    assert page.is_relative_to(home.data_docs)
    assert "survey_survey_answer" in page.read_text()
    site = "".join(path.read_text() for path in page.parent.rglob("*.html"))
    assert "option_unknown: the option is not one of question" in site
    assert "conservation:" in site
    everything = "".join(
        path.read_text(errors="replace") for path in home.data_docs.rglob("*") if path.suffix in (".html", ".json")
    )
    assert "01632" not in everything
    assert rows[0]["respondent_key"] not in everything
    [bad] = quarantined(home, "survey_answer")
    assert "01632" not in bad["reason"]


def test_data_docs_keep_one_page_for_each_run_date_and_suite(home: Home) -> None:
    for _ in range(2):
        write_ingest(home, {"signal": good("signal", 3)}, batch="x.csv")
        page = Path(str(run(home, "signals_fediverse", data_docs=True).data_docs))
    site = page.parent / "uncommitted" / "data_docs" / "local_site"
    assert len(list((site / "validations").rglob("*.html"))) == 2  # of the kind, and of the batches


@pytest.mark.parametrize(
    "left_half", ["great_expectations.yml", "validation_definitions/*.json", "uncommitted/validations/**/*.json"]
)
def test_data_docs_begin_anew_where_a_killed_process_left_half_a_file(home: Home, left_half: str) -> None:
    for run_date in (RUN_DATE - timedelta(days=1), RUN_DATE):
        write_ingest(home, {"signal": good("signal", 3, run_date=run_date)}, batch="x.csv", run_date=run_date)
        report = validate_run("signals_fediverse", run_date, data_docs=True, home=home)
        broken = min(home.data_docs.glob(left_half))
        broken.write_bytes(broken.read_bytes()[:99])
    assert report.accepted == 3
    assert RUN_DATE.isoformat() in Path(str(report.data_docs)).read_text()
    assert not list(home.records.rglob("*.parquet")), "the validation came to its end"
