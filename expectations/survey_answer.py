"""The suite of `survey_answer` records: respondent × question × option shown.

No reason quotes an answer: an option that is not known may be what somebody typed.
"""

import pandas as pd

from expectations.rules import Facts, Rule, known_force, matches, observed, one_of, provenance, required, rule, typed

RESPONDENT = ["ingest_id", "wave", "respondent_key"]
PSEUDONYM = "^[0-9a-f]{32}$"
"""As include.pseudonyms writes it. An address, a name or a survey tool's own number does not look like this."""


def prepare(frame: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Adds `_option` (question/option) and `_choices` (how many options of a single-choice question the respondent has chosen)."""
    question = [*RESPONDENT, "question_code"]
    is_single = frame["question_code"].isin(facts.single_questions)
    is_chosen = frame["chosen"].astype("boolean").fillna(False).astype(bool)
    choices = frame.loc[is_single & is_chosen & frame["respondent_key"].notna(), [*question, "option_code"]].drop_duplicates()
    several = choices[choices.duplicated(question, keep=False)]
    counted = pd.Series(1, index=frame.index)
    counted.loc[several.index] = 2
    return observed(frame, facts).assign(_option=frame["question_code"] + "/" + frame["option_code"], _choices=counted)


def rules(facts: Facts) -> list[Rule]:
    import great_expectations.expectations as gxe

    return [
        typed(),
        *provenance(),
        *required("wave", "respondent_key", "question_code", "option_code", "chosen"),
        matches("respondent_not_pseudonymous", "respondent_key", PSEUDONYM, "the respondent's key is not a pseudonym"),
        known_force(facts),
        one_of("wave_unknown", "wave", facts.waves, "wave {wave} is not in the seed survey_waves"),
        one_of("question_unknown", "question_code", facts.questions, "the question is not in the seed survey_questions"),
        one_of(
            "option_unknown", "_option", facts.options, "the option is not one of question {question_code} (seed survey_options)"
        ),
        rule(
            "two_answers",
            "question {question_code} takes one answer and the respondent has several",
            gxe.ExpectColumnValuesToBeBetween,
            column="_choices",
            max_value=1,
        ),
    ]
