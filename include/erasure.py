"""Erasure: a message of the public that is gone upstream is cut out of all that has been kept of it.

A run's list of messages tells what is still there: what an earlier run had seen in the same span, and this list no longer
holds, has been deleted. It is cut out of landing (the one case in which a file of landing is changed), accepted, quarantine
and records that wait, and a count stays (ledger kind `erasure`). The next build has marts without it; older publications go
as always (docs/architecture.md, "Erasure").
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from extractors.base import Page
from extractors.redaction import dump
from include import accepted, landing, registry
from include.locks import held
from include.pseudonyms import pseudonym
from include.records import RECORD_KINDS, to_table
from include.settings import Home, run_instant

log = logging.getLogger(__name__)

KIND, SUBJECTS = "message", frozenset({"messages", "posts"})
"""Both lists are needed: comments are those of the posts that the list of posts held."""

EXPORTS = "contacts"
"""The source of exports from social-inbox tools: files, each of several forces and platforms."""

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
    rows = accepted.read(KIND, home, source).select(
        ["account_id", "force_id", "message_key", "direction", "created_at", "observed_at", "ingest_id"]
    )
    known: dict[str, dict[str, _Known]] = defaultdict(dict)
    force_of: dict[str, str] = {}
    for row in rows.filter(pc.equal(rows.column("direction"), "inbound")).to_pylist():
        force_of[row["account_id"]] = row["force_id"]
        one = known[row["account_id"]].setdefault(row["message_key"], _Known(row["created_at"], row["observed_at"]))
        one.last_seen_at = max(one.last_seen_at, row["observed_at"])
        one.ingest_ids.add(row["ingest_id"])
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
    files = _erase_from_exports(source, gone, home)
    files.update(erase(source, gone, home))
    for force_id, of_force in gone.items():
        seen = seen_in[force_id]
        _log(source, run_date, seen.ingest_id, force_id, DELETED_UPSTREAM, len(of_force), files[force_id], home, seen.observed_at)
    return Counter({force_id: len(of_force) for force_id, of_force in gone.items()})


def _erase_from_exports(source: str, gone: Mapping[str, Collection[str]], home: Home) -> Counter[str]:
    """The same messages in exports of social-inbox tools (extractors/inbox_contacts.py): one message has one key."""
    if source == EXPORTS:
        return Counter()
    with held(home, f"validate-{EXPORTS}", f"erasure in {EXPORTS}"):
        return erase(EXPORTS, gone, home)


def _lists(source: str, home: Home) -> dict[str, list[_List]]:
    """The complete lists of messages, by account: those of which every page came."""
    windows = {row["platform"]: int(row["window_days"]) for row in registry.current().tables["contact_platforms"]}
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


def erase(source: str, gone: Mapping[str, Collection[str]], home: Home) -> Counter[str]:
    """Cut messages out of all that was kept of them, wherever it lies. gone: keys by force. Returns the files of landing changed.

    Landing goes first: a process that is killed leaves accepted with what the next run finds to be missing again.
    """
    every = frozenset(key for of_force in gone.values() for key in of_force)
    hashes: dict[str, str] = {}
    cut: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for force_id, keys in gone.items():
        batch = "*" if source == EXPORTS else force_id  # a file may be of several forces
        for path in sorted((home.landing / source).glob(f"*/{batch}/*.jsonl.gz")):
            if _holds(path, keys):
                cut[path.name.removesuffix(".jsonl.gz")] += _cut_from_landing(path, frozenset(keys), hashes)
                files[force_id] += 1
        for path in sorted((home.records / source).glob(f"*/{batch}/*/{KIND}.parquet")):
            pq.write_table(_cut(pq.read_table(path, partitioning=None), KIND, every, {}), path)
    for kind in RECORD_KINDS:
        accepted.rewrite(home.accepted, kind, source, partial(_cut, kind=kind, keys=every, hashes=hashes), home)
    accepted.rewrite(home.quarantine, KIND, source, partial(_cut_quarantine, keys=every), home)
    left = Counter(accepted.read(KIND, home, source).column("ingest_id").to_pylist())
    held_back = Counter(accepted.read_quarantine(KIND, home, source).column("ingest_id").to_pylist())
    accepted.rewrite(home.accepted, "conservation", source, partial(_fewer, cut=cut, left=left, held_back=held_back), home)
    return files


def _holds(path: Path, keys: Collection[str]) -> bool:
    text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
    return any(key in text for key in keys)


def _cut_from_landing(path: Path, keys: frozenset[str], hashes: dict[str, str]) -> int:
    """Rewrites one file. Returns how many messages were in it; `hashes` gets each changed page's sha256, old to new."""
    count = 0

    def change(page: Page) -> Page:
        nonlocal count
        if not any(key in page.body for key in keys):
            return page
        body, removed = _without(json.loads(page.body), keys)
        count += removed
        changed = replace(page, body=dump(body))
        hashes[page.sha256] = changed.sha256
        return changed

    landing.rewrite(path, change)
    return count


def _without(value: Any, keys: frozenset[str]) -> tuple[Any, int]:
    """A landed answer without the messages, and without their keys where others answer them."""
    if isinstance(value, list):
        kept = [item for item in value if not (isinstance(item, dict) and item.get("message_key") in keys)]
        parts = [_without(item, keys) for item in kept]
        return [item for item, _ in parts], len(value) - len(kept) + sum(count for _, count in parts)
    if not isinstance(value, dict):
        return value, 0
    made: dict[str, Any] = {}
    total = 0
    for name, item in value.items():
        if name == "reply_to_key" and item in keys:
            made[name] = None
            continue
        made[name], count = _without(item, keys)
        total += count
    return made, total


def _cut(table: pa.Table, kind: str, keys: frozenset[str], hashes: Mapping[str, str]) -> pa.Table:
    """Rows of an accepted file without the messages; what came with them in one answer gets that answer's new hash."""
    made = table
    if hashes and table.num_rows:
        old, new = (pa.array(list(side), pa.string()) for side in (hashes.keys(), hashes.values()))
        places = pc.index_in(table.column("raw_sha256"), old)
        if pc.any(pc.is_valid(places)).as_py():
            changed = pc.coalesce(new.take(places.combine_chunks()), table.column("raw_sha256").combine_chunks())
            made = made.set_column(made.schema.get_field_index("raw_sha256"), "raw_sha256", changed)
    if kind != KIND:
        return made
    wanted = pa.array(sorted(keys), pa.string())
    is_key = pc.is_in(made.column("message_key"), wanted)
    is_answer = pc.is_in(made.column("reply_to_key"), wanted)
    if not pc.any(pc.or_(is_key, is_answer)).as_py():
        return made
    answers = pc.if_else(is_answer, pa.scalar(None, pa.string()), made.column("reply_to_key"))
    made = made.set_column(made.schema.get_field_index("reply_to_key"), "reply_to_key", answers)
    return made.filter(pc.invert(is_key))


def _cut_quarantine(table: pa.Table, keys: frozenset[str]) -> pa.Table:
    """What is held back goes as a whole where it names a message in any way."""
    texts = table.column("row_json").to_pylist()
    keep = [not any(key in (text or "") for key in keys) for text in texts]
    return table if all(keep) else table.filter(pa.array(keep))


def _fewer(table: pa.Table, cut: Mapping[str, int], left: Mapping[str, int], held_back: Mapping[str, int]) -> pa.Table:
    """The sums of conservation without the messages: landed as many fewer as accepted, quarantined and dropped together."""
    rows, is_changed = table.to_pylist(), False
    for row in rows:
        ingest = row["ingest_id"]
        if row["record_kind"] != KIND or not cut.get(ingest):
            continue
        is_changed = True
        row["landed"] -= cut[ingest]
        row["accepted"], row["quarantined"] = left.get(ingest, 0), held_back.get(ingest, 0)
        elsewhere = row["accepted"] + row["quarantined"] + row["dropped_outside_window"]
        row["dropped_duplicate"] = row["landed"] + row["derived_zero"] - elsewhere
    return pa.Table.from_pylist(rows, schema=table.schema) if is_changed else table


def _log(
    source: str, run_date: date, ingest_id: str, force_id: str, reason: str, erased: int, files: int, home: Home, moment: datetime
) -> None:
    """The count that stays. Several in one run add up."""
    before = accepted.read("erasure", home, source, run_date).to_pylist()
    same = [row for row in before if (row["ingest_id"], row["batch"], row["reason"]) == (ingest_id, force_id, reason)]
    others = [row for row in before if row["ingest_id"] == ingest_id and row not in same]
    row = {
        "source": source,
        "force_id": force_id,
        "run_date": run_date,
        "ingest_id": ingest_id,
        "observed_at": moment,
        "batch": force_id,
        "record_kind": KIND,
        "reason": reason,
        "erased": erased + sum(each["erased"] for each in same),
        "landing_files": files + sum(each["landing_files"] for each in same),
    }
    accepted.merge("erasure", source, run_date, to_table("erasure", [*others, row]), home, {ingest_id})
    log.info("%s %s: %d messages erased (%s), %d files of landing changed", source, force_id, erased, reason, files)


def erase_named(path: Path, run_date: date, home: Home | None = None) -> Counter[str]:
    """Erase the messages that a file names (columns platform, message_id): a platform's list of deletions, or somebody's request.

    Returns how many messages by source. The file is removed: it holds ids. Raises ValueError for a file without those columns.
    """
    home = home or Home.current()
    with path.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        if not {"platform", "message_id"} <= set(reader.fieldnames or ()):
            raise ValueError(f"{path.name}: needs the columns platform and message_id")
        keys = {pseudonym(f"message {row['platform']} {row['message_id']}") for row in reader if row["message_id"]}
    found: Counter[str] = Counter()
    for folder in sorted((home.accepted / KIND).glob("*")):
        source = folder.name
        with held(home, f"validate-{source}", f"erasure in {source}"):
            rows = accepted.read(KIND, home, source).select(["force_id", "message_key"]).to_pylist()
            gone: dict[str, set[str]] = defaultdict(set)
            for row in rows:
                if row["message_key"] in keys:
                    gone[row["force_id"]].add(row["message_key"])
            files = erase(source, gone, home) if gone else Counter[str]()
            for force_id, of_force in sorted(gone.items()):
                moment = run_instant(run_date)
                _log(source, run_date, f"erasure-{run_date}", force_id, NAMED, len(of_force), files[force_id], home, moment)
                found[source] += len(of_force)
    path.unlink()
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m include.erasure", description=erase_named.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--date", type=date.fromisoformat, required=True, help="under which date the count is kept")
    given = parser.parse_args(arguments)
    found = erase_named(given.file, given.date)
    sys.stdout.write("".join(f"{source}: {count} messages erased\n" for source, count in sorted(found.items())) or "none found\n")


if __name__ == "__main__":
    main()
