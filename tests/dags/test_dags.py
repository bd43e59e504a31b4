"""House rules of DAG files: exact ids, owner, page, tags, retries; they wire and never work."""

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from extractors import SOURCES
from extractors.base import BadFile, CreditsDepleted, Outage, PermissionMissing, Throttled, TokenExpired
from include import airflow_home, dag_defaults
from tests.dags.conftest import dag_files

DAG_IDS = {
    "build_warehouse",
    "discover_accounts",
    "ingest_bluesky",
    "ingest_contacts",
    "ingest_facebook",
    "ingest_instagram",
    "ingest_linkedin",
    "ingest_nextdoor",
    "ingest_mastodon",
    "ingest_signals_fediverse",
    "ingest_signals_mastodon",
    "ingest_signals_wikimedia",
    "ingest_survey",
    "ingest_threads",
    "ingest_tiktok",
    "ingest_whatsapp",
    "ingest_x",
    "ingest_youtube",
    "reprocess",
}
IMPACT = {"impact:critical", "impact:high", "impact:medium", "impact:low"}
HEAVY = {"requests", "duckdb", "pandas", "pyarrow", "great_expectations", "dbt", "numpy", "scipy"}

pytestmark = pytest.mark.airflow


def all_dags(dag_bag: Any) -> list[Any]:
    assert dag_bag.dags, "the DAG bag is empty"
    return list(dag_bag.dags.values())


def test_dag_ids_are_exactly_these_and_every_file_imports(dag_bag: Any) -> None:
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == DAG_IDS


def test_every_dag_has_owner_page_and_tags(dag_bag: Any) -> None:
    for dag in all_dags(dag_bag):
        assert dag.owner == "national-social-insight", dag.dag_id
        assert "*When it is red:*" in dag.doc_md, dag.dag_id
        assert dag.description, dag.dag_id
        assert len(IMPACT & set(dag.tags)) == 1, dag.dag_id
        assert dag.max_active_runs == 1, dag.dag_id
        assert dag.catchup is False, dag.dag_id


def test_every_task_has_retries_and_the_shared_policy(dag_bag: Any) -> None:
    for dag in all_dags(dag_bag):
        assert dag.tasks, dag.dag_id
        for task in dag.tasks:
            assert task.retries == 2, task
            assert task.retry_policy is dag_defaults.RETRY_POLICY or isinstance(
                task.retry_policy, dag_defaults.PlatformRetryPolicy
            ), task
            assert task.retry_exponential_backoff == 2.0, task


def test_one_mapped_task_per_force_labelled_with_its_name(dag_bag: Any) -> None:
    collect = dag_bag.dags["ingest_facebook"].get_task("collect")
    assert collect.is_mapped
    assert collect.partial_kwargs["map_index_template"] == "{{ force_name }}"
    assert collect.partial_kwargs["pool"] == "facebook"


def test_warehouse_is_built_on_any_accepted_asset_and_daily(dag_bag: Any) -> None:
    from airflow.sdk import AssetAny

    timetable = dag_bag.dags["build_warehouse"].timetable
    condition = timetable.asset_condition
    assert isinstance(condition, AssetAny)
    assert {asset.name for asset in condition.objects} == {f"accepted/{source.name}" for source in SOURCES}
    assert timetable.timetable.expression == "0 6 * * *"


def test_every_ingest_tells_the_warehouse(dag_bag: Any) -> None:
    for source in SOURCES:
        accepted = dag_bag.dags[f"ingest_{source.name}"].get_task("accepted")
        assert [asset.name for asset in accepted.outlets] == [f"accepted/{source.name}"]


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (TokenExpired("expired"), "fail"),
        (PermissionMissing("no"), "fail"),
        (CreditsDepleted("no more"), "fail"),
        (BadFile("empty"), "fail"),
        (Throttled("slow down"), "retry"),
        (Outage("500"), "default"),
        (ValueError("?"), "default"),
    ],
)
def test_which_errors_are_tried_again(error: Exception, action: str) -> None:
    assert dag_defaults.RETRY_POLICY.evaluate(error, 1, 2).action.value == action


def test_every_error_that_is_never_retried_exists() -> None:
    from airflow.sdk.module_loading import import_string

    for error in dag_defaults.NEVER_RETRIED:
        found = import_string(error) if isinstance(error, str) else error
        assert issubclass(found, Exception)
        assert dag_defaults.RETRY_POLICY.evaluate(found.__new__(found), 1, 2).action.value == "fail"


def test_a_throttle_waits_for_the_reset_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def delay(error: Throttled) -> timedelta | None:
        return dag_defaults.RETRY_POLICY.evaluate(error, 1, 2).retry_delay

    assert delay(Throttled("wait", reset_seconds=1234)) == timedelta(seconds=1234)
    assert delay(Throttled("wait")) == dag_defaults.THROTTLED_DELAY
    assert delay(Throttled("wait", reset_seconds=10**6)) == dag_defaults.LONGEST_DELAY
    monkeypatch.setenv("INSIGHT_RETRY_SECONDS", "2")
    assert delay(Throttled("wait", reset_seconds=1234)) == timedelta(seconds=2)


def test_a_build_or_publication_that_hangs_does_not_hold_up_all_later_ones(dag_bag: Any) -> None:
    limits = {task.task_id: task.execution_timeout for task in dag_bag.dags["build_warehouse"].tasks}
    assert limits == {**dict.fromkeys(("build", "publish"), timedelta(hours=2)), "nothing_expires": None}


@pytest.mark.parametrize("path", dag_files(), ids=lambda path: path.name)
def test_dag_files_wire_and_never_work(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not path.name.startswith("dbt_"), "dbt's plugin discovery imports files named so"
    assert len(text.splitlines()) < 80
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the docstring is the DAG's page"
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported, "reads no import at all: the test looks at the wrong thing"
    assert not imported & HEAVY
    assert imported <= {"airflow", "extractors", "include", "datetime"}


def test_there_are_dag_files() -> None:
    assert [path.name for path in dag_files()] == [
        "build_warehouse.py",
        "discover_accounts.py",
        "ingest_files.py",
        "ingest_platforms.py",
        "ingest_signals.py",
        "reprocess.py",
    ]


def test_pools_that_tasks_ask_for_are_those_that_are_made(dag_bag: Any, tmp_path: Path) -> None:
    import json

    from include.settings import Home

    airflow_home.write_pools(Home(tmp_path))
    made = set(json.loads((tmp_path / "airflow" / "pools.json").read_text(encoding="utf-8")))
    asked = {getattr(task, "pool", None) or task.partial_kwargs.get("pool") for dag in all_dags(dag_bag) for task in dag.tasks}
    assert asked - {"default_pool"} == made
