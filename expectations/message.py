"""The suite of `message` records: one public contact, either way. Reasons name no key: a message may have to be erased."""

import pandas as pd

from expectations.rules import (
    Facts,
    Rule,
    account_of_its_force,
    known_account,
    known_force,
    matches,
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

DIRECTIONS = ("inbound", "outbound")
KEY = "^[0-9a-f]{32}$"
"""A keyed hash. What looks otherwise may be an id of the platform."""


def prepare(frame: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Adds `_undecided` and `_decided_wrongly` (what the rule of the other direction has, or has not, said), and `_account_on`:
    platform and account as one text, null where the account is missing or unknown."""
    is_inbound = frame["direction"] == "inbound"
    own = frame["wants_answer"].where(is_inbound, frame["is_automatic"])
    other = frame["is_automatic"].where(is_inbound, frame["wants_answer"])
    is_known = frame["direction"].isin(DIRECTIONS)
    undecided = pd.Series("nothing", frame.index).where(own.isna() & is_known)
    wrongly = pd.Series("both", frame.index).where(other.notna() & is_known)
    on = frame["platform"] + "/" + frame["account_id"]
    on = on.where(frame["account_id"].isin(facts.account_ids))
    made = of_its_force(observed(time_bounds(frame), facts), facts)
    return made.assign(_undecided=undecided, _decided_wrongly=wrongly, _account_on=on)


def rules(facts: Facts) -> list[Rule]:
    import great_expectations.expectations as gxe

    return [
        account_of_its_force(facts),
        typed(),
        *provenance(),
        *required("platform", "force_id", "account_id", "message_key", "direction", "created_at", "rule_version"),
        known_force(facts),
        known_account(facts),
        one_of(
            "account_of_another_platform",
            "_account_on",
            facts.accounts_on,
            "account {account_id} is none of {platform} in the register (seed accounts)",
        ),
        one_of("direction_unknown", "direction", DIRECTIONS, f"direction {{direction}} is none of {', '.join(DIRECTIONS)}"),
        matches("message_key_no_hash", "message_key", KEY, "message_key is not a keyed hash"),
        matches("reply_to_key_no_hash", "reply_to_key", KEY, "reply_to_key is not a keyed hash"),
        *plausible_time("created_at"),
        rule(
            "not_decided",
            "an {direction} message without the decision of its rule",
            gxe.ExpectColumnValuesToBeNull,
            column="_undecided",
        ),
        rule(
            "decided_both_ways",
            "an {direction} message with the decision of the other direction's rule",
            gxe.ExpectColumnValuesToBeNull,
            column="_decided_wrongly",
        ),
    ]
