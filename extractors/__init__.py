"""The sources. To add one: write its module, add it to SOURCES (docs/add-a-source.md)."""

from __future__ import annotations

from extractors.base import Source
from extractors.facebook import FacebookPages

SOURCES: tuple[Source, ...] = (FacebookPages(),)


def source(name: str) -> Source:
    """The source of that name. KeyError names the known ones."""
    for candidate in SOURCES:
        if candidate.name == name:
            return candidate
    raise KeyError(f"no source {name!r}: known are {', '.join(each.name for each in SOURCES)}")
