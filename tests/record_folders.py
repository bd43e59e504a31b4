"""Records folders as include.collect leaves them, written by hand for the tests of the gate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from include.records import to_table
from include.registry import current
from include.settings import Home

RUN_DATE = date(2026, 11, 2)
OBSERVED = datetime(2026, 11, 2, 21, 0, 4, tzinfo=UTC)
PSEUDONYM = "9f2c4be17a60d3588f2c4be1"


def common(source: str, platform: str | None, force_id: str | None, ingest_id: str, run_date: date = RUN_DATE) -> dict[str, Any]:
    return {
        "source": source,
        "platform": platform,
        "force_id": force_id,
        "run_date": run_date,
        "ingest_id": ingest_id,
        "observed_at": OBSERVED + (run_date - RUN_DATE),
        "raw_sha256": "ab" * 32,
        "is_simulated": True,
    }


def account_id(force_id: str) -> str:
    return next(row.account_id for row in current().accounts if row.platform == "facebook" and row.force_id == force_id)


def good_row(
    kind: str, number: int = 0, force_id: str = "gwent", ingest_id: str = "i1", run_date: date = RUN_DATE
) -> dict[str, Any]:
    """A row of a kind that breaks no rule. `number` makes its key its own."""
    account = account_id(force_id)
    observed = OBSERVED + (run_date - RUN_DATE)
    social = common("facebook", "facebook", force_id, ingest_id, run_date)
    if kind == "account":
        url = f"https://www.facebook.com/sim.{force_id}"
        return {
            **social,
            "account_id": account,
            "handle": f"sim.{force_id}",
            "display_name": "Police",
            "url": url,
            "_position": "page",
        }
    if kind == "post":
        return {
            **social,
            "post_id": f"{account}_{number}",
            "account_id": account,
            "published_at": observed - timedelta(days=2),
            "kind": "original",
            "permalink": f"https://www.facebook.com/{account}/posts/{number}",
            "text": "=SUM of our week",
            "language": "en",
            "media_count": 2,
            "media_with_alt_text": 1,
            "_position": f"published_posts item {number}",
        }
    if kind == "observation":
        return {
            **social,
            "account_id": account,
            "object_type": "post",
            "object_id": f"{account}_{number}",
            "source_field": "reactions.summary.total_count",
            "period": "lifetime",
            "value": 12 + number,
            "origin": "reported",
            "_position": f"insights item {number}",
        }
    if kind == "message":
        return {
            **social,
            "account_id": account,
            "message_key": f"{number:032x}",
            "reply_to_key": None,
            "direction": "inbound",
            "created_at": observed - timedelta(days=2),
            "is_automatic": None,
            "wants_answer": True,
            "rule_version": 1,
            "_position": f"mentions item {number}",
        }
    if kind == "survey_answer":
        return {
            **common("survey", None, force_id, ingest_id, run_date),
            "wave": "2026-autumn",
            "respondent_key": f"{PSEUDONYM}{number:08x}",
            "question_code": "want",
            "option_code": "appeals",
            "chosen": True,
            "_position": f"survey.csv row {number + 3}",
        }
    return {
        **common("signals_fediverse", None, None, ingest_id, run_date),
        "channel": "fediverse",
        "series": "users",
        "period_start": date(2019, 1, 1) + timedelta(days=number),
        "period": "day",
        "value": 2_000_000 + number,
        "is_stock": True,
        "_position": f"row {number + 2}",
    }


SOURCE_OF = {
    "account": "facebook",
    "post": "facebook",
    "observation": "facebook",
    "message": "facebook",
    "survey_answer": "survey",
    "signal": "signals_fediverse",
}


def write_ingest(
    home: Home,
    records: Mapping[str, list[dict[str, Any]]],
    batch: str = "gwent",
    ingest_id: str = "i1",
    source: str | None = None,
    run_date: date = RUN_DATE,
    collection: list[dict[str, Any]] | None = None,
    **manifest: Any,
) -> Path:
    """One records folder. `manifest` overrides what the rows say, for folders that do not add up."""
    source = source or SOURCE_OF[next(iter(records))]
    folder = home.records / source / run_date.isoformat() / batch / ingest_id
    folder.mkdir(parents=True)
    for kind, of_kind in records.items():
        pq.write_table(to_table(kind, of_kind), folder / f"{kind}.parquet")
    if collection is not None:
        pq.write_table(to_table("collection", collection), folder / "collection.parquet")
    counts = {kind: len(of_kind) for kind, of_kind in records.items()}
    content = {
        "source": source,
        "platform": "facebook" if source == "facebook" else None,
        "batch": batch,
        "run_date": run_date.isoformat(),
        "ingest_id": ingest_id,
        "is_simulated": True,
        "landed": counts,
        "derived_zero": {},
        "dropped": {},
        "rows": counts,
        "gaps": 0,
        **manifest,
    }
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return folder
