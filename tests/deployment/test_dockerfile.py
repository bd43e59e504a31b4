"""The image: what the Dockerfile says, and its steps in a clean environment."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from include.settings import PROJECT_ROOT
from tests.deployment.compose import copied, instructions, interpolated, python_steps
from tests.deployment.conftest import Image

PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==(\S+)")
ROOMS = ("dags", "extractors", "expectations", "include", "dbt_project")


def pins(lock: str) -> dict[str, str]:
    lines = (PROJECT_ROOT / lock).read_text(encoding="utf-8").splitlines()
    return {found[1]: found[2] for line in lines if (found := PINNED.match(line))}


def values(name: str) -> list[str]:
    return [text for kind, text in instructions() if kind == name]


def test_the_base_is_pinned_and_the_same_as_in_the_compose_file() -> None:
    (argument,) = values("ARG")
    assert values("FROM") == ["${PYTHON_IMAGE}"]
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.11\.\d+-slim-bookworm", argument)
    assert interpolated()["services"]["worker"]["build"]["args"] == {"PYTHON_IMAGE": argument.partition("=")[2]}


def test_it_runs_as_a_number_that_is_not_root_and_ends_with_it() -> None:
    assert values("USER") == ["50000:50000"]
    assert [name for name, _ in instructions()].index("USER") > max(
        number for number, (name, _) in enumerate(instructions()) if name == "RUN"
    )


def test_packages_come_with_their_hashes_and_nothing_is_built() -> None:
    install = python_steps()[0]
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(install)
    assert install[-2:] == ["-r", "/opt/insight/requirements-production.lock"]
    lines = (PROJECT_ROOT / "requirements-production.lock").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if PINNED.match(line):
            assert lines[number + 1].strip().startswith("--hash=sha256:"), line
    assert not [line for line in lines if "index-url" in line or "://" in line], "no address of an index"


def test_production_has_the_versions_that_are_tested_and_no_test_tools() -> None:
    tested, production = pins("requirements.lock"), pins("requirements-production.lock")
    assert {name: version for name, version in production.items() if name in tested and tested[name] != version} == {}
    assert {
        "apache-airflow-providers-celery",
        "apache-airflow-providers-fab",
        "redis",
        "psycopg2-binary",
        "asyncpg",
    } <= production.keys()
    assert not {"pytest", "hypothesis", "mypy", "ruff"} & production.keys()


def test_every_room_is_copied_and_nothing_else_than_is_let_through() -> None:
    let_through = {
        line[1:] for line in (PROJECT_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    assert set(copied()) == let_through
    assert set(ROOMS) <= let_through
    assert all((PROJECT_ROOT / name).exists() for name in copied())


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_steps_give_an_image_that_works(image: Image, tmp_path: Path) -> None:
    version = image.run("airflow", "version")
    assert version.stdout.strip().endswith(pins("requirements-production.lock")["apache-airflow"]), version.stderr
    modules = sorted(f"include.{path.stem}" for path in (image.project / "include").glob("*.py") if path.stem != "__init__")
    imported = ["extractors", "expectations.check", *modules, "celery", "redis", "asyncpg", "psycopg2", "psycopg"]
    imported += ["airflow.providers.celery.executors.celery_executor", "airflow.providers.fab.auth_manager.fab_auth_manager"]
    done = image.run("python", "-W", "ignore", "-c", f"import {', '.join(imported)}")
    assert done.returncode == 0, done.stderr
    assert image.run("python", "-c", "import pytest").returncode == 1, "what is not in the lock is not in the image"
    # the compile step of the Dockerfile ran; a file that does not compile would have stopped it
    (tmp_path / "broken.py").write_text("def")
    assert (
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(tmp_path)], check=False, capture_output=True).returncode == 1
    )
    assert list((image.project / "dags").rglob("*.pyc"))
    checked = image.run("python", "-m", "pip", "check")
    assert checked.returncode == 0, checked.stdout
