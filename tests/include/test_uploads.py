"""Uploads through inbox, gate and ledger: what is wrong is named and costs nothing else; what came twice counts once."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from extractors.base import BadFile
from include import accepted
from include.inbox import collect_dropped
from include.reprocess import reprocess
from include.run_report import RunNotClean, require_clean
from include.settings import Home, run_instant
from include.validation import validate_run
from tests.extractors.test_upload import ACCOUNT, GWENT, POST, as_csv

DAY = date(2026, 11, 2)
SPAN = {"posts_from": "2026-09-01", "posts_to": "2026-09-30", "posts_published": "1"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("INSIGHT_HOME", str(tmp_path / "var"))
    return Home.current()


def drop(home: Home, name: str, rows: list[dict[str, Any]], run_date: date = DAY, at: datetime | None = None) -> Any:
    inbox = home.inbox / "linkedin"
    inbox.mkdir(parents=True, exist_ok=True)
    as_csv(inbox / name, rows)
    collect_dropped("linkedin", name, run_date, home, at)
    return validate_run("linkedin", run_date, home=home)


def rows_of(home: Home, kind: str, **where: Any) -> list[dict[str, Any]]:
    rows = accepted.read(kind, home, "linkedin").to_pylist()
    return [row for row in rows if all(row[name] == value for name, value in where.items())]


def test_good_rows_are_accepted_and_the_ledger_says_what_the_file_proves(home: Home) -> None:
    report = drop(home, "a.csv", [{**ACCOUNT, **SPAN}, POST])
    require_clean(report)
    assert report.accepted == 7
    (post,) = rows_of(home, "post")
    assert (post["force_id"], post["account_id"], post["run_date"]) == ("gwent", GWENT, DAY)
    assert post["observed_at"].isoformat() == "2026-10-05T08:30:00+00:00", "when somebody read it, not when it was dropped"
    ledger = {(row["subject"], row["outcome"]): row for row in rows_of(home, "collection")}
    assert set(ledger) == {("*", "collected"), ("posts", "collected"), ("followers", "collected")}
    listed = ledger["posts", "collected"]
    assert (listed["list_from"].isoformat(), listed["list_to"].isoformat()) == (
        "2026-08-31T23:00:00+00:00",
        "2026-09-30T23:00:00+00:00",
    )
    assert {row["force_id"] for row in rows_of(home, "collection")} == {"gwent"}
    assert {row["observed_at"] for row in rows_of(home, "collection")} == {run_instant(DAY)}


def test_bad_rows_wait_in_quarantine_and_are_holes_of_their_account_alone(home: Home) -> None:
    kent = {**ACCOUNT, "force": "kent"}
    report = drop(home, "a.csv", [
        ACCOUNT,
        {**POST, "views": "n/a"},
        {**POST, "post": "8", "read_at": "03/10/2026"},
        {**kent, "force": "ruritania"},
        kent,
    ])  # fmt: skip
    require_clean(report)  # few bad rows turn no run red
    assert report.quarantined == Counter(wrong_type=1, date_ambiguous=1, force_unknown=1)
    assert report.accepted == 7  # two counts of followers, a post and four of its figures
    holes = {(row["force_id"], row["subject"], row["object_id"]) for row in rows_of(home, "collection", outcome="gap")}
    assert holes == {
        ("gwent", "views", "7312345678901234567"),
        ("gwent", "posts", "8"),
    }, "a row of nobody's account is in quarantine alone"


def test_a_figure_that_the_platform_does_not_have_turns_the_run_red_by_name(home: Home) -> None:
    report = drop(home, "a.csv", [ACCOUNT, {**POST, "saves": "4"}])
    with pytest.raises(RunNotClean, match="unmapped field linkedin post saves lifetime"):
        require_clean(report)
    assert report.accepted == 7


def test_a_file_that_holds_fewer_posts_than_it_says_is_red_and_counts_no_list(home: Home) -> None:
    report = drop(home, "a.csv", [{**ACCOUNT, **SPAN, "posts_published": "3"}, POST])
    with pytest.raises(RunNotClean, match="3 posts from 2026-09-01 to 2026-09-30, the file has 1"):
        require_clean(report)
    assert report.accepted == 7
    assert not rows_of(home, "collection", subject="posts", outcome="collected")


@pytest.mark.parametrize("read_at", ["2025-08-01", "2026-11-05"])
def test_a_reading_too_old_or_of_the_future_is_quarantined(home: Home, read_at: str) -> None:
    report = drop(home, "a.csv", [ACCOUNT, {**ACCOUNT, "read_at": read_at}])
    assert report.quarantined == Counter(observed_at_implausible=1)
    assert report.accepted == 1


@pytest.mark.parametrize("read_at", ["2025-08-01", "2026-11-05", "2027-06-01"])
def test_days_without_posts_are_not_proved_by_a_reading_too_old_or_of_the_future(home: Home, read_at: str) -> None:
    span = {"posts_from": "2025-07-01", "posts_to": read_at, "posts_published": "0"}
    report = drop(home, "a.csv", [{**ACCOUNT, "followers": "", "read_at": read_at, **span}])
    assert report.quarantined == Counter(observed_at_implausible=1)
    assert not rows_of(home, "collection", subject="posts", outcome="collected")


def test_two_rows_that_contradict_each_other_are_both_set_aside_and_the_same_row_twice_is_one(home: Home) -> None:
    kent, other = {**ACCOUNT, "force": "kent"}, {**POST, "post": "8"}
    report = drop(
        home, "a.csv", [kent, kent, other, other, ACCOUNT, {**ACCOUNT, "followers": "1300"}, POST, {**POST, "views": "7"}]
    )
    assert report.quarantined == Counter(rows_contradict=4)
    assert [row["post_id"] for row in rows_of(home, "post")] == ["8"]
    assert [row["force_id"] for row in rows_of(home, "observation", source_field="followers")] == ["kent"]
    reasons = [row["reason"] for row in accepted.read_quarantine("post", home, "linkedin").to_pylist()]
    assert sorted(reasons) == [
        f"row {row}: row is about the same reading as row {other}, and says something else; keep one of them"
        for row, other in ((8, 9), (9, 8))
    ]


def test_a_post_under_two_forces_is_set_aside_under_both(home: Home) -> None:
    report = drop(home, "a.csv", [ACCOUNT, POST, {**POST, "force": "kent"}, {**POST, "post": "8"}])
    assert report.quarantined == Counter(post_of_two=2)
    assert [(row["post_id"], row["force_id"]) for row in rows_of(home, "post")] == [("8", "gwent")]
    reasons = [row["reason"] for row in accepted.read_quarantine("post", home, "linkedin").to_pylist()]
    assert sorted(reasons) == [
        f"row {row}: post stands under another account in row {other}; a post is one account's" for row, other in ((3, 4), (4, 3))
    ]


def test_the_days_of_an_accounts_posts_may_stand_in_several_rows(home: Home) -> None:
    august = {"posts_from": "2026-08-01", "posts_to": "2026-08-31", "posts_published": "0"}
    require_clean(drop(home, "a.csv", [{**ACCOUNT, **SPAN}, {**ACCOUNT, "followers": "", **august}, POST]))
    assert len(rows_of(home, "collection", subject="posts", outcome="collected")) == 2


def test_several_readings_of_one_post_in_one_file_are_all_kept(home: Home) -> None:
    report = drop(home, "a.csv", [POST, {**POST, "read_at": "2026-10-12 09:30", "views": "600"}])
    require_clean(report)
    assert [row["value"] for row in rows_of(home, "observation", source_field="views")] == [500, 600]
    assert len(rows_of(home, "post")) == 2


def test_the_same_file_twice_changes_nothing(home: Home) -> None:
    drop(home, "a.csv", [{**ACCOUNT, **SPAN}, POST])
    before = {kind: rows_of(home, kind) for kind in ("post", "observation", "conservation")}
    drop(home, "a.csv", [{**ACCOUNT, **SPAN}, POST], at=run_instant(DAY) + timedelta(minutes=15))
    assert {kind: rows_of(home, kind) for kind in before} == before
    drop(home, "copy.csv", [{**ACCOUNT, **SPAN}, POST])
    assert {(row["source_field"], row["value"]) for row in rows_of(home, "observation")} == {
        (row["source_field"], row["value"]) for row in before["observation"]
    }


def test_a_file_with_changed_numbers_is_a_new_ingest_beside_the_old_one(home: Home) -> None:
    drop(home, "a.csv", [ACCOUNT, POST])
    drop(home, "a.csv", [ACCOUNT, {**POST, "views": "555"}], at=run_instant(DAY) + timedelta(minutes=15))
    found = rows_of(home, "observation", source_field="views")
    assert sorted(row["value"] for row in found) == [500, 555]
    assert len({row["ingest_id"] for row in found}) == 2


def test_reprocess_gives_the_same_records_and_ledger_without_the_file(home: Home) -> None:
    drop(home, "a.csv", [{**ACCOUNT, **SPAN}, {**POST, "views": "n/a"}])
    kinds = ("post", "observation", "collection", "conservation")
    before = {kind: rows_of(home, kind) for kind in kinds}
    (home.inbox / "linkedin" / "processed" / "a.csv").unlink()
    reprocess("linkedin", DAY, home)
    assert {kind: rows_of(home, kind) for kind in kinds} == before


def test_a_file_that_cannot_be_read_is_put_aside_with_its_reason(home: Home) -> None:
    inbox = home.inbox / "linkedin"
    inbox.mkdir(parents=True)
    (inbox / "a.csv").write_text("Date,Impressions\n")
    with pytest.raises(BadFile):
        collect_dropped("linkedin", "a.csv", DAY, home)
    reason = (inbox / "rejected" / "a.csv.reason.txt").read_text()
    assert "not the header of the upload template" in reason
    assert not (home.landing / "linkedin").exists() or not list((home.landing / "linkedin").rglob("*.gz"))
