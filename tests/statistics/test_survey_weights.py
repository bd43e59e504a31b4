from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.statistics.survey_weights import MINIMUM_RESPONDENTS, AgeBand, force_weights, weighting_cells

NAMES = ["16_24", "25_34", "35_44", "45_54", "55_64", "65_74", "75_plus"]


def bands(respondents: list[int], population: list[int] | None = None) -> list[AgeBand]:
    residents = population or [1000 * (place + 1) for place in range(len(respondents))]
    return [AgeBand(name, n, people) for name, n, people in zip(NAMES, respondents, residents, strict=False)]


def cells(respondents: list[int]) -> list[str]:
    return ["+".join(band.name for band in cell) for cell in weighting_cells(bands(respondents))]


def test_a_weight_is_residents_over_respondents() -> None:
    weights = force_weights(bands([10, 20], [5000, 3000]))
    assert [(row.age_band, row.weight, row.is_collapsed) for row in weights] == [("16_24", 500.0, False), ("25_34", 150.0, False)]


@pytest.mark.parametrize(
    ("respondents", "expected"),
    [
        pytest.param([5, 5, 5], ["16_24", "25_34", "35_44"], id="all large enough"),
        pytest.param([4, 9, 9], ["16_24+25_34", "35_44"], id="the youngest has one neighbour"),
        pytest.param([9, 9, 4], ["16_24", "25_34+35_44"], id="the oldest has one neighbour"),
        pytest.param([9, 4, 7], ["16_24", "25_34+35_44"], id="to the smaller neighbour"),
        pytest.param([7, 4, 7], ["16_24+25_34", "35_44"], id="of equal neighbours the younger"),
        pytest.param([2, 3, 9, 1, 1], ["16_24+25_34", "35_44+45_54+55_64"], id="again, until all are large enough"),
        pytest.param([0, 0, 3], ["16_24+25_34+35_44"], id="too few in all: one cell"),
    ],
)
def test_small_bands_are_joined_to_neighbours(respondents: list[int], expected: list[str]) -> None:
    assert cells(respondents) == expected


def test_a_joined_cell_shares_one_weight_and_says_so() -> None:
    weights = force_weights(bands([2, 8, 10], [3000, 5000, 1000]))
    assert [(row.weighting_cell, row.weight, row.is_collapsed) for row in weights] == [
        ("16_24+25_34", 800.0, True),
        ("16_24+25_34", 800.0, True),
        ("35_44", 100.0, False),
    ]
    assert [(row.respondents, row.cell_respondents, row.cell_population) for row in weights] == [
        (2, 10, 8000),
        (8, 10, 8000),
        (10, 10, 1000),
    ]


def test_a_force_without_respondents_has_no_weights() -> None:
    assert force_weights(bands([0, 0, 0])) == []


def test_wrong_counts_are_an_error() -> None:
    with pytest.raises(ValueError, match="negative"):
        force_weights(bands([5, -1]))
    with pytest.raises(ValueError, match="no residents in the weighting cell 16_24"):
        force_weights(bands([5, 5], [0, 10]))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 500_000)), min_size=1, max_size=7))
def test_weights_add_up_to_residents_over_cells_of_neighbours(pairs: list[tuple[int, int]]) -> None:
    given_bands = bands([n for n, _ in pairs], [people for _, people in pairs])
    total = sum(n for n, _ in pairs)
    weights = force_weights(given_bands)
    joined = weighting_cells(given_bands)
    assert [band for cell in joined for band in cell] == given_bands  # neighbours, in order, each once
    assert weights == force_weights(given_bands)
    if total == 0:
        assert weights == []
        return
    assert sum(Fraction(row.cell_population, row.cell_respondents) * row.respondents for row in weights) == sum(p for _, p in pairs)
    if total >= MINIMUM_RESPONDENTS:
        assert all(row.cell_respondents >= MINIMUM_RESPONDENTS for row in weights)
    else:
        assert len(joined) == 1
    for row in weights:
        assert row.weight == row.cell_population / row.cell_respondents
        assert row.is_collapsed == ("+" in row.weighting_cell)
