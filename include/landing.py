"""Landing: what was received, after redaction. One compressed, append-only file per ingest.

A file gets its name, the ingest_id, only when it is whole: a crash leaves nothing that could be taken for an answer. The name
is a hash of what was asked and answered, so the same answers again change nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from extractors.base import Gap, Page
from extractors.redaction import REDACTION_VERSION

SUFFIX = ".jsonl.gz"
PART = ".part"
REWRITTEN = ".tmp"


class LandingDamaged(ValueError):
    """A landing file that does not hold what was written. The message names file and line."""


@dataclass(frozen=True)
class Landed:
    """One landing file. is_new: False where the same answers had been landed before; the first file stands."""

    path: Path
    ingest_id: str
    pages: int
    gaps: int
    is_new: bool


def write(items: Iterable[Page | Gap], folder: Path) -> Landed:
    """Land pages and gaps as they come, in `folder` (`landing/<source>/<run_date>/<batch>`).

    Leftovers of crashed attempts are removed first: the caller sees to it that no other attempt is under way. Whatever
    `items` raises passes through, and leaves nothing behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f".*{PART}"):
        leftover.unlink()
    part = folder / f".{uuid.uuid4().hex}{PART}"
    facts: list[str] = []
    pages = gaps = 0
    try:
        with part.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed:
            for item in items:
                if isinstance(item, Page):
                    pages += 1
                    record = _page_to_json(item)
                    if "superseded" not in item.context:
                        facts.append(_fact("page", item.endpoint, item.request, item.status, item.sha256))
                else:
                    gaps += 1
                    record = _gap_to_json(item)
                    whose = () if item.object_type is None else (item.object_type,)
                    facts.append(_fact("gap", item.account_id, item.subject, item.cause, item.object_id, *whose))
                packed.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        ingest_id = hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()[:20]
        path = folder / f"{ingest_id}{SUFFIX}"
        is_new = not path.exists()
        if is_new:
            part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return Landed(path, ingest_id, pages, gaps, is_new)


def read(path: Path) -> Iterator[Page | Gap]:
    """The pages and gaps of one file, in the order of their arrival. Raises LandingDamaged."""
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                number += 1
                yield _from_json(json.loads(line))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise LandingDamaged(f"{path} line {number}: {error}; fetch it again, or restore the file") from error


def rewrite(path: Path, change: Callable[[Page], Page]) -> None:
    """Put what `change` makes of each page of a file in its place, under the same name. For erasure alone (include/erasure.py):
    the name then is no longer the hash of what the file holds, and still says which ingest it was. Raises LandingDamaged.

    The caller holds the source. What a killed process left has a name of its own path, and goes with the next rewriting: the
    folder is of a run that may never land again, and a copy that nobody knows of would outlive later erasures.
    """
    part = path.with_name(f".{path.name}{REWRITTEN}")
    try:
        with part.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed:
            for item in read(path):
                record = _page_to_json(change(item)) if isinstance(item, Page) else _gap_to_json(item)
                packed.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _fact(*parts: Any) -> str:
    return json.dumps(parts, ensure_ascii=False)


def _page_to_json(page: Page) -> dict[str, Any]:
    return {
        "type": "page",
        "endpoint": page.endpoint,
        "account_id": page.account_id,
        "request": page.request,
        "status": page.status,
        "observed_at": page.observed_at.isoformat(),
        "is_simulated": page.is_simulated,
        "run_date": page.run_date.isoformat(),
        "context": dict(page.context),
        "redaction_version": REDACTION_VERSION,
        "sha256": page.sha256,
        "body": page.body,
    }


def _gap_to_json(gap: Gap) -> dict[str, Any]:
    return {
        "type": "gap",
        "account_id": gap.account_id,
        "subject": gap.subject,
        "cause": gap.cause,
        "detail": gap.detail,
        "object_id": gap.object_id,
        "object_type": gap.object_type,
    }


def _from_json(record: dict[str, Any]) -> Page | Gap:
    if record.pop("type") == "gap":
        return Gap(**record)
    page = Page(
        endpoint=record["endpoint"],
        account_id=record["account_id"],
        request=record["request"],
        status=record["status"],
        observed_at=datetime.fromisoformat(record["observed_at"]),
        body=record["body"],
        is_simulated=record["is_simulated"],
        run_date=date.fromisoformat(record["run_date"]),
        context=record["context"],
    )
    if page.sha256 != record["sha256"]:
        raise ValueError("the body is not the one that was landed (its sha256 differs)")
    return page
