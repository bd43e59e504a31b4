"""The suite of batches: one row per batch, ingest and record kind. A batch that breaks a rule is stopped as a whole."""

from expectations.rules import Rule, rule

MOSTLY_BAD_SHARE = 0.2
MOSTLY_BAD_ROWS = 20
"""A kind with fewer rows is never "mostly bad": three bad rows of ten say little about the other seven."""


def rules() -> list[Rule]:
    import great_expectations.expectations as gxe

    return [
        rule(
            "manifest_mismatch",
            "{kind}: the manifest says {manifest_rows} rows, the file has {file_rows}",
            gxe.ExpectColumnPairValuesToBeEqual,
            column_A="manifest_rows",
            column_B="file_rows",
            ignore_row_if="neither",
        ),
        rule(
            "foreign_rows",
            "{kind}: {foreign_rows} rows belong to another source, run or ingest",
            gxe.ExpectColumnValuesToBeBetween,
            column="foreign_rows",
            max_value=0,
        ),
        rule(
            "conservation",
            "{kind}: {landed} landed + {derived_zero} derived zeros, but {accepted} accepted + {quarantined} quarantined"
            " + {dropped_duplicate} duplicates + {dropped_outside_window} outside the window",
            gxe.ExpectColumnPairValuesToBeEqual,
            column_A="came_in",
            column_B="went_out",
            ignore_row_if="neither",
        ),
        rule(
            "mostly_bad",
            f"{{kind}}: {{bad_rows}} of {{file_rows}} rows are bad, more than {MOSTLY_BAD_SHARE:.0%}: {{bad_rules}}",
            gxe.ExpectColumnValuesToBeBetween,
            column="bad_share",
            max_value=MOSTLY_BAD_SHARE,
        ),
    ]
