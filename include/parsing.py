"""Landed file → records, by the source's parser, with the independent count of what the pages hold.

Always from the landed file, never from memory: what is reprocessed later gives the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from extractors.base import Drop, FileSource, Gap, Page, RowBatch, Source
from include import landing
from include.records import batch_to_table, to_table
from include.unexpected import unexpected


@dataclass
class Parsed:
    """All that one landed file gives."""

    pages: list[Page] = field(default_factory=list)  # bodies cut: they may be large
    gaps: list[Gap] = field(default_factory=list)
    tables: dict[str, list[pa.Table]] = field(default_factory=lambda: defaultdict(list))
    landed: Counter[str] = field(default_factory=Counter)
    derived_zero: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def parse(source: Source, path: Path, force_id: str | None) -> Parsed:
    parsed = Parsed()
    ingest_id = path.name.removesuffix(landing.SUFFIX)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in landing.read(path):
        if isinstance(item, Gap):
            parsed.gaps.append(item)
            continue
        parsed.pages.append(replace(item, body=""))
        if "error" in item.context:
            continue
        try:
            landed, records = source.count(item), list(source.parse(item))
        except Exception as error:
            if isinstance(source, FileSource):
                raise  # a file is kept or refused as a whole
            detail = unexpected(error, f"{force_id or source.name}: page {len(parsed.pages)} ({item.endpoint})")
            subjects = [name for name in item.context.get("subjects", "").split(",") if name]
            object_type = item.context.get("object_type")
            parsed.gaps += [Gap(item.account_id, each, "outage", detail, None, object_type) for each in subjects or ["*"]]
            continue
        parsed.landed.update(landed)
        common = {
            "source": source.name,
            "platform": source.platform,
            "force_id": force_id,
            "run_date": item.run_date,
            "ingest_id": ingest_id,
            "observed_at": item.observed_at,
            "raw_sha256": item.sha256,
            "is_simulated": item.is_simulated,
        }
        for record in records:
            if isinstance(record, Gap):
                parsed.gaps.append(record)
            elif isinstance(record, Drop):
                parsed.dropped[record.kind][record.reason] += record.count
            elif isinstance(record, RowBatch):
                parsed.tables[record.kind].append(batch_to_table(record.kind, {**common, **record.columns}, record.length))
            else:
                rows[record.kind].append({**common, **record.values, "_position": record.position})
                if record.values.get("origin") == "absent_is_zero":
                    parsed.derived_zero[record.kind] += 1
    for kind, of_kind in rows.items():
        parsed.tables[kind].append(to_table(kind, of_kind))
    return parsed
