"""docker-compose.yml and Dockerfile as the tests read them: parsed, never copied."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from include.settings import PROJECT_ROOT

COMPOSE = PROJECT_ROOT / "docker-compose.yml"
DOCKERFILE = PROJECT_ROOT / "Dockerfile"
EXAMPLE = PROJECT_ROOT / ".env.example"

VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Z][A-Z0-9_]*)(?::-(?P<default>[^}]*))?\})")


def variables(text: str) -> dict[str, str | None]:
    """Every variable of the compose file and its default."""
    return {found["name"]: found["default"] for found in VARIABLE.finditer(text) if found["name"]}


def example() -> dict[str, str]:
    """The variables of .env.example."""
    lines = (line.partition("=") for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}


def interpolated(values: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The compose file with its variables filled in: those given, else their defaults."""
    given = values or {}

    def fill(found: re.Match[str]) -> str:
        return "$" if found["dollar"] else given.get(found["name"], found["default"] or "")

    content: dict[str, Any] = yaml.safe_load(VARIABLE.sub(fill, COMPOSE.read_text(encoding="utf-8")))
    return content


@cache
def services() -> dict[str, dict[str, Any]]:
    """The services, with the defaults."""
    found: dict[str, dict[str, Any]] = interpolated()["services"]
    return found


def secret_files(service: Mapping[str, Any]) -> set[str]:
    """Names of the secrets that a service is given."""
    return {each if isinstance(each, str) else each["source"] for each in service.get("secrets", [])}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    joined = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def python_steps() -> list[list[str]]:
    """The RUN steps that call Python, as arguments."""
    return [shlex.split(text) for name, text in instructions() if name == "RUN" and text.startswith("python ")]


def copied() -> list[str]:
    """What the COPY steps take from the project."""
    return [name for kind, text in instructions() if kind == "COPY" for name in text.split()[:-1]]
