"""The record kinds: one Arrow schema each, and the only way in.

A source turns pages into rows of these kinds; `to_table` gives them their types. A value of the wrong type does not stop
anything: it becomes null, the row says so in `_defect`, and the suite of its kind quarantines it with that reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")
TEXT, NUMBER, COUNT, FLAG, DAY = pa.string(), pa.float64(), pa.int64(), pa.bool_(), pa.date32()

COMMON: tuple[tuple[str, pa.DataType], ...] = (
    ("source", TEXT),
    ("platform", TEXT),
    ("force_id", TEXT),
    ("run_date", DAY),
    ("ingest_id", TEXT),
    ("observed_at", TIMESTAMP),
    ("raw_sha256", TEXT),
    ("is_simulated", FLAG),
)
"""Columns of every record. `observed_at` is the answer's Date header; for files it is an argument."""

WORKING: tuple[tuple[str, pa.DataType], ...] = (("_position", TEXT), ("_defect", TEXT))
"""Columns of records that accepted data no longer have: where the row stood in its source, and what was wrong with its types."""


@dataclass(frozen=True)
class Kind:
    """One record kind. `key`: the columns that, with `ingest_id`, may occur once (its grain within one ingest)."""

    name: str
    columns: tuple[tuple[str, pa.DataType], ...]
    key: tuple[str, ...]

    @property
    def accepted_schema(self) -> pa.Schema:
        return pa.schema([*COMMON, *self.columns])

    @property
    def record_schema(self) -> pa.Schema:
        return pa.schema([*COMMON, *self.columns, *WORKING])


RECORD_KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "account",
            (("account_id", TEXT), ("handle", TEXT), ("display_name", TEXT), ("url", TEXT)),
            ("platform", "account_id"),
        ),
        Kind(
            "post",
            (
                ("post_id", TEXT),
                ("account_id", TEXT),
                ("published_at", TIMESTAMP),
                ("edited_at", TIMESTAMP),
                ("deleted_at", TIMESTAMP),
                ("kind", TEXT),
                ("in_reply_to_key", TEXT),
                ("permalink", TEXT),
                ("text", TEXT),
                ("language", TEXT),
                ("media_count", COUNT),
                ("media_with_alt_text", COUNT),
                ("objective", TEXT),
                ("campaign", TEXT),
            ),
            ("platform", "post_id"),
        ),
        Kind(
            "observation",
            (
                ("account_id", TEXT),
                ("object_type", TEXT),
                ("object_id", TEXT),
                ("source_field", TEXT),
                ("period", TEXT),
                ("breakdown", TEXT),
                ("breakdown_value", TEXT),
                ("metric_date", DAY),
                ("day_tz", TEXT),
                ("value", NUMBER),
                ("origin", TEXT),
            ),
            ("platform", "object_type", "object_id", "source_field", "period", "breakdown", "breakdown_value", "metric_date"),
        ),
        # one public contact, either way; decided before landing (extractors/contacts.py): no text, no author
        Kind(
            "message",
            (
                ("account_id", TEXT),
                ("message_key", TEXT),
                ("reply_to_key", TEXT),
                ("direction", TEXT),  # inbound, outbound
                ("created_at", TIMESTAMP),
                ("is_automatic", FLAG),  # of answers
                ("wants_answer", FLAG),  # of what the public says
                ("rule_version", COUNT),
            ),
            ("platform", "account_id", "message_key"),
        ),
        Kind(
            "survey_answer",
            (
                ("wave", TEXT),
                ("respondent_key", TEXT),
                ("question_code", TEXT),
                ("option_code", TEXT),
                ("chosen", FLAG),
            ),
            ("wave", "respondent_key", "question_code", "option_code"),
        ),
        Kind(
            "signal",
            (
                ("channel", TEXT),
                ("series", TEXT),
                ("period_start", DAY),
                ("period", TEXT),
                ("value", NUMBER),
                ("is_stock", FLAG),
            ),
            ("channel", "series", "period_start", "period"),
        ),
    )
}

LEDGER_KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # account × planned run date: what a run meant to collect, written before it asks anything
        Kind("plan", (("account_id", TEXT), ("planned_at", TIMESTAMP)), ("platform", "account_id", "run_date")),
        # account × subject × attempt: what became of it. subject: '*' (everything), 'posts' (the list of posts), or a source field
        Kind(
            "collection",
            (
                ("account_id", TEXT),
                ("object_type", TEXT),  # account, post: whose field the subject is; null where it is about everything
                ("object_id", TEXT),
                ("subject", TEXT),
                ("outcome", TEXT),  # collected, gap
                ("cause", TEXT),  # a code of the seed gap_causes; null when collected
                ("detail", TEXT),
                ("published_at", TIMESTAMP),  # of a post whose record did not pass the gate, where it can be right
                ("list_from", TIMESTAMP),  # the span of publication that an uploaded list of posts holds; null: as its platform's
                ("list_to", TIMESTAMP),
                ("recorded_at", TIMESTAMP),
            ),
            ("platform", "account_id", "object_type", "object_id", "subject"),
        ),
        # ingest × reason: how many messages were cut out of all that had been kept, and of how many files of landing
        Kind(
            "erasure",
            (("batch", TEXT), ("record_kind", TEXT), ("reason", TEXT), ("erased", COUNT), ("landing_files", COUNT)),
            ("batch", "record_kind", "reason"),
        ),
        # account that data.police.uk lists otherwise than the register × run: what a person may change in the register
        Kind(
            "proposal",
            (
                ("account_id", TEXT),  # the register's, where there is one
                ("change", TEXT),  # new, changed, gone, stale
                ("handle", TEXT),
                ("current_handle", TEXT),
                ("url", TEXT),
                ("detail", TEXT),
            ),
            ("platform", "force_id", "handle", "change", "run_date"),
        ),
        # ingest × record kind: landed + derived_zero = accepted + quarantined + dropped_duplicate + dropped_outside_window
        Kind(
            "conservation",
            (
                ("batch", TEXT),  # a force id; the file's name for files
                ("record_kind", TEXT),
                ("landed", COUNT),
                ("derived_zero", COUNT),
                ("accepted", COUNT),
                ("quarantined", COUNT),
                ("dropped_duplicate", COUNT),
                ("dropped_outside_window", COUNT),
                ("is_stopped", FLAG),  # the whole batch was stopped at the gate
                ("reason", TEXT),
            ),
            ("batch", "record_kind"),
        ),
    )
}

ALL_KINDS: dict[str, Kind] = {**RECORD_KINDS, **LEDGER_KINDS}


class WrongType(ValueError):
    """A value that its column cannot hold."""


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text[:60]}… ({type(value).__name__})" if len(text) > 60 else f"{text} ({type(value).__name__})"


def _is_storable(value: int | float) -> bool:
    """Finite, and within 64 bits: no platform counts further."""
    return -(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value) and abs(value) < 2**63


def _coerce(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(kind):
        if isinstance(value, str):
            return value
        raise WrongType(f"expected text, got {_shown(value)}")
    if pa.types.is_boolean(kind):
        if isinstance(value, bool):
            return value
        raise WrongType(f"expected true or false, got {_shown(value)}")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_storable(value):
            raise WrongType(f"expected a number, got {_shown(value)}")
        if pa.types.is_integer(kind):
            if value != int(value):
                raise WrongType(f"expected a whole number, got {_shown(value)}")
            return int(value)
        return float(value)
    try:
        if pa.types.is_date(kind):
            if isinstance(value, datetime):
                raise WrongType(f"expected a date, got {_shown(value)}")
            return value if isinstance(value, date) else date.fromisoformat(value)
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise WrongType(f"expected a time with its offset, got {_shown(value)}")
        return moment.astimezone(UTC)  # OverflowError where that is before the first year or after the last
    except WrongType:
        raise
    except (TypeError, ValueError, OverflowError):
        raise WrongType(f"expected a {'date' if pa.types.is_date(kind) else 'time'}, got {_shown(value)}") from None


NEEDS_NO_LOOK = {TEXT: {str, type(None)}, FLAG: {bool, type(None)}}
"""Python's own types that a column holds as they are."""


def to_table(kind_name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows of one kind as an Arrow table of its record schema.

    Shape: one row each, in order. A missing column is null. A value of the wrong type is null, and `_defect` names the
    column and what was found. A column that the kind does not have raises KeyError: that is a programming error.
    """
    schema = ALL_KINDS[kind_name].record_schema
    found = list(rows)
    unknown = {name for row in found for name in row} - set(schema.names)
    if unknown:
        raise KeyError(f"record kind {kind_name} has no column {', '.join(sorted(unknown))}")
    defects: list[list[str]] = [[row["_defect"]] if row.get("_defect") else [] for row in found]
    columns = {
        column.name: _column(column, [row.get(column.name) for row in found], defects)
        for column in schema
        if column.name != "_defect"
    }
    columns["_defect"] = ["; ".join(each) or None for each in defects]
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _column(column: pa.Field, values: list[Any], defects: list[list[str]]) -> list[Any]:
    """The values in the column's type; null, and one more defect of that row, for one that is not of it."""
    if set(map(type, values)) <= NEEDS_NO_LOOK.get(column.type, {type(None)}):
        return values
    known: dict[Any, Any] = {}  # a run's own columns have one value, and times come by the thousand
    typed: list[Any] = []
    for value, of_row in zip(values, defects, strict=True):
        memo = (type(value), value) if isinstance(value, str | datetime) else None
        if value is None or (memo is not None and memo in known):
            typed.append(None if value is None else known[memo])
            continue
        try:
            typed.append(_coerce(value, column.type))
        except WrongType as wrong:
            typed.append(None)
            of_row.append(f"{column.name}: {wrong}")
            continue
        if memo is not None:
            known[memo] = typed[-1]
    return typed


def batch_to_table(kind_name: str, columns: Mapping[str, Any], length: int) -> pa.Table:
    """Columns of one kind as an Arrow table of its record schema, for what is too large for `to_table`.

    columns: `length` values of the column's type (a list or an Arrow array), or one value for all rows; a missing column is
    null. The caller has checked the values: one of a wrong type raises ArrowInvalid, an unknown column KeyError.
    """
    schema = ALL_KINDS[kind_name].record_schema
    unknown = columns.keys() - set(schema.names)
    if unknown:
        raise KeyError(f"record kind {kind_name} has no column {', '.join(sorted(unknown))}")
    arrays = []
    for column in schema:
        value = columns.get(column.name)
        if isinstance(value, pa.Array | pa.ChunkedArray | list):
            array = pa.array(value, column.type) if isinstance(value, list) else value.cast(column.type)
        else:
            array = pa.repeat(pa.scalar(value, column.type), length)
        arrays.append(array)
    return pa.table(arrays, schema=schema)
