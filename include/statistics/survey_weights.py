"""Weights of the survey: post-stratification to residents by force and age band.

A respondent of a weighting cell stands for population of the cell / respondents of the cell (Holt and Smith 1979, JRSS A 142;
Valliant, Dever and Kreuter 2018, ch. 14). A cell is one or more neighbouring age bands of one force. docs/statistics.md has
the estimand and the limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MINIMUM_RESPONDENTS = 5
"""A weighting cell has at least as many respondents, unless the whole force has fewer: then the force is one cell."""


@dataclass(frozen=True)
class AgeBand:
    """One age band of one force in one wave: respondents in the base, and residents."""

    name: str
    respondents: int
    population: int


@dataclass(frozen=True)
class BandWeight:
    """The weight of one respondent of an age band, and the cell it comes from."""

    age_band: str
    respondents: int
    population: int
    weighting_cell: str  # names of the bands, joined by "+"
    cell_respondents: int
    cell_population: int
    weight: float
    is_collapsed: bool  # the cell is more than one band


def weighting_cells(bands: Sequence[AgeBand], minimum: int = MINIMUM_RESPONDENTS) -> list[list[AgeBand]]:
    """Neighbouring age bands joined until every cell has `minimum` respondents, or one cell is left.

    The cell with the fewest respondents is joined first (of equals the youngest), to the neighbour with fewer respondents (of
    equals the younger): the same bands always give the same cells, and as few bands as possible lose their own weight.
    """
    cells = [[band] for band in bands]

    def respondents(cell: list[AgeBand]) -> int:
        return sum(band.respondents for band in cell)

    while len(cells) > 1:
        smallest = min(range(len(cells)), key=lambda place: (respondents(cells[place]), place))
        if respondents(cells[smallest]) >= minimum:
            break
        neighbours = [place for place in (smallest - 1, smallest + 1) if 0 <= place < len(cells)]
        other = min(neighbours, key=lambda place: (respondents(cells[place]), place))
        first, second = sorted((smallest, other))
        cells[first : second + 1] = [cells[first] + cells[second]]
    return cells


def force_weights(bands: Sequence[AgeBand], minimum: int = MINIMUM_RESPONDENTS) -> list[BandWeight]:
    """Weights of one force in one wave, one row for each age band, young to old.

    Empty where the force has no respondents: nobody can stand for its residents. Else the weights of all respondents add up
    to the force's residents. Raises ValueError for a negative count or a cell without residents.
    """
    if any(band.respondents < 0 or band.population < 0 for band in bands):
        raise ValueError(f"negative respondents or residents in {list(bands)}")
    if sum(band.respondents for band in bands) == 0:
        return []
    weights = []
    for cell in weighting_cells(bands, minimum):
        cell_respondents = sum(band.respondents for band in cell)
        cell_population = sum(band.population for band in cell)
        if cell_population == 0:
            raise ValueError(f"no residents in the weighting cell {'+'.join(band.name for band in cell)}")
        weights += [
            BandWeight(
                age_band=band.name,
                respondents=band.respondents,
                population=band.population,
                weighting_cell="+".join(member.name for member in cell),
                cell_respondents=cell_respondents,
                cell_population=cell_population,
                weight=cell_population / cell_respondents,
                is_collapsed=len(cell) > 1,
            )
            for band in cell
        ]
    return weights
