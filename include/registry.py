"""The registry: the seeds of dbt_project/seeds, as Airflow reads them.

dbt loads the same files. A wrong row fails here before any run starts, by file, line and name.
Light on imports (csv only): DAG files read it when they are parsed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

from extractors.base import Account, SourceField, WatchedSeries
from include.account_register import AccountRow, read_accounts
from include.metric_map import MapRow, read_metric_map
from include.seed_checks import check_tables
from include.seed_reader import Row, SeedReader
from include.seed_tables import TABLES
from include.settings import SEEDS


class RegistryError(ValueError):
    """Rows of the registry that cannot be right. One line for each, with file and line number."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("the registry has wrong rows:\n" + "\n".join(f"  {problem}" for problem in self.problems))


@dataclass(frozen=True)
class Registry:
    """All seeds, checked."""

    folder: Path
    tables: dict[str, list[Row]] = field(repr=False)
    accounts: tuple[AccountRow, ...] = field(repr=False)
    metric_map: tuple[MapRow, ...] = field(repr=False)

    @property
    def force_ids(self) -> tuple[str, ...]:
        return tuple(row["force_id"] for row in self.tables["forces"])

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(row["platform"] for row in self.tables["platforms"])

    def is_uploaded(self, platform: str | None) -> bool:
        """Whether people upload a platform's figures, because its API is closed to forces."""
        return any(row["platform"] == platform and row["collected_by"] == "upload" for row in self.tables["platforms"])

    def open_accounts(self, platform: str, on: date) -> tuple[Account, ...]:
        """Accounts open on a date, in the order of the register."""
        return tuple(
            Account(row.platform, row.account_id, row.handle, row.force_id)
            for row in self.accounts
            if row.platform == platform and row.is_valid(on)
        )

    def forces_with_accounts(self, platform: str, on: date) -> tuple[str, ...]:
        return tuple(sorted({account.force_id for account in self.open_accounts(platform, on)}))

    def known_account_ids(self, platform: str) -> frozenset[str]:
        """Every account id the register has ever had on a platform, closed ones too."""
        return frozenset(row.account_id for row in self.accounts if row.platform == platform)

    def watched_series(self, source: str) -> tuple[WatchedSeries, ...]:
        """What the watchlist has of an open source, in its order."""
        rows = (row for row in self.tables["horizon_watchlist"] if row["source"] == source)
        return tuple(WatchedSeries(row["channel"], row["series"], row["asked_as"]) for row in rows)

    def source_fields(self, platform: str, on: date) -> tuple[SourceField, ...]:
        """The numbers to ask a platform for on a date, each name once."""
        types: dict[str, set[str]] = defaultdict(set)
        for each in self.tables["metric_media_types"]:
            ends = each["valid_to"] or date.max.isoformat()
            if each["platform"] == platform:
                # outside its dates the type stays named, without effect: the number is none of every type then either
                types[each["source_field"]].update({each["media_type"]} if each["valid_from"] <= on.isoformat() <= ends else ())
        fields = {
            SourceField(
                row.object_type,
                row.source_field,
                row.period,
                row.breakdown,
                frozenset(types[row.source_field]) if row.object_type == "post" and row.source_field in types else None,
            ): None
            for row in self.metric_map
            if row.platform == platform and row.is_valid(on)
        }
        return tuple(fields)


def load(folder: Path = SEEDS) -> Registry:
    """Read and check all seeds. Raises RegistryError with every wrong row, by file and line."""
    reader = SeedReader(folder)
    tables = {name: reader.table(name) for name in TABLES}
    if not all(tables.values()):
        # what refers to a table that could not be read would be called unknown: a flood that hides the cause
        raise RegistryError(reader.problems or [f"{name}.csv: no row" for name, rows in tables.items() if not rows])
    check_tables(reader, tables)
    accounts = read_accounts(reader, tables["accounts"])
    metric_map = read_metric_map(reader, tables["platform_metric_map"])
    if reader.problems:
        raise RegistryError(reader.problems)
    return Registry(folder, tables, accounts, metric_map)


@cache
def current() -> Registry:
    """The project's own registry, read once in a process."""
    return load()
