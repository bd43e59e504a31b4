"""The build: dbt → statistics → dbt, in one process, on a fresh build file. Readers never see this file (include/publish.py).

Everything dbt writes (target, logs, parse cache) goes under the home, nothing into the project.
"""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from include.disk import says_when_full
from include.environment import environment
from include.locks import StillHeld, held
from include.settings import DEFAULT_AS_OF, PROJECT_ROOT, Home

if TYPE_CHECKING:
    import duckdb

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
FEEDS_STATISTICS = "+tag:feeds_statistics"
BUILD_LOCK = "build"
LOCK_TIMEOUT_SECONDS = 30 * 60

Progress = Callable[[str], None]
Stage = Literal["before statistics", "after statistics"]
Tests = Literal["none", "data", "all"]

FAILED = ("error", "fail", "runtime error", "skipped", "partial success")


@dataclass(frozen=True)
class NodeOutcome:
    """What became of one seed, model or test."""

    name: str
    resource_type: str  # seed, model, test, unit_test
    status: str  # dbt's own: success, pass, warn, fail, error, skipped
    seconds: float
    stage: Stage
    relation: str | None = None  # schema.table, for seeds and models
    rows: int | None = None  # of tables; None for views and tests
    message: str | None = None
    compiled_sql: Path | None = None

    @property
    def is_failed(self) -> bool:
        return self.status in FAILED


@dataclass(frozen=True)
class BuildReport:
    """What one build did: seeds, models and tests in the order in which they ended, and rows of each file of statistics."""

    as_of: date
    build_file: Path
    nodes: tuple[NodeOutcome, ...]
    statistics: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[NodeOutcome, ...]:
        return tuple(node for node in self.nodes if node.is_failed)

    @property
    def warnings(self) -> tuple[NodeOutcome, ...]:
        return tuple(node for node in self.nodes if node.status == "warn")

    def rows(self, schema: str = "marts") -> dict[str, int]:
        """Rows by table of one schema."""
        found = {}
        for node in self.nodes:
            if node.relation and node.rows is not None and node.relation.split(".")[0] == schema:
                found[node.relation.split(".")[1]] = node.rows
        return dict(sorted(found.items()))

    def summary_lines(self) -> list[str]:
        """For people: what was built and how long it took, the rows of each mart, and what wants attention."""
        kinds = Counter("test" if node.resource_type == "unit_test" else node.resource_type for node in self.nodes)
        counted = ", ".join(f"{kinds[kind]} {kind}s" for kind in ("seed", "model", "test") if kinds[kind])
        timed = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self.seconds.items())
        lines = [f"Warehouse as of {self.as_of}: {counted} ({timed})"]
        lines += [f"  statistics.{name}: {rows:,} rows" for name, rows in self.statistics.items()]
        lines += [f"  marts.{name}: {rows:,} rows" for name, rows in self.rows().items()]
        lines += [f"  warning: {node.name}: {_first_lines(node.message)}" for node in self.warnings]
        lines += [f"  {node.status}: {node.name}: {_first_lines(node.message)}" for node in self.failed if node.status != "skipped"]
        return lines


class BuildFailed(RuntimeError):
    """The build stopped. Names every failing seed, model and test with dbt's message and its compiled SQL."""

    def __init__(self, headline: str, report: BuildReport | None = None) -> None:
        self.report = report
        lines = [headline]
        skipped = []
        for node in report.failed if report else ():
            if node.status == "skipped":
                skipped += [node.name] if node.relation else []
                continue
            lines.append(f"  {node.resource_type} {node.name} ({node.status}): {_first_lines(node.message)}")
            if node.compiled_sql:
                lines.append(f"    compiled SQL: {node.compiled_sql}")
        if skipped:
            lines.append(f"  not built because of these: {', '.join(skipped)}")
        super().__init__("\n".join(lines))


@says_when_full("the build of the warehouse")
def build(
    as_of: date,
    home: Home | None = None,
    progress: Progress | None = None,
    *,
    select: str | None = None,
    tests: Tests = "data",
) -> BuildReport:
    """Build the warehouse as of a date: dbt up to what the statistics read, the statistics, then the rest of dbt.

    One build at a time (a file lock), over a snapshot of accepted data: what is merged meanwhile waits for the next build. The
    build file starts empty: what a killed build left behind is gone. `select` narrows what comes after the statistics to a dbt
    selection. `tests`: which of dbt's. Its unit tests have fixed inputs, so only tests of the code ask for "all"; "none" is for
    those that look at the marts themselves. Afterwards the file is closed: any process can open it. Raises BuildFailed.
    """
    from include import statistics
    from include.accepted import HalfMerged, accepted_ingest_ids, snapshot, unfinished

    home = home or Home.current()
    say = progress or (lambda text: None)
    try:
        with held(home, BUILD_LOCK, "build or publication", LOCK_TIMEOUT_SECONDS, say):
            home.build.mkdir(parents=True, exist_ok=True)
            for source, run_date in unfinished(home):
                from include.validation import validate_run

                say(f"the rows of {source} {run_date} were cut off half-way into accepted: they are validated again")
                validate_run(source, run_date, home=home)
            snapshot(home.build_accepted, home)
            for leftover in (home.build_file, home.build_file.with_name(f"{home.build_file.name}.wal")):
                leftover.unlink(missing_ok=True)
            for folder in (home.statistics, home.build_file.with_name(f"{home.build_file.name}.tmp")):
                shutil.rmtree(folder, ignore_errors=True)
            with _Dbt(home, as_of, say) as dbt:
                dbt.build("before statistics", ["--select", FEEDS_STATISTICS, *_without(tests)])
                say("statistics")
                started = time.monotonic()
                dbt.close_build_file()
                dbt.report.statistics.update(statistics.compute(home.build_file, home.statistics))
                dbt.report.seconds["statistics"] = time.monotonic() - started
                rest = ["--exclude", FEEDS_STATISTICS, *(["--select", *select.split()] if select else [])]
                dbt.build("after statistics", [*rest, *_without(tests)])
                write_provenance(home.build_file, as_of, accepted_ingest_ids(home.build_accepted, as_of))
                return dbt.report
    except (StillHeld, HalfMerged) as error:
        raise BuildFailed(str(error)) from None


@dataclass(frozen=True)
class Provenance:
    """What a build file was built from: the as-of date, and the ingests of record kinds up to it, sorted."""

    as_of: date
    ingest_ids: tuple[str, ...]


def write_provenance(build_file: Path, as_of: date, ingest_ids: Iterable[str]) -> None:
    """Into the build file, last of all: a build file without it is not finished."""
    import duckdb

    with duckdb.connect(str(build_file)) as connection:
        connection.execute("create schema provenance")
        connection.execute("create table provenance.ingests (ingest_id varchar)")
        rows = [[ingest_id] for ingest_id in ingest_ids]
        if rows:
            connection.executemany("insert into provenance.ingests values (?)", rows)
        connection.execute("create table provenance.build as select ?::date as as_of", [as_of])


def provenance(connection: duckdb.DuckDBPyConnection) -> Provenance | None:
    """Of an open build file. None where the build did not come to its end."""
    found = "select count(*) from duckdb_tables() where schema_name = 'provenance' and table_name in ('build', 'ingests')"
    if connection.execute(found).fetchall() != [(2,)]:
        return None
    as_of = connection.execute("select as_of from provenance.build").fetchall()[0][0]
    ingests = connection.execute("select ingest_id from provenance.ingests order by ingest_id").fetchall()
    return Provenance(as_of, tuple(row[0] for row in ingests))


def docs_generate(home: Home | None = None, as_of: date = DEFAULT_AS_OF) -> Path:
    """dbt's documentation pages of the last build. Returns the folder that holds index.html. Raises BuildFailed."""
    home = home or Home.current()
    if not home.build_file.exists():
        raise BuildFailed(f"there is no build file {home.build_file}: build the warehouse first")
    with _Dbt(home, as_of, lambda text: None) as dbt:
        dbt.invoke("docs", "generate")
    return dbt.target


def _without(tests: Tests) -> list[str]:
    left_out = {"none": ["unit_test", "test"], "data": ["unit_test"], "all": []}[tests]
    return ["--exclude-resource-type", *left_out] if left_out else []


def _first_lines(message: str | None, lines: int = 6) -> str:
    kept = [line.strip() for line in (message or "no message").splitlines() if line.strip()]
    return " | ".join(kept[:lines]) + (" | …" if len(kept) > lines else "")


class _Dbt:
    """dbt in this process, for one home and date. Parses once: the second selection takes over the parsed project."""

    def __init__(self, home: Home, as_of: date, say: Progress) -> None:
        self.home = home
        self.as_of = as_of
        self.say = say
        self.target = home.build / "dbt_target"
        self.report = BuildReport(as_of, home.build_file, ())
        self._manifest: Any = None

    def __enter__(self) -> _Dbt:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_build_file()

    def invoke(self, *command: str) -> Any:
        """One dbt command. Returns dbt's result object. Raises BuildFailed where dbt could not even start its work."""
        from dbt.cli.main import dbtRunner

        variables = {
            "INSIGHT_HOME": str(self.home.path.resolve()),
            "INSIGHT_ACCEPTED": str(self.home.build_accepted.resolve()),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        with environment(variables):
            if self._manifest is None and command[0] != "parse":
                self._manifest = self.invoke("parse")
            outcome = dbtRunner(manifest=self._manifest, callbacks=[self._tell]).invoke([*command, *self._options()])
        if outcome.exception is not None:
            raise BuildFailed(f"dbt {' '.join(command[:2])}: {outcome.exception}") from outcome.exception
        return outcome.result

    def _options(self) -> list[str]:
        return [
            *("--project-dir", str(DBT_PROJECT)),
            *("--profiles-dir", str(DBT_PROJECT)),
            *("--target-path", str(self.target)),
            *("--log-path", str(self.home.build / "dbt_logs")),
            *("--vars", json.dumps({"as_of_date": self.as_of.isoformat()})),
            *("--log-level", "none"),
            *("--log-level-file", "info"),
            "--no-use-colors",
            "--no-version-check",
        ]

    def build(self, stage: Stage, arguments: Sequence[str]) -> None:
        """One `dbt build`. Adds to the report; raises BuildFailed with it when anything failed."""
        started = time.monotonic()
        # cautious: a test runs in the first stage only if all that it reads is built there, and is left out of the second only then
        result = self.invoke("build", "--indirect-selection", "cautious", *arguments)
        self.close_build_file()
        rows = _table_rows(self.home.build_file)
        # exposures only name who reads: nothing is built of them
        built = [each for each in result.results if each.node.resource_type != "exposure"]
        nodes = tuple(self._outcome(each, stage, rows) for each in built)
        seconds = self.report.seconds | {f"dbt {stage}": time.monotonic() - started}
        self.report = BuildReport(self.as_of, self.home.build_file, self.report.nodes + nodes, self.report.statistics, seconds)
        if self.report.failed:
            bad = [node for node in self.report.failed if node.status != "skipped"]
            raise BuildFailed(f"dbt build as of {self.as_of}, {stage}: {len(bad)} failed", self.report)

    def _outcome(self, result: Any, stage: Stage, rows: dict[str, int]) -> NodeOutcome:
        node = result.node
        kind = str(getattr(node.resource_type, "value", node.resource_type))
        relation = f"{node.schema}.{node.alias}" if kind in ("seed", "model") else None
        compiled = getattr(node, "compiled_path", None)
        return NodeOutcome(
            name=node.name,
            resource_type=kind,
            status=str(getattr(result.status, "value", result.status)),
            seconds=result.execution_time,
            stage=stage,
            relation=relation,
            rows=rows.get(relation or ""),
            message=result.message,
            compiled_sql=(DBT_PROJECT / compiled) if compiled else None,
        )

    def _tell(self, event: Any) -> None:
        if event.info.name in ("LogModelResult", "LogSeedResult"):
            self.say(f"dbt: {event.data.node_info.node_name}, {event.data.execution_time:.1f} s")

    @staticmethod
    def close_build_file() -> None:
        """dbt-duckdb keeps the file open in this process; until it is closed nobody else can open it, not even to read."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.adapters.factory import reset_adapters

        opened = DuckDBConnectionManager._ENV
        DuckDBConnectionManager.close_all_connections()
        if opened is not None:
            opened.close()
        reset_adapters()
        gc.collect()


def _table_rows(build_file: Path) -> dict[str, int]:
    """Rows of every table, by schema.table. Views have none."""
    import duckdb

    if not build_file.exists():
        return {}
    with duckdb.connect(str(build_file), read_only=True) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables() where not internal").fetchall()
        return {f"{schema}.{table}": len(connection.table(f"{schema}.{table}")) for schema, table in tables}
