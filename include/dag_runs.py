"""Every DAG once for one date, by Airflow itself but without its scheduler: what `make run` does after its history.

The DAGs that collect do not depend on each other and share the workers; the warehouse is built from all of them, last.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from include.screen import Screen
from include.settings import PROJECT_ROOT, run_instant

IN_THE_END = ("reprocess", "build_warehouse")
"""What has to see all that was collected, in this order."""


@dataclass(frozen=True)
class DagRun:
    """One DAG, run once."""

    dag_id: str
    state: str
    failed_tasks: tuple[str, ...]
    seconds: float

    @property
    def is_green(self) -> bool:
        return self.state == "success"

    def __str__(self) -> str:
        found = "green" if self.is_green else f"red: {', '.join(self.failed_tasks)}"
        return f"{self.dag_id} {found}, {self.seconds:.1f} s"


def run_dags(as_of: date, screen: Screen, pool: ProcessPoolExecutor) -> list[DagRun]:
    """Each DAG once for the as-of date, the warehouse last. Raises RuntimeError when a DAG file cannot be imported."""
    collecting = [dag_id for dag_id in pool.submit(_dag_ids).result() if dag_id not in IN_THE_END]
    runs = []
    for title, together in (
        ("DAGs that collect", collecting),
        *((f"DAG {dag_id}", [dag_id]) for dag_id in IN_THE_END),
    ):
        with screen.stage(title, len(together), "DAGs" if len(together) > 1 else "DAG") as stage:
            for each in as_completed([pool.submit(_run, dag_id, as_of) for dag_id in together]):
                run = each.result()
                runs.append(run)
                stage.note(str(run))
                stage.advance(step=str(as_of))
    return runs


@cache
def _dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(PROJECT_ROOT / "dags")
    if bag.import_errors:
        raise RuntimeError(f"DAG files do not import: {bag.import_errors}")
    return dict(bag.dags)


def _dag_ids() -> list[str]:
    return sorted(_dags())


def _run(dag_id: str, as_of: date) -> DagRun:
    started = time.monotonic()
    found = _dags()[dag_id].test(
        logical_date=run_instant(as_of),
        # whoever says make run has named the date
        run_conf={"run_date": as_of.isoformat(), "as_of": as_of.isoformat(), "allow_older": True},
    )
    failed = {ti.task_id for ti in found.get_task_instances() if ti.state in ("failed", "upstream_failed")}
    return DagRun(dag_id, str(found.state), tuple(sorted(failed)), time.monotonic() - started)
