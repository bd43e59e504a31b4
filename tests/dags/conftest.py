"""The project's own DAG files in a DAG bag, parsed once, with an Airflow home of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include import airflow_home
from include.settings import PROJECT_ROOT, Home


@pytest.fixture(scope="session")
def dag_bag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = Home(tmp_path_factory.mktemp("dags"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHT_SECRETS", str(tmp_path_factory.mktemp("secrets")))
        for name, value in airflow_home.environment(home).items():
            patch.setenv(name, value)
        from airflow.dag_processing.dagbag import DagBag

        yield DagBag(PROJECT_ROOT / "dags")


def dag_files() -> list[Path]:
    return sorted((PROJECT_ROOT / "dags").glob("**/*.py"))

