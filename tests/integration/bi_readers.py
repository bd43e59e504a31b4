"""Readers that check what they see while publications come and go: `python -m tests.integration.bi_readers KIND …`, JSON out.

Publication number n (tests/bi_world.py) can be told by its rows, so every statement can say which publication it saw, and
whether it saw more than one.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from include import contract
from tests import bi_world

STATEMENTS_PER_TRANSACTION = 4
TABLES = tuple(table.name for table in contract.TABLES)


class Mixed(AssertionError):
    """A statement or a transaction saw more than one publication, or none."""


def statement(first: str, second: str, base_rows: int, schema: str = "marts") -> str:
    """One statement over three views: rows, the numbers planted in them, and the rows of `publications`."""
    parts = [f"(select count(*) from {schema}.publications)"]
    for table in (first, second):
        column = bi_world.planted_column(table)
        for value in (f"min(cast({column} as bigint))", f"max(cast({column} as bigint))", f"count(*) - {base_rows}"):
            parts.append(f"(select {value} from {schema}.{table})")
    return f"select {', '.join(parts)}"


def one_publication(row: tuple[Any, ...], asked: str) -> int:
    """The number of the publication that a statement saw. Raises Mixed."""
    if len(set(row)) != 1 or row[0] is None:
        raise Mixed(f"{row} from {asked}")
    return int(row[0])


def drawn(seed: int, base_rows: int, schema: str = "marts") -> Iterator[str]:
    chance = random.Random(seed)
    while True:
        yield statement(*chance.sample(TABLES, 2), base_rows=base_rows, schema=schema)


def check_order(seen: list[int], is_repeatable: bool) -> None:
    """REPEATABLE READ: one publication throughout. READ COMMITTED: never an older one after a newer."""
    if is_repeatable and len(set(seen)) != 1:
        raise Mixed(f"one REPEATABLE READ transaction saw {seen}")
    if any(later < earlier for earlier, later in pairwise(seen)):
        raise Mixed(f"publications in the order {seen}")


def read_postgres(dsn: str, is_repeatable: bool, seed: int, base_rows: int, pause: float = 0) -> Callable[[], list[int]]:
    """One reader's connection; each call of the result is one transaction."""
    import psycopg

    connection = psycopg.connect(dsn, autocommit=True)
    asked = drawn(seed, base_rows)
    level = "repeatable read" if is_repeatable else "read committed"

    def transaction() -> list[int]:
        connection.execute(f"begin isolation level {level}")
        seen = []
        for _ in range(STATEMENTS_PER_TRANSACTION):
            query = next(asked)
            seen.append(one_publication(connection.execute(query).fetchall()[0], query))
            time.sleep(pause)  # somebody looks at a chart
        connection.execute("commit")
        check_order(seen, is_repeatable)
        return seen

    return transaction


def read_duckdb(dsn: str, published: Path, extensions: Path, seed: int, base_rows: int, pause: float) -> Callable[[], list[int]]:
    """Each call of the result opens the published file, and PostgreSQL through DuckDB, and reads both."""
    import duckdb

    asked, through = drawn(seed, base_rows), drawn(seed, base_rows, "bi.marts")

    def read() -> list[int]:
        time.sleep(pause)
        with duckdb.connect(str(published / "warehouse.duckdb"), read_only=True) as file:
            in_file = [one_publication(file.execute(query).fetchall()[0], query) for query in (next(asked), next(asked))]
        with duckdb.connect(config={"extension_directory": str(extensions)}) as connection:
            connection.execute("load postgres_scanner")
            connection.execute(f"attach '{dsn}' as bi (type postgres, schema 'marts', read_only)")
            in_postgres = []
            connection.execute("begin")
            for _ in range(2):
                query = next(through)
                in_postgres.append(one_publication(connection.execute(query).fetchall()[0], query))
            connection.execute("commit")
        check_order(in_file, True)
        check_order(in_postgres, True)  # DuckDB reads PostgreSQL in REPEATABLE READ
        return in_postgres

    return read


def run(readers: list[Callable[[], list[int]]], stop: Path) -> dict[str, Any]:
    """All readers at once until the stop file appears. Returns transactions, publications seen and errors.

    `moved_on`: transactions whose later statements saw a newer publication, as READ COMMITTED may.
    """
    seen: set[int] = set()
    errors: list[str] = []
    counts, moved_on = [0] * len(readers), [0] * len(readers)

    def work(place: int) -> None:
        while not stop.exists() or not counts[place]:
            try:
                numbers = set(readers[place]())
                seen.update(numbers)
                counts[place] += 1
                moved_on[place] += len(numbers) > 1
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
                return

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(readers))]
    print("ready", flush=True)
    sys.stdin.readline()  # until all other readers are ready too
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {"readers": len(readers), "transactions": sum(counts), "moved_on": sum(moved_on)}
    return {**found, "publications": sorted(seen), "errors": errors}


def usual_queries(base: str = "marts") -> dict[str, str]:
    """Ten queries as a dashboard asks them, of shaped data (tests/bi_world.py)."""
    return {
        "forces": f"select force_id, official_name from {base}.dim_force order by official_name",
        "one force's months": f"select month, metric, value from {base}.hmicfrs_metrics where force_id = 'gwent' order by month",
        "one metric, all forces": (
            f"select force_id, month, value, status from {base}.hmicfrs_metrics "
            "where metric = 'metric 7' and platform = 'platform 1'"
        ),
        "followers by region": (
            f"select region, sum(value) from {base}.hmicfrs_metrics join {base}.dim_force using (force_id) "
            "where metric = 'metric 7' and platform = 'platform 1' group by region"
        ),
        "daily series": f"select metric_date, sum(value) from {base}.fct_metric_daily where force_id = 'kent' group by 1",
        "platform totals": f"select platform, count(*), avg(value) from {base}.fct_metric_daily group by 1 order by 2 limit 20",
        "posts of a month": f"select force_id, count(*) from {base}.fct_post where published_month = date '2026-11-01' group by 1",
        "best posts": f"select post_id, force_id, interactions from {base}.fct_post order by interactions desc nulls last limit 20",
        "the gap by category": f"select category_code, avg(want_share) from {base}.expectation_gap group by 1",
        "open gaps": f"select cause, count(*) from {base}.gap_ledger where is_open group by 1",
    }


def main() -> None:
    kind, stop, dsn, count, base_rows, pause, *more = sys.argv[1:]
    places = range(int(count))
    if kind == "postgres":
        readers = [read_postgres(dsn, place % 2 == 0, place, int(base_rows), float(pause)) for place in places]
    else:
        readers = [read_duckdb(dsn, Path(more[0]), Path(more[1]), place, int(base_rows), float(pause)) for place in places]
    print(json.dumps(run(readers, Path(stop))))


if __name__ == "__main__":
    main()
