"""The first page of the Data Docs: every kept validation with its outcome, and a link to its page.

Great Expectations' own index draws its table with scripts from the internet, and is empty where there is none; police networks
often have none. This page needs nothing but itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Data Docs</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #0b0c0c; }
  table { border-collapse: collapse; width: 100%; } caption { text-align: left; padding-bottom: .5rem; }
  th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #b1b4b6; vertical-align: top; }
  td.number, th.number { text-align: right; } .failed { font-weight: bold; border-left: .4rem solid #942514; padding-left: .6rem; }
</style></head><body>
<h1>Data Docs: which rule held in which run</h1>
<p>A row that breaks a rule waits in quarantine with its reason; a batch that does not add up is stopped as a whole. Only counts are
shown here, never a value. What the rules mean and how to release rows: docs/validation.md.</p>
<table><caption>{{ rows | length }} validations, newest run first</caption>
<thead><tr><th>Run</th><th>Suite</th><th>Outcome</th><th class="number">Rules</th><th class="number">Broken</th>
<th>Which, with rows concerned</th></tr></thead><tbody>
{% for row in rows %}<tr><td>{{ row.run }}</td><td><a href="{{ row.page }}">{{ row.suite }}</a></td>
<td{% if not row.success %} class="failed"{% endif %}>{{ "all held" if row.success else "broken" }}</td>
<td class="number">{{ row.evaluated }}</td><td class="number">{{ row.broken | length }}</td>
<td>{{ row.broken | join(", ") }}</td></tr>
{% endfor %}</tbody></table>
<p><a href="{{ site }}">Great Expectations' own index</a> (needs internet access for its table).</p>
</body></html>
"""


@dataclass(frozen=True)
class Row:
    """One validation of one suite."""

    run: str
    suite: str
    page: str
    success: bool
    evaluated: int
    broken: list[str]


def write(path: Path, site: Path, results: Iterable[tuple[Any, Any]]) -> Path:
    """Write the page. results: store keys with their validation results. Links are relative: the folder can be moved."""
    rows = sorted((_row(key, result, path.parent, site) for key, result in results), key=lambda row: (row.run, row.suite))
    by_run: dict[str, list[Row]] = {}
    for row in rows:
        by_run.setdefault(row.run, []).append(row)
    newest_first = sorted(by_run.items(), key=lambda item: item[0].split()[-1], reverse=True)
    page = Environment(autoescape=True).from_string(PAGE)
    text = page.render(rows=[row for _, of_run in newest_first for row in of_run], site=site.relative_to(path.parent))
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return path


def _row(key: Any, result: Any, folder: Path, site: Path) -> Row:
    page = site.parent.joinpath("validations", *key.to_tuple()).with_suffix(".html")
    return Row(
        run=str(key.run_id.run_name),
        suite=str(key.expectation_suite_identifier.name),
        page=str(page.relative_to(folder)),
        success=bool(result.success),
        evaluated=int(result.statistics["evaluated_expectations"]),
        broken=[_named(each) for each in result.results if not each.success],
    )


def _named(outcome: Any) -> str:
    expectation = outcome.expectation_config
    name = (expectation.meta or {}).get("rule") or expectation.type.removeprefix("expect_").replace("_", " ")
    column = expectation.kwargs.get("column")
    count = outcome.result.get("unexpected_count")
    return f"{name}{f' ({column})' if column else ''}{f': {count}' if count is not None else ''}"
