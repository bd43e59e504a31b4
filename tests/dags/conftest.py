"""The project's own DAG files in a DAG bag, parsed once. Airflow reads its settings when it is imported: they are set before."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from include import airflow_home
from include.settings import PROJECT_ROOT, Home

if "airflow" not in sys.modules:
    scratch = Path(tempfile.mkdtemp(prefix="airflow-"))
    os.environ.setdefault("INSIGHT_SECRETS", str(scratch / "secrets"))
    os.environ.update(airflow_home.environment(Home(scratch)))


@pytest.fixture(scope="session")
def dag_bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(PROJECT_ROOT / "dags")


def dag_files() -> list[Path]:
    return sorted((PROJECT_ROOT / "dags").glob("**/*.py"))
