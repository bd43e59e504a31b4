"""Data Docs: which rule held in which run, as a static site of Great Expectations under `var/gx`.

The pages show counts and names of rules and columns, never a value that was found: rows are judged elsewhere
(expectations/check.py), and the runs that are kept here are asked for no values at all.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from expectations.rules import Rule
from include import data_docs_overview
from include.disk import why_full
from include.settings import Home

log = logging.getLogger(__name__)

Frames = Mapping[str, tuple[pd.DataFrame, Sequence[Rule]]]

COUNTS_ONLY = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
KEPT_RUNS = 30
"""Runs per suite that the site keeps. It is rebuilt as a whole each time; conservation keeps the sums of all runs."""


def index_page(home: Home) -> Path:
    """The page to open first."""
    return home.data_docs / "index.html"


def site_index(home: Home) -> Path:
    """Great Expectations' own index."""
    return home.data_docs / "uncommitted" / "data_docs" / "local_site" / "index.html"


def build(source: str, run_date: date, frames: Frames, home: Home) -> Path:
    """Store one validation for each suite (`observation`, …, `batch`) and build the site. Returns the index page.

    Great Expectations writes its files in place. Where a killed process left half of one, the site begins anew with this run.
    """
    home.locks.mkdir(parents=True, exist_ok=True)
    with FileLock(home.locks / "data_docs.lock"):
        try:
            return _build(source, run_date, frames, home)
        except Exception as error:
            if why_full(error):
                raise
            log.warning(
                "%s is of no use (%s), as after a process that was killed: the Data Docs begin anew with this run",
                home.data_docs,
                type(error).__name__,
            )
            shutil.rmtree(home.data_docs, ignore_errors=True)
            return _build(source, run_date, frames, home)


def _build(source: str, run_date: date, frames: Frames, home: Home) -> Path:
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier

    context: Any = gx.get_context(mode="file", project_root_dir=str(home.data_docs.parent))
    context.variables.progress_bars = {"globally": False}
    records = context.data_sources.add_or_update_pandas("records")
    for suite_name, (frame, rules) in frames.items():
        name = f"{source}_{suite_name}"
        expectations = [copy(rule.expectation) for rule in rules]  # a suite takes them as its own
        suite = context.suites.add_or_update(gx.ExpectationSuite(name=name, expectations=expectations))
        try:
            asset = records.get_asset(name)
        except LookupError:
            asset = records.add_dataframe_asset(name)
        try:
            data = asset.get_batch_definition("run")
        except KeyError:
            data = asset.add_batch_definition_whole_dataframe("run")
        definition = context.validation_definitions.add_or_update(gx.ValidationDefinition(name=name, data=data, suite=suite))
        definition.run(
            batch_parameters={"dataframe": frame},
            result_format=COUNTS_ONLY,
            run_id=RunIdentifier(run_name=f"{source} {run_date}"),
        )
    if _forget_old_runs(context):
        context.clean_data_docs()
    context.build_data_docs()
    store = context.validation_results_store
    return data_docs_overview.write(index_page(home), site_index(home), [(key, store.get(key)) for key in store.list_keys()])


def _forget_old_runs(context: Any) -> bool:
    """Remove all but the latest runs of each suite; of one run date only the latest attempt."""
    store = context.validation_results_store
    runs: dict[str, dict[str, list[Any]]] = {}
    for key in store.list_keys():
        of_suite = runs.setdefault(key.expectation_suite_identifier.name, {})
        of_suite.setdefault(str(key.run_id.run_name), []).append(key)
    forgotten = []
    for of_suite in runs.values():
        newest_first = sorted(
            (sorted(keys, key=lambda key: key.run_id.run_time, reverse=True) for keys in of_suite.values()),
            key=lambda keys: keys[0].run_id.run_time,
            reverse=True,
        )
        for position, keys in enumerate(newest_first):
            forgotten += keys if position >= KEPT_RUNS else keys[1:]
    for key in forgotten:
        store.remove_key(key)
    return bool(forgotten)
