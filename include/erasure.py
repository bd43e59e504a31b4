"""Erasure: a message of the public that is gone upstream is cut out of all that has been kept of it.

A run's list of messages tells what is still there: what an earlier run had seen in the same span, and this list no longer
holds, has been deleted. It is cut out of landing (the one case in which a file of landing is changed), accepted, quarantine
and records that wait, and a count stays (ledger kind `erasure`). The next build has marts without it; older publications go
as always (docs/architecture.md, "Erasure").
"""

from __future__ import annotations

import argparse
import csv
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from extractors.inbox_contacts import identity
from extractors.upload_cells import Wrong
from include import accepted, registry
from include.erasure_cut import EXPORTS, KIND, erase
from include.locks import held
from include.pseudonyms import pseudonym, require_same_key
from include.records import to_table
from include.settings import Home, run_instant

log = logging.getLogger(__name__)

SUBJECTS = frozenset({"messages", "posts"})
"""Both lists are needed: comments are those of the posts that the list of posts held."""

MANY_AT_ONCE = 10
MOST = 0.5
"""More than so many, and more than this share of what was there: an empty answer is likelier than so many deletions. They go when
the list after that does not have them either."""

DELETED_UPSTREAM, NAMED = "deleted_upstream", "named_in_a_file"


@dataclass(frozen=True)
class _List:
    """One complete list of an account's messages: what it holds, and of which span."""

    ingest_id: str
    run_date: date
    observed_at: datetime
    window_days: int  # how many days of contacts such a list holds every one of (seed contact_platforms)

    @property
    def seen_from(self) -> datetime:
        return datetime.combine(self.run_date + timedelta(days=1 - self.window_days), datetime.min.time(), UTC)

    @property
    def seen_to(self) -> datetime:
        return min(self.observed_at, datetime.combine(self.run_date + timedelta(days=1), datetime.min.time(), UTC))


@dataclass
class _Known:
    """What has been kept of one inbound message."""

    created_at: datetime
    last_seen_at: datetime
    ingest_ids: set[str] = field(default_factory=set)


def erase_deleted(source: str, run_date: date, home: Home | None = None) -> Counter[str]:
    """Cut out what the run's lists of messages show to be deleted. Returns how many messages by batch (force).

    The caller holds the source's validation. Doing it again changes nothing.
    """
    home = home or Home.current()
    lists = _lists(source, home)
    of_run = {account: each for account, each in lists.items() if any(one.run_date == run_date for one in each)}
    if not of_run:
        return Counter()
    known, force_of = _known(source, home)
    held_back = _held_back(source, home)
    gone: dict[str, set[str]] = defaultdict(set)
    seen_in: dict[str, _List] = {}
    for account, of_account in of_run.items():
        newest = max((one for one in of_account if one.run_date == run_date), key=lambda one: one.observed_at)
        if None in held_back.get(newest.ingest_id, set()):
            continue  # a row without its key may be any of them
        keys = _gone(known[account], of_account, newest, held_back)
        if keys:
            gone[force_of[account]] |= keys
            seen_in[force_of[account]] = newest
    if not gone:
        return Counter()
    # what a tool's export brought of the same messages goes first: a process that is killed in between finds them missing again
    in_exports = _erase_from_exports(source, gone, home)

    def log_all(files: Counter[str]) -> None:
        for force_id, of_force in gone.items():
            seen, changed = seen_in[force_id], in_exports[force_id] + files[force_id]
            _log(source, run_date, seen.ingest_id, force_id, DELETED_UPSTREAM, len(of_force), changed, home, seen.observed_at)

    erase(source, gone, home, log_all)
    return Counter({force_id: len(of_force) for force_id, of_force in gone.items()})


def _known(source: str, home: Home) -> tuple[dict[str, dict[str, _Known]], dict[str, str]]:
    """Inbound messages by account and key, accepted or held back, and whose account each is."""
    known: dict[str, dict[str, _Known]] = defaultdict(dict)
    force_of: dict[str, str] = {}
    columns = ["account_id", "force_id", "message_key", "direction", "created_at", "observed_at", "ingest_id"]
    for table in (accepted.read(KIND, home, source), accepted.read_quarantine(KIND, home, source)):
        for row in table.select(columns).filter(pc.equal(table.column("direction"), "inbound")).to_pylist():
            account, key, seen_at = row["account_id"], row["message_key"], row["observed_at"]
            if not (account and key and row["force_id"] and seen_at):
                continue
            force_of[account] = row["force_id"]
            # of what is held back the time may be wrong: it was not said after it was seen
            said_at = min(row["created_at"] or seen_at, seen_at)
            one = known[account].setdefault(key, _Known(said_at, seen_at))
            one.last_seen_at = max(one.last_seen_at, seen_at)
            one.ingest_ids.add(row["ingest_id"])
    return known, force_of


def _erase_from_exports(source: str, gone: Mapping[str, Collection[str]], home: Home) -> Counter[str]:
    """The same messages in exports of social-inbox tools (extractors/inbox_contacts.py): one message has one key."""
    if source == EXPORTS:
        return Counter()
    with held(home, f"validate-{EXPORTS}", f"erasure in {EXPORTS}"):
        return erase(EXPORTS, gone, home)


def _lists(source: str, home: Home) -> dict[str, list[_List]]:
    """The complete lists of messages, by account: those of which every page came."""
    rows_of_seed = registry.current().tables["contact_platforms"]
    windows = {row["platform"]: int(row["window_days"]) for row in rows_of_seed if row["window_days"]}
    columns = ["platform", "account_id", "object_id", "subject", "outcome", "ingest_id", "run_date", "observed_at"]
    rows = accepted.read("collection", home, source).select(columns)
    whole: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows.filter(pc.is_in(rows.column("subject"), pa.array(sorted(SUBJECTS), pa.string()))).to_pylist():
        if row["outcome"] == "collected" and row["object_id"] is None and row["observed_at"] is not None:
            whole[row["account_id"], row["ingest_id"]][row["subject"]] = row
    found: dict[str, list[_List]] = defaultdict(list)
    for (account_id, ingest_id), of_subject in whole.items():
        row = next(iter(of_subject.values()))
        if of_subject.keys() == SUBJECTS and row["platform"] in windows:
            found[account_id].append(_List(ingest_id, row["run_date"], row["observed_at"], windows[row["platform"]]))
    return found


def _held_back(source: str, home: Home) -> dict[str, set[str | None]]:
    """Keys in quarantine by ingest: they were in its list."""
    rows = accepted.read_quarantine(KIND, home, source).select(["ingest_id", "message_key"]).to_pylist()
    found: dict[str, set[str | None]] = defaultdict(set)
    for row in rows:
        found[row["ingest_id"]].add(row["message_key"])
    return found


def _gone(known: Mapping[str, _Known], lists: Iterable[_List], newest: _List, held_back: Mapping[str, set[str | None]]) -> set[str]:
    """Keys that the newest list should hold and does not."""
    there: set[str] = set()
    missing: set[str] = set()
    for key, one in known.items():
        if not newest.seen_from <= one.created_at <= newest.seen_to:
            continue
        is_listed = newest.ingest_id in one.ingest_ids or key in held_back.get(newest.ingest_id, set())
        (there if is_listed or one.last_seen_at >= newest.observed_at else missing).add(key)
    if len(missing) <= MANY_AT_ONCE or len(missing) <= MOST * (len(missing) + len(there)):
        return missing
    earlier = [each for each in lists if each.observed_at < newest.observed_at]
    return {
        key
        for key in missing
        if any(
            each.observed_at > known[key].last_seen_at and each.seen_from <= known[key].created_at <= each.seen_to
            for each in earlier
        )
    }


def _log(
    source: str, run_date: date, ingest_id: str, force_id: str, reason: str, erased: int, files: int, home: Home, moment: datetime
) -> None:
    """The count that stays. Requests of one date add up; what one list shows to be deleted is counted once, however often a killed
    process begins again."""
    before = accepted.read("erasure", home, source, run_date).to_pylist()
    same = [row for row in before if (row["ingest_id"], row["batch"], row["reason"]) == (ingest_id, force_id, reason)]
    others = [row for row in before if row["ingest_id"] == ingest_id and row not in same]
    count = max if reason == DELETED_UPSTREAM else sum
    row = {
        "source": source,
        "force_id": force_id,
        "run_date": run_date,
        "ingest_id": ingest_id,
        "observed_at": moment,
        "batch": force_id,
        "record_kind": KIND,
        "reason": reason,
        "erased": count([erased, *(each["erased"] for each in same)]),
        "landing_files": count([files, *(each["landing_files"] for each in same)]),
    }
    accepted.merge("erasure", source, run_date, to_table("erasure", [*others, row]), home, {ingest_id})
    log.info("%s %s: %d messages erased (%s), %d files of landing changed", source, force_id, erased, reason, files)


def erase_named(path: Path, run_date: date, home: Home | None = None) -> Counter[str]:
    """Erase the messages that a file names (columns platform, message_id): a platform's list of deletions, or somebody's request.

    Ids as in an export of contacts. Returns how many messages by source. The file is removed: it holds ids. Raises ValueError, and
    touches nothing, where a row names no platform of the register or has no id that can be read.
    """
    home = home or Home.current()
    require_same_key(home.accepted)
    keys = _keys_of(path)
    found: Counter[str] = Counter()
    sources = {folder.name for root in (home.accepted, home.quarantine) for folder in (root / KIND).glob("*")}
    for source in sorted(sources):
        with held(home, f"validate-{source}", f"erasure in {source}"):
            gone: dict[str, set[str]] = defaultdict(set)
            for table in (accepted.read(KIND, home, source), accepted.read_quarantine(KIND, home, source)):
                for row in table.select(["force_id", "message_key"]).to_pylist():
                    if row["message_key"] in keys and row["force_id"]:
                        gone[row["force_id"]].add(row["message_key"])
            files = erase(source, gone, home) if gone else Counter[str]()
            for force_id, of_force in sorted(gone.items()):
                moment = run_instant(run_date)
                _log(source, run_date, f"erasure-{run_date}", force_id, NAMED, len(of_force), files[force_id], home, moment)
                found[source] += len(of_force)
    path.unlink()
    return found


def _keys_of(path: Path) -> set[str]:
    """The keys of the messages that a file names. Errors say which row, not what is in it."""
    platforms = {row["platform"] for row in registry.current().tables["platforms"]}
    keys: set[str] = set()
    with path.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        if not {"platform", "message_id"} <= set(reader.fieldnames or ()):
            raise ValueError(f"{path.name}: needs the columns platform and message_id")
        for row in reader:
            if not any(isinstance(cell, str) and cell.strip() for cell in row.values()):
                continue
            platform = (row["platform"] or "").strip().casefold()
            if platform not in platforms:
                raise ValueError(f"{path.name} line {reader.line_num}: platform is none of {', '.join(sorted(platforms))}")
            try:
                message_id = identity((row["message_id"] or "").strip() or None, platform)
            except Wrong as wrong:
                raise ValueError(f"{path.name} line {reader.line_num}: message_id {wrong.reason}") from None
            if message_id is None:
                raise ValueError(f"{path.name} line {reader.line_num}: message_id is empty")
            keys.add(pseudonym(f"message {platform} {message_id}"))
    return keys


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m include.erasure", description=erase_named.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--date", type=date.fromisoformat, required=True, help="under which date the count is kept")
    given = parser.parse_args(arguments)
    found = erase_named(given.file, given.date)
    sys.stdout.write("".join(f"{source}: {count} messages erased\n" for source, count in sorted(found.items())) or "none found\n")


if __name__ == "__main__":
    main()
