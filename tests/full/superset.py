"""A real BI tool on the marts: Apache Superset in its own environment connects as `bi_reader`, lists the views with their comments,
draws a chart, and Chromium takes its picture. `python -m tests.full.superset --screenshot FILE`.

The URI comes from the environment variable SUPERSET_DATABASE, since it holds the password.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from include.settings import Home

PACKAGES = ("apache-superset==6.1.0", "rich", "flask-caching<2.4", "psycopg2-binary", "playwright")
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
)
USER = "analyst"
START_SECONDS = 180

CONFIG = """
import os
from datetime import timedelta
SECRET_KEY = os.environ["SUPERSET_KEY"]
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.environ["SUPERSET_HOME"] + "/superset.db"
TALISMAN_ENABLED = False   # plain http on loopback
SESSION_COOKIE_SAMESITE = "Lax"
TEST_DATABASE_CONNECTION_TIMEOUT = timedelta(minutes=5)  # the machine may be busy
"""


@dataclass(frozen=True)
class Drawn:
    """What Superset found and drew."""

    views: tuple[str, ...]
    table_comment: str | None
    column_comments: dict[str, str | None]
    rows: int
    screenshot: Path


def environment(folder: Path) -> Path:
    """Superset's own Python environment, made once. Returns its bin folder."""
    ready = folder / ".ready"
    if not ready.exists() or ready.read_text() != " ".join(PACKAGES):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True)
        ready.write_text(" ".join(PACKAGES))
    return folder / "bin"


def chromium() -> str:
    """Debian's chromium, or Chrome. Raises FileNotFoundError, which says how to get it."""
    found = next(filter(None, (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise FileNotFoundError("no chromium on the path: apt-get install chromium")
    return found


@contextmanager
def running(bin_folder: Path) -> Iterator[tuple[str, str]]:
    """A Superset on loopback with one user. Yields address and password; stopped by its process id."""
    password = secrets.token_urlsafe(12)
    with tempfile.TemporaryDirectory(prefix="superset_") as folder:
        (Path(folder) / "superset_config.py").write_text(CONFIG)
        variables = {
            **{name: value for name, value in os.environ.items() if name != "SUPERSET_DATABASE"},
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "PYTHONPATH": folder,
            "SUPERSET_HOME": folder,
            "SUPERSET_KEY": secrets.token_urlsafe(48),
            "FLASK_APP": "superset.app:create_app()",
        }
        superset = str(bin_folder / "superset")
        log = Path(folder) / "log"
        with log.open("w") as output:
            for command in (
                ["db", "upgrade"],
                [
                    "fab",
                    "create-admin",
                    *_options(username=USER, firstname="A", lastname="N", email="a@localhost.test", password=password),
                ],
                ["init"],
            ):
                done = subprocess.run([superset, *command], env=variables, stdout=output, stderr=output, cwd=folder, check=False)
                if done.returncode:
                    raise RuntimeError(f"superset {command[0]} failed:\n{log.read_text()[-3000:]}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            server = subprocess.Popen(
                [superset, "run", "-h", "127.0.0.1", "-p", str(port), "--with-threads"],
                env=variables,
                stdout=output,
                stderr=output,
                cwd=folder,
            )
            try:
                address = f"http://127.0.0.1:{port}"
                _wait(address, server, log)
                yield address, password
            except Exception as error:
                output.flush()
                error.add_note(f"the end of Superset's log:\n{log.read_text()[-3000:]}")
                raise
            finally:
                server.terminate()
                server.wait(30)


def _options(**values: str) -> list[str]:
    return [part for name, value in values.items() for part in (f"--{name}", value)]


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            if requests.get(f"{address}/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(1)
    raise RuntimeError(f"superset did not answer:\n{log.read_text()[-3000:]}")


class Api:
    """Superset's REST API, logged in."""

    def __init__(self, address: str, password: str) -> None:
        self.address = address
        self.session = requests.Session()
        login = {"username": USER, "password": password, "provider": "db"}
        token = self.call("post", "security/login", json=login)["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.session.headers["X-CSRFToken"] = self.call("get", "security/csrf_token/")["result"]
        self.session.headers["Referer"] = address

    def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        __tracebackhide__ = True  # its arguments hold passwords
        answer = self.session.request(method, f"{self.address}/api/v1/{path}", timeout=120, **more)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:1000]}")
        return dict(answer.json())


def draw(database: str, table: str, x: str, value: str, bin_folder: Path, screenshot: Path) -> Drawn:
    """Connect, list, chart, picture. database: SQLAlchemy URI; the chart shows the sum of `value` for each `x` of a table."""
    __tracebackhide__ = True  # the URI holds a password
    with running(bin_folder) as (address, password):
        api = Api(address, password)
        made = api.call(
            "post", "database/", json={"database_name": "Insight", "sqlalchemy_uri": database, "expose_in_sqllab": True}
        )
        listed = api.call("get", f"database/{made['id']}/tables/", params={"q": "(schema_name:marts,force:!t)"})["result"]
        described = api.call("get", f"database/{made['id']}/table_metadata/", params={"name": table, "schema": "marts"})
        dataset = api.call("post", "dataset/", json={"database": made["id"], "schema": "marts", "table_name": table})["id"]
        title = f"{value} by {x}, from marts.{table}"
        metric = {"expressionType": "SIMPLE", "aggregate": "SUM", "column": {"column_name": value}, "label": f"sum of {value}"}
        form = {
            "datasource": f"{dataset}__table",
            "viz_type": "echarts_timeseries_bar",
            "x_axis": x,
            "metrics": [metric],
            "groupby": [],
            "row_limit": 100,
            "xAxisForceCategorical": True,
            "show_legend": True,
            "adhoc_filters": [],
        }
        chart = {"slice_name": title, "viz_type": form["viz_type"], "datasource_id": dataset, "datasource_type": "table"}
        chart_id = api.call("post", "chart/", json={**chart, "params": json.dumps(form)})["id"]
        query = {"columns": [x], "metrics": [metric], "row_limit": 100}
        data = api.call("post", "chart/data", json={"datasource": {"id": dataset, "type": "table"}, "queries": [query]})
        _picture(bin_folder, address, password, chart_id, screenshot)
        return Drawn(
            views=tuple(sorted(each["value"] for each in listed)),
            table_comment=described.get("comment"),
            column_comments={each["name"]: each.get("comment") for each in described["columns"]},
            rows=data["result"][0]["rowcount"],
            screenshot=screenshot,
        )


PICTURE = """
import os, sys
from playwright.sync_api import sync_playwright
executable, address, chart, target, *flags = sys.argv[1:]
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=executable, args=flags)
    page = browser.new_page(viewport={"width": 1400, "height": 800})
    page.goto(address + "/login/")
    page.locator("input[id=username], input[name=username]").first.fill(os.environ["SUPERSET_USER"])
    page.locator("input[id=password], input[name=password]").first.fill(os.environ["SUPERSET_PASSWORD"])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url, timeout=120_000)
    page.goto(f"{address}/explore/?slice_id={chart}", timeout=120_000)
    page.wait_for_selector(".slice_container canvas, [data-test=chart-container] canvas", timeout=120_000)
    page.wait_for_timeout(3000)
    page.screenshot(path=target)
    browser.close()
"""


def _picture(bin_folder: Path, address: str, password: str, chart_id: int, screenshot: Path) -> None:
    screenshot.parent.mkdir(parents=True, exist_ok=True)
    arguments = [chromium(), address, str(chart_id), str(screenshot.resolve()), *CHROMIUM_FLAGS]
    login = {"SUPERSET_USER": USER, "SUPERSET_PASSWORD": password}
    subprocess.run([str(bin_folder / "python"), "-c", PICTURE, *arguments], env={**os.environ, **login}, check=True, timeout=400)


def cache_folder() -> Path:
    """Where Superset's environment stays between runs: INSIGHT_CACHE, else the state folder."""
    return Path(os.environ.get("INSIGHT_CACHE") or Home.current().path / "cache").resolve() / "superset_environment"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.full.superset", description=__doc__)
    parser.add_argument("--table", default="hmicfrs_metrics")
    parser.add_argument("--x", default="force_id")
    parser.add_argument("--value", default="value")
    parser.add_argument("--screenshot", type=Path, default=Path("superset.png"))
    chosen = parser.parse_args()
    drawn = draw(
        os.environ["SUPERSET_DATABASE"], chosen.table, chosen.x, chosen.value, environment(cache_folder()), chosen.screenshot
    )
    print(json.dumps({**drawn.__dict__, "screenshot": str(drawn.screenshot)}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
