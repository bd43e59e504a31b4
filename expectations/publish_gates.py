"""The gates between the build and its readers: facts about the built marts, against the contract and the publication before.

dbt has tested rows, keys and types by now. What is left is what only shows from outside: a table that shrank overnight, a
column that nobody filled, forces that fell out, figures that have stopped coming.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from expectations.check import first_failures
from expectations.rules import Rule, rule


@dataclass(frozen=True)
class PublishFacts:
    """What the gates look at. One small frame for each question.

    presence: table, expected (0, 1), found (0, 1)
    rows: table, rows, rows_before (0 without a publication before), at_least
    columns: table, column, rows, filled; without the columns that the contract lets be null
    forces: table, forces, expected_forces, absent (names, for the message)
    freshness: table, column, newest (text), age_days; only tables that have rows
    """

    presence: pd.DataFrame
    rows: pd.DataFrame
    columns: pd.DataFrame
    forces: pd.DataFrame
    freshness: pd.DataFrame


@dataclass(frozen=True)
class Closed:
    """One reason not to publish."""

    gate: str
    table: str
    column: str | None
    figures: str

    def __str__(self) -> str:
        place = f"{self.table}.{self.column}" if self.column else self.table
        return f"{self.gate}: {place}: {self.figures}"


def presence() -> list[Rule]:
    """Exactly the tables of the contract."""
    import great_expectations.expectations as gxe

    return [
        rule(
            "tables_of_the_contract",
            "the contract has {expected} of it, the build {found}",
            gxe.ExpectColumnPairValuesToBeEqual,
            column_A="expected",
            column_B="found",
            ignore_row_if="neither",
        )
    ]


def rows() -> list[Rule]:
    """No table is empty, none has lost more than a tenth of the rows it was published with before."""
    import great_expectations.expectations as gxe

    return [
        rule(
            "row_count",
            "{rows} rows, at least {at_least} expected ({rows_before} in the publication before)",
            gxe.ExpectColumnPairValuesAToBeGreaterThanB,
            column_A="rows",
            column_B="at_least",
            or_equal=True,
            ignore_row_if="neither",
        )
    ]


def columns() -> list[Rule]:
    """No column is null in every row, but for those that the contract names with a reason."""
    import great_expectations.expectations as gxe

    return [
        rule(
            "no_empty_column",
            "null in all {rows} rows",
            gxe.ExpectColumnValuesToBeBetween,
            column="filled",
            min_value=1,
        )
    ]


def forces() -> list[Rule]:
    """Every force of the registry is in every table that has rows per force."""
    import great_expectations.expectations as gxe

    return [
        rule(
            "every_force",
            "{forces} of {expected_forces} forces; absent: {absent}",
            gxe.ExpectColumnPairValuesToBeEqual,
            column_A="forces",
            column_B="expected_forces",
            ignore_row_if="neither",
        )
    ]


def freshness(within_days: int) -> list[Rule]:
    """The newest figure is not older than some days before the as-of date."""
    import great_expectations.expectations as gxe

    return [
        rule("freshness_unknown", "no row says when it was observed", gxe.ExpectColumnValuesToNotBeNull, column="age_days"),
        rule(
            "freshness",
            f"the newest is of {{newest}}, {{age_days:.0f}} days before the as-of date; {within_days} are allowed",
            gxe.ExpectColumnValuesToBeBetween,
            column="age_days",
            max_value=within_days,
        ),
    ]


def closed(facts: PublishFacts, fresh_within_days: int) -> list[Closed]:
    """Every reason not to publish, in the order of the gates; empty when all are open."""
    questions: list[tuple[pd.DataFrame, Callable[[], list[Rule]]]] = [
        (facts.presence, presence),
        (facts.rows, rows),
        (facts.columns, columns),
        (facts.forces, forces),
        (facts.freshness, lambda: freshness(fresh_within_days)),
    ]
    found = []
    for frame, make_rules in questions:
        rules = make_rules()
        for row, position in first_failures(frame, rules).items():
            values = frame.loc[[row]].to_dict("records")[0]
            broken = rules[position]
            found.append(Closed(broken.name, values["table"], values.get("column"), broken.reason.format_map(values)))
    return found
