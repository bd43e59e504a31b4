"""Exports of social-inbox tools through inbox, gate and accepted: once each, whoever brings it, and no file stays."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from extractors.base import BadFile
from include import accepted
from include.erasure import erase_named
from include.erasure_cut import erase
from include.inbox import collect_dropped
from include.pseudonyms import pseudonym
from include.reprocess import reprocess
from include.run_report import require_clean
from include.settings import Home, run_instant
from include.validation import validate_run
from tests.extractors.test_inbox_contacts import ANSWER, ASKED, QUESTION, WORDS, as_csv

DAY = date(2026, 11, 2)
TIKTOK = {**QUESTION, "platform": "tiktok", "force": "west-midlands", "message_id": "7312345678901234567"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("INSIGHT_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("INSIGHT_HOME", str(tmp_path / "var"))
    return Home.current()


def drop(home: Home, name: str, rows: list[dict[str, Any]], run_date: date = DAY, **more: Any) -> Any:
    inbox = home.inbox / "contacts"
    inbox.mkdir(parents=True, exist_ok=True)
    as_csv(inbox / name, rows)
    collect_dropped("contacts", name, run_date, home, **more)
    return validate_run("contacts", run_date, home=home)


def messages(home: Home) -> list[dict[str, Any]]:
    return accepted.read("message", home, "contacts").to_pylist()


def content_of_everything(home: Home) -> str:
    """Every file that is kept, decompressed, tables as text."""
    texts = []
    for path in (each for each in home.path.rglob("*") if each.is_file()):
        if path.suffix == ".parquet":
            texts.append(pq.read_table(path, partitioning=None).to_pandas().to_csv())
        else:
            texts.append(
                (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode("utf-8", "replace")
            )
    return "\n".join(texts)


def test_messages_of_several_platforms_and_forces_are_accepted_from_one_file(home: Home) -> None:
    report = drop(home, "export.csv", [QUESTION, ANSWER, TIKTOK, {**QUESTION, "message_id": "9", "text": ""}])
    require_clean(report)
    assert report.quarantined == Counter(undecided=1)
    found = {(row["platform"], row["force_id"], row["direction"]): row for row in messages(home)}
    assert set(found) == {("x", "gwent", "inbound"), ("x", "gwent", "outbound"), ("tiktok", "west-midlands", "inbound")}
    assert found["x", "gwent", "inbound"]["message_key"] == pseudonym(f"message x {ASKED}")
    assert found["x", "gwent", "outbound"]["reply_to_key"] == pseudonym(f"message x {ASKED}")
    sums = [row for row in accepted.read("conservation", home, "contacts").to_pylist() if row["record_kind"] == "message"]
    assert [(row["landed"], row["accepted"], row["quarantined"]) for row in sums] == [(4, 3, 1)]


def test_no_id_word_or_name_stays_in_any_file(home: Home) -> None:
    rows = [QUESTION, ANSWER, TIKTOK, {**QUESTION, "created_at": "Jane Doe"}]
    drop(home, "export.csv", rows)
    bad = home.inbox / "contacts" / "b.csv"
    as_csv(bad, [{**QUESTION, "handle": "janedoe"}], more=["handle"])
    with pytest.raises(BadFile):
        collect_dropped("contacts", "b.csv", DAY, home)
    assert [path.name for path in (home.inbox / "contacts").rglob("*") if path.is_file()] == ["b.csv.reason.txt"]
    everything = content_of_everything(home)
    assert pseudonym(f"message x {ASKED}") in everything, "the search finds what is there"
    for secret in (ASKED, WORDS[:12], "Jane", "janedoe", "07700", "7312345678901234567"):
        assert secret not in everything


def test_the_same_file_twice_and_reprocessing_change_nothing(home: Home) -> None:
    drop(home, "export.csv", [QUESTION, ANSWER, TIKTOK])
    before = messages(home)
    drop(home, "export.csv", [QUESTION, ANSWER, TIKTOK], observed_at=run_instant(DAY) + timedelta(minutes=15))
    assert messages(home) == before
    reprocess("contacts", DAY, home)
    assert messages(home) == before


def test_an_erasure_reaches_the_exports(home: Home, tmp_path: Path) -> None:
    drop(home, "export.csv", [QUESTION, ANSWER, TIKTOK])
    key = pseudonym(f"message x {ASKED}")
    erase("contacts", {"gwent": {key}}, home)  # as erase_deleted does with what X no longer lists
    assert key not in content_of_everything(home)
    assert Counter(row["platform"] for row in messages(home)) == Counter(x=1, tiktok=1)
    named = tmp_path / "names.csv"
    named.write_text(f"platform,message_id\ntiktok,{TIKTOK['message_id']}\n")
    assert erase_named(named, DAY, home) == Counter(contacts=1)
    assert Counter(row["platform"] for row in messages(home)) == Counter(x=1)
