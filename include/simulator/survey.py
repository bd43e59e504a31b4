"""A simulated survey of followers, with a known truth: who answers differs from residents by force and age, and only by these.

What people want is drawn for every seed anew: no percentage of the real survey is public, and none is imitated.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from include.simulator.register import AGE_BANDS, SEEDS, Register, read_register
from include.simulator.timeline import generator

RESPONDENTS = 27_400
SMALL_FORCE, SMALL_FORCE_RESPONDENTS = "city-of-london", 38

AGE_TILT = (0.75, 1.35, 1.5, 1.3, 1.0, 0.6, 0.3)
"""Followers' ages against residents', in the order of AGE_BANDS."""

METADATA_COLUMNS = (
    "Respondent ID",
    "Collector ID",
    "Start Date",
    "End Date",
    "IP Address",
    "Email Address",
    "First Name",
    "Last Name",
    "Custom Data 1",
)
FREE_TEXTS = (
    "More about local heroes",
    "Lost dogs, found dogs",
    'Less "corporate" news',
    "Replies!",
    "Call me on 01632 960123 please",
    "Live maps of roadworks;\nand of diversions",
)
UNKNOWN_FORCE, AGE_NOT_SAID = "unknown", "not_said"


@dataclass(frozen=True)
class _Opinions:
    """`chosen`: force × age band × category, the probability that a category is ticked by someone who answers the question."""

    categories: tuple[str, ...]
    propensity: np.ndarray
    chosen: np.ndarray


@lru_cache(maxsize=64)
def _opinions(seed: int, wave: str, register: Register) -> _Opinions:
    rng = generator(seed, "survey opinions", wave)
    categories = tuple(option["category_code"] for option in register.options["want"])
    is_other = np.array([category == "other" for category in categories])
    base = np.where(is_other, rng.uniform(0.05, 0.1, len(categories)), rng.uniform(0.2, 0.75, len(categories)))
    level = np.log(base / (1 - base))
    slope = rng.normal(0.0, 0.25, len(categories))
    by_force = rng.normal(0.0, 0.25, (len(register.forces), 1, len(categories)))
    by_age = slope * np.linspace(-1.5, 1.5, len(AGE_BANDS))[:, None] + rng.normal(0.0, 0.1, (len(AGE_BANDS), len(categories)))
    propensity = 1 / (1 + np.exp(-(level + by_force + by_age)))
    # who ticks nothing has skipped the question: the probabilities are those given at least one tick
    nothing = np.prod(1 - propensity, axis=2, keepdims=True)
    return _Opinions(categories, propensity, propensity / (1 - nothing))


def _largest_remainders(shares: np.ndarray, total: int) -> np.ndarray:
    exact = shares / shares.sum() * total
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts


def _respondents_by_force(register: Register, n: int) -> np.ndarray:
    """As the square root of the population; the smallest force has so few that its figures must be marked."""
    force_ids = list(register.forces)
    shares = np.sqrt([float(force.population) for force in register.forces.values()])
    if SMALL_FORCE not in force_ids or len(force_ids) == 1:
        return _largest_remainders(shares, n)
    place = force_ids.index(SMALL_FORCE)
    counts = np.zeros(len(force_ids), dtype=int)
    counts[place] = round(SMALL_FORCE_RESPONDENTS * n / RESPONDENTS)
    others = np.arange(len(force_ids)) != place
    counts[others] = _largest_remainders(shares[others], n - counts[place])
    return counts


def _register(wave: str, seeds: Path, forces: Sequence[str] | None) -> Register:
    register = read_register(seeds, tuple(forces) if forces is not None else None)
    if wave not in register.waves:
        raise KeyError(f"no survey wave {wave!r} in survey_waves.csv: it has {', '.join(register.waves)}")
    return register


def draw_survey(
    seed: int, wave: str, n_respondents: int = RESPONDENTS, seeds: Path = SEEDS, forces: Sequence[str] | None = None
) -> pd.DataFrame:
    """The responses of one wave. Grain: respondent.

    Columns: respondent_id, started_at, ended_at (of no time zone, as the export has them), force (option code; `unknown` for
    'Not sure'), age_band (`not_said` where not said), one `want_<category>` per category (True, False; missing throughout
    where the question was skipped), contacted, answered, satisfied (option codes; missing where skipped or not asked).
    Whether something is missing depends on force and age alone. Raises KeyError for an unknown wave.
    """
    register = _register(wave, seeds, forces)
    opinions = _opinions(seed, wave, register)
    rng = generator(seed, "survey responses", wave, n_respondents)
    force = rng.permutation(np.repeat(np.arange(len(register.forces)), _respondents_by_force(register, n_respondents)))
    residents = np.array([force.population_by_band for force in register.forces.values()], dtype=float)
    ages = residents * np.array(AGE_TILT) * generator(seed, "survey ages", wave).lognormal(0.0, 0.1, residents.shape)
    edges = np.cumsum(ages / ages.sum(axis=1, keepdims=True), axis=1)
    band = np.minimum((rng.random(n_respondents)[:, None] > edges[force]).sum(axis=1), len(AGE_BANDS) - 1)

    ticked = _draw_ticks(rng, opinions.propensity[force, band])
    skipped = rng.random(n_respondents) < 0.005 + 0.003 * band + 0.004 * (force % 3)
    wants = {f"want_{category}": _blanked(ticked[:, place], skipped) for place, category in enumerate(opinions.categories)}
    contacted = rng.random(n_respondents) < np.array([0.3, 0.28, 0.25, 0.2, 0.16, 0.1, 0.06])[band]
    answered = _pick(rng, register, "answered", _coin(rng, "yes", "no", 0.6, n_respondents), 0.02)
    started_at, ended_at = _times(rng, register.waves[wave], n_respondents)
    return pd.DataFrame(
        {
            "respondent_id": 118_000_000_000 + rng.permutation(n_respondents) * 7,
            "started_at": started_at,
            "ended_at": ended_at,
            "force": np.where(rng.random(n_respondents) < 0.004, UNKNOWN_FORCE, np.array(list(register.forces))[force]),
            "age_band": np.where(rng.random(n_respondents) < 0.01, AGE_NOT_SAID, np.array(AGE_BANDS)[band]),
            **wants,
            "contacted": _pick(rng, register, "contacted", np.where(contacted, "yes", "no"), 0.01),
            "answered": _blanked(answered, ~contacted),
            "satisfied": _pick(rng, register, "satisfied", None, 0.015, n_respondents),
        }
    )


def _draw_ticks(rng: np.random.Generator, propensity: np.ndarray) -> np.ndarray:
    """Who ticks what, drawn again for those who ticked nothing."""
    ticked = rng.random(propensity.shape) < propensity
    while not (some := ticked.any(axis=1)).all():
        again = ~some
        ticked[again] = rng.random((int(again.sum()), propensity.shape[1])) < propensity[again]
    return ticked


def _blanked(values: np.ndarray, is_blank: np.ndarray) -> np.ndarray:
    kept = values.astype(object)
    kept[is_blank] = None
    return kept


def _coin(rng: np.random.Generator, heads: str, tails: str, probability: float, n: int) -> np.ndarray:
    return np.where(rng.random(n) < probability, heads, tails)


def _pick(
    rng: np.random.Generator, register: Register, question: str, codes: np.ndarray | None, skipped: float, n: int = 0
) -> np.ndarray:
    """Option codes with a few 'Not sure' and a few skipped; any option where no codes are given."""
    options = [option["option_code"] for option in register.options[question]]
    if codes is None:
        codes = rng.choice(options, size=n)
    elif "not_sure" in options:
        codes = np.where(rng.random(len(codes)) < 0.03, "not_sure", codes)
    return _blanked(codes, rng.random(len(codes)) < skipped)


def _times(rng: np.random.Generator, wave: dict[str, str], n: int) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    first = datetime.fromisoformat(wave["fieldwork_start"])
    seconds = int((datetime.fromisoformat(wave["fieldwork_end"]) - first).total_seconds()) + 20 * 3600
    started = pd.DatetimeIndex(np.datetime64(first, "s") + rng.integers(8 * 3600, seconds, n).astype("timedelta64[s]"))
    return started, started + pd.to_timedelta(rng.integers(60, 900, n), unit="s")


def survey_truth(seed: int, wave: str, seeds: Path = SEEDS, forces: Sequence[str] | None = None) -> pd.DataFrame:
    """What followers want, standardised to residents. Grain: force_id (each, and `national`) × category_code.

    want_share = sum over the seven age bands of residents in the band × probability of a tick / residents aged 16 and over;
    national: the same sum over all forces. Probabilities are those of people who answer the question.
    """
    register = _register(wave, seeds, forces)
    opinions = _opinions(seed, wave, register)
    residents = np.array([force.population_by_band for force in register.forces.values()], dtype=float)
    wanting = (residents[:, :, None] * opinions.chosen).sum(axis=1)
    by_force = wanting / residents.sum(axis=1)[:, None]
    national = wanting.sum(axis=0) / residents.sum()
    shares = np.vstack([by_force, national])
    index = pd.MultiIndex.from_product([[*register.forces, "national"], opinions.categories], names=["force_id", "category_code"])
    return pd.Series(shares.ravel(), index=index, name="want_share").reset_index()


def write_survey_export(
    path: Path,
    seed: int,
    wave: str,
    n_respondents: int = RESPONDENTS,
    seeds: Path = SEEDS,
    forces: Sequence[str] | None = None,
) -> Path:
    """Write one wave as SurveyMonkey exports it (expanded columns, actual answer text, two header rows); returns the path.

    Addresses, names and free texts are planted: 192.0.2.x, example.org, `Simfirst`, `Simlast…`, and numbers kept for drama.
    """
    register = _register(wave, seeds, forces)
    answers = draw_survey(seed, wave, n_respondents, seeds, forces)
    rng = generator(seed, "survey people", wave, n_respondents)
    number = np.arange(n_respondents)
    is_named = rng.random(n_respondents) < 0.2
    texts = np.array(number, dtype=str).astype(object)
    cells: dict[str, object] = {
        "Respondent ID": answers["respondent_id"],
        "Collector ID": 455_000_001,
        "Start Date": answers["started_at"].dt.strftime("%m/%d/%Y %H:%M:%S"),
        "End Date": answers["ended_at"].dt.strftime("%m/%d/%Y %H:%M:%S"),
        "IP Address": "192.0.2." + pd.Series(rng.integers(1, 255, n_respondents)).astype(str),
        "Email Address": np.where(is_named, "respondent" + texts + "@example.org", ""),
        "First Name": np.where(is_named, "Simfirst", ""),
        "Last Name": np.where(is_named, "Simlast" + texts, ""),
        "Custom Data 1": "SIMULATED",
    }
    questions, labels = list(METADATA_COLUMNS), [""] * len(METADATA_COLUMNS)
    for question in register.questions:
        code, options = question["question_code"], register.options[question["question_code"]]
        if question["question_type"] == "multiple":
            questions += [question["question_text"], *[""] * (len(options) - 1)]
            for option in options:
                chosen = answers[f"{code}_{option['category_code']}"].eq(True)
                said: str | np.ndarray = option["option_label"]
                if "please specify" in option["option_label"]:
                    said = rng.choice(np.array(FREE_TEXTS, dtype=object), size=n_respondents)
                cells[f"{code} {option['option_code']}"] = pd.Series(said, index=answers.index).where(chosen, "")
                labels.append(option["option_label"])
        else:
            questions.append(question["question_text"])
            labels.append("Response")
            said_by_code = {option["option_code"]: option["option_label"] for option in options}
            cells[code] = answers[code].map(said_by_code).fillna("")
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(questions)
        writer.writerow(labels)
        pd.DataFrame(cells).to_csv(handle, header=False, index=False, lineterminator="\n")
    return path
