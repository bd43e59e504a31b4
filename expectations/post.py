"""The suite of `post` records: post × observation."""

import pandas as pd

from expectations.rules import (
    Facts,
    Rule,
    account_of_its_force,
    known_account,
    known_force,
    matches,
    not_negative,
    observed,
    of_its_force,
    one_of,
    plausible_time,
    provenance,
    required,
    rule,
    safe_url,
    time_bounds,
    typed,
)

KINDS = ("original", "reply", "repost", "story", "reel", "video")
OTHERS_WORDS = ("reply", "repost")
"""Kinds whose text is, or quotes, somebody else's: it is never kept."""

TIMES = ("published_at", "edited_at", "deleted_at")


def prepare(frame: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    frame = of_its_force(observed(time_bounds(frame), facts), facts)
    return frame.assign(_text_of_others=frame["text"].where(frame["kind"].isin(OTHERS_WORDS)))


def rules(facts: Facts) -> list[Rule]:
    import great_expectations.expectations as gxe

    return [
        account_of_its_force(facts),
        typed(),
        *provenance(),
        *required("platform", "force_id", "post_id", "account_id", "published_at", "kind"),
        known_force(facts),
        known_account(facts),
        one_of("kind_unknown", "kind", KINDS, f"kind {{kind}} is none of {', '.join(KINDS)}"),
        *(plausible for column in TIMES for plausible in plausible_time(column)),
        not_negative("media_count"),
        not_negative("media_with_alt_text"),
        rule(
            "more_alt_texts_than_media",
            "{media_with_alt_text:g} media with a description, of {media_count:g}",
            gxe.ExpectColumnPairValuesAToBeGreaterThanB,
            column_A="media_count",
            column_B="media_with_alt_text",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
        ),
        rule(
            "text_of_others",
            "a {kind} has text; only the force's own words are kept",
            gxe.ExpectColumnValuesToBeNull,
            column="_text_of_others",
        ),
        matches("language_unknown", "language", "^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$", "language is not a language code"),
        *safe_url("permalink"),
    ]
