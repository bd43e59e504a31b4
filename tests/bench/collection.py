"""A day's pull of X from the simulator, 50 ms away: ours against dlt's REST source into DuckDB and against a plain loop.

All three make the same requests (the simulator counts them); ours also lands the redacted answers and types the records of four
kinds, dlt fills DuckDB, the loop writes one Parquet file a list. dlt has an environment of its own, made for the bench.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import requests

from extractors.post_window import post_window
from extractors.x import MENTION_FIELDS, POST_FIELDS
from include.registry import current
from include.settings import Home, run_instant
from include.simulator.process import SimulatorProcess
from tests.bench.child import Measured, in_child
from tests.bench.comparisons import Comparison, Say

RUN_DATE = date(2026, 11, 2)
LATENCY_SECONDS, ROUNDS = 0.05, 3
FEW_PAGES, MANY_PAGES = 12, 48
PACKAGES = ("dlt[duckdb]==1.31.0",)
SCRIPT = Path(__file__).with_name("dlt_pull.py")


def task(simulator: SimulatorProcess) -> dict[str, Any]:
    """What is to be pulled: the accounts that are open, their figures, posts and mentions of 30 days, a hundred a page."""
    token = next(iter(simulator.tokens("x").values()))  # an app's token reads every account
    since = {"start_time": f"{post_window(RUN_DATE)[0]:%Y-%m-%dT%H:%M:%SZ}", "max_results": "100"}
    media = {"expansions": "attachments.media_keys", "media.fields": "type,alt_text"}
    return {
        "base_url": simulator.base_url("x"),
        "token": token,
        "accounts": [{"id": each.account_id, "handle": each.handle} for each in current().open_accounts("x", RUN_DATE)],
        "lists": {
            "mentions": {**since, "tweet.fields": MENTION_FIELDS},
            "tweets": {**since, "tweet.fields": POST_FIELDS, **media},
        },
    }


def one_after_the_other(wanted: Mapping[str, Any]) -> dict[str, float]:
    """The plain loop: one session, one request at a time, each list into a Parquet file. Its seconds and items."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    started = time.monotonic()
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {wanted['token']}"
    found: dict[str, list[dict[str, Any]]] = {"users": [], **{name: [] for name in wanted["lists"]}}
    for account in wanted["accounts"]:
        parameters = {"usernames": account["handle"], "user.fields": "public_metrics"}
        found["users"] += session.get(f"{wanted['base_url']}/2/users/by", params=parameters, timeout=60).json().get("data", [])
        for name, asked in wanted["lists"].items():
            token = ""
            while True:
                parameters = {**asked, **({"pagination_token": token} if token else {})}
                body = session.get(f"{wanted['base_url']}/2/users/{account['id']}/{name}", params=parameters, timeout=60).json()
                found[name] += body.get("data", [])
                token = body["meta"].get("next_token", "")
                if not token:
                    break
    with tempfile.TemporaryDirectory() as folder:
        for name, items in found.items():
            pq.write_table(pa.Table.from_pylist(items), Path(folder) / f"{name}.parquet")
    return {"seconds": time.monotonic() - started, "items": sum(len(items) for items in found.values())}


def by_dlt(python: Path, wanted: Mapping[str, Any], folder: Path) -> dict[str, float]:
    """dlt's seconds and items. Raises RuntimeError with what it said."""
    folder.mkdir()
    environment = {name: text for name, text in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        [str(python), str(SCRIPT), str(folder)],
        input=json.dumps(wanted),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"dlt: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def environment_of_dlt(folder: Path) -> Path:
    """An environment with dlt, from the package index of this machine; INSIGHT_BENCH_DLT names one that is there."""
    ready = os.environ.get("INSIGHT_BENCH_DLT")
    if ready:
        return Path(ready) / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True)
    return python


def pulls(folder: Path, say: Say) -> list[Comparison]:
    """Each pull ROUNDS times, by turns, and of each the quickest; no call may have been refused."""
    say("an environment for dlt")
    python = environment_of_dlt(folder / "dlt")
    done: dict[str, list[dict[str, float]]] = {name: [] for name in ("ours", "dlt", "dlt in parallel", "loop")}
    with SimulatorProcess(seed=20261102, clock=run_instant(RUN_DATE)) as simulator:
        simulator.limit(LATENCY_SECONDS)
        wanted = task(simulator)
        connection = {"conn_type": "http", "host": wanted["base_url"], "password": wanted["token"]}
        os.environ["AIRFLOW_CONN_X"] = json.dumps(connection)
        os.environ["INSIGHT_SECRETS"] = str(folder / "secrets")
        for turn in range(1, ROUNDS + 1):
            for name in done:
                say(f"{name}, round {turn} of {ROUNDS}")
                simulator.set_clock(run_instant(RUN_DATE))  # a new window for each
                asked = _asked(simulator)
                if name == "ours":
                    measured = in_child("collect", Home(folder / f"ours-{turn}"), RUN_DATE).result
                elif name == "loop":
                    measured = one_after_the_other(wanted)
                else:
                    measured = by_dlt(python, {**wanted, "parallelized": name != "dlt"}, folder / f"{name}-{turn}")
                done[name].append({**measured, "requests": _asked(simulator) - asked})
        refused = simulator.requests()["by_platform"]["x"]["refused"]
    counts = {each["requests"] for rounds in done.values() for each in rounds}
    if len(counts) != 1:
        raise AssertionError(
            f"not the same pull: requests by turns { ({name: [r['requests'] for r in of] for name, of in done.items()}) }"
        )
    best = {name: min(rounds, key=lambda each: each["seconds"]) for name, rounds in done.items()}
    items = best["loop"]["items"]
    of = f"{items:,.0f} items in {counts.pop():,.0f} requests, {LATENCY_SECONDS * 1000:.0f} ms each, {refused} refused"
    figures = [
        f"{name}: {each['seconds']:.1f} s, {items / each['seconds']:,.0f} items a second; "
        f"all rounds {', '.join(format(one['seconds'], '.1f') for one in done[name])} s"
        for name, each in best.items()
    ]
    ours = best["ours"]["seconds"]
    aim = 0.33  # three times as fast
    return [
        Comparison(f"our pull of X / {name}", ours / best[name]["seconds"], aim, of, figures if name == "dlt" else [])
        for name in ("dlt", "dlt in parallel", "loop")
    ]


def memory(folder: Path, say: Say) -> Comparison:
    """Peak memory of one force's collection over 4 times the pages, each in a process of its own."""
    found: dict[int, Measured] = {}
    for pages in (FEW_PAGES, MANY_PAGES):
        say(f"{pages} pages of one account")
        found[pages] = in_child("many_pages", Home(folder / f"pages-{pages}"), RUN_DATE, str(pages))
    few, many = found[FEW_PAGES], found[MANY_PAGES]
    return Comparison(
        f"peak memory over {MANY_PAGES} pages / over {FEW_PAGES}",
        many.peak_mib / few.peak_mib,
        1.15,
        f"{few.result['rows']:,} and {many.result['rows']:,} records",
        [f"{pages} pages: {each.peak_mib:,.0f} MiB, {each.seconds:.1f} s" for pages, each in found.items()],
    )


def compare(folder: Path, say: Callable[[str], None]) -> Iterable[Comparison]:
    return [*pulls(folder, say), memory(folder, say)]


def _asked(simulator: SimulatorProcess) -> int:
    return int(simulator.requests()["by_platform"]["x"]["total"])
