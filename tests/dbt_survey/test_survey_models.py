from __future__ import annotations

import duckdb
import pytest
from scipy.stats import binomtest

from tests.dbt_survey.conftest import WAVE
from tests.dbt_survey.homes import AGE_BANDS, CATEGORIES, FORCES, POPULATION

Z = 1.959963984540054


def want(connection: duckdb.DuckDBPyConnection, force: str, category: str) -> dict[str, object]:
    query = "from marts.expectation_gap where wave = ? and force_id = ? and category_code = ?"
    found = connection.execute(query, [WAVE, force, category])
    names = [column[0] for column in found.description or ()]
    (row,) = found.fetchall()
    return dict(zip(names, row, strict=True))


def test_every_force_and_the_nation_has_ten_categories(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    keys = warehouse_file.sql("select force_id, category_code from marts.expectation_gap").fetchall()
    assert sorted(keys) == sorted((force, category) for force in [*FORCES, "national"] for category in CATEGORIES)


def test_equal_shares_in_all_bands_are_that_share_whatever_the_weights(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    for rank, category in enumerate(CATEGORIES):
        row = want(warehouse_file, "kent", category)
        assert row["want_share"] == pytest.approx(rank / 10, abs=1e-12)
        assert (row["want_base_n"], row["want_positive_n"]) == (420, 42 * rank)
    assert want(warehouse_file, "kent", "appeals")["want_status"] == "unreliable"  # no positives
    assert want(warehouse_file, "kent", "court_results")["want_status"] == "ok"


def test_effective_base_and_interval_of_a_force(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    """Kish over seven cells of 60, and the bounds: where a score test of the share on that base is just at z."""
    residents = POPULATION[FORCES.index("kent")]
    base = float(residents.sum()) ** 2 / float((residents.astype(float) ** 2).sum()) * 60
    for rank, category in enumerate(CATEGORIES[1:], start=1):
        row = want(warehouse_file, "kent", category)
        assert row["want_base_effective"] == pytest.approx(base, rel=1e-12)
        for bound in (row["want_ci_low"], row["want_ci_high"]):
            assert isinstance(bound, float)
            assert abs(rank / 10 - bound) / (bound * (1 - bound) / base) ** 0.5 == pytest.approx(Z, rel=1e-9)


def test_with_equal_weights_the_interval_is_scipys(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    """Surrey's 12 are all under 35: four of 16 to 24, so that all bands are one cell and all weights are equal."""
    for category, positives in (("appeals", 2), ("court_results", 1), ("other", 0)):
        row = want(warehouse_file, "surrey", category)
        expected = binomtest(positives, 12).proportion_ci(confidence_level=0.95, method="wilson")
        assert (row["want_base_n"], row["want_positive_n"], row["want_status"]) == (12, positives, "unreliable")
        assert row["want_base_effective"] == pytest.approx(12, rel=1e-12)
        assert row["want_share"] == pytest.approx(positives / 12, rel=1e-12)
        assert (row["want_ci_low"], row["want_ci_high"]) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_the_nation_is_all_respondents_at_their_own_weights(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    kent, surrey = (float(POPULATION[FORCES.index(force)].sum()) for force in ("kent", "surrey"))
    row = want(warehouse_file, "national", "court_results")
    assert row["want_base_n"] == 432
    assert row["want_share"] == pytest.approx((0.3 * kent + surrey / 12) / (kent + surrey), rel=1e-12)


def test_a_force_without_respondents_is_missing_and_never_zero(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    row = want(warehouse_file, "cumbria", "appeals")
    assert (row["want_base_n"], row["want_status"], row["status"], row["activity_status"]) == (0, "missing", "missing", "missing")
    names = ("want_share", "want_ci_low", "want_ci_high", "want_base_effective", "want_share_normalised", "activity_share", "gap")
    assert [row[name] for name in names] == [None] * len(names)


def test_normalised_shares_are_over_the_nine_named(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    total = sum(rank / 10 for rank in range(9))
    for rank, category in enumerate(CATEGORIES[:9]):
        assert want(warehouse_file, "kent", category)["want_share_normalised"] == pytest.approx(rank / 10 / total, abs=1e-12)
    assert want(warehouse_file, "kent", "other")["want_share_normalised"] is None


def test_a_corrected_respondent_counts_once_and_a_later_one_not_yet(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    rows = warehouse_file.execute(
        "select option_code from staging.stg_survey_answers where respondent_key = 'surrey-0' and question_code = 'want' and chosen"
    ).fetchall()
    assert rows == [("court_results",)]
    later = warehouse_file.sql("select count(*) from staging.stg_survey_answers where respondent_key = 'later'").fetchone()
    assert later == (0,)


def test_who_is_not_in_the_base_is_counted_apart(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    columns = "respondents, in_want_base, skipped_want, without_force, with_force_without_age, is_simulated"
    assert warehouse_file.sql(f"select {columns} from intermediate.int_survey_response").fetchall() == [(435, 432, 1, 1, 1, True)]


def test_collapsed_cells_are_listed(warehouse_file: duckdb.DuckDBPyConnection) -> None:
    query = "select force_id, any_value(weighting_cell), count(*) from staging.stg_survey_weights where is_collapsed group by all"
    assert warehouse_file.sql(query).fetchall() == [("surrey", "+".join(AGE_BANDS), 7)]
