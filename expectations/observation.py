"""The suite of `observation` records: one number the platform reported."""

from datetime import date

import pandas as pd

from expectations.rules import (
    UNMAPPED_FIELD,
    Facts,
    Rule,
    account_of_its_force,
    asked_on,
    known_account,
    known_force,
    not_negative,
    observed,
    of_its_force,
    one_of,
    plausible_time,
    provenance,
    required,
    rule,
    time_bounds,
    typed,
)

ORIGINS = ("reported", "absent_is_zero")


def prepare(frame: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Adds `_field` (the number's full name, null where a part is missing), `_unmapped` (the same where the map does not have it
    on the day of asking, `_asked_on`) and what a daily number must have beside it."""
    breakdown, breakdown_value = frame["breakdown"].fillna(""), frame["breakdown_value"].fillna("")
    split = (" " + breakdown + "=" + breakdown_value).where((breakdown != "") | (breakdown_value != ""), "")
    name = frame["platform"] + " " + frame["object_type"] + " " + frame["source_field"] + " " + frame["period"] + split
    daily = frame["period"] == "day"
    dated = frame["metric_date"].notna() & frame["day_tz"].notna()
    asked = asked_on(frame["observed_at"], facts.run_date).fillna(facts.run_date.isoformat())
    mapped = {
        (field, day): any(first <= date.fromisoformat(day) <= last for first, last in facts.mapped_fields.get(field, ()))
        for field, day in set(zip(name.dropna(), asked[name.notna()], strict=True))
    }
    is_mapped = pd.Series([mapped.get(pair, True) for pair in zip(name, asked, strict=True)], frame.index, dtype=bool)
    return of_its_force(observed(time_bounds(frame), facts), facts).assign(
        _field=name,
        _asked_on=asked,
        _unmapped=name.mask(is_mapped),
        _day_missing=pd.Series("day", frame.index).where(daily & ~dated),
        _zero=frame["value"].where(frame["origin"] == "absent_is_zero"),
    )


def rules(facts: Facts) -> list[Rule]:
    import great_expectations.expectations as gxe

    return [
        # first when it was seen: that decides which row of the map holds
        *provenance(),
        # then the map: of a field that nobody has mapped, nothing can be said about type or sign
        rule(
            UNMAPPED_FIELD,
            "{_unmapped} is not in the seed platform_metric_map on {_asked_on}",
            gxe.ExpectColumnValuesToBeNull,
            column="_unmapped",
        ),
        account_of_its_force(facts),
        typed(),
        *required("platform", "force_id", "account_id", "object_type", "object_id", "source_field", "period", "value", "origin"),
        known_force(facts),
        known_account(facts),
        one_of("origin_unknown", "origin", ORIGINS, "origin {origin} is neither reported nor absent_is_zero"),
        rule(
            "zero_expected",
            "absent_is_zero, but the value is {value:g}",
            gxe.ExpectColumnValuesToBeInSet,
            column="_zero",
            value_set=[0],
        ),
        not_negative("value"),
        rule(
            "day_missing",
            "a number of a day needs metric_date and day_tz",
            gxe.ExpectColumnValuesToBeNull,
            column="_day_missing",
        ),
        one_of("day_tz_unknown", "day_tz", facts.day_zones, "day_tz {day_tz} is no platform's (seed platforms)"),
        *plausible_time("metric_date"),
    ]
