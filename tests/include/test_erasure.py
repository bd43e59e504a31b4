"""What the public deletes is cut out of everything that was kept of it, and only a count stays. The HTTP server is real."""

from __future__ import annotations

import csv
import gzip
import logging
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from extractors.base import Access, Secret
from include import accepted, erasure
from include.collect import collect_force
from include.inbox import collect_dropped
from include.pseudonyms import PseudonymKeyBroken, pseudonym
from include.registry import current
from include.settings import Home, run_instant
from include.validation import validate_run
from tests.extractors.loopback import Asked, Loopback, Reply, serving
from tests.extractors.test_inbox_contacts import as_csv
from tests.extractors.test_x import post_item

DAYS = [date(2026, 10, 30), date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2)]
ACCOUNT = next(row for row in current().accounts if row.platform == "x" and row.force_id == "gwent" and row.valid_to is None)


def message_id(number: int) -> str:
    return str(1_990_000_000_000_000_000 + number)


def key(number: int) -> str:
    return pseudonym(f"message x {message_id(number)}")


class Public:
    """The scripted API: who is there to be listed, on which day."""

    def __init__(self) -> None:
        self.day = DAYS[0]
        self.there: list[int] = list(range(12))
        self.answered: dict[int, int] = {}
        self.refuses = False
        self.odd: int | None = None
        """Who is listed with a time to come: such a message is held back."""

    def __call__(self, asked: Asked) -> Any:
        return Reply(**self.answer(asked), date=format_datetime(run_instant(self.day), usegmt=True))

    def answer(self, asked: Asked) -> dict[str, Any]:
        sent_at = "2026-10-29T10:00:00.000Z"
        if asked.path.endswith("/by"):
            return {"body": {"data": [{"id": ACCOUNT.account_id, "name": "P", "username": ACCOUNT.handle}]}}
        if asked.path.endswith("/mentions"):
            if self.refuses:
                return {"body": {"title": "Forbidden", "status": 403}, "status": 403}
            listed = [
                {
                    "id": message_id(one),
                    "text": "where?",
                    "author_id": f"77{one}",
                    "created_at": "2026-12-29T10:00:00.000Z" if one == self.odd else sent_at,
                }
                for one in self.there
            ]
            return {"body": {"data": listed, "meta": {}} if listed else {"meta": {"result_count": 0}}}
        replies = [
            post_item(
                message_id(1000 + number),
                author_id=ACCOUNT.account_id,
                created_at="2026-10-29T11:00:00.000Z",
                text="here",
                in_reply_to_user_id=f"77{to}",
                referenced_tweets=[{"type": "replied_to", "id": message_id(to)}],
            )
            for number, to in self.answered.items()
        ]
        return {"body": {"data": replies, "meta": {}} if replies else {"meta": {"result_count": 0}}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("INSIGHT_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("INSIGHT_HOME", str(tmp_path / "var"))
    return Home.current()


@pytest.fixture
def public() -> Public:
    return Public()


@pytest.fixture
def server(public: Public) -> Iterator[Loopback]:
    with serving(public) as running:
        yield running


def run(public: Public, server: Loopback, day: date) -> None:
    public.day = day
    collect_force("x", "gwent", day, access=Access(server.base_url, Secret("t" * 20)), sleep=lambda seconds: None)
    validate_run("x", day)


def places_of(home: Home, wanted: str) -> list[str]:
    """Every file that holds a text, decompressed."""
    found = []
    for path in home.path.rglob("*"):
        if path.is_file():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            if path.suffix == ".parquet":
                content += pq.read_table(path, partitioning=None).to_pandas().to_csv().encode()
            if wanted.encode() in content:
                found.append(str(path.relative_to(home.path)))
    return found


def erasures() -> list[tuple[str, int, str]]:
    rows = accepted.read("erasure").to_pylist()
    return [(str(row["run_date"]), row["erased"], row["reason"]) for row in rows]


def sums(home: Home) -> list[tuple[int, int]]:
    rows = [row for row in accepted.read("conservation").to_pylist() if row["record_kind"] == "message"]
    for row in rows:
        went = row["accepted"] + row["quarantined"] + row["dropped_duplicate"] + row["dropped_outside_window"]
        assert row["landed"] + row["derived_zero"] == went
    return [(row["landed"], row["accepted"]) for row in sorted(rows, key=lambda row: row["run_date"])]


def test_what_is_deleted_upstream_is_nowhere_after_the_next_run(
    home: Home, public: Public, server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "include.erasure")
    public.answered = {1: 3, 2: 4}
    run(public, server, DAYS[0])
    assert len(places_of(home, key(3))) >= 2, "landing and accepted held it"
    assert sums(home) == [(14, 14)]
    public.there.remove(3)
    run(public, server, DAYS[1])
    assert places_of(home, key(3)) == [], "nor whom the force's answer, which is still there, answers"
    assert len(places_of(home, key(4))) == 3
    assert erasures() == [("2026-10-31", 1, "deleted_upstream")]
    assert "x gwent: 1 messages erased (deleted_upstream), 1 files of landing changed" in caplog.text
    assert sums(home) == [(13, 13), (13, 13)]
    answers = [row for row in accepted.read("message").to_pylist() if row["direction"] == "outbound"]
    assert len(answers) == 4
    assert {row["reply_to_key"] for row in answers} == {None, key(4)}


def test_the_same_again_changes_nothing(home: Home, public: Public, server: Loopback) -> None:
    for day in DAYS[:2]:
        run(public, server, day)
        public.there = public.there[1:]
    state = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file() and path.suffix in (".gz", ".parquet")}
    validate_run("x", DAYS[1])
    assert erasures() == [("2026-10-31", 1, "deleted_upstream")]
    assert {path: path.read_bytes() for path in state} == state


def test_a_list_that_did_not_come_deletes_nobody(home: Home, public: Public, server: Loopback) -> None:
    run(public, server, DAYS[0])
    public.refuses = True
    run(public, server, DAYS[1])
    assert erasures() == []
    assert len(accepted.read("message").to_pylist()) == 12


def test_most_at_once_wait_for_a_second_list(home: Home, public: Public, server: Loopback) -> None:
    """An empty list with status 200 may be a fault: nobody is erased by one alone."""
    run(public, server, DAYS[0])
    everyone, public.there = public.there, []
    run(public, server, DAYS[1])
    assert erasures() == []
    public.there = everyone
    run(public, server, DAYS[2])
    assert erasures() == []
    public.there = []
    run(public, server, DAYS[3])
    assert erasures() == []
    later = DAYS[3] + timedelta(days=1)
    run(public, server, later)
    assert erasures() == [(str(later), 12, "deleted_upstream")]
    assert all(not places_of(home, key(number)) for number in (0, 5, 11))


def test_a_file_names_whom_to_erase_and_is_removed(home: Home, public: Public, server: Loopback, tmp_path: Path) -> None:
    run(public, server, DAYS[0])
    named = tmp_path / "deletions.csv"
    with named.open("w", newline="") as handle:
        csv.writer(handle).writerows([("platform", "message_id"), ("x", message_id(2)), ("bluesky", message_id(5)), ("x", "1")])
    erasure.main([str(named), "--date", "2026-10-31"])
    assert not named.exists()
    assert places_of(home, key(2)) == []
    assert len(places_of(home, key(5))) >= 2, "another platform's message of the same id"
    assert erasures() == [("2026-10-31", 1, "named_in_a_file")]
    assert sums(home) == [(11, 11)]


def test_a_message_that_is_held_back_goes_too(home: Home, public: Public, server: Loopback, tmp_path: Path) -> None:
    """It is in quarantine and landing only; deleted upstream, or named in a file."""
    public.odd = 3
    run(public, server, DAYS[0])
    assert {path.split("/")[0] for path in places_of(home, key(3))} == {"landing", "quarantine"}
    run(public, server, DAYS[1])
    assert erasures() == []
    public.there.remove(3)
    run(public, server, DAYS[2])
    assert places_of(home, key(3)) == []
    assert erasures() == [("2026-11-01", 1, "deleted_upstream")]
    public.odd = 4
    public.there.append(3)
    run(public, server, DAYS[3])
    named = tmp_path / "deletions.csv"
    named.write_text(f"platform,message_id\nx,{message_id(4)}\n")
    assert erasure.erase_named(named, DAYS[3]) == {"x": 1}
    assert places_of(home, key(4)) == []
    sums(home)


def test_a_file_names_messages_as_an_export_does(home: Home, public: Public, server: Loopback, tmp_path: Path) -> None:
    run(public, server, DAYS[0])
    named = tmp_path / "deletions.csv"
    named.write_text(f"platform,message_id\n X , {message_id(2)} \n,\nx,https://x.com/jane/status/{message_id(5)}?s=20\n")
    assert erasure.erase_named(named, DAYS[0]) == {"x": 2}
    assert places_of(home, key(2)) + places_of(home, key(5)) == []


@pytest.mark.parametrize("row", ["twitter,1990", "x,", "x,1.99E+18", "x,=1990", ",1990"])
def test_a_file_that_cannot_be_read_erases_nobody_and_stays(
    home: Home, public: Public, server: Loopback, tmp_path: Path, row: str
) -> None:
    """Who asked to be forgotten would else be told that it was done. What somebody typed is not quoted."""
    run(public, server, DAYS[0])
    named = tmp_path / "deletions.csv"
    named.write_text(f"platform,message_id\nx,{message_id(2)}\n{row}\n")
    with pytest.raises(ValueError, match=r"deletions\.csv line 3: ") as refused:
        erasure.erase_named(named, DAYS[0])
    assert "199" not in str(refused.value).removeprefix(str(tmp_path))
    assert named.exists()
    assert len(places_of(home, key(2))) >= 2


@pytest.mark.parametrize("is_lost", [True, False])
def test_under_another_key_nobody_is_doubled_or_taken_for_deleted(
    home: Home, public: Public, server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    run(public, server, DAYS[0])
    monkeypatch.setenv("INSIGHT_SECRETS", str(tmp_path / "other"))
    if not is_lost:
        pseudonym("makes the other key")
    with pytest.raises(PseudonymKeyBroken, match="put that key back"):
        run(public, server, DAYS[1])
    named = tmp_path / "deletions.csv"
    named.write_text(f"platform,message_id\nx,{message_id(2)}\n")
    with pytest.raises(PseudonymKeyBroken):
        erasure.erase_named(named, DAYS[1])
    assert named.exists()
    assert len(accepted.read("message").to_pylist()) == 12
    assert (tmp_path / "other" / "pseudonyms.key").exists() is not is_lost, "no new key is made in its place"


def test_what_x_no_longer_lists_goes_from_exports_of_social_inbox_tools_too(public: Public, server: Loopback, home: Home) -> None:
    """Both brought it under one key."""
    run(public, server, DAYS[0])
    inbox = home.inbox / "contacts"
    inbox.mkdir(parents=True)
    row = {"platform": "x", "force": "gwent", "direction": "inbound", "created_at": "2026-10-29T10:00:00Z", "wants_answer": "yes"}
    as_csv(inbox / "export.csv", [{**row, "message_id": message_id(number)} for number in (3, 4, 500)])
    collect_dropped("contacts", "export.csv", DAYS[0], home)
    validate_run("contacts", DAYS[0])
    brought = {each["source"] for each in accepted.read("message").to_pylist() if each["message_key"] == key(3)}
    assert brought == {"x", "contacts"}
    public.there.remove(3)
    run(public, server, DAYS[1])
    assert places_of(home, key(3)) == []
    left = {each["message_key"] for each in accepted.read("message", home, "contacts").to_pylist()}
    assert left == {key(4), key(500)}, "a private message is in no list of mentions: nobody can say that it is gone"


class Killed(BaseException):
    """As a signal ends a process: no handler of errors sees it."""


def kept(home: Home) -> dict[str, bytes]:
    rooms = (home.landing, home.records, home.accepted, home.quarantine)
    files = (path for room in rooms for path in room.rglob("*") if path.is_file())
    return {path.relative_to(home.path).as_posix(): path.read_bytes() for path in files}


def test_killed_at_any_rename_and_run_again_it_ends_as_undisturbed(
    home: Home, public: Public, server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public.answered = {3: 3, 8: 8}
    run(public, server, DAYS[0])
    public.there = [one for one in public.there if one not in (3, 7)]
    public.day, public.odd = DAYS[1], 5
    collect_force("x", "gwent", DAYS[1], access=Access(server.base_url, Secret("t" * 20)), sleep=lambda seconds: None)
    copies = [Home(tmp_path / f"var_{number}") for number in range(60)]
    rename = Path.replace

    def validate(other: Home, kill_at: int | None) -> bool:
        """Whether it got to its end."""
        shutil.copytree(home.path, other.path)
        calls = 0

        def replace(self: Path, goal: Path) -> Path:
            nonlocal calls
            calls += 1
            if calls == kill_at:
                raise Killed
            return rename(self, goal)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", replace)
            try:
                validate_run("x", DAYS[1], home=other)
            except Killed:
                return False
        return True

    assert validate(copies[0], None)
    undisturbed = kept(copies[0])
    assert places_of(copies[0], key(3)) == []
    for number, other in enumerate(copies[1:], start=1):
        if validate(other, number):
            break
        validate_run("x", DAYS[1], home=other)
        after = kept(other)
        assert after.keys() == undisturbed.keys(), number
        assert [name for name in after if after[name] != undisturbed[name]] == [], f"killed before rename {number}"
    assert 10 < number < len(copies) - 1, "renames of merging and of erasing"
