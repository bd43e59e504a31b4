"""The gate between records and accepted: every record of a run is accepted, quarantined with its reason, or dropped and counted.

Order matters for a process that is killed: everything is merged first (each merge is atomic and may be repeated), and only
then are the records removed. A rerun finds either the records, and does the same again, or what has been stored.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expectations import SUITES, batch
from expectations.check import explain, first_failures, to_frame
from expectations.rules import UNMAPPED_FIELD, Facts, Rule
from expectations.survey_answer import RESPONDENT
from include import accepted
from include import data_docs as docs
from include import registry as registry_module
from include.disk import says_when_full
from include.erasure import erase_deleted
from include.locks import held
from include.quarantine_ledger import HELD_KINDS, with_held_back
from include.record_folder import PLAN_BATCH
from include.records import ALL_KINDS, LEDGER_KINDS, RECORD_KINDS, to_table
from include.registry import Registry
from include.run_report import BATCH_STOPPED, RunNotClean, RunReport, read_report, require_clean
from include.settings import Home, observation_bounds

__all__ = ["RunNotClean", "RunReport", "require_clean", "validate_run"]

REMOVED = ".removed-"
"""A records folder is renamed to this before it is deleted, so that a killed process never leaves a half-empty one to be read."""


@dataclass
class Ingest:
    """One records folder: what one ingest of one batch brought."""

    folder: Path
    batch: str
    ingest_id: str
    manifest: dict[str, Any]
    tables: dict[str, pa.Table] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """Record kinds that the landed pages, the parser or the files know of."""
        counted = ("landed", "derived_zero", "dropped", "rows")
        known = {kind for count in counted for kind in self.manifest.get(count, {})} | set(self.tables)
        return [kind for kind in RECORD_KINDS if kind in known]

    def count(self, name: str, kind: str) -> int:
        return int(self.manifest.get(name, {}).get(kind, 0))


@dataclass
class Judged:
    """All rows of one record kind of a run, and what is to become of each."""

    kind: str
    table: pa.Table
    frame: pd.DataFrame
    rules: list[Rule]
    ingest_of: np.ndarray  # position of the row's ingest
    bad: pd.DataFrame  # rule, reason; index: row
    is_duplicate: np.ndarray

    def counts(self, rows: np.ndarray, ingests: int) -> np.ndarray:
        """How many of some rows each ingest has."""
        return np.bincount(self.ingest_of[rows], minlength=ingests)


@says_when_full("validation")
def validate_run(
    source: str, run_date: date, data_docs: bool = False, home: Home | None = None, registry: Registry | None = None
) -> RunReport:
    """Validate all records of a run and merge them into accepted, quarantine and the ledger kinds.

    Returns the run's report, read back from what is stored: the same when called again. Bad rows and bad batches raise
    nothing (see `require_clean`); a run without records gives what is on record of it, or an empty report.
    """
    home = home or Home.current()
    accepted.ensure_schema_files(home)
    with held(home, f"validate-{source}", f"validation of {source}"):
        ingests, unreadable = _read_ingests(home.records / source / run_date.isoformat())
        page = _validate(source, run_date, ingests, data_docs, home, registry or registry_module.current()) if ingests else None
        for ingest in ingests:
            _remove(ingest.folder)
        erase_deleted(source, run_date, home)
    return read_report(source, run_date, home, unreadable, str(page) if page else None)


def _validate(source: str, run_date: date, ingests: list[Ingest], with_docs: bool, home: Home, registry: Registry) -> Path | None:
    collected = [ingest for ingest in ingests if ingest.batch != PLAN_BATCH]
    platform = next((ingest.manifest.get("platform") for ingest in collected if ingest.manifest.get("platform")), None)
    facts = Facts.of(registry, platform, run_date)
    kinds = [kind for kind in RECORD_KINDS if any(kind in ingest.tables for ingest in collected)]
    judged = {kind: _judge(kind, collected, facts) for kind in kinds}
    batches = _batch_frame(source, run_date, collected, judged)
    batch_rules = batch.rules()
    reasons = _stopped(batches, batch_rules)
    with accepted.merging(home, source, run_date):
        held = {kind: _merge_kind(kind, judged.get(kind), collected, reasons, source, run_date, home) for kind in RECORD_KINDS}
        _merge_ledger(ingests, batches, reasons, held, source, run_date, home, registry)
    if not with_docs or not collected:
        return None
    frames: dict[str, tuple[pd.DataFrame, list[Rule]]] = {kind: (rows.frame, rows.rules) for kind, rows in judged.items()}
    return docs.build(source, run_date, {**frames, "batch": (batches, batch_rules)}, home)


# reading


def _read_ingests(folder: Path) -> tuple[list[Ingest], dict[str, str]]:
    """All records folders of a run, and those that cannot be read, with why. A name with a dot is not finished, or not needed."""
    ingests: list[Ingest] = []
    unreadable: dict[str, str] = {}
    for batch_folder in sorted(path for path in folder.glob("*") if path.is_dir()):
        for path in sorted(batch_folder.iterdir()):
            if path.name.startswith(REMOVED):
                shutil.rmtree(path, ignore_errors=True)
            elif path.is_dir() and not path.name.startswith("."):
                try:
                    ingests.append(_read_ingest(path))
                except (OSError, ValueError, pa.ArrowException) as error:
                    unreadable[f"{path.parent.name}/{path.name}"] = f"records cannot be read: {error}; collect it again"
    return ingests, unreadable


def _read_ingest(folder: Path) -> Ingest:
    manifest_path = folder / "manifest.json"
    if manifest_path.is_file():
        manifest = _read_manifest(manifest_path)
    elif folder.parent.name == PLAN_BATCH:
        manifest = {}
    else:
        raise ValueError("no manifest.json")
    ingest = Ingest(folder, folder.parent.name, folder.name, manifest)
    for path in sorted(folder.glob("*.parquet")):
        if path.stem not in ALL_KINDS:
            raise ValueError(f"{path.name} is no record kind")
        table = pq.ParquetFile(path).read()
        ingest.tables[path.stem] = accepted.conform(table, ALL_KINDS[path.stem].record_schema)
    return ingest


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = json.loads(path.read_text(encoding="utf-8"))
    try:
        counts = [manifest.get(name, {}).values() for name in ("landed", "derived_zero", "rows")]
        counts += [reasons.values() for reasons in manifest.get("dropped", {}).values()]
    except AttributeError:
        raise ValueError("manifest.json has not the shape of a manifest") from None
    if not all(isinstance(count, int) for of_kinds in counts for count in of_kinds):
        raise ValueError("manifest.json has a count that is no whole number")
    return manifest


# judging rows


def _judge(kind: str, ingests: list[Ingest], facts: Facts) -> Judged:
    parts = [(position, ingest.tables[kind]) for position, ingest in enumerate(ingests) if kind in ingest.tables]
    table = pa.concat_tables([part for _, part in parts]).combine_chunks()
    ingest_of = np.repeat([position for position, _ in parts], [part.num_rows for _, part in parts]).astype("int64")
    suite = SUITES[kind]
    frame = suite.prepare(to_frame(table), facts)
    rules: list[Rule] = suite.rules(facts)
    failures = first_failures(frame, rules)
    columns = RECORD_KINDS[kind].accepted_schema.names
    bad = explain(frame, rules, failures, columns, quote=kind != "survey_answer")
    if kind == "survey_answer":
        bad = _whole_respondents(frame, bad)
    good = frame.drop(index=bad.index)
    is_duplicate = np.zeros(len(frame), dtype=bool)
    key = ["ingest_id", *RECORD_KINDS[kind].key]
    if facts.is_uploaded:
        key.append("observed_at")  # an upload holds several readings of one thing
    is_duplicate[good.index[good.duplicated(key, keep="last")]] = True
    return Judged(kind, table, frame, rules, ingest_of, bad, is_duplicate)


def _whole_respondents(frame: pd.DataFrame, bad: pd.DataFrame) -> pd.DataFrame:
    """A respondent with one bad answer goes to quarantine with all answers: half a respondent would bias every share."""
    if bad.empty:
        return bad
    known = frame.loc[bad.index, RESPONDENT].assign(rule=bad["rule"], reason=bad["reason"]).dropna(subset=["respondent_key"])
    first = known.drop_duplicates(RESPONDENT)
    others = frame[RESPONDENT].drop(index=bad.index)
    others = others.reset_index().merge(first, on=RESPONDENT, how="inner").set_index("index")
    others = others.assign(reason="another answer of this respondent: " + others["reason"])
    return pd.concat([bad, others[["rule", "reason"]]]).sort_index()


# judging batches


def _batch_frame(source: str, run_date: date, ingests: list[Ingest], judged: dict[str, Judged]) -> pd.DataFrame:
    """One row per ingest × record kind: the sums that the rules of a batch compare."""
    total = len(ingests)
    rows = []
    sums: dict[str, dict[str, np.ndarray]] = {}
    for kind, of_kind in judged.items():
        bad = of_kind.bad.index.to_numpy(dtype="int64")
        unmapped = of_kind.bad.index[of_kind.bad["rule"] == UNMAPPED_FIELD].to_numpy(dtype="int64")
        sums[kind] = {
            "file": np.bincount(of_kind.ingest_of, minlength=total),
            "bad": of_kind.counts(bad, total),
            "unmapped": of_kind.counts(unmapped, total),
            "duplicate": of_kind.counts(np.flatnonzero(of_kind.is_duplicate), total),
            "foreign": of_kind.counts(_foreign_rows(of_kind, ingests, source, run_date), total),
        }
    for position, ingest in enumerate(ingests):
        for kind in ingest.kinds:
            counted = {name: int(values[position]) for name, values in sums.get(kind, {}).items()}
            file_rows, bad_rows = counted.get("file", 0), counted.get("bad", 0)
            judged_bad = bad_rows - counted.get("unmapped", 0)
            dropped = ingest.manifest.get("dropped", {}).get(kind, {})
            row = {
                "position": position,
                "batch": ingest.batch,
                "ingest_id": ingest.ingest_id,
                "kind": kind,
                "landed": ingest.count("landed", kind),
                "derived_zero": ingest.count("derived_zero", kind),
                "accepted": file_rows - bad_rows - counted.get("duplicate", 0),
                "quarantined": bad_rows,
                "dropped_duplicate": dropped.get("duplicate", 0) + counted.get("duplicate", 0),
                "dropped_outside_window": dropped.get("outside_window", 0),
                "manifest_rows": ingest.count("rows", kind),
                "file_rows": file_rows,
                "foreign_rows": counted.get("foreign", 0),
                "bad_rows": judged_bad,
                "bad_share": judged_bad / file_rows if file_rows >= batch.MOSTLY_BAD_ROWS else 0.0,
                "bad_rules": "",
            }
            row["came_in"] = row["landed"] + row["derived_zero"]
            row["went_out"] = sum(row[name] for name in ("accepted", "quarantined", "dropped_duplicate", "dropped_outside_window"))
            if row["bad_share"] > batch.MOSTLY_BAD_SHARE:
                rules = judged[kind].bad["rule"][judged[kind].ingest_of[judged[kind].bad.index] == position].value_counts()
                row["bad_rules"] = ", ".join(f"{rule} {count}" for rule, count in sorted(rules.items()))
            rows.append(row)
    return pd.DataFrame(rows)


def _foreign_rows(rows: Judged, ingests: list[Ingest], source: str, run_date: date) -> np.ndarray:
    """Rows that say they are of another source, platform, run or ingest than the folder they lie in. Of some files each row names
    its platform, and the suite judges it."""
    frame = rows.frame
    ids = np.array([ingest.ingest_id for ingest in ingests], dtype=object)[rows.ingest_of]
    platforms = np.array([ingest.manifest.get("platform") or "" for ingest in ingests], dtype=object)[rows.ingest_of]
    names_its_own = np.array([bool(ingest.manifest.get("names_platforms")) for ingest in ingests])[rows.ingest_of]
    own = (
        (frame["ingest_id"].to_numpy(dtype=object) == ids)
        & (names_its_own | (frame["platform"].fillna("").to_numpy(dtype=object) == platforms))
        & (frame["source"] == source).to_numpy()
        & (frame["run_date"] == pd.Timestamp(run_date)).to_numpy()
    )
    return np.flatnonzero(~own.astype(bool))


def _stopped(batches: pd.DataFrame, rules: list[Rule]) -> dict[int, str]:
    """Position of each stopped ingest to the reason: what is wrong, kind by kind."""
    reasons: dict[int, list[str]] = {}
    if not batches.empty:
        failures = first_failures(batches, rules)
        found = explain(batches, rules, failures, [], quote=True)
        positions = batches.loc[found.index, "position"].tolist()
        for position, rule, reason in zip(positions, found["rule"], found["reason"], strict=True):
            reasons.setdefault(position, []).append(f"{rule}: {reason}")
    return {position: "; ".join(found) for position, found in reasons.items()}


# storing


def _merge_kind(
    kind: str, rows: Judged | None, ingests: list[Ingest], reasons: dict[int, str], source: str, run_date: date, home: Home
) -> pa.Table:
    """Rows of one kind into accepted and quarantine. None: the run has none, but an earlier parse of its ingests may have had.

    Returns the quarantined ones.
    """
    ids = [ingest.ingest_id for ingest in ingests]
    good = RECORD_KINDS[kind].record_schema.empty_table()
    quarantined = accepted.quarantine_schema(kind).empty_table()
    if rows is not None:
        is_stopped = np.isin(rows.ingest_of, list(reasons))
        is_bad = np.zeros(len(rows.ingest_of), dtype=bool)
        is_bad[rows.bad.index] = True
        good = rows.table.filter(pa.array(~is_bad & ~rows.is_duplicate & ~is_stopped))
        quarantined = _quarantined(rows, np.flatnonzero(is_bad | is_stopped), ingests, reasons, source, run_date)
    accepted.merge_quarantine(kind, source, run_date, quarantined, home, ids)
    accepted.merge(kind, source, run_date, good, home, ids)
    return quarantined


def _quarantined(
    rows: Judged, positions: np.ndarray, ingests: list[Ingest], reasons: dict[int, str], source: str, run_date: date
) -> pa.Table:
    table = rows.table.take(pa.array(positions))
    own = rows.bad.reindex(positions)
    rules, texts = [], []
    for position, rule, reason in zip(rows.ingest_of[positions], own["rule"], own["reason"], strict=True):
        if position in reasons:
            also = f"; this row: {rule}: {reason}" if isinstance(rule, str) else ""
            rule, reason = BATCH_STOPPED, reasons[position] + also
        rules.append(rule)
        texts.append(reason)
    of = [ingests[position] for position in rows.ingest_of[positions]]
    columns: dict[str, Any] = {name: table.column(name) for name in table.column_names}
    # where the row lies, whatever it says of itself (row_json keeps that): a later merge finds it by these
    columns.update(ingest_id=[ingest.ingest_id for ingest in of], source=[source] * len(of), run_date=[run_date] * len(of))
    columns.update(
        rule=rules,
        reason=texts,
        position=table.column("_position"),
        batch=[ingest.batch for ingest in of],
        row_json=[json.dumps(row, default=_as_json, ensure_ascii=False) for row in table.to_pylist()],
    )
    schema = accepted.quarantine_schema(rows.kind)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _as_json(value: Any) -> str:
    return str(value.isoformat())


def _merge_ledger(
    ingests: list[Ingest],
    batches: pd.DataFrame,
    reasons: dict[int, str],
    held: dict[str, pa.Table],
    source: str,
    run_date: date,
    home: Home,
    registry: Registry,
) -> None:
    collected = [ingest for ingest in ingests if ingest.batch != PLAN_BATCH]
    plans = [ingest.tables["plan"] for ingest in ingests if "plan" in ingest.tables]
    attempts = [
        _attempts(ingest, reasons.get(position), held, source, run_date, registry) for position, ingest in enumerate(collected)
    ]
    ids = {ingest.ingest_id for ingest in collected}
    for kind, tables, replaced in (("plan", plans, None), ("collection", attempts, ids)):
        table = pa.concat_tables([LEDGER_KINDS[kind].record_schema.empty_table(), *tables])
        accepted.merge(kind, source, run_date, table, home, replaced)
    rows = []
    for row in batches.to_dict("records"):
        ingest, is_stopped = collected[row["position"]], row["position"] in reasons
        own_duplicates = row["file_rows"] - row["accepted"] - row["quarantined"]
        rows.append(
            {
                "source": source,
                "platform": ingest.manifest.get("platform"),
                "force_id": ingest.batch if ingest.batch in registry.force_ids else None,
                "run_date": run_date,
                "ingest_id": ingest.ingest_id,
                "observed_at": _last_observed(ingest, run_date),
                "is_simulated": ingest.manifest.get("is_simulated"),
                "batch": ingest.batch,
                "record_kind": row["kind"],
                "landed": row["landed"],
                "derived_zero": row["derived_zero"],
                "accepted": 0 if is_stopped else row["accepted"],
                "quarantined": row["file_rows"] if is_stopped else row["quarantined"],
                "dropped_duplicate": row["dropped_duplicate"] - (own_duplicates if is_stopped else 0),
                "dropped_outside_window": row["dropped_outside_window"],
                "is_stopped": is_stopped,
                "reason": reasons.get(row["position"]),
            }
        )
    accepted.merge("conservation", source, run_date, to_table("conservation", rows), home, ids)


def _attempts(
    ingest: Ingest, stopped: str | None, held: dict[str, pa.Table], source: str, run_date: date, registry: Registry
) -> pa.Table:
    """An ingest's rows of kind `collection`, and what the gate held back. Files have no such rows; open series no accounts."""
    rows = ingest.tables.get("collection", LEDGER_KINDS["collection"].record_schema.empty_table())
    platform = ingest.manifest.get("platform")
    if platform is None and not rows.num_rows:
        return rows
    common = {
        "source": source,
        "platform": platform,
        "force_id": ingest.batch if platform is not None and not registry.is_uploaded(platform) else None,
        "run_date": run_date,
        "ingest_id": ingest.ingest_id,
        "observed_at": _last_observed(ingest, run_date),
        "is_simulated": ingest.manifest.get("is_simulated"),
    }
    own = {kind: held[kind].filter(pc.equal(held[kind].column("ingest_id"), ingest.ingest_id)).to_pylist() for kind in HELD_KINDS}
    open_accounts = registry.open_accounts(platform, run_date) if platform is not None else ()
    accounts = [each.account_id for each in open_accounts if each.force_id == ingest.batch]
    if not registry.is_uploaded(platform):
        return with_held_back(rows, own, common, accounts, stopped)
    # a file is of many accounts, and a row that names none of them is in quarantine alone
    named = {row["account_id"]: row["force_id"] for row in rows.to_pylist()}
    own = {kind: [row for row in of_kind if row["account_id"] in named] for kind, of_kind in own.items()}
    table = with_held_back(rows, own, common, named, stopped)
    return to_table("collection", [{**row, "force_id": named[row["account_id"]]} for row in table.to_pylist()])


def _last_observed(ingest: Ingest, run_date: date) -> datetime | None:
    """The latest answer with a date to be believed; where no row has one, the manifest's. It tells a batch's later ingest from
    its earlier ones."""
    earliest, latest = observation_bounds(run_date)
    times = [time for table in ingest.tables.values() for time in pc.unique(table.column("observed_at")).to_pylist()]
    believed = (time for time in times if time is not None and earliest <= time < latest)
    told = ingest.manifest.get("last_observed_at")
    return max(believed, default=datetime.fromisoformat(told) if told else None)


def _remove(folder: Path) -> None:
    removed = folder.parent / f"{REMOVED}{folder.name}"
    shutil.rmtree(removed, ignore_errors=True)
    folder.replace(removed)
    shutil.rmtree(removed, ignore_errors=True)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()
