"""What a rule is, what rules may know, and the rules that several record kinds share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from extractors.upload_rows import LONGEST_UPLOAD_DAYS
from include.registry import Registry
from include.settings import LONDON, observation_bounds, run_instant

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

UNMAPPED_FIELD = "unmapped_field"
WRONG_TYPE = "wrong_type"

EARLIEST = pd.Timestamp(2004, 1, 1)
"""No platform in the register is older; a time before this is an unset clock or a misread number."""

CLOCK_TOLERANCE = pd.Timedelta(days=1)
"""How far after its observation a time may lie: platforms' days and clocks run ahead of UTC by less than this."""

ONE_ATTEMPT = pd.Timedelta(days=2)
"""How far an answer's date may lie from those of the same ingest: one attempt at one batch takes minutes."""

UNSAFE_URL = r"(?i)^[a-z]+://[^/?#]*@|[?&#](?:access_token|token|api_key|appsecret_proof|client_secret|secret|password|signature)="
FORMULA = "^[=+@\t\r-]"


@dataclass(frozen=True)
class Rule:
    """One named rule. `reason` is for people; `{column}` in it is filled from the bad row, so it names no column about a person."""

    name: str
    reason: str
    expectation: Expectation


def rule(name: str, reason: str, expectation: type[Expectation], **arguments: Any) -> Rule:
    """A rule whose expectation carries the rule's name and meaning, so that Data Docs show both."""
    return Rule(name, reason, expectation(**arguments, meta={"rule": name}, description=f"{name}: {_without_values(reason)}"))


def _without_values(reason: str) -> str:
    """The reason as Data Docs show it: no row's values, only where they would stand."""
    return reason.replace("{", "‹").replace("}", "›")


@dataclass(frozen=True)
class Facts:
    """What the registry knows on a run date, for one platform (None: a source without one)."""

    platform: str | None
    run_date: date
    force_ids: frozenset[str]
    account_ids: frozenset[str]  # closed accounts too: what they said while open stays true; platform None: of all
    accounts_of_forces: frozenset[str]  # as account_of_force() writes them; of accounts open on the run date or the days beside it
    mapped_fields: Mapping[str, tuple[tuple[date, date], ...]]  # as field_name() writes them, with first and last day of asking
    day_zones: frozenset[str]
    waves: frozenset[str]
    questions: frozenset[str]
    single_questions: frozenset[str]
    options: frozenset[str]  # question/option
    watched: frozenset[str]  # channel/series
    observed_between: tuple[pd.Timestamp, pd.Timestamp]  # UTC, without its zone
    is_uploaded: bool  # people fill in its figures, and say of each when it was read
    accounts_on: frozenset[str]  # platform/account, of every platform: for a source whose rows name theirs
    watched_as: frozenset[str]  # channel/series/period/stock or channel/series/period/flow

    @classmethod
    def of(cls, registry: Registry, platform: str | None, run_date: date) -> Facts:
        tables = registry.tables
        earliest, latest = observation_bounds(run_date)
        is_uploaded = registry.is_uploaded(platform)
        before = LONGEST_UPLOAD_DAYS if is_uploaded or platform is None else 1
        if is_uploaded:
            earliest, latest = earliest - timedelta(days=before), run_instant(run_date) + timedelta(days=1)
        single = frozenset(row["question_code"] for row in tables["survey_questions"] if row["question_type"] == "single")
        options = {f"{row['question_code']}/{row['option_code']}" for row in tables["survey_options"]}
        return cls(
            platform=platform,
            run_date=run_date,
            force_ids=frozenset(registry.force_ids),
            account_ids=frozenset(row.account_id for row in registry.accounts if platform in (None, row.platform)),
            accounts_of_forces=frozenset(
                account_of_force(row.account_id, row.force_id)
                for row in registry.accounts
                if platform in (None, row.platform)
                and row.valid_from <= run_date + timedelta(days=1)
                and (row.valid_to is None or row.valid_to >= run_date - timedelta(days=before))
            ),
            is_uploaded=is_uploaded,
            observed_between=(pd.Timestamp(earliest).tz_localize(None), pd.Timestamp(latest).tz_localize(None)),
            mapped_fields=_mapped_fields(registry, platform),
            day_zones=frozenset(row["day_tz"] for row in tables["platforms"] if row["day_tz"]),
            waves=frozenset(row["wave"] for row in tables["survey_waves"]),
            questions=frozenset(row["question_code"] for row in tables["survey_questions"]),
            single_questions=single,
            # a single-choice question that was shown and skipped has the one row `no_answer`
            options=frozenset(options | {f"{question}/no_answer" for question in single}),
            watched=frozenset(f"{row['channel']}/{row['series']}" for row in tables["horizon_watchlist"]),
            accounts_on=frozenset(f"{row.platform}/{row.account_id}" for row in registry.accounts),
            watched_as=frozenset(
                f"{row['channel']}/{row['series']}/{row['value_period']}/{'stock' if row['is_stock'] == 'true' else 'flow'}"
                for row in tables["horizon_watchlist"]
            ),
        )


def _mapped_fields(registry: Registry, platform: str | None) -> dict[str, tuple[tuple[date, date], ...]]:
    spans: dict[str, list[tuple[date, date]]] = defaultdict(list)
    for row in registry.metric_map:
        if row.platform == platform:
            spans[field_name(*row.field_key)].append((row.valid_from, row.valid_to or date.max))
    return {name: tuple(of_name) for name, of_name in spans.items()}


def asked_on(observed_at: pd.Series, run_date: date) -> pd.Series:
    """The day for which an answer counts, as text: its run date up to 12 hours after its end (London), else the London date on
    which it was seen. The rule of the macro asked_on in dbt_project/macros/time_rules.sql; null where no time is known."""
    start, end = (pd.Timestamp(run_date + timedelta(days=days), tz=LONDON) for days in (0, 1))
    seen = observed_at.dt.tz_localize("UTC")
    is_of_run = (seen >= start) & (seen < end + pd.Timedelta(hours=12))
    return seen.dt.tz_convert(LONDON).dt.strftime("%Y-%m-%d").mask(is_of_run, run_date.isoformat())


def account_of_force(account_id: Any, force_id: Any) -> Any:
    """An account and whose it is, as one text: of two texts, or of two columns."""
    return account_id + " of " + force_id


def field_name(
    platform: str | None,
    object_type: str | None,
    source_field: str | None,
    period: str | None,
    breakdown: str | None,
    breakdown_value: str | None,
) -> str:
    """The six columns that name a number in platform_metric_map, as people read them: "facebook post views lifetime is_from_ads=0".

    expectations/observation.py does the same over a whole frame.
    """
    split = f" {breakdown or ''}={breakdown_value or ''}" if breakdown or breakdown_value else ""
    return f"{platform} {object_type} {source_field} {period}{split}"


def typed() -> Rule:
    """The types of the record kind: include.records left what did not fit as null and said so in `_defect`."""
    import great_expectations.expectations as gxe

    return rule(WRONG_TYPE, "{_defect}", gxe.ExpectColumnValuesToBeNull, column="_defect")


def required(*columns: str) -> list[Rule]:
    import great_expectations.expectations as gxe

    return [
        rule(f"{column}_missing", f"{column} is missing", gxe.ExpectColumnValuesToNotBeNull, column=column) for column in columns
    ]


def provenance() -> list[Rule]:
    """Where a record is from, and when. Needs `observed`.

    That source, run and ingest are those of its batch is a rule of the batch (expectations/batch.py).
    """
    import great_expectations.expectations as gxe

    return [
        *required("observed_at", "raw_sha256", "is_simulated"),
        # the latest observation decides in the marts: one dated 2099 would decide for ever
        rule(
            "observed_at_implausible",
            "observed_at {observed_at:%Y-%m-%d %H:%M} {_observed_odd}",
            gxe.ExpectColumnValuesToBeNull,
            column="_observed_odd",
        ),
    ]


def one_of(name: str, column: str, values: Iterable[str], reason: str) -> Rule:
    import great_expectations.expectations as gxe

    return rule(name, reason, gxe.ExpectColumnValuesToBeInSet, column=column, value_set=sorted(values))


def matches(name: str, column: str, pattern: str, reason: str) -> Rule:
    import great_expectations.expectations as gxe

    return rule(name, reason, gxe.ExpectColumnValuesToMatchRegex, column=column, regex=pattern)


def never_matches(name: str, column: str, pattern: str, reason: str) -> Rule:
    import great_expectations.expectations as gxe

    return rule(name, reason, gxe.ExpectColumnValuesToNotMatchRegex, column=column, regex=pattern)


def not_negative(column: str) -> Rule:
    import great_expectations.expectations as gxe

    reason = f"{column} {{{column}:g}} is below zero"
    return rule(f"{column}_below_zero", reason, gxe.ExpectColumnValuesToBeBetween, column=column, min_value=0)


def plausible_time(column: str) -> list[Rule]:
    """Not later than the observation plus a day, not before platforms existed. Needs `time_bounds`."""
    import great_expectations.expectations as gxe

    def ordered(name: str, reason: str, later: str, earlier: str) -> Rule:
        pair = gxe.ExpectColumnPairValuesAToBeGreaterThanB
        return rule(name, reason, pair, column_A=later, column_B=earlier, or_equal=True, ignore_row_if="either_value_is_missing")

    shown = f"{column} {{{column}:%Y-%m-%d}}"
    after = f"{shown} is after the observation of {{observed_at:%Y-%m-%d}}"
    return [
        ordered(f"{column}_in_future", after, "_latest", column),
        ordered(f"{column}_too_early", f"{shown} is before {EARLIEST:%Y}", column, "_earliest"),
    ]


def observed(frame: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Adds `_observed_odd`: what is wrong with observed_at, null where nothing is.

    No clock is asked: the run date bounds it, and the answers of the same ingest, which came within minutes.
    """
    moments = frame["observed_at"]
    earliest, latest = facts.observed_between
    is_outside = (moments < earliest) | (moments >= latest)
    if facts.is_uploaded:
        far = f"is not within the {LONGEST_UPLOAD_DAYS} days up to the upload of {facts.run_date}"
        return frame.assign(_observed_odd=pd.Series(far, frame.index).where(is_outside))
    usual = moments.mask(is_outside).groupby(frame["ingest_id"]).transform("median")
    is_apart = (moments - usual).abs() > ONE_ATTEMPT
    odd = pd.Series(f"is before the run date {facts.run_date} or after {latest:%Y-%m-%d}, the end of any backfill", frame.index)
    apart = pd.Series(f"is more than {ONE_ATTEMPT.days} days from the other answers of its ingest", frame.index)
    return frame.assign(_observed_odd=odd.where(is_outside, apart.where(is_apart)))


def time_bounds(frame: pd.DataFrame) -> pd.DataFrame:
    """Adds what `plausible_time` compares with: `_latest` and `_earliest`."""
    return frame.assign(_latest=frame["observed_at"] + CLOCK_TOLERANCE, _earliest=EARLIEST)


def known_force(facts: Facts) -> Rule:
    return one_of("force_unknown", "force_id", facts.force_ids, "force {force_id} is not in the register (seed forces)")


def known_account(facts: Facts) -> Rule:
    return one_of(
        "account_unknown",
        "account_id",
        facts.account_ids,
        f"account {{account_id}} is not in the register (seed accounts) of {facts.platform or 'any platform'}",
    )


def of_its_force(frame: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Adds `_account_of` (account and force); null where either is missing or unknown: other rules say so."""
    is_known = frame["force_id"].isin(facts.force_ids) & frame["account_id"].isin(facts.account_ids)
    return frame.assign(_account_of=account_of_force(frame["account_id"], frame["force_id"]).where(is_known))


def account_of_its_force(facts: Facts) -> Rule:
    """One force's answer never becomes another's figure. Needs `of_its_force`."""
    return one_of(
        "account_of_another_force",
        "_account_of",
        facts.accounts_of_forces,
        f"account {{account_id}} is not one of {{force_id}} on {facts.run_date} (seed accounts)",
    )


def safe_url(column: str) -> list[Rule]:
    """The address itself is not in the reason: it may hold what it should not."""
    return [
        matches(f"{column}_not_https", column, r"^https://[^\s]+$", f"{column} is not an https address"),
        never_matches(f"{column}_with_secret", column, UNSAFE_URL, f"{column} holds a user name, a password or a token"),
    ]
