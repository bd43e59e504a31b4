"""Every rule of every suite: one planted row breaks it, its neighbours stay good."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from expectations import SUITES, batch
from expectations.check import CheckFailed, explain, first_failures, to_frame
from expectations.rules import Facts, field_name, rule
from include.records import RECORD_KINDS, to_table
from include.registry import current
from tests.record_folders import RUN_DATE, account_id, good_row

PLATFORM = {**dict.fromkeys(("account", "post", "observation", "message"), "facebook"), "survey_answer": None, "signal": None}
YEAR_2099 = datetime(2099, 1, 1, tzinfo=UTC)

PLANTED: list[tuple[str, str, dict[str, Any], str]] = [
    # kind, rule, what is wrong with the row, a part of the reason
    ("account", "wrong_type", {"display_name": 7}, "display_name: expected text, got 7 (int)"),
    ("account", "observed_at_missing", {"observed_at": None}, "observed_at is missing"),
    (
        "account",
        "observed_at_implausible",
        {"observed_at": YEAR_2099},
        "observed_at 2099-01-01 00:00 is before the run date 2026-11-02",
    ),
    ("account", "raw_sha256_missing", {"raw_sha256": None}, "raw_sha256 is missing"),
    ("account", "is_simulated_missing", {"is_simulated": None}, "is_simulated is missing"),
    ("account", "platform_missing", {"platform": None}, "platform is missing"),
    ("account", "force_id_missing", {"force_id": None}, "force_id is missing"),
    ("account", "account_id_missing", {"account_id": None}, "account_id is missing"),
    ("account", "handle_missing", {"handle": None}, "handle is missing"),
    ("account", "account_of_another_force", {"account_id": account_id("kent")}, "is not one of gwent on 2026-11-02"),
    ("account", "force_unknown", {"force_id": "atlantis"}, "force atlantis is not in the register"),
    ("account", "account_unknown", {"account_id": "42"}, "account 42 is not in the register (seed accounts) of facebook"),
    ("account", "handle_formula", {"handle": "=cmd|' /C calc'!A0"}, "begins like a spreadsheet formula"),
    ("account", "display_name_formula", {"display_name": "@SUM(A1)"}, "begins like a spreadsheet formula"),
    ("account", "url_not_https", {"url": "javascript:alert(1)"}, "url is not an https address"),
    ("account", "url_with_secret", {"url": "https://someone:hunter2@facebook.com/x"}, "holds a user name, a password or a token"),
    ("post", "wrong_type", {"media_count": "2"}, "media_count: expected a number, got '2' (str)"),
    ("post", "observed_at_missing", {"observed_at": None}, "observed_at is missing"),
    (
        "post",
        "observed_at_implausible",
        {"observed_at": YEAR_2099},
        "observed_at 2099-01-01 00:00 is before the run date 2026-11-02",
    ),
    ("post", "raw_sha256_missing", {"raw_sha256": None}, "raw_sha256 is missing"),
    ("post", "is_simulated_missing", {"is_simulated": None}, "is_simulated is missing"),
    ("post", "platform_missing", {"platform": None}, "platform is missing"),
    ("post", "force_id_missing", {"force_id": None}, "force_id is missing"),
    ("post", "post_id_missing", {"post_id": None}, "post_id is missing"),
    ("post", "account_id_missing", {"account_id": None}, "account_id is missing"),
    ("post", "published_at_missing", {"published_at": None}, "published_at is missing"),
    ("post", "kind_missing", {"kind": None}, "kind is missing"),
    ("post", "account_of_another_force", {"account_id": account_id("kent")}, "is not one of gwent on 2026-11-02"),
    ("post", "force_unknown", {"force_id": "atlantis"}, "force atlantis"),
    ("post", "account_unknown", {"account_id": "42"}, "account 42 is not in the register"),
    ("post", "kind_unknown", {"kind": "advert"}, "kind advert is none of original, reply"),
    (
        "post",
        "published_at_in_future",
        {"published_at": YEAR_2099},
        "published_at 2099-01-01 is after the observation of 2026-11-02",
    ),
    (
        "post",
        "published_at_too_early",
        {"published_at": datetime(1970, 1, 1, tzinfo=UTC)},
        "published_at 1970-01-01 is before 2004",
    ),
    ("post", "edited_at_in_future", {"edited_at": YEAR_2099}, "edited_at 2099-01-01"),
    ("post", "edited_at_too_early", {"edited_at": datetime(1999, 1, 1, tzinfo=UTC)}, "edited_at 1999-01-01"),
    ("post", "deleted_at_in_future", {"deleted_at": YEAR_2099}, "deleted_at 2099-01-01"),
    ("post", "deleted_at_too_early", {"deleted_at": datetime(1999, 1, 1, tzinfo=UTC)}, "deleted_at 1999-01-01"),
    ("post", "media_count_below_zero", {"media_count": -1, "media_with_alt_text": None}, "media_count -1 is below zero"),
    ("post", "media_with_alt_text_below_zero", {"media_with_alt_text": -3}, "media_with_alt_text -3 is below zero"),
    ("post", "more_alt_texts_than_media", {"media_with_alt_text": 3}, "3 media with a description, of 2"),
    ("post", "text_of_others", {"kind": "repost"}, "a repost has text"),
    ("post", "language_unknown", {"language": "Cymraeg!"}, "language is not a language code"),
    ("post", "permalink_not_https", {"permalink": "http://www.facebook.com/1"}, "permalink is not an https address"),
    ("post", "permalink_with_secret", {"permalink": "https://www.facebook.com/1?access_token=EAAB"}, "permalink holds a user name"),
    ("observation", "unmapped_field", {"source_field": "post_hugs"}, "facebook post post_hugs lifetime is not in the seed"),
    ("observation", "wrong_type", {"value": "12"}, "value: expected a number, got '12' (str)"),
    ("observation", "observed_at_missing", {"observed_at": None}, "observed_at is missing"),
    (
        "observation",
        "observed_at_implausible",
        {"observed_at": YEAR_2099},
        "observed_at 2099-01-01 00:00 is before the run date 2026-11-02",
    ),
    ("observation", "raw_sha256_missing", {"raw_sha256": None}, "raw_sha256 is missing"),
    ("observation", "is_simulated_missing", {"is_simulated": None}, "is_simulated is missing"),
    ("observation", "platform_missing", {"platform": None}, "platform is missing"),
    ("observation", "force_id_missing", {"force_id": None}, "force_id is missing"),
    ("observation", "account_id_missing", {"account_id": None}, "account_id is missing"),
    ("observation", "object_type_missing", {"object_type": None}, "object_type is missing"),
    ("observation", "object_id_missing", {"object_id": None}, "object_id is missing"),
    ("observation", "source_field_missing", {"source_field": None}, "source_field is missing"),
    ("observation", "period_missing", {"period": None}, "period is missing"),
    ("observation", "value_missing", {"value": None}, "value is missing"),
    ("observation", "origin_missing", {"origin": None}, "origin is missing"),
    ("observation", "account_of_another_force", {"account_id": account_id("kent")}, "is not one of gwent on 2026-11-02"),
    ("observation", "force_unknown", {"force_id": "atlantis"}, "force atlantis"),
    ("observation", "account_unknown", {"account_id": "42"}, "account 42 is not in the register"),
    ("observation", "origin_unknown", {"origin": "guessed"}, "origin guessed is neither reported nor absent_is_zero"),
    ("observation", "zero_expected", {"origin": "absent_is_zero", "value": 3}, "absent_is_zero, but the value is 3"),
    ("observation", "value_below_zero", {"value": -5}, "value -5 is below zero"),
    (
        "observation",
        "day_missing",
        {"object_type": "account", "source_field": "page_follows", "period": "day"},
        "needs metric_date",
    ),
    ("observation", "day_tz_unknown", {"day_tz": "Mars/Olympus"}, "day_tz Mars/Olympus is no platform's"),
    ("observation", "metric_date_in_future", {"metric_date": date(2099, 1, 1)}, "metric_date 2099-01-01 is after the observation"),
    ("observation", "metric_date_too_early", {"metric_date": date(2003, 12, 31)}, "metric_date 2003-12-31 is before 2004"),
    ("message", "wrong_type", {"wants_answer": "yes"}, "wants_answer: expected true or false, got 'yes' (str)"),
    ("message", "observed_at_missing", {"observed_at": None}, "observed_at is missing"),
    ("message", "observed_at_implausible", {"observed_at": YEAR_2099}, "observed_at 2099-01-01 00:00 is before the run date"),
    ("message", "raw_sha256_missing", {"raw_sha256": None}, "raw_sha256 is missing"),
    ("message", "is_simulated_missing", {"is_simulated": None}, "is_simulated is missing"),
    ("message", "platform_missing", {"platform": None}, "platform is missing"),
    ("message", "force_id_missing", {"force_id": None}, "force_id is missing"),
    ("message", "account_id_missing", {"account_id": None}, "account_id is missing"),
    ("message", "message_key_missing", {"message_key": None}, "message_key is missing"),
    ("message", "direction_missing", {"direction": None}, "direction is missing"),
    ("message", "created_at_missing", {"created_at": None}, "created_at is missing"),
    ("message", "rule_version_missing", {"rule_version": None}, "rule_version is missing"),
    ("message", "account_of_another_force", {"account_id": account_id("kent")}, "is not one of gwent on 2026-11-02"),
    ("message", "force_unknown", {"force_id": "atlantis"}, "force atlantis is not in the register"),
    ("message", "account_unknown", {"account_id": "42"}, "account 42 is not in the register (seed accounts) of facebook"),
    ("message", "account_of_another_platform", {"platform": "x"}, "is none of x in the register"),
    ("message", "direction_unknown", {"direction": "sideways"}, "direction sideways is none of inbound, outbound"),
    ("message", "message_key_no_hash", {"message_key": "1301573587187331074"}, "message_key is not a keyed hash"),
    ("message", "reply_to_key_no_hash", {"reply_to_key": "@janedoe"}, "reply_to_key is not a keyed hash"),
    ("message", "created_at_in_future", {"created_at": YEAR_2099}, "created_at 2099-01-01 is after the observation"),
    ("message", "created_at_too_early", {"created_at": datetime(1999, 1, 1, tzinfo=UTC)}, "created_at 1999-01-01 is before 2004"),
    ("message", "not_decided", {"wants_answer": None}, "an inbound message without the decision of its rule"),
    ("message", "decided_both_ways", {"is_automatic": False}, "an inbound message with the decision of the other"),
    ("survey_answer", "wrong_type", {"chosen": "My name is Ann"}, "chosen: expected true or false, got a value of type str"),
    ("survey_answer", "formula_cell", {"_defect": "formula_cell: a cell begins with ="}, "a cell begins with ="),
    ("survey_answer", "observed_at_missing", {"observed_at": None}, "observed_at is missing"),
    (
        "survey_answer",
        "observed_at_implausible",
        {"observed_at": YEAR_2099},
        "observed_at 2099-01-01 00:00 is before the run date 2026-11-02",
    ),
    ("survey_answer", "raw_sha256_missing", {"raw_sha256": None}, "raw_sha256 is missing"),
    ("survey_answer", "is_simulated_missing", {"is_simulated": None}, "is_simulated is missing"),
    ("survey_answer", "wave_missing", {"wave": None}, "wave is missing"),
    ("survey_answer", "respondent_key_missing", {"respondent_key": None}, "respondent_key is missing"),
    ("survey_answer", "question_code_missing", {"question_code": None}, "question_code is missing"),
    ("survey_answer", "option_code_missing", {"option_code": None}, "option_code is missing"),
    ("survey_answer", "chosen_missing", {"chosen": None}, "chosen is missing"),
    (
        "survey_answer",
        "respondent_not_pseudonymous",
        {"respondent_key": "ann@example.org"},
        "the respondent's key is not a pseudonym",
    ),
    ("survey_answer", "force_unknown", {"force_id": "atlantis"}, "force atlantis"),
    ("survey_answer", "wave_unknown", {"wave": "1999-spring"}, "wave 1999-spring is not in the seed survey_waves"),
    ("survey_answer", "question_unknown", {"question_code": "shoe_size"}, "the question is not in the seed"),
    ("survey_answer", "option_unknown", {"option_code": "16_24"}, "the option is not one of question want"),
    ("signal", "wrong_type", {"value": "many"}, "value: expected a number, got 'many' (str)"),
    ("signal", "observed_at_missing", {"observed_at": None}, "observed_at is missing"),
    (
        "signal",
        "observed_at_implausible",
        {"observed_at": YEAR_2099},
        "observed_at 2099-01-01 00:00 is before the run date 2026-11-02",
    ),
    ("signal", "raw_sha256_missing", {"raw_sha256": None}, "raw_sha256 is missing"),
    ("signal", "is_simulated_missing", {"is_simulated": None}, "is_simulated is missing"),
    ("signal", "channel_missing", {"channel": None}, "channel is missing"),
    ("signal", "series_missing", {"series": None}, "series is missing"),
    ("signal", "period_start_missing", {"period_start": None}, "period_start is missing"),
    ("signal", "period_missing", {"period": None}, "period is missing"),
    ("signal", "value_missing", {"value": None}, "value is missing"),
    ("signal", "is_stock_missing", {"is_stock": None}, "is_stock is missing"),
    ("signal", "series_unknown", {"series": "rumours"}, "series fediverse/rumours is not in the seed horizon_watchlist"),
    ("signal", "series_differs", {"is_stock": False}, "fediverse/users/day/flow"),
    ("signal", "value_below_zero", {"value": -1}, "value -1 is below zero"),
    ("signal", "period_start_in_future", {"period_start": date(2099, 1, 1)}, "period_start 2099-01-01 is after the observation"),
    ("signal", "period_start_too_early", {"period_start": date(1900, 1, 1)}, "period_start 1900-01-01 is before 2004"),
]


def judge(kind: str, rows: list[dict[str, Any]], run_date: date = RUN_DATE) -> pd.DataFrame:
    """Rule and reason of each bad row, by its position."""
    facts = Facts.of(current(), PLATFORM[kind], run_date)
    frame = SUITES[kind].prepare(to_frame(to_table(kind, rows)), facts)
    rules = SUITES[kind].rules(facts)
    columns = RECORD_KINDS[kind].accepted_schema.names
    return explain(frame, rules, first_failures(frame, rules), columns, quote=kind != "survey_answer")


@pytest.mark.parametrize(("kind", "name", "wrong", "reason"), PLANTED, ids=[f"{kind}-{name}" for kind, name, _, _ in PLANTED])
def test_a_planted_row_breaks_its_rule_and_no_other_row_does(kind: str, name: str, wrong: dict[str, Any], reason: str) -> None:
    rows = [good_row(kind, number) for number in range(5)]
    rows[3] = {**rows[3], **wrong}
    bad = judge(kind, rows)
    assert bad.index.tolist() == [3]
    assert bad.at[3, "rule"] == name
    assert reason in str(bad.at[3, "reason"])


@pytest.mark.parametrize("kind", SUITES)
def test_every_rule_of_a_suite_has_a_planted_row(kind: str) -> None:
    rules = [rule.name for rule in SUITES[kind].rules(Facts.of(current(), PLATFORM[kind], RUN_DATE))]
    assert len(rules) == len(set(rules))
    tested = {name for of_kind, name, _, _ in PLANTED if of_kind == kind}
    # two_answers takes two rows and has a test of its own below; formula_cell is named by the source
    assert set(rules) - {"two_answers"} == tested - {"formula_cell"}


@pytest.mark.parametrize("kind", RECORD_KINDS)
def test_every_record_kind_has_a_suite_that_passes_good_rows(kind: str) -> None:
    assert judge(kind, [good_row(kind, number) for number in range(3)]).empty


def test_a_respondent_with_two_answers_to_a_single_choice_question_breaks_two_answers() -> None:
    age = {"question_code": "age_band", "option_code": "16_24"}
    rows = [{**good_row("survey_answer", number), **age} for number in range(3)]
    rows.append({**rows[1], "option_code": "25_34"})
    rows.append({**rows[2], "option_code": "25_34", "chosen": False})  # an option shown and not chosen is no second answer
    rows.append(dict(rows[0]))  # the same answer twice is a duplicate
    bad = judge("survey_answer", rows)
    assert bad["rule"].to_dict() == {1: "two_answers", 3: "two_answers"}


def test_no_answer_belongs_to_single_choice_questions_only() -> None:
    rows = [{**good_row("survey_answer"), "question_code": code, "option_code": "no_answer"} for code in ("answered", "want")]
    assert judge("survey_answer", rows)["rule"].to_dict() == {1: "option_unknown"}


def test_a_field_of_an_unknown_object_type_is_unmapped() -> None:
    bad = judge("observation", [good_row("observation"), {**good_row("observation", 1), "object_type": "video"}])
    assert bad["rule"].to_dict() == {1: "unmapped_field"}


def test_a_field_is_mapped_only_while_its_row_of_the_map_is_valid() -> None:
    row = {"source_field": "post_impressions_organic"}
    before, after = date(2025, 11, 14), date(2025, 11, 15)
    assert judge("observation", [{**good_row("observation", run_date=before), **row}], before).empty
    assert judge("observation", [{**good_row("observation", run_date=after), **row}], after)["rule"].tolist() == ["unmapped_field"]


@pytest.mark.parametrize(
    ("observed_at", "rules"),
    [
        (datetime(2025, 11, 15, 11, 59, 59, tzinfo=UTC), []),
        (datetime(2025, 11, 15, 12, 0, tzinfo=UTC), ["unmapped_field"]),
        (datetime(2025, 11, 15, 20, 0, tzinfo=UTC), ["unmapped_field"]),
    ],
)
def test_the_map_is_read_as_of_the_day_of_asking_as_in_the_models(observed_at: datetime, rules: list[str]) -> None:
    """Run of 14 November, the last day of the old impressions; an answer of the day after its noon is one of the 15th."""
    run_date = date(2025, 11, 14)
    row = {**good_row("observation", run_date=run_date), "source_field": "post_impressions_organic", "observed_at": observed_at}
    assert judge("observation", [row], run_date)["rule"].tolist() == rules


def test_the_breakdown_is_part_of_the_name_of_a_field() -> None:
    views = {"source_field": "post_media_view", "breakdown": "is_from_ads"}
    rows = [{**good_row("observation", number), **views, "breakdown_value": str(number)} for number in range(3)]
    bad = judge("observation", rows)
    assert bad.index.tolist() == [2]
    assert "facebook post post_media_view lifetime is_from_ads=2 is not in the seed" in str(bad.at[2, "reason"])


def test_the_name_of_a_field_is_the_same_for_the_registry_and_for_a_frame() -> None:
    facts = Facts.of(current(), "facebook", RUN_DATE)
    row = good_row("observation")
    frame = SUITES["observation"].prepare(to_frame(to_table("observation", [row])), facts)
    parts = ("platform", "object_type", "source_field", "period", "breakdown", "breakdown_value")
    assert frame.at[0, "_field"] == field_name(*(row.get(part) for part in parts))


def test_an_account_that_is_closed_is_known() -> None:
    registry = current()
    closed = [row for row in registry.accounts if row.valid_to is not None]
    for row in closed:
        assert row.account_id in Facts.of(registry, row.platform, RUN_DATE).account_ids
    assert account_id("gwent") in Facts.of(registry, "facebook", date(2030, 1, 1)).account_ids


@pytest.mark.parametrize(("days", "is_known"), [(-2, False), (-1, True), (0, True)])
def test_an_account_is_its_forces_from_a_day_before_it_opens(days: int, is_known: bool) -> None:
    opened = next(row for row in current().accounts if row.platform == "facebook" and row.force_id == "gwent")
    on = opened.valid_from + timedelta(days=days)
    bad = judge("account", [{**good_row("account", run_date=on), "account_id": opened.account_id}], on)
    assert bad["rule"].tolist() == ([] if is_known else ["account_of_another_force"])


def test_an_account_is_its_forces_until_a_day_after_it_closes() -> None:
    closed = next(row for row in current().accounts if row.platform == "facebook" and row.status == "closed" and row.valid_to)
    assert closed.valid_to is not None
    for days, rules in ((1, []), (2, ["account_of_another_force"])):
        on = closed.valid_to + timedelta(days=days)
        row = {**good_row("account", force_id=closed.force_id, run_date=on), "account_id": closed.account_id}
        assert judge("account", [row], on)["rule"].tolist() == rules


@pytest.mark.parametrize(
    ("observed", "is_good"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (datetime(2026, 11, 1, 22, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 1, 23, 1, tzinfo=UTC), True),  # a slow clock
        (datetime(2026, 12, 2, 9, tzinfo=UTC), True),  # collected a month later
        (datetime(2027, 12, 7, 23, 59, tzinfo=UTC), True),
        (datetime(2027, 12, 8, tzinfo=UTC), False),
    ],
)
def test_an_answer_is_observed_on_its_run_date_or_in_the_400_days_after_it(observed: datetime, is_good: bool) -> None:
    bad = judge("observation", [{**good_row("observation"), "observed_at": observed}])
    assert bad["rule"].tolist() == ([] if is_good else ["observed_at_implausible"])


def test_how_late_an_answer_may_be_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {**good_row("observation"), "observed_at": datetime(2026, 12, 2, 9, tzinfo=UTC)}
    monkeypatch.setenv("INSIGHT_LONGEST_BACKFILL_DAYS", "29")
    assert judge("observation", [row])["rule"].tolist() == ["observed_at_implausible"]
    monkeypatch.setenv("INSIGHT_LONGEST_BACKFILL_DAYS", "30")
    assert judge("observation", [row]).empty


def test_one_answer_dated_apart_from_those_of_its_ingest_is_set_aside_and_another_ingest_is_not() -> None:
    later = datetime(2027, 6, 1, tzinfo=UTC)
    rows = [good_row("observation", number) for number in range(4)]
    rows[2] = {**rows[2], "observed_at": later}
    rows.append({**good_row("observation", 9, ingest_id="i2"), "observed_at": later})
    rows += [{**good_row("observation", number), "observed_at": YEAR_2099} for number in range(20, 30)]  # most, and not believed
    bad = judge("observation", rows)
    assert bad.index.tolist() == [2, *range(5, 15)]
    assert "more than 2 days from the other answers of its ingest" in str(bad.at[2, "reason"])


def test_a_post_published_within_a_day_after_its_observation_is_good() -> None:
    row = good_row("post")
    ahead = {**row, "published_at": row["observed_at"] + pd.Timedelta(hours=23).to_pytimedelta()}
    assert judge("post", [ahead]).empty


def test_the_first_rule_of_a_suite_names_a_row_that_breaks_several() -> None:
    rows = [{**good_row("observation"), "value": -5, "account_id": "42", "source_field": "post_hugs"}]
    assert judge("observation", rows)["rule"].tolist() == ["unmapped_field"]


def batch_row(**wrong: Any) -> dict[str, Any]:
    sums = {"landed": 30, "derived_zero": 2, "accepted": 29, "quarantined": 1, "dropped_duplicate": 1, "dropped_outside_window": 1}
    return {
        **{"kind": "post", **sums, "came_in": 32, "went_out": 32, "manifest_rows": 31, "file_rows": 31},
        **{"foreign_rows": 0, "bad_rows": 1, "bad_share": 1 / 31, "bad_rules": ""},
        **wrong,
    }


@pytest.mark.parametrize(
    ("name", "wrong", "reason"),
    [
        ("manifest_mismatch", {"manifest_rows": 30}, "post: the manifest says 30 rows, the file has 31"),
        ("foreign_rows", {"foreign_rows": 2}, "post: 2 rows belong to another"),
        (
            "conservation",
            {"landed": 31, "came_in": 33},
            "post: 31 landed + 2 derived zeros, but 29 accepted + 1 quarantined + 1 dup",
        ),
        (
            "mostly_bad",
            {"bad_rows": 7, "bad_share": 7 / 31, "bad_rules": "wrong_type 7"},
            "7 of 31 rows are bad, more than 20%: wr",
        ),
    ],
)
def test_each_rule_of_a_batch_can_fail(name: str, wrong: dict[str, Any], reason: str) -> None:
    frame = pd.DataFrame([batch_row(), batch_row(**wrong), batch_row()])
    rules = batch.rules()
    bad = explain(frame, rules, first_failures(frame, rules), [], quote=True)
    assert bad["rule"].to_dict() == {1: name}
    assert reason in str(bad.at[1, "reason"])
    assert name in [rule.name for rule in rules]


def test_an_expectation_that_cannot_be_evaluated_is_an_error_and_not_a_pass() -> None:
    import great_expectations.expectations as gxe

    broken = rule("no_such_column", "never", gxe.ExpectColumnValuesToNotBeNull, column="nowhere")
    with pytest.raises(CheckFailed, match="no_such_column"):
        first_failures(pd.DataFrame({"value": [1.0]}), [broken])
