"""Runs rules over a data frame with Great Expectations and says which row breaks which rule first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar
from functools import cache
from string import Formatter
from typing import Any

import pandas as pd
import pyarrow as pa

from expectations.rules import WRONG_TYPE, Rule

NAMED_DEFECT = re.compile(r"^([a-z][a-z0-9_]*): ")
SHOWN_VALUE = re.compile(r"\bgot .*? \((\w+)\)(?=;|$)", re.DOTALL)


class CheckFailed(RuntimeError):
    """An expectation could not be evaluated: a fault of the suite, never of a row."""


_made: ContextVar[dict[int, tuple[Any, Any]] | None] = ContextVar("_made", default=None)
"""During one validation: an expectation by its id, kept alive so that no other gets the same, and its configuration."""


def _remember_configurations() -> None:
    """An expectation makes its configuration anew for every question that the library has about it, some 75 in one validation: of a
    small batch a quarter of the time. During one validation of ours nothing of it changes, so once is enough."""
    from great_expectations.expectations.expectation import Expectation

    make = vars(Expectation)["configuration"].fget

    def configuration(self: Any) -> Any:
        made = _made.get()
        if made is None:
            return make(self)
        if id(self) not in made:
            made[id(self)] = self, make(self)
        return made[id(self)][1]

    Expectation.configuration = property(configuration)  # type: ignore[method-assign, assignment]  # one property for another


@cache
def _batch_definition() -> Any:
    """One in-memory context for the whole process: making one is cheap, importing the library is not."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]  # a dict is one
    _remember_configurations()
    return context.data_sources.add_pandas("records").add_dataframe_asset("frame").add_batch_definition_whole_dataframe("all")


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Records as a data frame to be judged. Instants lose their zone, which is UTC for all: the library compares plain ones."""
    frame = table.to_pandas(date_as_object=False)
    instants = frame.select_dtypes("datetimetz").columns
    return frame.assign(**{column: frame[column].dt.tz_convert(None) for column in instants})


def first_failures(frame: pd.DataFrame, rules: Sequence[Rule]) -> pd.Series:
    """Which rule each bad row breaks first: index of the row (as in `frame`, unique) to position in `rules`.

    Raises CheckFailed when an expectation itself raised.
    """
    import great_expectations as gx

    if frame.empty:
        return pd.Series(dtype="int64")
    suite = gx.ExpectationSuite(name="rules", expectations=[rule.expectation for rule in rules])
    position_of = {rule.name: position for position, rule in enumerate(rules)}
    batch = _batch_definition().get_batch(batch_parameters={"dataframe": frame})
    token = _made.set({})
    try:
        outcome = batch.validate(suite, result_format={"result_format": "COMPLETE", "partial_unexpected_count": 0})
    finally:
        _made.reset(token)
    broken: list[tuple[int, list[Any]]] = []
    for result in outcome.results:  # in an order of the library's own
        name = result.expectation_config.meta["rule"]
        if not result.success and "unexpected_index_list" not in result.result:
            raise CheckFailed(f"rule {name} could not be evaluated: {result.exception_info}")
        if not result.success:
            broken.append((position_of[name], result.result["unexpected_index_list"]))
    found = pd.Series(dtype="int64")
    for position, rows in sorted(broken, reverse=True):  # the first rule is written last and stays
        found = found.reindex(found.index.union(pd.Index(rows))).astype("float64")
        found.loc[rows] = position
    return found.astype("int64").sort_index()


def explain(frame: pd.DataFrame, rules: Sequence[Rule], failures: pd.Series, columns: Sequence[str], quote: bool) -> pd.DataFrame:
    """Rule and reason of every bad row. Shape: index of `failures`; columns `rule`, `reason`.

    `columns`: those of the record kind, to tell a type defect ("value: expected a number…") from a defect that the source has
    named itself ("formula_cell: …"). `quote`: whether a reason may show the value found.
    """
    names, reasons = [], []
    shown = {name for rule in rules for _, name, _, _ in Formatter().parse(rule.reason) if name}
    bad = frame.loc[failures.index, sorted(shown)]
    for position, row in zip(failures, bad.to_dict("records"), strict=True):
        rule = rules[position]
        name, reason = rule.name, rule.reason
        if name == WRONG_TYPE:
            reason = row["_defect"] if quote else SHOWN_VALUE.sub(r"got a value of type \1", row["_defect"])
            named = NAMED_DEFECT.match(reason)
            if named and named[1] not in columns:
                name, reason = named[1], reason[named.end() :]
        elif "{" in reason:
            reason = reason.format_map(row)
        names.append(name)
        reasons.append(reason)
    return pd.DataFrame({"rule": pd.Series(names, failures.index, "str"), "reason": pd.Series(reasons, failures.index, "str")})
