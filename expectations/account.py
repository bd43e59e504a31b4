"""The suite of `account` records: account × observation."""

import pandas as pd

from expectations.rules import (
    FORMULA,
    Facts,
    Rule,
    account_of_its_force,
    known_account,
    known_force,
    never_matches,
    observed,
    of_its_force,
    provenance,
    required,
    safe_url,
    typed,
)


def prepare(frame: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    return of_its_force(observed(frame, facts), facts)


def rules(facts: Facts) -> list[Rule]:
    return [
        account_of_its_force(facts),
        typed(),
        *provenance(),
        *required("platform", "force_id", "account_id", "handle"),
        known_force(facts),
        known_account(facts),
        never_matches("handle_formula", "handle", FORMULA, "the handle begins like a spreadsheet formula"),
        never_matches("display_name_formula", "display_name", FORMULA, "the display name begins like a spreadsheet formula"),
        *safe_url("url"),
    ]
