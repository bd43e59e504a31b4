"""docker-compose.yml: its schema, and what it promises about pins, secrets, rights, limits and networks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.production import write_secrets
from include.settings import PROJECT_ROOT
from tests.deployment.compose import COMPOSE, DOCKERFILE, example, interpolated, secret_files, services, variables

NAMES = sorted(services())
ENDS_BY_ITSELF = {"init", "init-bi", "backup"}
AIRFLOW_DATABASE_USERS = {"init", "backup", "scheduler", "api-server", "dag-processor", "triggerer", "redis"}
LITERAL_ALLOWED = {"DBT_SEND_ANONYMOUS_USAGE_STATS", "INSIGHT_SECRETS"}
IMAGE = re.compile(r"^[a-z0-9/.-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?$")
EACH = pytest.mark.parametrize("name", NAMES)


def schema_errors(path: Path) -> str:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def on_network(network: str) -> set[str]:
    return {name for name, service in services().items() if network in service.get("networks", [])}


def test_it_keeps_to_the_schema_of_compose(tmp_path: Path) -> None:
    assert schema_errors(COMPOSE) == ""
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text(encoding="utf-8").replace("    command:", "    comand:", 1), encoding="utf-8")
    assert "comand" in schema_errors(wrong), "the check finds what is wrong"


def test_the_services_of_a_whole_deployment_are_there() -> None:
    wanted = {"init", "init-bi", "scheduler", "api-server", "dag-processor", "triggerer", "worker", "redis"}
    assert wanted | {"airflow-database", "bi-database", "simulator", "backup"} == set(NAMES)
    assert {name for name, service in services().items() if "profiles" in service} == {"simulator", "backup"}
    assert services()["worker"]["deploy"]["replicas"] == 2


def test_every_variable_is_in_the_example_with_its_default_and_in_the_documentation() -> None:
    used = variables(COMPOSE.read_text(encoding="utf-8"))
    assert used == example()
    documentation = (PROJECT_ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert [
        name
        for name in (*used, *NAMES, *interpolated()["networks"], *interpolated()["volumes"])
        if f"`{name}`" not in documentation
    ] == []


@EACH
def test_images_are_pinned(name: str) -> None:
    assert IMAGE.match(services()[name]["image"]), services()[name]["image"]


def test_a_digest_in_the_environment_pins_harder() -> None:
    pinned = f"postgres:16.10-bookworm@sha256:{'0' * 64}"
    filled = interpolated({"INSIGHT_POSTGRES_IMAGE": pinned})["services"]
    assert [filled[name]["image"] for name in ("airflow-database", "bi-database")] == [pinned, pinned]
    assert IMAGE.match(pinned)


@EACH
def test_no_secret_is_written_down(name: str) -> None:
    service = services()[name]
    for key, value in service.get("environment", {}).items():
        text = str(value)
        assert not re.search(r"://[^/\s]*:[^/\s]*@", text), f"{key} carries a password"
        if re.search(r"PASSWORD|SECRET|KEY|TOKEN|CONN|BROKER|RESULT_BACKEND", key) and key not in LITERAL_ALLOWED:
            assert text.startswith(("cat /run/secrets/", "/run/secrets/")) or "SECRETS_BACKEND" in key, f"{key} is a literal"
    mounted = {each if isinstance(each, str) else each.get("target", each["source"]) for each in service.get("secrets", [])}
    asked = set(re.findall(r"/run/secrets/([\w.]+)", str(service)))
    assert asked <= mounted, "asked for, and not given"


def test_every_secret_file_is_drawn_and_no_other(tmp_path: Path) -> None:
    drawn = set(write_secrets(tmp_path / "drawn"))
    declared = {Path(each["file"]).name for each in interpolated()["secrets"].values()}
    assert declared == drawn
    given = set().union(*(secret_files(service) for service in services().values()))
    assert given == set(interpolated()["secrets"])


@EACH
def test_rights_are_taken_away(name: str) -> None:
    service = services()[name]
    user = str(service["user"])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "a number that is not root"
    assert service["read_only"] is True
    assert service["tmpfs"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "network_mode", "devices"} & service.keys()
    assert not [volume for volume in service.get("volumes", []) if "docker.sock" in str(volume)]


@EACH
def test_limits_logs_restarts_and_health(name: str) -> None:
    service: dict[str, Any] = services()[name]
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= limits.keys()
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    if name in ENDS_BY_ITSELF:
        assert service["restart"] in ("no", "on-failure:5")
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert {"test", "interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys()


def test_readers_and_workers_do_not_reach_airflows_database() -> None:
    (network,) = services()["airflow-database"]["networks"]
    assert on_network(network) == AIRFLOW_DATABASE_USERS | {"airflow-database"}
    assert interpolated()["networks"][network] == {"internal": True}
    assert "ports" not in services()["airflow-database"]
    assert on_network("readers") == {"bi-database"}
    assert "worker" not in on_network(network)
    own = {"airflow_database_url", "airflow_database_password", "fernet_key", "jwt_secret", "api_secret_key"}
    assert not own & secret_files(services()["worker"]), "a task reaches the database through the API server only"
    assert [name for name in NAMES if "pseudonyms" in secret_files(services()[name])] == ["worker"]
    assert [name for name in NAMES if "connections" in secret_files(services()[name])] == ["worker"]


def test_a_worker_cannot_sign_a_login_and_its_logs_are_found_without_its_server() -> None:
    """FAB signs the cookie that remembers a user with `[api] secret_key`: whoever holds it is any user. Log servers ask for it."""
    control = set(NAMES) & AIRFLOW_DATABASE_USERS - {"redis"}
    for name in NAMES:
        service = services()[name]
        named = {key for key in service.get("environment", {}) if "API__SECRET_KEY" in key or "JWT_SECRET" in key}
        signing = {"api_secret_key", "jwt_secret"} & secret_files(service)
        assert (len(named), len(signing)) == ((2, 2) if name in control else (0, 0)), name
    worker, server = services()["worker"], services()["api-server"]
    assert worker["command"][:4] == ["airflow", "celery", "worker", "--skip-serve-logs"]
    folder = worker["environment"]["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]
    assert folder == server["environment"]["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]
    assert f"airflow-logs:{folder}" in set(worker["volumes"]) & set(server["volumes"]), "one writes where the other reads"
    assert worker["user"] == server["user"], "and may read it"


def test_only_workers_get_out_and_only_two_ports_come_in_on_loopback() -> None:
    open_networks = {name for name, network in interpolated()["networks"].items() if not (network or {}).get("internal")}
    assert {name: on_network(name) for name in open_networks} == {
        "outside": {"worker"},
        "people": {"api-server"},
        "readers": {"bi-database"},
    }
    ports = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert ports == {"api-server": ["127.0.0.1:8080:8080"], "bi-database": ["127.0.0.1:5432:5432"]}


def test_no_user_comes_with_it() -> None:
    everything = COMPOSE.read_text(encoding="utf-8") + DOCKERFILE.read_text(encoding="utf-8")
    assert "fab_auth_manager.FabAuthManager" in everything
    assert "SIMPLE_AUTH_MANAGER" not in everything, "it is meant for development"
    assert "users create" not in everything
