"""The summary shows what the published marts hold: every figure here is put into them first."""

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from include import accepted, summary
from include.records import to_table
from include.settings import Home

AS_OF = date(2026, 11, 2)

MARTS = """
    create schema marts;
    create table marts.publications as
        select 'p1' as publication_id, date '2026-11-02' as as_of_date, 7 as ingest_count;
    create table marts.dim_metric as from (values
        ('followers_end', 1, 'Followers at the end of the period', 'followers', 'not_additive'),
        ('views', 1, 'Views', 'views', 'additive')
    ) as t(metric, metric_version, metric_name, unit, additivity);
    create table marts.hmicfrs_metrics as from (values
        ('facebook', 'gwent', date '2026-10-01', 'followers_end', 1, null, null, 'missing', true),
        ('facebook', 'kent', date '2026-10-01', 'followers_end', 1, 1234567.0, null, 'ok', true),
        ('facebook', 'gwent', date '2026-10-01', 'views', 1, 0.0, 600.0, 'ok', true),
        ('facebook', 'kent', date '2026-10-01', 'views', 1, 600.0, 600.0, 'ok', true),
        ('facebook', 'kent', date '2026-11-01', 'views', 1, 99.0, 99.0, 'provisional', true),
        ('all', 'kent', date '2026-10-01', 'views', 1, 77.0, 77.0, 'ok', true)
    ) as t(platform, force_id, month, metric, metric_version, value, national_value, status, is_simulated);
    create table marts.dim_content_category as from (values ('appeals', 'Appeals'), ('jobs', 'Job adverts'))
        as t(category_code, category_name);
    create table marts.expectation_gap as from (values
        ('w1', 'national', 'all', 'jobs', 0.25, 0.2, 0.3, 1000, 'unreliable', true),
        ('w1', 'national', 'all', 'appeals', 0.5, 0.45, 0.55, 1000, 'ok', true),
        ('w1', 'kent', 'all', 'appeals', 0.9, 0.8, 0.95, 90, 'ok', true)
    ) as t(wave, force_id, audience, category_code, want_share, want_ci_low, want_ci_high, want_base_n, want_status, is_simulated);
    create table marts.horizon_trends as from (values
        ('fediverse', 'users', 'accounts', 126, date '2018-08-06', date '2020-12-28', date '2019-07-04', 991816.0, 14244.4, 2.351,
            'up', 'ok', false)
    ) as t(channel, series, unit, n_periods, first_period_start, last_period_start, step_date, step_size, sens_slope_per_week,
        growth_ratio, direction, status, is_simulated);
    create table marts.gap_ledger as from (values
        ('not_reported', true, 'gwent', date '2026-10-05'),
        ('not_reported', true, 'gwent', date '2026-10-12'),
        ('throttled', false, 'kent', date '2026-10-12'),
        ('throttled', false, 'essex', date '2026-10-12')
    ) as t(cause, is_open, force_id, run_date);
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.published.mkdir()
    with duckdb.connect(str(home.published / "warehouse.duckdb")) as connection:
        connection.execute(MARTS)
    counts = {
        "landed": 1010,
        "derived_zero": 5,
        "accepted": 1000,
        "quarantined": 12,
        "dropped_duplicate": 2,
        "dropped_outside_window": 1,
    }
    row = {"source": "facebook", "run_date": AS_OF, "ingest_id": "i1", "batch": "kent", "record_kind": "post", "is_stopped": False}
    accepted.merge("conservation", "facebook", AS_OF, to_table("conservation", [row | counts]), home)
    bad = accepted.quarantine_schema("post").empty_table().to_pylist()
    bad += [{"source": "facebook", "ingest_id": "i1", "rule": "published_at_in_future"}] * 12
    table = pa.Table.from_pylist(bad, schema=accepted.quarantine_schema("post"))
    accepted.merge_quarantine("post", "facebook", AS_OF, table, home)
    return home


def squeezed(home: Home) -> list[str]:
    return [" ".join(line.split()) for line in summary.lines(home)]


def test_rows_by_source_and_what_waits_in_quarantine(home: Home) -> None:
    lines = squeezed(home)
    assert "facebook post 1,010 5 1,000 12 3" in lines
    assert "in quarantine: 12 published_at_in_future (facebook)" in lines


def test_the_last_whole_month_over_all_forces(home: Home) -> None:
    lines = squeezed(home)
    assert "England and Wales in October 2026 (simulated figures)" in lines
    followers = (
        "facebook Followers at the end of the period 1,234,567 followers (relationships, not people) 1 of 2 partial (missing, ok)"
    )
    assert followers in lines, "a missing force is no zero, and the row says that one is missing"
    assert "facebook Views 600 views 2 of 2 ok" in lines
    assert not any(figure in line for line in lines for figure in (" 99 ", " 77 ")), "no other month, no sum over platforms"


def test_wants_as_bars_the_most_wanted_first(home: Home) -> None:
    lines = squeezed(home)
    first = next(place for place, line in enumerate(lines) if line.startswith("What the public wants"))
    assert lines[first + 1] == f"Appeals {'█' * 20} 50.0% (45.0% to 55.0%)"
    assert lines[first + 2] == f"Job adverts {'█' * 10} 25.0% (20.0% to 30.0%) unreliable"


def test_the_trend_and_the_gaps(home: Home) -> None:
    lines = squeezed(home)
    step = "a step of +991,816 on 04 July 2019, taken out"
    assert f"fediverse, users (real series): up, +14,244 accounts a week, 2.35 times as many at the end; {step}" in lines
    assert "2 not_reported open gwent, 2026-10-05 to 2026-10-12" in lines
    assert "2 throttled closed 2 forces, 2026-10-12" in lines


def test_before_the_first_survey_and_signal(home: Home) -> None:
    with duckdb.connect(str(home.published / "warehouse.duckdb")) as connection:
        connection.execute("update marts.expectation_gap set want_share = null")
        connection.execute("update marts.horizon_trends set sens_slope_per_week = null, status = 'missing'")
        connection.execute("delete from marts.gap_ledger; delete from marts.hmicfrs_metrics")
    lines = squeezed(home)
    assert "What the public wants: no survey yet" in lines
    assert "fediverse, users (real series): missing" in lines
    assert "No whole month yet" in lines
    assert "none" in lines


def test_real_figures_are_not_called_simulated(home: Home) -> None:
    with duckdb.connect(str(home.published / "warehouse.duckdb")) as connection:
        for table in ("hmicfrs_metrics", "expectation_gap"):
            connection.execute(f"update marts.{table} set is_simulated = false")
        connection.execute("update marts.horizon_trends set is_simulated = true")
    lines = squeezed(home)
    assert "England and Wales in October 2026" in lines
    assert "What the public wants from police social media (survey w1, 1,000 answers)" in lines
    assert any(line.startswith("fediverse, users (simulated): up") for line in lines)
