"""What of the simulated public is in the files of a home: numbers of people and messages, handles, names, telephones."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

import duckdb
import pandas as pd

from include.settings import Home
from include.simulator.contacts_world import HANDLE_MARK, NAME_MARK, TELEPHONE_MARK

NUMBER = re.compile(rb"[0-9]{9,}(?:_[0-9]+)?")
"""Ids of people and messages are long numbers; those of comments join two."""

DID_MARK = "did:plc:citizen"
MARKS = tuple(mark.encode() for mark in (HANDLE_MARK, NAME_MARK, TELEPHONE_MARK, DID_MARK))


def traces(home: Home, planted: Collection[str], looked: Counter[str], besides: Iterable[bytes] = ()) -> list[str]:
    """Every file and what of these it holds, compressed files and the tables of databases too. `looked` counts the files by suffix.

    The inbox is what people put there; it is not the pipeline's to rewrite.
    """
    numbers = {each.encode() for each in planted}
    words = (*MARKS, *besides)
    found = []
    for path in sorted(home.path.rglob("*")):
        if not path.is_file() or path.is_symlink() or home.inbox in path.parents:
            continue
        looked[path.suffix] += 1
        content = _content(path)
        found += [f"{path.relative_to(home.path)}: {word!r}" for word in words if word in content]
        found += [f"{path.relative_to(home.path)}: {each!r}" for each in sorted(set(NUMBER.findall(content)) & numbers)[:3]]
    return found


def _content(path: Path) -> bytes:
    """The bytes as they lie there, and what they say when they are read as what they are."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if path.suffix == ".parquet":
        content += _texts(pd.read_parquet(path))
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("select schema_name, table_name from duckdb_tables() where not internal").fetchall()
            for schema, table in tables:
                columns = connection.execute(f'describe "{schema}"."{table}"').fetchall()
                texts = [f'"{name}"' for name, kind, *_ in columns if kind == "VARCHAR"]
                for column in texts:
                    distinct = connection.execute(f'select distinct {column} from "{schema}"."{table}"').df()
                    content += _texts(distinct)
    return content


def _texts(frame: pd.DataFrame) -> bytes:
    """Each distinct text of a frame once: ids repeat by the thousand."""
    texts = (frame[name].dropna().unique() for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name]))
    return "\n".join(str(value) for column in texts for value in column).encode()
