"""The seeds of the registry as the simulator reads them: with the csv module, and without the pipeline's reader."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

SEEDS = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"

AGE_BANDS = ("16_24", "25_34", "35_44", "45_54", "55_64", "65_74", "75_plus")


@dataclass(frozen=True)
class Force:
    """One force and the residents of its area."""

    force_id: str
    name: str
    country: str
    population: int
    population_by_band: tuple[int, ...]  # in the order of AGE_BANDS


@dataclass(frozen=True)
class Validity:
    """The dates, both included, on which an account went by a handle."""

    handle: str
    valid_from: date
    valid_to: date | None

    def holds(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


@dataclass(frozen=True)
class Account:
    """One account of a force on one platform, over all its names."""

    account_id: str
    force_id: str
    name: str
    is_main: bool
    validities: tuple[Validity, ...]
    successor_id: str | None

    @property
    def opened(self) -> date:
        return self.validities[0].valid_from

    @property
    def closed(self) -> date | None:
        """The last date on which the account could be read; None where it is open."""
        return self.validities[-1].valid_to

    def is_open(self, on: date) -> bool:
        return any(validity.holds(on) for validity in self.validities)

    def handle(self, on: date) -> str:
        return next((validity.handle for validity in self.validities if validity.holds(on)), self.validities[-1].handle)


@dataclass(frozen=True, eq=False)  # hashed by identity: read_register gives the same object for the same folder
class Register:
    """Forces and accounts in the order of the seeds, the content categories, and the survey."""

    forces: dict[str, Force]
    accounts: dict[str, dict[str, Account]]  # by platform, then by account_id
    categories: tuple[str, ...]
    waves: dict[str, dict[str, str]]
    questions: tuple[dict[str, str], ...]
    options: dict[str, tuple[dict[str, str], ...]]  # by question_code

    @property
    def pages(self) -> dict[str, Account]:
        """The Facebook pages."""
        return self.accounts["facebook"]


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _accounts(rows: Iterable[dict[str, str]], forces: dict[str, Force]) -> dict[str, dict[str, Account]]:
    by_account: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row["force_id"] in forces:
            by_account[row["platform"], row["account_id"]].append(row)
    accounts: dict[str, dict[str, Account]] = defaultdict(dict)
    for (platform, account_id), account_rows in by_account.items():
        account_rows.sort(key=lambda row: row["valid_from"])
        last = account_rows[-1]
        accounts[platform][account_id] = Account(
            account_id=account_id,
            force_id=last["force_id"],
            name=last["display_name"],
            is_main=last["account_type"] == "corporate",
            validities=tuple(
                Validity(
                    row["handle"],
                    date.fromisoformat(row["valid_from"]),
                    date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
                )
                for row in account_rows
            ),
            successor_id=last["successor_account_id"] or None,
        )
    return accounts


@lru_cache(maxsize=16)
def read_register(folder: Path = SEEDS, only_forces: tuple[str, ...] | None = None) -> Register:
    """Read the seeds. `only_forces` leaves the other forces, with their accounts, out of the world.

    Raises KeyError naming a force that the seeds do not have.
    """
    names = {row["force_id"]: row for row in _rows(folder, "forces")}
    unknown = set(only_forces or ()) - names.keys()
    if unknown:
        raise KeyError(f"no such force in {folder / 'forces.csv'}: {', '.join(sorted(unknown))}")
    residents: dict[str, dict[str, str]] = {}
    for row in sorted(_rows(folder, "force_population"), key=lambda row: row["year"]):
        residents[row["force_id"]] = row  # the newest year stands
    forces = {
        force_id: Force(
            force_id,
            row["official_name"],
            row["country"],
            int(residents[force_id]["population_all_ages"]),
            tuple(int(residents[force_id][f"age_{band}"]) for band in AGE_BANDS),
        )
        for force_id, row in names.items()
        if only_forces is None or force_id in only_forces
    }
    options: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(folder, "survey_options"):
        options[row["question_code"]].append(row)
    categories = sorted(_rows(folder, "content_categories"), key=lambda row: int(row["sort_order"]))
    return Register(
        forces=forces,
        accounts=_accounts(_rows(folder, "accounts"), forces),
        categories=tuple(row["category_code"] for row in categories),
        waves={row["wave"]: row for row in _rows(folder, "survey_waves")},
        questions=tuple(_rows(folder, "survey_questions")),
        options={code: tuple(rows) for code, rows in options.items()},
    )
