"""Small accepted worlds for the tests of the social models, and a real dbt build over them.

A world is rows of the record kinds, written as include.accepted leaves them. Nothing here knows how a metric is computed:
the tests hold values worked by hand against the marts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from include.accepted import ensure_schema_files
from include.records import WORKING, to_table
from include.registry import current
from include.settings import PROJECT_ROOT, Home, run_instant

SELECTION = (
    "path:models/intermediate/social",
    "+path:models/marts/core",
    "+path:models/marts/social",
    "+path:models/marts/operations",
)
ENTERED = timedelta(seconds=4)
"""From a run's planned instant to its first answer."""


def at(text: str) -> datetime:
    """An instant, written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class World:
    """Rows of accepted records, growing. One source and platform, all simulated."""

    def __init__(self, accounts: Mapping[str, str], platform: str = "facebook") -> None:
        self.force_of = dict(accounts)
        self.platform = platform
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def add(self, record_kind: str, /, account_id: str, run_date: date, observed_at: datetime | None = None, **values: Any) -> None:
        observed_at = observed_at or run_instant(run_date) + ENTERED
        self.rows[record_kind].append(
            {
                "source": self.platform,
                "platform": self.platform,
                "force_id": self.force_of[account_id],
                "run_date": run_date,
                "ingest_id": f"{self.force_of[account_id]}-{run_date}-{observed_at:%H%M}",
                "observed_at": observed_at,
                "raw_sha256": "0" * 64,
                "is_simulated": True,
                "account_id": account_id,
                **values,
            }
        )

    def plan(self, account_id: str, *run_dates: date) -> None:
        for run_date in run_dates:
            self.add("plan", account_id, run_date, planned_at=run_instant(run_date))

    def collected(self, account_id: str, run_date: date, *subjects: str, after: timedelta = ENTERED) -> None:
        for subject in ("*", *subjects):
            moment = run_instant(run_date) + after
            values = {"subject": subject, "object_type": self.whose(subject), "outcome": "collected"}
            self.add("collection", account_id, run_date, moment, **values, recorded_at=moment)

    def gap(
        self,
        account_id: str,
        run_date: date,
        subject: str,
        cause: str,
        object_id: str | None = None,
        after: timedelta = ENTERED,
        **more: Any,
    ) -> None:
        moment = run_instant(run_date) + after
        values = {"subject": subject, "outcome": "gap", "cause": cause, "detail": f"planted: {cause}", "object_id": object_id}
        more.setdefault("object_type", self.whose(subject))
        self.add("collection", account_id, run_date, moment, recorded_at=moment, **values, **more)

    def quarantined(self, account_id: str, run_date: date, subject: str, object_id: str | None = None, **more: Any) -> None:
        """A number, a post (subject posts) or a whole batch (subject *) that the gate held back, as validate_run writes it down."""
        self.gap(account_id, run_date, subject, "quarantined", object_id, after=ENTERED + timedelta(microseconds=1), **more)

    def whose(self, subject: str) -> str | None:
        """The object type of a platform's name, as include.collect writes it."""
        found = {row.object_type for row in current().metric_map if (row.platform, row.source_field) == (self.platform, subject)}
        return found.pop() if len(found) == 1 else None

    def observe(self, account_id: str, run_date: date, field: str, value: float, **values: Any) -> None:
        """One number; of the account's snapshot unless the values say otherwise."""
        base = {"object_type": "account", "object_id": account_id, "period": "snapshot", "origin": "reported"}
        self.add("observation", account_id, run_date, **{**base, **values}, source_field=field, value=value)

    def day(self, account_id: str, run_date: date, field: str, metric_date: date, value: float, paid: str | None = None) -> None:
        """One daily total of an account, in the platform's own days."""
        breakdown = {} if paid is None else {"breakdown": "is_from_ads", "breakdown_value": paid}
        zone = {"day_tz": "America/Los_Angeles", "metric_date": metric_date, "period": "day"}
        self.observe(account_id, run_date, field, value, **zone, **breakdown)

    def post(self, account_id: str, post_id: str, published_at: datetime, *seen_on: date, **values: Any) -> None:
        for run_date in seen_on:
            post = {"kind": "original", "text": "Have you seen this man?", "permalink": f"https://example.org/{post_id}", **values}
            self.add("post", account_id, run_date, post_id=post_id, published_at=published_at, **post)

    def read(self, account_id: str, post_id: str, run_date: date, **numbers: float) -> None:
        """Numbers of a post, as one run saw them."""
        for name, value in numbers.items():
            field, breakdown = FIELDS[name]
            values = {"object_type": "post", "object_id": post_id, "period": "lifetime"}
            split = {"breakdown": "is_from_ads", "breakdown_value": breakdown} if breakdown else {}
            self.observe(account_id, run_date, field, value, **values, **split)

    def conserved(self, account_id: str, run_date: date, kind: str, is_stopped: bool = False, **counts: int) -> None:
        zeros = dict.fromkeys(
            ("landed", "derived_zero", "accepted", "quarantined", "dropped_duplicate", "dropped_outside_window"), 0
        )
        batch = self.force_of[account_id]
        self.add("conservation", account_id, run_date, batch=batch, record_kind=kind, is_stopped=is_stopped, **{**zeros, **counts})
        del self.rows["conservation"][-1]["account_id"]

    def write(self, home: Home) -> None:
        """One file per kind × source × month of run_date."""
        ensure_schema_files(home)
        for kind, rows in self.rows.items():
            months = defaultdict(list)
            for row in rows:
                months[f"{row['run_date']:%Y-%m}"].append(row)
            for month, of_month in months.items():
                table = to_table(kind, of_month)
                assert not any(table.column("_defect").to_pylist())
                path = home.accepted / kind / self.platform / f"{month}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(table.drop_columns([name for name, _ in WORKING]), path)


FIELDS: dict[str, tuple[str, str | None]] = {
    "reactions": ("reactions.summary.total_count", None),
    "comments": ("comments.summary.total_count", None),
    "shares": ("shares.count", None),
    "views": ("post_media_view", "0"),
    "views_paid": ("post_media_view", "1"),
    "impressions": ("post_impressions_organic", None),
    "reach_before": ("post_impressions_unique", None),
    "reach_since": ("post_total_media_view_unique", None),
}
"""The platform's names, as its contract has them, with the part of the split."""


def run_dbt(home: Home, as_of: date, *command: str) -> subprocess.CompletedProcess[str]:
    """One dbt command in a process of its own, on the build file of a home. Raises with dbt's own words where it fails."""
    home.build.mkdir(parents=True, exist_ok=True)
    project = PROJECT_ROOT / "dbt_project"
    result = subprocess.run(
        [
            str(Path(sys.executable).parent / "dbt"), "--no-use-colors", *command,
            *("--project-dir", str(project), "--profiles-dir", str(project)),
            *("--target-path", str(home.build / "target"), "--log-path", str(home.build / "logs")),
            *("--vars", json.dumps({"as_of_date": as_of.isoformat()})),
        ],
        env={**os.environ, "INSIGHT_HOME": str(home.path), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    return result


def build(home: Home, as_of: date, selection: Sequence[str] = SELECTION) -> None:
    """Build the social marts of a home and run their data tests; the unit tests have fixed inputs and run once, elsewhere."""
    leave_out = ("--exclude-resource-type", "unit_test", "--indirect-selection", "buildable")
    run_dbt(home, as_of, "build", *leave_out, "--select", *selection)


class Marts:
    """The built marts, for asking. The file is closed between questions, so that dbt can open it."""

    def __init__(self, home: Home) -> None:
        self.build_file = home.build_file

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.build_file), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    def month(self, force_id: str, month: str, metric: str, columns: str = "value, status", platform: str = "facebook") -> Any:
        """One row of hmicfrs_metrics. Fails unless there is exactly one."""
        found = self.rows(
            f"select {columns} from marts.hmicfrs_metrics where force_id = '{force_id}' and platform = '{platform}' "
            f"and month = date '{month}-01' and metric = '{metric}'"
        )
        assert len(found) == 1, (force_id, month, metric, found)
        return found[0]

    def post(self, post_id: str, columns: str) -> Any:
        found = self.rows(f"select {columns} from marts.fct_post where post_id = '{post_id}'")
        assert len(found) == 1, (post_id, found)
        return found[0]
