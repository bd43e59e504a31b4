"""The social models' dbt unit tests, and that they reach every model that computes something."""

from __future__ import annotations

import json

from include.settings import PROJECT_ROOT, Home
from tests.dbt.conftest import AS_OF
from tests.dbt.world import run_dbt

FOLDERS = ("staging/social", "intermediate/social", "marts/social", "marts/operations")

NOTHING_TO_COMPUTE = {
    "stg_plan", "stg_conservation", "stg_proposals",  # filtered and without repeats; their grain is tested
    "int_object_sightings",  # two kinds of records under common names
    "int_metric_inputs",  # the definitions as rows
    "fct_response",  # the columns of int_responses
    "int_month_breaks", "int_metric_reconciliation",  # held against worked values in test_social_marts.py
}  # fmt: skip


def test_unit_tests_hold(autumn_home: Home) -> None:
    selected = [f"test_type:unit,path:models/{folder}" for folder in FOLDERS]
    run_dbt(autumn_home, AS_OF, "test", "--select", *selected)
    results = json.loads((autumn_home.build / "target" / "run_results.json").read_text())["results"]
    tested = {result["unique_id"].split(".")[2] for result in results}
    computing = {path.stem for folder in FOLDERS for path in (PROJECT_ROOT / "dbt_project" / "models" / folder).glob("*.sql")}
    assert computing - tested == NOTHING_TO_COMPUTE
    assert {result["status"] for result in results} == {"pass"}


def test_documentation_is_generated_and_every_published_column_is_described(autumn_home: Home) -> None:
    run_dbt(autumn_home, AS_OF, "docs", "generate")
    nodes = json.loads((autumn_home.build / "target" / "manifest.json").read_text())["nodes"].values()
    marts = [node for node in nodes if node["resource_type"] == "model" and node["schema"] == "marts"]
    assert len(marts) >= 10
    assert [
        f"{node['name']}.{name}"
        for node in marts
        for name, column in node["columns"].items()
        if not column["description"] or not column["data_type"]
    ] == []
    ours = [node for node in marts if node["path"].startswith(("marts/core", "marts/social", "marts/operations"))]
    assert [node["name"] for node in ours if not node["description"].startswith("Grain: ")] == []
