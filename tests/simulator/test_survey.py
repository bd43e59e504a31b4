"""The simulated survey: its layout, and that its truth is what its responses are drawn from."""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import datetime
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.simulator.register import AGE_BANDS, read_register
from include.simulator.survey import FREE_TEXTS, RESPONDENTS, _opinions, draw_survey, survey_truth, write_survey_export

WAVE = "2026-autumn"
SEED = 99
CATEGORIES = read_register().categories
WANTS = [f"want_{category}" for category in CATEGORIES]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    path = write_survey_export(tmp_path_factory.mktemp("survey") / "export.csv", SEED, WAVE)
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.reader(handle))


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    return draw_survey(SEED, WAVE)


def test_two_header_rows(export: list[list[str]]) -> None:
    questions, labels = export[:2]
    assert questions[:3] == ["Respondent ID", "Collector ID", "Start Date"]
    assert questions[3:9] == ["End Date", "IP Address", "Email Address", "First Name", "Last Name", "Custom Data 1"]
    assert labels[:9] == [""] * 9
    assert labels[9:11] == ["Response", "Response"]
    assert questions[11].startswith("Which of these would you like to see")
    assert questions[12:21] == [""] * 9
    assert labels[11] == "Crime or missing person appeals"
    assert labels[20] == "Other (please specify)"
    assert labels[21:] == ["Response"] * 3
    assert len(export) == RESPONDENTS + 2
    assert {len(row) for row in export} == {24}


def test_cells_are_labels_texts_and_us_dates(export: list[list[str]]) -> None:
    rows, labels = export[2:], export[1]
    assert len({row[0] for row in rows}) == len(rows)
    for row in rows[:500]:
        started, ended = (datetime.strptime(row[place], "%m/%d/%Y %H:%M:%S") for place in (2, 3))  # noqa: DTZ007  (as exported)
        assert datetime(2026, 9, 7) <= started < ended < datetime(2026, 9, 29)  # noqa: DTZ001
        for place in range(11, 20):
            assert row[place] in ("", labels[place])
    assert {row[20] for row in rows} == {"", *FREE_TEXTS}
    assert len({row[9] for row in rows}) == 44  # 43 forces and 'Not sure'
    assert len({row[10] for row in rows}) == 8
    assert {row[21] for row in rows} == {"Yes", "No", "Not sure", ""}
    assert all(row[22] == "" for row in rows if row[21] == "No")


def test_planted_personal_data_can_be_found_and_is_nobodys(export: list[list[str]]) -> None:
    rows = export[2:]
    assert all(re.fullmatch(r"192\.0\.2\.\d{1,3}", row[4]) for row in rows)
    named = [row for row in rows if row[5]]
    assert 0.15 < len(named) / len(rows) < 0.25
    assert all(row[5].endswith("@example.org") and row[6] == "Simfirst" and row[7].startswith("Simlast") for row in named)
    assert {row[8] for row in rows} == {"SIMULATED"}


def test_the_export_holds_the_drawn_answers(export: list[list[str]], answers: pd.DataFrame) -> None:
    ticked = [[bool(cell) for cell in row[11:21]] for row in export[2:]]
    assert np.array_equal(np.array(ticked), answers[WANTS].eq(True).to_numpy())
    assert [int(row[0]) for row in export[2:]] == answers["respondent_id"].tolist()


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    one, again, other = (
        write_survey_export(tmp_path / name, seed, WAVE, 2000).read_bytes() for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert one == again
    assert one != other


def test_who_answers(answers: pd.DataFrame) -> None:
    register = read_register()
    sizes = answers["force"].value_counts()
    assert set(sizes.index) == {*register.forces, "unknown"}
    assert 30 <= sizes["city-of-london"] <= 38
    assert 0.001 < sizes["unknown"] / len(answers) < 0.01
    others = [force for force in register.forces if force != "city-of-london"]
    per_root = [sizes[force] / register.forces[force].population ** 0.5 for force in others]
    assert max(per_root) / min(per_root) < 1.05
    ages = answers["age_band"].value_counts(normalize=True)
    assert 0.005 < ages["not_said"] < 0.015
    residents = np.array([force.population_by_band for force in register.forces.values()]).sum(axis=0)
    assert ages["75_plus"] < 0.5 * residents[-1] / residents.sum()
    assert ages["35_44"] > 1.2 * residents[2] / residents.sum()


def test_who_answers_the_question_ticks_something(answers: pd.DataFrame) -> None:
    skipped = answers[WANTS].isna()
    assert (skipped.all(axis=1) == skipped.any(axis=1)).all()
    assert 0.005 < skipped.all(axis=1).mean() < 0.05
    assert answers.loc[~skipped.all(axis=1), WANTS].eq(True).any(axis=1).all()


def test_truth_by_brute_force() -> None:
    """Six hundred thousand answers of two forces, weighted to residents by hand, come to the truth."""
    forces = ("gwent", "kent")
    truth = survey_truth(SEED, WAVE, forces=forces).set_index(["force_id", "category_code"])["want_share"]
    answers = draw_survey(SEED, WAVE, 600_000, forces=forces).dropna(subset=[WANTS[0]])
    register = read_register(only_forces=forces)
    means = answers.groupby(["force", "age_band"])[WANTS].agg(lambda ticks: ticks.astype(float).mean())
    sums, totals = Counter[tuple[str, str]](), Counter[str]()
    for force in register.forces.values():
        for band, residents in zip(AGE_BANDS, force.population_by_band, strict=True):
            for area in (force.force_id, "national"):
                totals[area] += residents
                for category in CATEGORIES:
                    sums[area, category] += residents * means.loc[(force.force_id, band), f"want_{category}"]
    assert len(truth) == 3 * 10
    for (area, category), share in truth.items():
        assert sums[area, category] / totals[area] == pytest.approx(share, abs=0.004), (area, category)


def test_truth_by_every_pattern_of_ticks() -> None:
    """Exactly: all 1,023 ways to tick something, by their probabilities; who ticks nothing has skipped the question."""
    force = read_register(only_forces=("gwent",)).forces["gwent"]
    propensity = _opinions(SEED, WAVE, read_register(only_forces=("gwent",))).propensity[0]
    expected = dict.fromkeys(CATEGORIES, 0.0)
    for band, residents in enumerate(force.population_by_band):
        patterns = [
            (pattern, float(np.prod(np.where(pattern, propensity[band], 1 - propensity[band]))))
            for pattern in product([False, True], repeat=len(CATEGORIES))
            if any(pattern)
        ]
        whole = sum(probability for _, probability in patterns)
        for place, category in enumerate(CATEGORIES):
            ticked = sum(probability for pattern, probability in patterns if pattern[place])
            expected[category] += residents * ticked / whole
    truth = survey_truth(SEED, WAVE, forces=("gwent",)).set_index(["force_id", "category_code"])["want_share"]
    for category in CATEGORIES:
        assert truth["gwent", category] == pytest.approx(expected[category] / sum(force.population_by_band), rel=1e-12)
        assert truth["national", category] == truth["gwent", category]


def test_missing_answers_depend_on_force_and_age_alone() -> None:
    """Weighted by force and age, 30 waves scatter around the truth and not beside it."""
    errors = []
    for seed in range(30):
        answers = draw_survey(seed, WAVE, 6000).dropna(subset=[WANTS[0]])
        answers = answers[(answers["force"] != "unknown") & (answers["age_band"] != "not_said")]
        national = survey_truth(seed, WAVE).query("force_id == 'national'").set_index("category_code")["want_share"]
        residents = {
            (force.force_id, band): count
            for force in read_register().forces.values()
            for band, count in zip(AGE_BANDS, force.population_by_band, strict=True)
        }
        cells = answers.groupby(["force", "age_band"]).size()
        weights = pd.Series(residents).reindex(cells.index) / cells
        weight = weights.loc[list(zip(answers["force"], answers["age_band"], strict=True))].to_numpy()
        for category in CATEGORIES:
            ticks = answers[f"want_{category}"].astype(float).to_numpy()
            errors.append((ticks * weight).sum() / weight.sum() - national[category])
    assert abs(np.mean(errors)) < 0.004
    assert 0.004 < np.std(errors) < 0.03


def test_an_unknown_wave_is_named() -> None:
    with pytest.raises(KeyError, match="no survey wave '1999-spring'"):
        draw_survey(SEED, "1999-spring")
