"""What the project says went wrong, gathered from its own tables: the gap ledger, quarantine, conservation, landing, the marts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import duckdb

from expectations.rules import UNMAPPED_FIELD
from extractors.base import Page
from include import accepted, landing, registry
from include.landing import SUFFIX
from include.records import RECORD_KINDS
from include.settings import LONDON, Home
from tests.integration.planted.kinds import ACTIVITY, Finding

Place = tuple[str, str, date]
"""Platform, force, run date. Of an open series its source and the server in their place."""


def findings(home: Home, platforms: Iterable[str], run_dates: tuple[date, ...]) -> set[tuple[Place, Finding]]:
    return {
        *(each for platform in platforms for each in _of_gate(home, platform)),
        *(each for platform in platforms if platform != ACTIVITY for each in _of_landing(home, platform)),
        *_of_marts(home, tuple(platforms), run_dates),
    }


def _of_gate(home: Home, platform: str) -> set[tuple[Place, Finding]]:
    found: set[tuple[Place, Finding]] = set()
    for kind in RECORD_KINDS:
        for row in accepted.read_quarantine(kind, home, platform).to_pylist():
            place = (platform, row["batch"], row["run_date"])
            is_unmapped = row["rule"] == UNMAPPED_FIELD
            found.add((place, ("unmapped", row["source_field"]) if is_unmapped else ("quarantine", row["rule"])))
    for row in accepted.read("conservation", home, platform).to_pylist():
        if row["dropped_duplicate"]:
            found.add(((platform, row["batch"], row["run_date"]), ("duplicates", "dropped")))
        assert not row["is_stopped"], row
    found |= {(place, ("edited", "post")) for place in _edits(home) if platform == "x"}
    return found


def _edits(home: Home) -> set[Place]:
    """Where a post was first seen edited that the world has not edited by itself: X allows an hour for that."""
    forces = {row["account_id"]: row["force_id"] for row in registry.current().tables["accounts"] if row["platform"] == "x"}
    first: dict[str, Place] = {}
    rows = accepted.read("post", home, "x").to_pylist()
    for row in sorted(rows, key=lambda each: each["run_date"]):
        if row["edited_at"] is not None and row["edited_at"] - row["published_at"] > timedelta(hours=1):
            first.setdefault(row["post_id"], ("x", forces[row["account_id"]], row["run_date"]))
    return set(first.values())


def _of_landing(home: Home, platform: str) -> set[tuple[Place, Finding]]:
    """Answers that were no use and were asked again: with no hole left, they were got over."""
    found: set[tuple[Place, Finding]] = set()
    for path in (home.landing / platform).glob(f"*/*/*{SUFFIX}"):
        place = (platform, path.parent.name, date.fromisoformat(path.parent.parent.name))
        for item in landing.read(path):
            if isinstance(item, Page) and "error" in item.context:
                found.add((place, ("got over", item.context["error"])))
    return found


def _of_marts(home: Home, platforms: tuple[str, ...], run_dates: tuple[date, ...]) -> set[tuple[Place, Finding]]:
    """Not of what people upload: nobody does here, and the ledger says so."""
    found: set[tuple[Place, Finding]] = set()
    with duckdb.connect(str(home.build_file), read_only=True) as marts:
        holes = "select distinct platform, force_id, run_date, cause from marts.gap_ledger where platform in ?"
        for platform, force, day, cause in marts.execute(holes, [list(platforms)]).fetchall():
            found.add(((platform, force, day), ("gap_ledger", cause)))
        watched = registry.current().watched_series(ACTIVITY)
        servers = {each.subject: each.asked_as.partition("/")[0] for each in watched}
        holes = "select distinct subject, run_date, cause from marts.gap_ledger where source = ?"
        for subject, day, cause in marts.execute(holes, [ACTIVITY]).fetchall():
            found.add(((ACTIVITY, servers[subject], day), ("gap_ledger", cause)))
        deleted = "select distinct platform, force_id, deleted_at from marts.fct_post where deleted_at is not null"
        for platform, force, moment in marts.execute(deleted).fetchall():
            found.add(((platform, force, moment.astimezone(LONDON).date()), ("deleted", "post")))
        revised = "select distinct platform, force_id, metric_date from marts.fct_metric_daily where is_revised"
        for platform, force, day in marts.execute(revised).fetchall():
            # the run that saw it: the first after the planted date, eleven days after the day
            run = next((each for each in run_dates if each == day + timedelta(days=11)), run_dates[-1])
            found.add(((platform, force, run), ("revised", "account")))
    return found


def reported(found: set[tuple[Place, Finding]]) -> set[tuple[Place, Finding]]:
    """Without what only led to a hole: an answer that was asked again in vain is the hole's, a hole for every number of a post
    that waits to be counted is no defect, and the numbers of a post that is marked as deleted are gone with it."""
    gone = {place[:2] for place, (where, _) in found if where == "deleted"}
    holes = {(place, what) for place, (where, what) in found if where == "gap_ledger"}
    lost = {place for place, _ in holes}
    return {
        (place, finding)
        for place, finding in found
        if not (finding[0] == "got over" and place in lost)
        and finding != ("gap_ledger", "not_yet_counted")
        and not (finding == ("gap_ledger", "post_removed") and place[:2] in gone)
    }
