"""The published contract, version 1: which tables a publication has, and what the publish gates may ask of each.

Columns and types are enforced by dbt (dbt_project/models/marts); here stands only what dbt does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CONTRACT_VERSION = 1
SCHEMA = "marts"

NOT_YET = "not yet computed"
UNTIL_CODED = "null until posts are coded"
ONLY_WITH_GAPS = "filled only where something is missing"
PLATFORM = "the platform need not say it"


@dataclass(frozen=True)
class ContractTable:
    """One published table.

    `key` is its grain, and the order in which its rows are written. `fed_by` names the record kind without which it has no
    rows: before the first survey there is no expectation gap, and that is no fault. `every_force`: all forces of the registry
    have rows. `newest` is the column that tells how fresh it is.

    A column that is null in all rows closes the gate, with two exceptions, each with its reason: those in `may_be_null`, and
    those in `null_at_first` until they have been published with a value once.
    """

    name: str
    key: tuple[str, ...]
    every_force: bool = False
    fed_by: str | None = None
    may_be_empty: bool = False
    newest: str | None = None
    may_be_null: Mapping[str, str] = field(default_factory=dict)
    null_at_first: Mapping[str, str] = field(default_factory=dict)


TABLES: tuple[ContractTable, ...] = (
    ContractTable("dim_force", ("force_id",), every_force=True),
    ContractTable(
        "dim_account",
        ("platform", "account_id", "valid_from"),
        every_force=True,
        may_be_null={"valid_to": "no account has been closed", "successor_account_id": "no account has been merged"},
    ),
    ContractTable("dim_metric", ("metric", "metric_version"), may_be_null={"valid_to": "no metric has been retired"}),
    ContractTable("dim_content_category", ("category_code",)),
    ContractTable("dim_status", ("code",)),
    ContractTable(
        "fct_post",
        ("platform", "post_id"),
        fed_by="post",
        newest="latest_observed_at",
        may_be_null={
            **dict.fromkeys(("language", "media_count", "media_with_alt_text", "objective", "campaign"), PLATFORM),
            **dict.fromkeys(("reposts", "quotes", "saves"), "not every platform has them"),
            **dict.fromkeys(("impressions_legacy", "latest_impressions_legacy"), "a closed series"),
            "deleted_at": "in most weeks nothing is deleted",
        },
        null_at_first={
            "category_code": UNTIL_CODED,
            "followers_at_posting": "every post of the first run is older than the first count of followers",
            **dict.fromkeys(
                (
                    *("reading_observed_at", "reading_age_hours", "reactions", "comments", "shares", "interactions", "views"),
                    *("reach_unique", "reach_source_field", "reach_metric_version", "engagement_rate_by_followers"),
                ),
                "no post may have reached its reading age in the first week",
            ),
        },
    ),
    ContractTable(
        "fct_response",
        ("platform", "account_id", "message_key"),
        fed_by="message",
        newest="last_seen_at",
        may_be_null=dict.fromkeys(
            ("first_reply_at", "response_seconds_24_7", "response_seconds_office"), "nobody may have been answered yet"
        ),
        null_at_first=dict.fromkeys(
            ("is_answered_within_7_days", "is_censored"),
            "no message may have waited for seven days, or been answered, in the first week",
        ),
    ),
    ContractTable(
        "fct_metric_daily",
        ("force_id", "platform", "account_id", "metric", "metric_version", "metric_date"),
        fed_by="observation",
        newest="observed_at",
        may_be_null={"gap_cause": ONLY_WITH_GAPS},
    ),
    ContractTable(
        "hmicfrs_metrics",
        ("force_id", "platform", "month", "metric", "metric_version"),
        every_force=True,
        fed_by="plan",
        may_be_null={"gap_cause": ONLY_WITH_GAPS},
        null_at_first={
            **dict.fromkeys(("ci_low", "ci_high", "peer_value", "z_score", "q_value", "band"), NOT_YET),
            "is_revised": "there is no earlier release to differ from",
        },
    ),
    ContractTable(
        "expectation_gap",
        ("wave", "force_id", "audience", "category_code"),
        every_force=True,
        fed_by="survey_answer",
        null_at_first=dict.fromkeys(
            (
                *("activity_share", "activity_ci_low", "activity_ci_high", "activity_base_n", "activity_share_normalised"),
                *("gap", "gap_ci_low", "gap_ci_high"),
            ),
            UNTIL_CODED,
        ),
    ),
    ContractTable(
        "horizon_trends",
        ("scan_date", "channel", "series"),
        fed_by="signal",
        may_be_null=dict.fromkeys(("step_date", "step_size"), "a series need not have a step"),
        null_at_first=dict.fromkeys(
            ("slope_ci_low", "slope_ci_high", "trend_p_value", "trend_q_value", "acceleration", "stage", "stage_rule"), NOT_YET
        ),
    ),
    ContractTable(
        "collection_health",
        ("force_id", "platform", "source", "run_date"),
        every_force=True,
        fed_by="plan",
        newest="run_date",
        null_at_first={"first_observed_at": "nothing has come yet"},
    ),
    ContractTable(
        "gap_ledger",
        ("source", "platform", "force_id", "account_id", "object_type", "object_id", "run_date", "subject", "cause"),
        may_be_empty=True,
        may_be_null={
            "platform": "all gaps can be of signals and files",
            "account_id": "a gap can be about a whole force or file",
            "object_type": "a gap can be about everything",
            "object_id": "most gaps are about accounts, not posts",
            "metric": "a gap can be about everything",
            "detail": PLATFORM,
            "closed_at": "no gap has been closed",
        },
    ),
    ContractTable(
        "expiring_data",
        ("platform", "account_id", "what"),
        fed_by="plan",
        may_be_empty=True,
        may_be_null={
            "last_collected_on": "nothing of it has been collected",
            **dict.fromkeys(("lost_on", "days_left"), "nobody collects it"),
        },
    ),
    ContractTable(
        "account_proposals",
        ("force_id", "platform", "handle", "change"),
        may_be_empty=True,
        may_be_null={
            "current_handle": "an account can be new",
            "account_id": "an account can be new",
            "url": "what is gone has no address",
        },
    ),
)
"""What dbt builds and `include.publish` publishes, in the order of docs/architecture.md. `publications` comes on top."""

PUBLICATIONS = "publications"
"""Written by `include.publish` itself: one row for each publication so far."""

FRESH_WITHIN_DAYS = 8
"""The newest figure may be this much older than the as-of date: a weekly history, and a day for lateness."""

KEEPS_ROWS_SHARE = 0.9
"""A table keeps at least this share of the rows it had in the publication before."""


def published_tables() -> tuple[str, ...]:
    """Names of all tables of a publication."""
    return (*(table.name for table in TABLES), PUBLICATIONS)
