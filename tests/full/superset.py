"""A real BI tool on the marts: Apache Superset in its own environment connects as `bi_reader`, lists the views with their comments,
draws a chart, and Chromium takes its picture. Beside `make serve`: `.venv/bin/python -m tests.full.superset --screenshot FILE`.

The URI (docs/bi.md, Superset) comes from the environment variable SUPERSET_DATABASE, since it holds the password.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import requests

from include.settings import Home

PACKAGES = ("apache-superset==6.1.0", "rich", "cachetools", "flask-caching<2.4", "psycopg2-binary", "playwright")
"""rich and cachetools: Superset imports them and does not say so."""
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
)
USER = "analyst"
START_SECONDS = 180
BAR_COLOUR = (31, 168, 201)
"""First of the colour scheme `supersetColors`."""

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
class Chart:
    """Horizontal bars, the greatest on top: `value` of the rows that `where` (SQL) chooses, one for each `x`."""

    title: str
    table: str
    x: str
    value: str
    where: str
    x_title: str
    value_title: str

    @property
    def metric(self) -> dict[str, Any]:
        """MAX of the only row: a null stays a null, and no bar is not a bar of 0."""
        column = {"column_name": self.value}
        return {"expressionType": "SIMPLE", "aggregate": "MAX", "column": column, "label": self.value_title}

    def form(self, dataset: int) -> dict[str, Any]:
        """What Superset saves of a chart."""
        chosen = {"expressionType": "SQL", "clause": "WHERE", "sqlExpression": self.where}
        return {
            "datasource": f"{dataset}__table",
            "viz_type": "echarts_timeseries_bar",
            "orientation": "horizontal",
            "x_axis": self.x,
            "x_axis_sort": self.value_title,
            "x_axis_sort_asc": True,
            "xAxisForceCategorical": True,
            "x_axis_title": self.x_title,
            "x_axis_title_margin": 140,  # horizontal bars: from the names of `x`
            "y_axis_title": self.value_title,
            "y_axis_title_margin": 30,
            "y_axis_title_position": "Left",
            "y_axis_format": ",.0f",
            "metrics": [self.metric],
            "groupby": [],
            "adhoc_filters": [chosen],
            "row_limit": 100,
            "color_scheme": "supersetColors",
            "show_legend": False,
        }


FOLLOWERS = Chart(
    title="Facebook followers per 1,000 residents, October 2026 (simulated)",
    table="hmicfrs_metrics",
    x="force_id",
    value="value",
    where="metric = 'followers_per_1k_population' and platform = 'facebook' and month = date '2026-10-01'",
    x_title="Force",
    value_title="Followers per 1,000 residents (no bar: not applicable)",
)


@dataclass(frozen=True)
class Drawn:
    """What Superset found and drew. `bar_pixels`: pixels of the chart's canvas that have the bars' colour."""

    views: tuple[str, ...]
    table_comment: str | None
    column_comments: dict[str, str | None]
    values: dict[str, float | None]
    bar_pixels: int
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
                error.add_note(f"its last actions: {_actions(Path(folder) / 'superset.db')}")
                raise
            finally:
                server.terminate()
                server.wait(30)


def _actions(metadata: Path) -> str:
    """From its table `logs`: an exception that an answer hides is named there. Actions only: the rest may hold a URI."""
    with closing(sqlite3.connect(metadata)) as connection:
        rows = connection.execute("select action from logs order by id desc limit 10").fetchall()
    return ", ".join(action for (action,) in reversed(rows))


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


def draw(database: str, chart: Chart, bin_folder: Path, screenshot: Path) -> Drawn:
    """Connect, list, chart, picture. database: SQLAlchemy URI."""
    __tracebackhide__ = True  # the URI holds a password
    with running(bin_folder) as (address, password):
        api = Api(address, password)
        made = api.call(
            "post", "database/", json={"database_name": "Insight", "sqlalchemy_uri": database, "expose_in_sqllab": True}
        )
        listed = api.call("get", f"database/{made['id']}/tables/", params={"q": "(schema_name:marts,force:!t)"})["result"]
        described = api.call("get", f"database/{made['id']}/table_metadata/", params={"name": chart.table, "schema": "marts"})
        dataset = api.call("post", "dataset/", json={"database": made["id"], "schema": "marts", "table_name": chart.table})["id"]
        form = chart.form(dataset)
        saved = {"slice_name": chart.title, "viz_type": form["viz_type"], "datasource_id": dataset, "datasource_type": "table"}
        chart_id = api.call("post", "chart/", json={**saved, "params": json.dumps(form)})["id"]
        query = {"columns": [chart.x], "metrics": [chart.metric], "row_limit": 100, "extras": {"where": chart.where}}
        answer = api.call("post", "chart/data", json={"datasource": {"id": dataset, "type": "table"}, "queries": [query]})
        return Drawn(
            views=tuple(sorted(each["value"] for each in listed)),
            table_comment=described.get("comment"),
            column_comments={each["name"]: each.get("comment") for each in described["columns"]},
            values={row[chart.x]: row[chart.value_title] for row in answer["result"][0]["data"]},
            bar_pixels=_picture(bin_folder, address, password, chart_id, screenshot),
            screenshot=screenshot,
        )


PICTURE = """
import os, sys
from playwright.sync_api import sync_playwright
executable, address, chart, target, colour, *flags = sys.argv[1:]
COUNT = '''colour => {
    let found = 0
    for (const canvas of document.querySelectorAll("[data-test=chart-container] canvas")) {
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
        for (let at = 0; at < pixels.length; at += 4)
            if (colour.every((part, place) => Math.abs(pixels[at + place] - part) < 3)) found++
    }
    return found
}'''
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=executable, args=flags)
    page = browser.new_page(viewport={"width": 1800, "height": 1200})
    page.set_default_timeout(120_000)
    page.goto(address + "/login/")
    page.locator("input[id=username], input[name=username]").first.fill(os.environ["SUPERSET_USER"])
    page.locator("input[id=password], input[name=password]").first.fill(os.environ["SUPERSET_PASSWORD"])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(f"{address}/explore/?slice_id={chart}")
    page.wait_for_selector("[data-test=chart-container] canvas")
    bars, before = 0, -1
    for _ in range(60):  # bars grow while they appear
        page.wait_for_timeout(1000)
        bars, before = page.evaluate(COUNT, [int(part) for part in colour.split(",")]), bars
        if bars == before > 0:
            break
    page.screenshot(path=target)
    browser.close()
print(bars)
"""


def _picture(bin_folder: Path, address: str, password: str, chart_id: int, screenshot: Path) -> int:
    """Takes it, and counts the pixels of bars."""
    screenshot.parent.mkdir(parents=True, exist_ok=True)
    screenshot.unlink(missing_ok=True)
    colour = ",".join(str(part) for part in BAR_COLOUR)
    arguments = [chromium(), address, str(chart_id), str(screenshot.resolve()), colour, *CHROMIUM_FLAGS]
    login = {"SUPERSET_USER": USER, "SUPERSET_PASSWORD": password}
    variables = {**{name: value for name, value in os.environ.items() if name != "SUPERSET_DATABASE"}, **login}
    command = [str(bin_folder / "python"), "-c", PICTURE, *arguments]
    done = subprocess.run(command, env=variables, check=False, timeout=600, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"no picture: {done.stderr[-2000:]}")
    return int(done.stdout)


def cache_folder() -> Path:
    """Where Superset's environment stays between runs: INSIGHT_CACHE, else the state folder."""
    return Path(os.environ.get("INSIGHT_CACHE") or Home.current().path / "cache").resolve() / "superset_environment"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.full.superset", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for field in fields(Chart):
        default = getattr(FOLLOWERS, field.name)
        parser.add_argument(f"--{field.name.replace('_', '-')}", default=default, help=f"({default})")
    parser.add_argument("--screenshot", type=Path, default=Path("superset.png"))
    chosen = vars(parser.parse_args())
    screenshot = chosen.pop("screenshot")
    drawn = draw(os.environ["SUPERSET_DATABASE"], Chart(**chosen), environment(cache_folder()), screenshot)
    print(json.dumps({**asdict(drawn), "screenshot": str(screenshot)}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
