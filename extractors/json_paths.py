"""The independent count of what a landed page holds, by JSON paths: conservation compares it with what the parser gave.

It must share no code with any parser.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

Paths = Mapping[str, tuple[str, ...]]
"""Record kind to the paths under which its records stand."""


@cache
def _compiled(path: str) -> Any:
    import jsonpath

    return jsonpath.compile(path)


def found_at(path: str, body: Any) -> list[Any]:
    """All values under a path."""
    values: list[Any] = _compiled(path).findall(body)
    return values


def count_by_paths(body: Any, paths: Paths) -> Counter[str]:
    """Records of each kind. Of observations, the reported values: those that are not null."""
    found: Counter[str] = Counter()
    for kind, of_kind in paths.items():
        for path in of_kind:
            values = found_at(path, body)
            found[kind] += sum(value is not None for value in values) if kind == "observation" else len(values)
    return found
