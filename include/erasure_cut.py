"""Cutting messages out of all that was kept of them: landing, records that wait, accepted, quarantine. Who: include/erasure.py."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from extractors.base import Page
from extractors.redaction import dump
from include import accepted, landing
from include.records import RECORD_KINDS
from include.settings import Home

KIND = "message"

EXPORTS = "contacts"
"""The source of exports from social-inbox tools: files, each of several forces and platforms."""


def erase(
    source: str, gone: Mapping[str, Collection[str]], home: Home, log: Callable[[Counter[str]], None] | None = None
) -> Counter[str]:
    """Cut messages out of all that was kept of them, wherever it lies. gone: keys by force. Returns the files of landing changed,
    by force, and tells `log` of them before the first one is.

    The messages of accepted go last: a process that is killed leaves them there for the next run, which finds them missing again
    and does all of it once more. Each step done twice is as done once.
    """
    every = frozenset(key for of_force in gone.values() for key in of_force)
    hashes: dict[str, str] = {}
    cut: Counter[str] = Counter()
    files: Counter[str] = Counter()
    paths: dict[Path, frozenset[str]] = {}
    for force_id, keys in gone.items():
        batch = "*" if source == EXPORTS else force_id  # a file may be of several forces
        for path in sorted((home.landing / source).glob(f"*/{batch}/*.jsonl.gz")):
            if _holds(path, keys):
                files[force_id] += 1
                paths[path] = paths.get(path, frozenset()) | frozenset(keys)
    for path, keys in paths.items():
        count, changed = _messages_in(path, keys)
        cut[path.name.removesuffix(".jsonl.gz")] += count
        hashes |= changed
    _cut_from_conservation(source, every, cut, home)
    for kind in RECORD_KINDS:
        accepted.rewrite(home.accepted, kind, source, partial(_with_hashes, hashes=hashes), home)
    if log is not None:
        log(files)
    for path, keys in paths.items():
        landing.rewrite(path, partial(_page_without, keys=keys))
    for force_id in gone:
        batch = "*" if source == EXPORTS else force_id
        for path in sorted((home.records / source).glob(f"*/{batch}/*/{KIND}.parquet")):
            pq.write_table(_cut(pq.read_table(path, partitioning=None), every), path)
    accepted.rewrite(home.quarantine, KIND, source, partial(_cut_quarantine, keys=every), home)
    accepted.rewrite(home.accepted, KIND, source, partial(_cut, keys=every), home)
    return files


def _cut_from_conservation(source: str, keys: frozenset[str], cut: Mapping[str, int], home: Home) -> None:
    left = Counter(_cut(accepted.read(KIND, home, source), keys).column("ingest_id").to_pylist())
    held_back = Counter(_cut_quarantine(accepted.read_quarantine(KIND, home, source), keys).column("ingest_id").to_pylist())
    accepted.rewrite(home.accepted, "conservation", source, partial(_fewer, cut=cut, left=left, held_back=held_back), home)


def _holds(path: Path, keys: Collection[str]) -> bool:
    text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
    return any(key in text for key in keys)


def _messages_in(path: Path, keys: frozenset[str]) -> tuple[int, dict[str, str]]:
    """How many of the messages a file holds, and the sha256 of each page that will change, old to new."""
    count, hashes = 0, {}
    for page in landing.read(path):
        if isinstance(page, Page) and any(key in page.body for key in keys):
            count += _without(json.loads(page.body), keys)[1]
            hashes[page.sha256] = _page_without(page, keys).sha256
    return count, hashes


def _page_without(page: Page, keys: frozenset[str]) -> Page:
    if not any(key in page.body for key in keys):
        return page
    return replace(page, body=dump(_without(json.loads(page.body), keys)[0]))


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


def _with_hashes(table: pa.Table, hashes: Mapping[str, str]) -> pa.Table:
    """Rows of an accepted file: what came with the messages in one answer gets that answer's new hash."""
    if not hashes or not table.num_rows:
        return table
    old, new = (pa.array(list(side), pa.string()) for side in (hashes.keys(), hashes.values()))
    places = pc.index_in(table.column("raw_sha256"), old)
    if not pc.any(pc.is_valid(places)).as_py():
        return table
    changed = pc.coalesce(new.take(places.combine_chunks()), table.column("raw_sha256").combine_chunks())
    return table.set_column(table.schema.get_field_index("raw_sha256"), "raw_sha256", changed)


def _cut(table: pa.Table, keys: frozenset[str]) -> pa.Table:
    """Rows of kind message without the messages, and without their keys where others answer them."""
    wanted = pa.array(sorted(keys), pa.string())
    is_key = pc.is_in(table.column("message_key"), wanted)
    is_answer = pc.is_in(table.column("reply_to_key"), wanted)
    if not pc.any(pc.or_(is_key, is_answer)).as_py():
        return table
    answers = pc.if_else(is_answer, pa.scalar(None, pa.string()), table.column("reply_to_key"))
    made = table.set_column(table.schema.get_field_index("reply_to_key"), "reply_to_key", answers)
    return made.filter(pc.invert(is_key))


def _cut_quarantine(table: pa.Table, keys: frozenset[str]) -> pa.Table:
    """What is held back goes as a whole where it names a message in any way."""
    texts = table.column("row_json").to_pylist()
    keep = [not any(key in (text or "") for key in keys) for text in texts]
    return table if all(keep) else table.filter(pa.array(keep))


def _fewer(table: pa.Table, cut: Mapping[str, int], left: Mapping[str, int], held_back: Mapping[str, int]) -> pa.Table:
    """The sums of conservation without the messages: landed as many fewer as accepted, quarantined and dropped together. Sums that
    hold what is left are those of an erasure that was cut off after this."""
    rows, is_changed = table.to_pylist(), False
    for row in rows:
        ingest = row["ingest_id"]
        remaining = (left.get(ingest, 0), held_back.get(ingest, 0))
        if row["record_kind"] != KIND or not cut.get(ingest) or (row["accepted"], row["quarantined"]) == remaining:
            continue
        is_changed = True
        row["landed"] -= cut[ingest]
        row["accepted"], row["quarantined"] = remaining
        elsewhere = row["accepted"] + row["quarantined"] + row["dropped_outside_window"]
        row["dropped_duplicate"] = row["landed"] + row["derived_zero"] - elsewhere
    return pa.Table.from_pylist(rows, schema=table.schema) if is_changed else table
