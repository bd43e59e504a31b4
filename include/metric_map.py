"""The metric map (seed `platform_metric_map`): which of a platform's numbers is which metric, between two dates of asking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from include.seed_reader import Row, SeedReader, boolean, check_overlaps, optional_date


@dataclass(frozen=True)
class MapRow:
    """One row of platform_metric_map: a platform's own name of a number, valid between two dates of asking."""

    platform: str
    object_type: str
    source_field: str
    period: str
    breakdown: str | None
    breakdown_value: str | None
    valid_from: date
    valid_to: date | None
    metric: str | None
    preferred: bool
    line: int

    def is_valid(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)

    @property
    def field_key(self) -> tuple[str | None, ...]:
        return (self.platform, self.object_type, self.source_field, self.period, self.breakdown, self.breakdown_value)


def read_metric_map(reader: SeedReader, rows: list[Row]) -> tuple[MapRow, ...]:
    mapped = []
    for row in rows:
        start = reader.convert("platform_metric_map", row, "valid_from", date.fromisoformat)
        end = reader.convert("platform_metric_map", row, "valid_to", optional_date)
        preferred = reader.convert("platform_metric_map", row, "preferred", boolean)
        if start is None or preferred is None:
            continue
        mapped.append(
            MapRow(
                row["platform"],
                row["object_type"],
                row["source_field"],
                row["period"],
                row["breakdown"] or None,
                row["breakdown_value"] or None,
                start,
                end,
                row["metric"] or None,
                preferred,
                int(row["_line"]),
            )
        )
    check_overlaps(reader, "platform_metric_map", mapped, lambda row: row.field_key, "the validity of field")
    check_overlaps(
        reader,
        "platform_metric_map",
        [row for row in mapped if row.preferred and row.metric],
        lambda row: (row.platform, row.object_type, row.metric),
        "a second preferred field of metric",
    )
    return tuple(mapped)
