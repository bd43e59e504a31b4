"""The tables of the registry: their columns, what is unique in them, and what refers to what."""

from __future__ import annotations

TABLES = (
    "forces",
    "force_population",
    "platforms",
    "accounts",
    "metrics",
    "platform_metric_map",
    "metric_media_types",
    "expiring_data_kinds",
    "content_categories",
    "statuses",
    "gap_causes",
    "contact_platforms",
    "office_hours",
    "bank_holidays",
    "survey_waves",
    "survey_questions",
    "survey_options",
    "horizon_watchlist",
)

REQUIRED: dict[str, tuple[str, ...]] = {
    "forces": ("force_id", "official_name", "pfa_code", "region", "country", "per_head_is_meaningful"),
    "force_population": ("force_id", "year", "population_all_ages", "population_16_plus"),
    "platforms": ("platform", "platform_name", "day_tz", "reporting_lag_hours", "list_window_days", "collected_by"),
    "accounts": ("platform", "account_id", "force_id", "handle", "valid_from", "status", "is_simulated"),
    "metrics": ("metric", "metric_version", "metric_name", "definition", "formula", "unit", "direction", "grains", "additivity"),
    "platform_metric_map": ("platform", "object_type", "source_field", "period", "valid_from", "preferred"),
    "metric_media_types": ("platform", "source_field", "media_type", "valid_from"),
    "expiring_data_kinds": ("platform", "what", "kept_days", "warn_days"),
    "content_categories": ("category_code", "category_name", "is_named", "sort_order"),
    "statuses": ("code", "code_type", "label"),
    "gap_causes": ("cause", "label", "is_retryable"),
    "contact_platforms": ("platform", "contacts", "has_contacts"),
    "office_hours": ("force_id", "weekday", "opens", "closes", "is_assumed"),
    "bank_holidays": ("holiday", "title"),
    "survey_waves": ("wave", "fieldwork_start", "fieldwork_end", "layout", "file_name_pattern"),
    "survey_questions": ("question_code", "question_type", "question_text", "is_required"),
    "survey_options": ("question_code", "option_code", "option_label"),
    "horizon_watchlist": ("channel", "series", "source", "unit", "is_stock", "value_period"),
}
"""Columns that must be there and filled in every row; the others may be empty."""

UNIQUE: dict[str, tuple[str, ...]] = {
    "forces": ("force_id",),
    "force_population": ("force_id", "year"),
    "platforms": ("platform",),
    "metrics": ("metric", "metric_version"),
    "metric_media_types": ("platform", "source_field", "media_type", "valid_from"),
    "expiring_data_kinds": ("platform", "what"),
    "content_categories": ("category_code",),
    "statuses": ("code",),
    "gap_causes": ("cause",),
    "contact_platforms": ("platform",),
    "office_hours": ("force_id", "weekday"),
    "bank_holidays": ("holiday",),
    "survey_waves": ("wave",),
    "survey_questions": ("question_code",),
    "survey_options": ("question_code", "option_code"),
    "horizon_watchlist": ("channel", "series"),
}

REFERENCES: tuple[tuple[str, str, str, str], ...] = (
    ("force_population", "force_id", "forces", "force_id"),
    ("accounts", "force_id", "forces", "force_id"),
    ("accounts", "platform", "platforms", "platform"),
    ("platform_metric_map", "platform", "platforms", "platform"),
    ("platform_metric_map", "metric", "metrics", "metric"),
    ("metric_media_types", "platform", "platforms", "platform"),
    ("contact_platforms", "platform", "platforms", "platform"),
    ("expiring_data_kinds", "platform", "platforms", "platform"),
    ("survey_options", "question_code", "survey_questions", "question_code"),
    ("survey_options", "category_code", "content_categories", "category_code"),
)
"""(table, column, other table, other column). An empty cell refers to nothing."""
