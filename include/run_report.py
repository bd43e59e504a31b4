"""What became of a run's records, read back from what is stored: the same answer however often it is asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from expectations.rules import UNMAPPED_FIELD, field_name
from extractors.base import RetiredMetric
from include import accepted, vanished
from include.quarantine_ledger import QUARANTINED
from include.records import RECORD_KINDS
from include.settings import Home

BATCH_STOPPED = "batch_stopped"
WHOLE_ACCOUNT_SUBJECTS = ("*", "posts")
"""Subjects of a gap that mean a force's part of the run failed; a gap about one field does not."""


@dataclass(frozen=True)
class BatchKind:
    """One batch × record kind of a run, by its latest ingest. landed + derived_zero = accepted + quarantined + dropped."""

    batch: str
    kind: str
    ingest_id: str
    landed: int | None
    derived_zero: int | None
    accepted: int
    quarantined: dict[str, int]  # rule to rows
    dropped: dict[str, int]  # duplicate, outside_window
    is_stopped: bool
    reason: str | None


@dataclass(frozen=True)
class GapCount:
    """Open gaps of one force, subject and cause; `detail` is that of the latest attempt."""

    force_id: str | None
    subject: str
    cause: str
    count: int
    detail: str | None

    def __str__(self) -> str:
        times = f" × {self.count}" if self.count > 1 else ""
        return f"{self.force_id or 'no force'}: {self.subject} ({self.cause}{times}){f': {self.detail}' if self.detail else ''}"


@dataclass(frozen=True)
class RunReport:
    """One run (source × run date). Empty where the run has brought nothing."""

    source: str
    run_date: date
    batches: tuple[BatchKind, ...] = ()
    unmapped_fields: dict[str, int] = field(default_factory=dict)  # full name of the field to quarantined rows
    gaps: tuple[GapCount, ...] = ()
    vanished_fields: dict[str, str] = field(default_factory=dict)  # full name of the field to what is known of it
    not_attempted: tuple[str, ...] = ()  # "force (account)": planned, and no attempt is on record
    unreadable: dict[str, str] = field(default_factory=dict)  # records folder to why; it stays where it is
    data_docs: str | None = None  # path of the index page

    @property
    def accepted(self) -> int:
        return sum(row.accepted for row in self.batches)

    @property
    def landed(self) -> int:
        return sum(row.landed or 0 for row in self.batches)

    @property
    def quarantined(self) -> Counter[str]:
        """Rows in quarantine by rule."""
        return sum((Counter(row.quarantined) for row in self.batches), Counter[str]())

    @property
    def dropped(self) -> Counter[str]:
        """Rows left out on purpose, by reason."""
        return sum((Counter(row.dropped) for row in self.batches), Counter[str]())

    @property
    def stopped(self) -> dict[str, str]:
        """Batches that were stopped as a whole, with the reason."""
        return {row.batch: row.reason or "" for row in self.batches if row.is_stopped} | self.unreadable

    @property
    def retired(self) -> dict[str, str]:
        """Names that the platform refused as unknown: each once, with how many forces heard it, and what was said."""
        heard: dict[str, list[GapCount]] = {}
        for gap in self.gaps:
            if gap.cause == RetiredMetric.cause and gap.subject not in WHOLE_ACCOUNT_SUBJECTS and gap.force_id is not None:
                heard.setdefault(gap.subject, []).append(gap)
        return {
            name: f"refused for {len({gap.force_id for gap in gaps})} forces: {gaps[0].detail or 'without a reason'}"
            for name, gaps in heard.items()
        }

    @property
    def failed(self) -> tuple[str, ...]:
        """Forces of which an account or its list of posts could not be had, and planned accounts nobody asked for.

        What the gate held back is in `quarantined` and `stopped`.
        """
        whole = [str(gap) for gap in self.gaps if gap.subject in WHOLE_ACCOUNT_SUBJECTS and gap.cause != QUARANTINED]
        return (*whole, *(f"{name}: not collected" for name in self.not_attempted))

    def by_kind(self) -> dict[str, dict[str, int]]:
        """Record kind to its sums over all batches."""
        sums: dict[str, Counter[str]] = {}
        for row in self.batches:
            sums.setdefault(row.kind, Counter()).update(
                landed=row.landed or 0,
                derived_zero=row.derived_zero or 0,
                accepted=row.accepted,
                quarantined=sum(row.quarantined.values()),
                dropped=sum(row.dropped.values()),
            )
        return {kind: dict(sums[kind]) for kind in RECORD_KINDS if kind in sums}

    def summary_lines(self) -> list[str]:
        """For logs and the screen: one line per record kind, then what needs somebody's attention."""
        batches = len({row.batch for row in self.batches})
        lines = [f"{self.source} {self.run_date}: {batches} batches, {self.accepted:,} rows accepted"]
        for kind, sums in self.by_kind().items():
            lines.append("  " + kind + ": " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sums.items()))
        lines += [f"  quarantined by {rule}: {count:,}" for rule, count in sorted(self.quarantined.items())]
        lines += [f"  unmapped field {name}: {count:,} rows wait" for name, count in self.unmapped_fields.items()]
        lines += [f"  vanished field {name}: {what}" for name, what in self.vanished_fields.items()]
        lines += [f"  retired field {name}: {what}" for name, what in self.retired.items()]
        lines += [f"  batch stopped: {batch}: {reason}" for batch, reason in self.stopped.items()]
        lines += [f"  failed: {what}" for what in self.failed]
        causes = Counter[str]()
        for gap in self.gaps:
            causes[gap.cause] += gap.count
        if causes:
            lines.append("  open gaps: " + ", ".join(f"{count:,} {cause}" for cause, count in sorted(causes.items())))
        return lines

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**asdict(self), "run_date": self.run_date.isoformat()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunReport:
        """The inverse of `to_dict`: a task hands its report on to the next as JSON."""
        return cls(
            **{
                **values,
                "run_date": date.fromisoformat(values["run_date"]),
                "batches": tuple(BatchKind(**row) for row in values["batches"]),
                "gaps": tuple(GapCount(**row) for row in values["gaps"]),
                "not_attempted": tuple(values["not_attempted"]),
            }
        )


def main_causes(gaps: Iterable[GapCount]) -> dict[str, str]:
    """Of each subject the cause that most forces have: what is one force's own trouble explains nothing about the others."""
    forces: dict[str, dict[str, set[str | None]]] = defaultdict(lambda: defaultdict(set))
    for gap in gaps:
        forces[gap.subject][gap.cause].add(gap.force_id)
    return {subject: max(causes, key=lambda cause: len(causes[cause])) for subject, causes in forces.items()}


class RunNotClean(RuntimeError):
    """A run that a person has to look at. What was good is accepted all the same."""


def require_clean(report: RunReport) -> None:
    """Raises RunNotClean for stopped batches, unmapped and vanished fields and failed forces, each by name, with the quarantine's
    sums.

    Quarantined rows alone, below the threshold of their batch, do not make a run red.
    """
    lines = [f"batch {batch} stopped: {reason}" for batch, reason in report.stopped.items()]
    lines += [
        f"unmapped field {name} ({count:,} rows wait in quarantine): map it in dbt_project/seeds/platform_metric_map.csv"
        for name, count in report.unmapped_fields.items()
    ]
    lines += [
        f"vanished field {name} ({what}): if it is gone for good, end it in dbt_project/seeds/platform_metric_map.csv (valid_to)"
        for name, what in report.vanished_fields.items()
    ]
    lines += [f"failed {what}" for what in report.failed]
    if not lines:
        return
    lines += [f"quarantined by rule {rule}: {count:,} rows" for rule, count in sorted(report.quarantined.items())]
    raise RunNotClean(f"{report.source} {report.run_date} is not clean:\n" + "\n".join(f"  {line}" for line in lines))


def read_report(
    source: str, run_date: date, home: Home, unreadable: dict[str, str] | None = None, data_docs: str | None = None
) -> RunReport:
    """The report of a run from accepted, quarantine and ledger. Of a batch collected twice, the latest ingest counts."""
    conservation = _latest(accepted.read("conservation", home, source, run_date).to_pylist())
    current = {(row["batch"], row["ingest_id"]) for row in conservation}
    bad = {kind: accepted.read_quarantine(kind, home, source, run_date) for kind in RECORD_KINDS}
    rules = Counter(
        (kind, ingest_id, rule)
        for kind, table in bad.items()
        for ingest_id, rule in zip(*(table.column(name).to_pylist() for name in ("ingest_id", "rule")), strict=True)
    )
    gaps, attempted = _gaps(accepted.read("collection", home, source, run_date).to_pylist())
    planned = {(row["force_id"], row["account_id"]) for row in accepted.read("plan", home, source, run_date).to_pylist()}
    return RunReport(
        source=source,
        run_date=run_date,
        batches=tuple(
            BatchKind(
                batch=row["batch"],
                kind=row["record_kind"],
                ingest_id=row["ingest_id"],
                landed=row["landed"],
                derived_zero=row["derived_zero"],
                accepted=row["accepted"],
                quarantined={
                    rule: count
                    for (kind, ingest_id, rule), count in sorted(rules.items())
                    if (kind, ingest_id) == (row["record_kind"], row["ingest_id"])
                },
                dropped={"duplicate": row["dropped_duplicate"], "outside_window": row["dropped_outside_window"]},
                is_stopped=row["is_stopped"],
                reason=row["reason"],
            )
            for row in conservation
        ),
        unmapped_fields=dict(sorted(Counter(_unmapped(bad["observation"], current)).items())),
        gaps=gaps,
        vanished_fields=vanished.fields(source, run_date, home, main_causes(gaps)),
        not_attempted=tuple(sorted(f"{force} ({account})" for force, account in planned if account not in attempted)),
        unreadable=unreadable or {},
        data_docs=data_docs,
    )


def _latest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Conservation rows of each batch's latest ingest, by batch and kind."""
    newest: dict[str, tuple[Any, ...]] = {}
    for row in rows:
        when = (row["observed_at"] is not None, row["observed_at"], row["ingest_id"])
        newest[row["batch"]] = max(newest.get(row["batch"], ()), when)
    kinds = list(RECORD_KINDS)
    return sorted(
        (row for row in rows if row["ingest_id"] == newest[row["batch"]][-1]),
        key=lambda row: (row["batch"], kinds.index(row["record_kind"])),
    )


def _unmapped(observations: pa.Table, current: set[tuple[str, str]]) -> Iterator[str]:
    parts = ("platform", "object_type", "source_field", "period", "breakdown", "breakdown_value")
    for row in observations.select([*parts, "batch", "ingest_id", "rule"]).to_pylist():
        if row["rule"] == UNMAPPED_FIELD and (row["batch"], row["ingest_id"]) in current:
            yield field_name(*(row[part] for part in parts))


def _closes(collected: dict[str, Any], of_post: dict[str, Any]) -> bool:
    """Whether an attempt that had a subject of a whole account closes an earlier hole of this subject about one of its posts."""
    is_later = of_post["recorded_at"] is None or of_post["recorded_at"] < collected["recorded_at"]
    return is_later and collected["object_type"] in (None, of_post["object_type"])


def _gaps(attempts: Iterable[dict[str, Any]]) -> tuple[tuple[GapCount, ...], set[str]]:
    """Open gaps (the latest attempt on a subject decides) and the accounts that were attempted at all."""
    latest: dict[tuple[Any, ...], dict[str, Any]] = {}
    of_posts: defaultdict[tuple[Any, ...], set[tuple[Any, ...]]] = defaultdict(set)
    attempted: set[str] = set()
    # no time sorts before any time
    for row in sorted(attempts, key=lambda row: (row["recorded_at"] is not None, row["recorded_at"])):
        subject = (row["force_id"], row["account_id"], row["subject"])
        key = (*subject, row["object_type"], row["object_id"])
        if row["object_id"] is not None:
            of_posts[subject].add(key)
        elif row["outcome"] == "collected":
            for earlier in [each for each in of_posts[subject] if _closes(row, latest[each])]:
                del latest[earlier]
                of_posts[subject].discard(earlier)
        latest[key] = row
        attempted.add(row["account_id"])
    details: dict[tuple[str | None, str, str], list[str | None]] = {}
    for row in latest.values():
        if row["outcome"] == "gap":
            details.setdefault((row["force_id"], row["subject"], row["cause"]), []).append(row["detail"])
    ordered = sorted(details.items(), key=lambda item: tuple(part or "" for part in item[0]))
    return tuple(GapCount(*of_whom, len(found), found[-1]) for of_whom, found in ordered), attempted
