"""What `make bench` compares. Every figure is a ratio of two things timed in one run, with what they handled beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from include.records import ALL_KINDS, LEDGER_KINDS, RECORD_KINDS, WORKING
from include.settings import Home
from tests.bench.child import Measured, in_child
from tests.bench.history import History

Say = Callable[[str], None]

ROUNDS, INCREMENT_ROUNDS = 5, 2


@dataclass(frozen=True)
class Comparison:
    """One line of the table, and the figures it rests on."""

    name: str
    ratio: float
    aim: float
    of: str
    figures: list[str] = field(default_factory=list)

    @property
    def is_met(self) -> bool:
        return self.ratio <= self.aim


def differing_rows(home: Home, script: Path) -> list[tuple[Any, ...]]:
    """Rows of fct_metric_daily that only the script or only the models have, at most 20, the side first. Duplicates count.

    Of the platforms that the script has: a month that nobody uploaded is a row of the models alone.
    """
    with duckdb.connect(str(home.build_file), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        columns = ", ".join(row[0] for row in connection.execute("describe marts.fct_metric_daily").fetchall())
        other = f"select {columns} from read_parquet('{script}')"
        mart = f"select {columns} from marts.fct_metric_daily where platform in (select platform from read_parquet('{script}'))"
        return connection.execute(
            f"(select 'models' as side, * from ({mart} except all {other}) limit 10) "
            f"union all (select 'script', * from ({other} except all {mart}) limit 10)"
        ).fetchall()


def rows_by_status(home: Home) -> dict[str, int]:
    with duckdb.connect(str(home.build_file), read_only=True) as connection:
        return dict(connection.execute("select status, count(*) from marts.fct_metric_daily group by status").fetchall())


def models_against_script(home: Home, history: History, say: Say) -> Comparison:
    """Model time of fct_metric_daily and its ancestors against the hand-written script; the rows must be equal.

    Both by turns, ROUNDS times, and of each the quickest: what else the machine does slows one or the other.
    """
    observations = accepted_rows(home)["observation"]
    script = home.path / "hand_written.parquet"
    by_hand, built = [], []
    for turn in range(1, ROUNDS + 1):
        say(f"the hand-written script over {observations:,} observations, then the models, round {turn} of {ROUNDS}")
        by_hand.append(in_child("hand_written", home, history.as_of, str(script)))
        built.append(in_child("models", home, history.as_of))
    different = differing_rows(home, script)
    if different:
        raise AssertionError(f"the script and the models give different rows, first: {different[0]}")
    models = min(built, key=lambda each: each.result["elapsed"])
    seconds, seconds_by_hand = models.result["elapsed"], min(each.result for each in by_hand)
    by_model = models.result["seconds"]
    return Comparison(
        "models of fct_metric_daily / hand-written script",
        seconds / seconds_by_hand,
        2.0,
        f"{observations:,} observations, {sum(rows_by_status(home).values()):,} equal rows",
        [
            f"models {seconds:.1f} s, script {seconds_by_hand:.1f} s, each the quickest of {ROUNDS} by turns",
            f"the models' time is that in which one of them ran (run_results.json; seeds and tests aside): two run at once, on the "
            f"two threads that the script has alone. The {len(by_model)} times of the models one by one add up to "
            f"{sum(by_model.values()):.1f} s",
            f"all rounds: models {_seconds(each.result['elapsed'] for each in built)}, "
            f"script {_seconds(each.result for each in by_hand)}",
            f"peak memory: dbt {models.peak_mib:,.0f} MiB, script {by_hand[0].peak_mib:,.0f} MiB",
            f"slowest models: {_slowest(by_model)}",
        ],
    )


@dataclass(frozen=True)
class Increment:
    """A day's work on top of a history: the gate, and the build after it."""

    history: History
    records: int
    rows_read: int
    gate: Measured
    build: Measured

    @property
    def seconds(self) -> float:
        return self.gate.seconds + self.build.seconds


def increments(homes: dict[Home, History], say: Say) -> list[Increment]:
    """Validate the last day's records into what was accepted before, and build; for each home the quickest of some, by turns.

    The same records come again each time: their rows replace those of the time before, and nothing else changes.
    """
    done: dict[Home, list[Increment]] = {home: [] for home in homes}
    for turn in range(1, INCREMENT_ROUNDS + 1):
        for home, history in homes.items():
            records = write_last_day(home, history)
            say(f"a day of {records:,} records after {history.days - 1} days, round {turn} of {INCREMENT_ROUNDS}")
            gate = in_child("validate", home, history.as_of)
            rows_read = sum(accepted_rows(home).values())
            done[home].append(Increment(history, records, rows_read, gate, in_child("build", home, history.as_of)))
    return [
        replace(
            rounds[0],
            gate=min((each.gate for each in rounds), key=lambda gate: gate.seconds),
            build=min((each.build for each in rounds), key=lambda build: build.seconds),
        )
        for rounds in done.values()
    ]


def year_against_month(year: Increment, month: Increment) -> Comparison:
    """Gate and build of one more day with a year behind it against the same with a month."""
    slower = {
        name: seconds - month.build.result["slowest"].get(name, 0.0) for name, seconds in year.build.result["slowest"].items()
    }
    return Comparison(
        "daily increment after a year / after a month",
        year.seconds / month.seconds,
        1.2,
        f"rows read: {year.rows_read:,} and {month.rows_read:,}",
        [
            *(f"{_days(each)}: gate {each.gate.seconds:.1f} s, build {each.build.seconds:.1f} s ({_stages(each)}), "
              f"peak memory of the build {each.build.peak_mib:,.0f} MiB" for each in (year, month)),
            f"grew most: {_slowest(slower)}",
        ],
    )  # fmt: skip


def gate_against_build(day: Increment) -> Comparison:
    """The gate over a day's records against the build that follows."""
    return Comparison(
        "validation / build",
        day.gate.seconds / day.build.seconds,
        0.5,
        f"{day.records:,} records of a day, build over {day.rows_read:,} rows",
        [
            f"each the quickest of {INCREMENT_ROUNDS}: validation {day.gate.seconds:.1f} s, build {day.build.seconds:.1f} s",
            f"peak memory of the validation {day.gate.peak_mib:,.0f} MiB",
        ],
    )


def accepted_rows(home: Home) -> dict[str, int]:
    """Rows of the accepted files by kind, from their footers."""
    return {kind: sum(pq.read_metadata(path).num_rows for path in (home.accepted / kind).glob("*/*.parquet")) for kind in ALL_KINDS}


def write_last_day(home: Home, history: History) -> int:
    """The last day's answers as records folders, one ingest per force, as include.collect leaves them. Returns their number."""
    total = 0
    tables = history.last_day()
    folder = home.records / "facebook" / history.as_of.isoformat()
    force_ids = sorted(set(tables["plan"].column("force_id").to_pylist()))
    (folder / "_plan" / "plan").mkdir(parents=True)
    pq.write_table(_as_records(tables.pop("plan"), "plan"), folder / "_plan" / "plan" / "plan.parquet")
    for force_id in force_ids:
        ingest_id = f"{force_id}-{history.as_of}"
        own = {kind: table.filter(_equal(table, ingest_id)) for kind, table in tables.items()}
        target = folder / force_id / ingest_id
        target.mkdir(parents=True)
        for kind, table in own.items():
            pq.write_table(_as_records(table, kind), target / f"{kind}.parquet")
        counts = {kind: table.num_rows for kind, table in own.items() if kind in RECORD_KINDS}
        total += sum(counts.values())
        manifest = {
            "source": "facebook", "platform": "facebook", "batch": force_id, "run_date": history.as_of.isoformat(),
            "ingest_id": ingest_id, "is_simulated": True, "landed": counts, "derived_zero": {}, "dropped": {}, "rows": counts,
            "gaps": 0,
        }  # fmt: skip
        (target / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return total


def _as_records(table: Any, kind: str) -> Any:
    import pyarrow as pa

    assert kind in RECORD_KINDS or kind in LEDGER_KINDS
    for name, type_ in WORKING:
        table = table.append_column(name, pa.nulls(table.num_rows, type_) if name == "_defect" else pa.array(
            [f"item {number}" for number in range(table.num_rows)], type_
        ))  # fmt: skip
    return table.cast(ALL_KINDS[kind].record_schema)


def _equal(table: Any, ingest_id: str) -> Any:
    import pyarrow.compute as pc

    return pc.equal(table.column("ingest_id"), ingest_id)


def _slowest(seconds: dict[str, float], count: int = 5) -> str:
    return ", ".join(f"{name} {seconds[name]:.1f} s" for name in sorted(seconds, key=lambda name: -seconds[name])[:count])


def _seconds(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.1f} s" for value in values)


def _stages(day: Increment) -> str:
    kinds = day.build.result["kinds"]
    return ", ".join(f"{kind}s {kinds[kind]:.1f} s" for kind in ("model", "test"))


def _days(day: Increment) -> str:
    return f"{day.history.days} days"
