"""Adding a platform touches one new module, its line in the list of sources, and seed rows: no DAG, suite or model.

A made-up platform, Murmur, is added to a copy of the project just so, collected from a real HTTP server, validated, built
and read back from the marts.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from include.settings import PROJECT_ROOT

RUN_DATE = "2026-11-02"
TOKEN = "murmur-token-of-kent"

MODULE = '''
"""Murmur, a platform made up for a test."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from jsonpath import findall

from extractors.base import ApiSource, Drop, Gap, Order, Page, Row, RowBatch, SourceError
from extractors.http import HttpClient

COUNTS = ("hearts", "replies", "echoes")


class Murmur(ApiSource):
    name = "murmur"
    title = "Murmur"
    platform = "murmur"
    documentation = "docs/sources/murmur.md"
    kinds = ("account", "post", "observation")

    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        for account in order.accounts:
            units = (("profile", "", ["followers"]), ("murmurs", "/murmurs", ["posts", *COUNTS]))
            for endpoint, suffix, subjects in units:
                answer = client.get(
                    endpoint,
                    f"users/{account.account_id}{suffix}",
                    account_id=account.account_id,
                    context={"subjects": ",".join(subjects)},
                )
                yield from answer.pages
                if answer.error is not None:
                    yield Gap(account.account_id, "*", answer.error.cause, str(answer.error))

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        body = json.loads(page.body)
        if page.endpoint == "profile":
            yield Row("account", {"account_id": body["id"], "handle": body["handle"], "display_name": body["name"]}, "profile")
            yield self.observation(page, "account", body["id"], "followers", "snapshot", body["followers"], "profile")
            return
        for number, item in enumerate(body["data"], 1):
            where = f"murmurs item {number}"
            post = {"post_id": item["id"], "published_at": item["at"], "kind": "original", "text": item["text"]}
            yield Row("post", {**post, "account_id": page.account_id}, where)
            for name in COUNTS:
                yield self.observation(page, "post", item["id"], name, "lifetime", item[name], where)

    def observation(self, page: Page, what: str, object_id: str, name: str, period: str, value: object, where: str) -> Row:
        values = {"account_id": page.account_id, "object_type": what, "object_id": object_id, "source_field": name}
        return Row("observation", {**values, "period": period, "value": value, "origin": "reported"}, where)

    def count(self, page: Page) -> Counter[str]:
        if page.endpoint == "profile":
            return Counter(account=1, observation=len(findall("$.followers", page.body)))
        reported = sum(len(findall(f"$.data[*].{name}", page.body)) for name in COUNTS)
        return Counter(post=len(findall("$.data[*].id", page.body)), observation=reported)
'''

JOB = """
import json, sys
from datetime import date
from include.collect import collect_force, plan
from include.registry import current
from include.settings import Home
from include.validation import require_clean, validate_run
from include.warehouse import build

run_date = date.fromisoformat(sys.argv[1])
for force_id in plan("murmur", run_date):
    collect_force("murmur", force_id, run_date)
report = validate_run("murmur", run_date)
require_clean(report)
build(run_date)
"""

DAGS = """
from airflow.models.dagbag import DagBag
bag = DagBag("dags")
print(bag.import_errors)
assert not bag.import_errors
dag = bag.dags["ingest_murmur"]
print(sorted(dag.task_ids))
"""

SEED_ROWS: dict[str, list[dict[str, str]]] = {
    "platforms": [
        {"platform": "murmur", "platform_name": "Murmur", "day_tz": "Europe/London", "reporting_lag_hours": "0",
         "list_window_days": "30", "splits_organic_from_paid": "false", "collected_by": "api", "source_note": "made up"},
    ],
    "accounts": [
        {"platform": "murmur", "account_id": f"m{number}", "force_id": force, "handle": f"sim.{force}", "display_name": force,
         "url": f"https://murmur.example/{force}", "account_type": "corporate", "valid_from": "2026-01-01", "valid_to": "",
         "status": "open", "successor_account_id": "", "is_simulated": "true", "provenance": "test"}
        for number, force in enumerate(("kent", "gwent"), 1)
    ],
    "platform_metric_map": [
        {"platform": "murmur", "object_type": what, "source_field": name, "period": period, "breakdown": "", "breakdown_value": "",
         "valid_from": "2026-01-01", "valid_to": "", "metric": metric, "metric_version": "1", "preferred": "true",
         "note": "made up"}
        for what, name, period, metric in (
            ("account", "followers", "snapshot", "followers_end"),
            ("post", "hearts", "lifetime", "reactions"),
            ("post", "replies", "lifetime", "comments"),
            ("post", "echoes", "lifetime", "shares"),
        )
    ],
}  # fmt: skip

FOLLOWERS = {"m1": 52_000, "m2": 18_500}
MURMURS = {
    "m1": [
        {"id": "k1", "at": "2026-11-01T09:00:00Z", "text": "Road closed", "hearts": 40, "replies": 3, "echoes": 7},
        {"id": "k2", "at": "2026-11-02T10:30:00Z", "text": "Found safe", "hearts": 210, "replies": 21, "echoes": 0},
    ],
    "m2": [{"id": "g1", "at": "2026-11-01T23:59:59Z", "text": "Ffordd ar gau", "hearts": 11, "replies": 0, "echoes": 2}],
}


class MurmurHost(BaseHTTPRequestHandler):
    """The platform: a profile and a list of murmurs for each user; the clock stands at the evening of the run date."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"error": "who are you"})
            return
        parts = self.path.strip("/").split("/")
        user = parts[1]
        if parts[2:] == ["murmurs"]:
            self.answer(200, {"data": MURMURS[user]})
        else:
            self.answer(200, {"id": user, "handle": f"sim.{user}", "name": user, "followers": FOLLOWERS[user]})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-Simulated", "true")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return "Mon, 02 Nov 2026 21:00:00 GMT"

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), MurmurHost)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and "target" not in path.parts and "logs" not in path.parts
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A copy of the project with Murmur added. Gives its folder and the files that adding it touched."""
    folder = tmp_path_factory.mktemp("murmur") / "project"
    for room in ("dags", "dbt_project", "expectations", "extractors", "include"):
        shutil.copytree(PROJECT_ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "target", "logs"))
    before = files_of(folder)

    (folder / "extractors" / "murmur.py").write_text(MODULE)
    listed = folder / "extractors" / "__init__.py"
    text = listed.read_text()
    assert text.count("    FacebookPages(") == 1, "the list of sources has one line for each source"
    text = text.replace("    FacebookPages(", "    Murmur(),\n    FacebookPages(")
    listed.write_text(text.replace("from extractors.facebook ", "from extractors.murmur import Murmur\nfrom extractors.facebook "))
    for table, rows in SEED_ROWS.items():
        with (folder / "dbt_project" / "seeds" / f"{table}.csv").open("a", newline="") as handle:
            names = next(csv.reader((PROJECT_ROOT / "dbt_project" / "seeds" / f"{table}.csv").open(newline="")))
            csv.DictWriter(handle, names, lineterminator="\n").writerows(rows)

    after = files_of(folder)
    return folder, {name for name in after if before.get(name) != after[name]}


def python(folder: Path, home: Path, host: str, code: str, *arguments: str) -> str:
    connection = json.dumps({"conn_type": "http", "host": host, "password": TOKEN})
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "INSIGHT_HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
        "INSIGHT_SECRETS": str(home.parent / "secrets"),
        "AIRFLOW_CONN_MURMUR": connection,
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def test_adding_it_touched_one_module_one_line_and_seed_rows(project: tuple[Path, set[str]]) -> None:
    _, touched = project
    assert touched == {
        "extractors/murmur.py",
        "extractors/__init__.py",
        "dbt_project/seeds/platforms.csv",
        "dbt_project/seeds/accounts.csv",
        "dbt_project/seeds/platform_metric_map.csv",
    }


@pytest.mark.airflow
def test_its_dag_is_there(project: tuple[Path, set[str]], host: str, tmp_path: Path) -> None:
    out = python(project[0], tmp_path / "var", host, DAGS)
    assert "validate" in out


def test_its_numbers_reach_the_marts(project: tuple[Path, set[str]], host: str, tmp_path: Path) -> None:
    import duckdb

    home = tmp_path / "var"
    python(project[0], home, host, JOB, RUN_DATE)
    with duckdb.connect(str(home / "build" / "warehouse.duckdb"), read_only=True) as connection:
        metrics = dict(
            connection.execute(
                """
                select force_id || ' ' || metric, value from marts.hmicfrs_metrics
                where platform = 'murmur' and month = date '2026-11-01' and force_id in ('kent', 'gwent')
                """
            ).fetchall()
        )
        views = connection.execute(
            """
            select distinct status from marts.hmicfrs_metrics
            where platform = 'murmur' and metric = 'views' and force_id = 'kent'
            """
        ).fetchall()
        simulated = connection.execute("select bool_and(is_simulated) from marts.fct_post where platform = 'murmur'").fetchone()
    assert metrics["kent followers_end"] == 52_000
    assert metrics["gwent followers_end"] == 18_500
    assert metrics["kent posts_published"] == 2
    assert metrics["kent interactions"] == 40 + 3 + 7 + 210 + 21 + 0
    assert metrics["gwent interactions"] == 13
    assert metrics["gwent followers_per_1k_population"] == pytest.approx(1000 * 18_500 / 601_686, rel=1e-12)
    assert views == [("not_applicable",)], "Murmur has no count of views: not applicable, not missing"
    assert simulated == (True,)
