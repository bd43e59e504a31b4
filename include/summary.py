"""The summary that `make run` ends with, for people. Figures are read from the published marts, as any reader would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.settings import Home

if TYPE_CHECKING:
    import duckdb

    from include.screen import Screen

BAR_WIDTH = 40


def show(home: Home, screen: Screen) -> None:
    """Prints the summary of the current publication and of what has been collected for it."""
    for line in lines(home):
        screen.line(line, style="bold" if line and not line.startswith(" ") else "")


def lines(home: Home) -> Iterator[str]:
    """The summary, line by line; headings begin in the first column."""
    import duckdb

    yield from _rows(home)
    with duckdb.connect(str(home.published / "warehouse.duckdb"), read_only=True) as marts:
        yield from _metrics(marts)
        yield from _wants(marts)
        yield from _trends(marts)
        yield from _gaps(marts)
        yield from _publication(marts, home)


def _rows(home: Home) -> Iterator[str]:
    """Landed = accepted + quarantined + dropped, by source; then what is in quarantine, by rule."""
    import duckdb

    conservation = _parquet(home.accepted / "conservation")
    yield "\nRows collected"
    with duckdb.connect() as connection:
        rows = connection.execute(
            """
            select
                source, record_kind, sum(landed) as landed, sum(derived_zero) as derived_zero, sum(accepted) as accepted,
                sum(quarantined) as quarantined, sum(dropped_duplicate) + sum(dropped_outside_window) as dropped
            from read_parquet(?) where landed + derived_zero + accepted + quarantined > 0 group by all order by all
            """,
            [conservation],
        ).fetchall()
        heads = ("source", "kind", "landed", "derived zeros", "accepted", "quarantined", "dropped")
        yield from _table(heads, [(source, kind, *(_whole(count) for count in counts)) for source, kind, *counts in rows])
        bad = _parquet(home.quarantine)
        rules = connection.execute(
            "select source, rule, count(*) from read_parquet(?, union_by_name = true) group by all order by 3 desc, 1, 2", [bad]
        ).fetchall() if bad else []  # fmt: skip
    yield "  in quarantine: " + (", ".join(f"{count:,} {rule} ({source})" for source, rule, count in rules) or "nothing")


def _metrics(marts: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """The last whole month before the as-of date, over all forces."""
    month = _one(
        marts,
        """
        select max(month) from marts.hmicfrs_metrics
        where month < (select date_trunc('month', max(as_of_date)) from marts.publications)
        """,
    )
    if month is None:
        yield "\nNo whole month yet"
        return
    simulated = _one(marts, "select bool_or(is_simulated) from marts.hmicfrs_metrics where month = ?", [month])
    yield f"\nEngland and Wales in {month:%B %Y}{' (simulated figures)' if simulated else ''}"
    rows = marts.execute(
        """
        with figures as (
            select metrics.*, dim_metric.metric_name, dim_metric.unit, dim_metric.additivity
            from marts.hmicfrs_metrics as metrics inner join marts.dim_metric using (metric, metric_version)
            where month = ? and platform <> 'all'
        )
        select
            platform, metric_name, unit, additivity, any_value(national_value) as national_value, sum(value) as total,
            count(value) as forces_with_value, count(*) filter (where status <> 'not_applicable') as forces,
            list_distinct(list(status)) as statuses
        from figures group by platform, metric, metric_version, metric_name, unit, additivity
        order by platform, metric, metric_version
        """,
        [month],
    ).fetchall()
    table: list[tuple[str, ...]] = []
    for platform, name, unit, additivity, national, total, with_value, forces, statuses in rows:
        value, text = (total, f"{unit} (relationships, not people)") if additivity == "not_additive" else (national, unit)
        table.append((platform, name, _figure(value), text, f"{with_value} of {forces}", _worst(statuses)))
    yield from _table(("platform", "metric", "value", "unit", "forces", "status"), table)


def _wants(marts: duckdb.DuckDBPyConnection) -> Iterator[str]:
    rows = marts.execute(
        """
        select category_name, want_share, want_ci_low, want_ci_high, want_base_n, want_status, wave, gap.is_simulated
        from marts.expectation_gap as gap inner join marts.dim_content_category using (category_code)
        where force_id = 'national' and audience = 'all' and want_share is not null
            and wave = (select max(wave) from marts.expectation_gap where want_share is not null)
        order by want_share desc
        """
    ).fetchall()
    if not rows:
        yield "\nWhat the public wants: no survey yet"
        return
    survey = f"{'simulated ' if rows[0][7] else ''}survey {rows[0][6]}, {rows[0][4]:,} answers"
    yield f"\nWhat the public wants from police social media ({survey})"
    width = max(len(row[0]) for row in rows)
    for name, share, low, high, _base, status, *_ in rows:
        bar = "█" * round(share * BAR_WIDTH)
        marked = "" if status == "ok" else f"  {status}"
        yield f"  {name:<{width}}  {bar:<{BAR_WIDTH}} {share:6.1%}  ({low:.1%} to {high:.1%}){marked}"
    yield "  Share of followers who answered, standardised to residents by force and age; several could be ticked."


def _trends(marts: duckdb.DuckDBPyConnection) -> Iterator[str]:
    yield "\nHorizon: which channels are rising"
    rows = marts.execute(
        """
        select channel, is_simulated, series, unit, n_periods, first_period_start, last_period_start, step_date, step_size,
            sens_slope_per_week, growth_ratio, direction, status
        from marts.horizon_trends order by is_simulated, channel, series desc
        """
    ).fetchall()
    for channel, simulated, series, unit, weeks, first, last, step_date, step_size, slope, growth, direction, status in rows:
        named = f"{channel}, {series} ({'simulated' if simulated else 'real series'})"
        if slope is None:
            yield f"  {named}: {status}"
            continue
        step = f"a step of {step_size:+,.0f} on {step_date:%d %B %Y}, taken out" if step_date else "no step"
        yield f"  {named}: {direction}, {slope:+,.0f} {unit} a week, {growth:.2f} times as many at the end; {step}"
        yield f"    weekly from {first} to {last}, {weeks} weeks"


def _gaps(marts: duckdb.DuckDBPyConnection) -> Iterator[str]:
    yield "\nGaps (every hole has a row in gap_ledger)"
    rows = marts.execute(
        """
        select cause, is_open, count(*), count(distinct force_id), min(run_date), max(run_date), any_value(force_id)
        from marts.gap_ledger group by cause, is_open order by is_open desc, 3 desc
        """
    ).fetchall()
    for cause, is_open, count, forces, first, last, force in rows:
        who = force if forces == 1 else f"{forces} forces"
        when = str(first) if first == last else f"{first} to {last}"
        yield f"  {count:>5,} {cause:<14} {'open' if is_open else 'closed':<7} {who}, {when}"
    if not rows:
        yield "  none"


def _publication(marts: duckdb.DuckDBPyConnection, home: Home) -> Iterator[str]:
    publication_id, as_of, ingests = marts.execute(
        "select publication_id, as_of_date, ingest_count from marts.publications order by publication_id desc limit 1"
    ).fetchall()[0]
    warehouse = home.published / "warehouse.duckdb"
    yield f"\nPublished {publication_id}, as of {as_of}, from {ingests:,} ingests"
    yield f"  marts      {warehouse}   (schema marts)"
    yield f"  Parquet    {home.published / 'parquet'}"
    yield f"  Data Docs  {_index(home.data_docs)}"
    yield "\nTry next"
    query = "select force_id, month, value, status from marts.hmicfrs_metrics where metric = 'followers_end'"
    yield f'  .venv/bin/python -c "import duckdb; duckdb.connect(\'{warehouse}\', read_only=True).sql(\\"{query}\\").show()"'
    yield "  make up     Airflow with its pages, on the same DAGs"


def _index(folder: Path) -> Path:
    return next(iter(sorted(folder.rglob("index.html"), key=lambda path: len(path.parts))), folder)


def _parquet(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.rglob("*.parquet")) if not path.name.startswith(".")]


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Columns as wide as they must be; all but names to the right."""
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(heads))]
    for row in [heads, *rows]:
        cells = [
            f"{cell:>{width}}" if _is_figure(rows, place) else f"{cell:<{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  " + "  ".join(cells).rstrip()


def _is_figure(rows: list[tuple[str, ...]], place: int) -> bool:
    return bool(rows) and all(row[place][:1].isdigit() or row[place] in ("–", "") for row in rows)


def _whole(count: Any) -> str:
    return "–" if count is None else f"{count:,.0f}"


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.4g}"


def _worst(statuses: list[str]) -> str:
    """One word for all forces: the status that all have, else that it is partial, with what the others are."""
    kept = sorted(set(statuses) - {"not_applicable"})
    if len(kept) <= 1:
        return kept[0] if kept else "not_applicable"
    return f"partial ({', '.join(kept)})"


def _one(connection: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> Any:
    return connection.execute(query, parameters or []).fetchall()[0][0]
