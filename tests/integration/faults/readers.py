"""A reader in a process of its own that keeps reading what is published, every table of both stores, until it is told to stop."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include import contract
from include.settings import PROJECT_ROOT, Home

MAY_BE_EMPTY = tuple(table.name for table in contract.TABLES if table.may_be_empty)
"""Tables about what may not have happened."""

READER = f"""
MAY_BE_EMPTY = {MAY_BE_EMPTY!r}
"""
READER += """
import json, sys, time
from pathlib import Path
import duckdb
folder, stop = Path(sys.argv[1]), Path(sys.argv[2])
seen, reads = {}, 0
while not stop.exists() or not reads:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as marts:
        last = "select publication_id, table_rows from marts.publications order by publication_id desc limit 1"
        publication, said = marts.execute(last).fetchall()[0]
        for table, rows in json.loads(said).items():
            found = marts.execute(f"select count(*) from marts.{table}").fetchall()[0][0]
            told = f"{publication}: {found} rows of {table}, {rows} were published"
            assert found == rows and (rows or table in MAY_BE_EMPTY), told
            path = folder.resolve() / "versions" / publication / "parquet" / table / f"{table}.parquet"
            assert duckdb.sql(f"select count(*) from '{path}'").fetchall() == [(rows,)], table
    seen[publication] = seen.get(publication, 0) + 1
    reads += 1
    time.sleep(0.1)
print(json.dumps(seen))
"""


@contextmanager
def reading(home: Home, stop: Path) -> Iterator[dict[str, int]]:
    """Reads from here to the end of the block; then the dict holds how often each publication was read. Fails as the reader did."""
    seen: dict[str, int] = {}
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(home.published), str(stop)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield seen
    finally:
        stop.touch()
        output, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors
    seen.update(json.loads(output))
