"""The truth, counted again through the HTTP API: every run is made, and the definitions are applied in plain Python."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from include.simulator.defects import Defect, default_defects
from include.simulator.process import SimulatorProcess
from include.simulator.readings import PLATFORMS
from include.simulator.register import SEEDS, read_register
from include.simulator.times import london_midnight
from include.simulator.truth import account_day_truth, month_truth, post_readings, post_truth
from tests.simulator.conftest import SEED, Asking

LONDON = ZoneInfo("Europe/London")
FORCES = ("gwent", "devon-and-cornwall", "dyfed-powys")
AS_OF = date(2026, 11, 2)
WEEKLY = [datetime(2026, 11, 2, 21, tzinfo=UTC) - timedelta(weeks=week) for week in range(13, -1, -1)]
DEFECTS = [
    *default_defects(AS_OF),
    Defect("insights_permission_lost", "devon-and-cornwall", date(2026, 10, 5), date(2026, 10, 12)),
    Defect("posts_permission_lost", "devon-and-cornwall", date(2026, 8, 17), date(2026, 8, 17)),
    Defect("text_number", "gwent", date(2026, 9, 14), date(2026, 9, 14)),
    Defect("duplicate_page", "gwent", date(2026, 9, 21), date(2026, 9, 28)),
    Defect("metric_retired", "gwent", date(2026, 8, 31), date(2026, 8, 31), {"metric": "post_media_view"}),
]
LIST = "id,created_time,status_type,shares,reactions.limit(0).summary(true),comments.limit(0).summary(true).filter(stream)"


@dataclass
class Seen:
    """What the runs brought: by account (instant, followers); by post its publication and (instant, number) by metric."""

    followers: dict[str, list[tuple[datetime, int]]] = field(default_factory=lambda: defaultdict(list))
    posts: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: dict[tuple[str, str], list[tuple[datetime, int]]] = field(default_factory=lambda: defaultdict(list))


def account_rows() -> list[dict[str, str]]:
    with (SEEDS / "accounts.csv").open(newline="", encoding="utf-8") as handle:
        return [row for row in csv.DictReader(handle) if row["platform"] == "facebook" and row["force_id"] in FORCES]


def is_open(row: dict[str, str], day: date) -> bool:
    return row["valid_from"] <= day.isoformat() <= (row["valid_to"] or "9999")


def organic(entry: dict[str, Any]) -> int:
    return next(value["value"] for value in entry["values"] if value.get("is_from_ads", "0") == "0")


def run(asking: Asking, force: str, page: str, now: datetime, metrics: dict[str, str], seen: Seen) -> None:
    """One run over one page, as a pipeline would make it: what fails is not there."""

    def good(path: str, **parameters: Any) -> Any:
        answer = asking.get(path, force, **parameters)
        return answer.json() if answer.status_code == 200 else None

    followers = (good(page, fields="followers_count") or {}).get("followers_count")
    if isinstance(followers, int):
        seen.followers[page].append((now, followers))
    midnight = now.replace(hour=0) + timedelta(days=1)
    window = {"since": int((midnight - timedelta(days=30)).timestamp()), "until": int(midnight.timestamp())}
    body = good(f"{page}/published_posts", fields=LIST, limit=9, **window)
    found: dict[str, dict[str, Any]] = {}
    while body:
        found |= {item["id"]: item for item in body["data"]}
        body = asking.follow(body["paging"]["next"]) if "next" in body.get("paging", {}) else None
    for post_id, item in found.items():
        seen.posts[post_id] = {
            "force": force,
            "page": page,
            "published": datetime.fromisoformat(item["created_time"]),
            "is_original": item["status_type"] != "shared_story",
        }
        parts = [item[name]["summary"]["total_count"] for name in ("reactions", "comments")]
        seen.numbers[post_id, "interactions"].append((now, sum(parts) + item.get("shares", {"count": 0})["count"]))
    for metric, name in metrics.items():
        split = ".breakdown(is_from_ads)" if name == "post_media_view" else ""
        fields = f"insights.metric({name}).period(lifetime){split}"
        answer = good("", ids=",".join(found), fields=fields) if found else None
        for post_id, node in (answer or {}).items():
            for entry in node["insights"]["data"]:
                seen.numbers[post_id, metric].append((now, organic(entry)))


def collect(simulator: SimulatorProcess, instants: list[datetime], metrics: dict[str, str]) -> Seen:
    asking, seen = Asking(simulator), Seen()
    for now in instants:
        simulator.set_clock(now)
        for row in account_rows():
            if is_open(row, now.astimezone(LONDON).date()):
                run(asking, row["force_id"], row["account_id"], now, metrics, seen)
    return seen


def read(seen: Seen, post_id: str, metric: str, last_instant: datetime) -> int | None:
    published = seen.posts[post_id]["published"]
    numbers = seen.numbers[post_id, metric]
    week = timedelta(days=7)
    in_span = [number for now, number in numbers if week <= now - published <= 2 * week]
    if in_span:
        return in_span[0]
    return numbers[-1][1] if numbers and last_instant - published < 2 * week else None


def month_of(moment: datetime) -> date:
    return moment.astimezone(LONDON).date().replace(day=1)


def followers_end(seen: Seen, force: str, month: date, as_of: date) -> float:
    end = min((month + timedelta(days=31)).replace(day=1) - timedelta(days=1), as_of)
    total = 0
    for row in account_rows():
        if row["force_id"] == force and is_open(row, end):
            snapshots = [n for now, n in seen.followers[row["account_id"]] if month <= now.astimezone(LONDON).date() <= end]
            if not snapshots:
                return np.nan
            total += snapshots[-1]
    return float(total)


def recount(seen: Seen, as_of: date, instants: list[datetime]) -> dict[tuple[str, date, str], float]:
    figures: dict[tuple[str, date, str], float] = {}
    months = sorted({month_of(now) for now in instants})
    for force in FORCES:
        for month in months:
            figures[force, month, "followers_end"] = followers_end(seen, force, month, as_of)
            ids = [
                post_id
                for post_id, post in seen.posts.items()
                if post["force"] == force and post["is_original"] and month_of(post["published"]) == month
            ]
            figures[force, month, "posts_published"] = len(ids)
            for metric in ("interactions", "views"):
                values = [value for one in ids if (value := read(seen, one, metric, instants[-1])) is not None]
                figures[force, month, metric] = sum(values) if values or not ids else np.nan
            pairs = []
            for one in ids:
                post, value = seen.posts[one], read(seen, one, "interactions", instants[-1])
                before = [number for now, number in seen.followers[post["page"]] if now <= post["published"]]
                if value is not None and before:
                    pairs.append((value, before[-1]))
            rate = sum(a for a, _ in pairs) / sum(b for _, b in pairs) if pairs else np.nan
            figures[force, month, "engagement_rate_by_followers"] = rate
    return figures


@pytest.mark.parametrize("defects", [[], DEFECTS], ids=["nothing planted", "with defects"])
def test_truth_equals_a_recount_through_the_api(defects: list[Defect]) -> None:
    with SimulatorProcess(SEED, forces=FORCES, defects=defects) as simulator:
        seen = collect(simulator, WEEKLY, {"views": "post_media_view"})
    figures = recount(seen, AS_OF, WEEKLY)
    truth = month_truth("facebook", SEED, AS_OF, WEEKLY, defects, FORCES)
    told = {(row.force_id, row.month, row.metric): row.value for row in truth.itertuples()}
    assert told.keys() == figures.keys()
    assert len(told) == 3 * 4 * 5
    for key, value in figures.items():
        assert np.array_equal(told[key], value, equal_nan=True), key


def test_defects_leave_their_mark_in_the_truth() -> None:
    truth = month_truth("facebook", SEED, AS_OF, WEEKLY, DEFECTS, FORCES).set_index(["force_id", "month", "metric"])
    clean = month_truth("facebook", SEED, AS_OF, WEEKLY, (), FORCES).set_index(["force_id", "month", "metric"])
    october = date(2026, 10, 1)
    assert np.isnan(truth.loc[("gwent", october, "followers_end"), "value"])
    assert truth.loc[("gwent", october, "followers_end"), "status"] == "missing"
    assert not clean["value"].loc[:, :, "followers_end"].isna().any()
    august = date(2026, 8, 1)
    for metric in ("interactions", "views"):
        assert truth.loc[("dyfed-powys", august, metric), "value"] < clean.loc[("dyfed-powys", august, metric), "value"]
        assert truth.loc[("dyfed-powys", august, metric), "status"] == "partial"
    assert (
        truth.loc[("dyfed-powys", august, "posts_published"), "value"]
        == clean.loc[("dyfed-powys", august, "posts_published"), "value"]
    )
    assert clean.loc[("devon-and-cornwall", date(2026, 9, 1), "interactions"), "status"] == "partial"  # the merged page
    assert set(clean.loc[("gwent", date(2026, 9, 1))]["status"]) == {"ok"}


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_month_that_says_ok_has_every_post_that_was_published(seed: int) -> None:
    """Against the world's own posts, whatever any run has seen: runs are lost, and a page is merged away."""
    defects = [Defect("token_expired", "gwent", date(2026, 8, 31), date(2026, 10, 5))]
    truth = month_truth("facebook", seed, AS_OF, WEEKLY, defects, FORCES).query("metric == 'posts_published'")
    published = published_originals(seed, FORCES, sorted(set(truth["month"])))
    ok = truth[truth["status"] == "ok"]
    assert len(ok) == 3 * 3 - 3
    for row in ok.itertuples():
        assert row.value == published[row.force_id, row.month], (seed, row)
    status = {(row.force_id, row.month.month): row.status for row in truth.itertuples()}
    assert status["gwent", 9] == "partial", "the list of 12 October reaches back to 13 September"
    assert status["devon-and-cornwall", 9] == "partial", "Cornwall's last days were never listed"
    assert {status[force, 11] for force in FORCES} == {"provisional"}


def published_originals(
    seed: int, forces: tuple[str, ...] | None, months: list[date], platform: str = "facebook"
) -> dict[tuple[str, date], int]:
    """Straight from the world: force and month (London) to the number of originals."""
    world = PLATFORMS[platform].world(seed, read_register(SEEDS, forces))
    found: dict[tuple[str, date], int] = defaultdict(int)
    for page in world.accounts.values():
        first, last = london_midnight(months[0]), london_midnight((months[-1] + timedelta(days=31)).replace(day=1)) - 1
        for post in world.posts(page, first, last):
            if post.is_original:
                found[page.force_id, month_of(datetime.fromtimestamp(post.published_at, UTC))] += 1
    return found


def test_defects_that_a_retry_gets_over_change_nothing() -> None:
    harmless = [
        Defect(kind, force, date(2026, 8, 3), AS_OF)
        for force in FORCES
        for kind in ("throttle", "server_error", "too_much_data", "duplicate_page", "unmapped_field", "future_date")
    ]
    clean, spoilt = (month_truth("facebook", SEED, AS_OF, WEEKLY, defects, FORCES) for defects in ((), harmless))
    assert spoilt.equals(clean)


def test_two_series_over_the_break_of_november_2025() -> None:
    """Impressions end and views begin: counted again over the API on weekly runs to both sides."""
    instants = [datetime(2025, 10, 22, 21, tzinfo=UTC) + timedelta(weeks=week) for week in range(8)]
    as_of = instants[-1].date()
    with SimulatorProcess(SEED, forces=FORCES) as simulator:
        metrics = {
            "views": "post_media_view",
            "impressions_legacy": "post_impressions_organic",
            "reach_unique": "post_impressions_unique",
        }
        seen = collect(simulator, instants, metrics)
    posts = post_truth(SEED, as_of, instants, forces=FORCES).set_index("post_id")
    assert set(posts.index) == set(seen.posts)
    for metric in ("interactions", *metrics):
        counted = {one: value for one in seen.posts if (value := read(seen, one, metric, instants[-1])) is not None}
        assert posts[metric].dropna().to_dict() == counted
        assert len(counted) > 10
    first_view, last_impression = (
        posts.loc[posts[metric].notna(), "reading_observed_at"] for metric in ("views", "impressions_legacy")
    )
    assert last_impression.max() < datetime(2025, 11, 15, tzinfo=UTC) <= first_view.min()
    assert not (posts["views"].notna() & posts["impressions_legacy"].notna()).any()


def test_reach_has_two_source_fields_over_june_2026() -> None:
    instants = [datetime(2026, 6, 3, 21, tzinfo=UTC) + timedelta(weeks=week) for week in range(4)]
    posts = post_truth(SEED, instants[-1].date(), instants, forces=FORCES)
    fields = posts.dropna(subset=["reach_unique", "reading_observed_at"]).groupby("reach_source_field")["reading_observed_at"]
    assert fields.max()["post_impressions_unique"] < datetime(2026, 6, 15, tzinfo=UTC)
    assert fields.min()["post_total_media_view_unique"] >= datetime(2026, 6, 15, tzinfo=UTC)


def test_readings_are_one_per_post_and_run() -> None:
    readings = post_readings(SEED, AS_OF, WEEKLY, forces=("gwent",))
    assert not readings.duplicated(["post_id", "observed_at"]).any()
    assert readings["age_hours"].between(0, 30 * 24).all()
    in_span = readings[readings["age_hours"].between(7 * 24, 14 * 24, inclusive="left")]
    old = readings[readings["published_at"].between(WEEKLY[0], WEEKLY[-1] - timedelta(days=14))]
    assert in_span["post_id"].isin(old["post_id"]).sum() == old["post_id"].nunique() > 20  # weekly runs: exactly one reading
    assert post_truth(SEED, AS_OF, WEEKLY, forces=("gwent",))["category_code"].notna().all()


def test_runs_after_the_as_of_date_are_not_known_yet() -> None:
    early = month_truth("facebook", SEED, date(2026, 9, 30), WEEKLY, forces=("gwent",))
    assert early["month"].max() == date(2026, 9, 1)
    until = [now for now in WEEKLY if now.date() <= date(2026, 9, 30)]
    assert early.equals(month_truth("facebook", SEED, date(2026, 9, 30), until, forces=("gwent",)))
    with pytest.raises(ValueError, match="no run instant at or before 2026-01-01"):
        month_truth("facebook", SEED, date(2026, 1, 1), WEEKLY, forces=("gwent",))


def test_account_days_equal_the_filled_insights() -> None:
    as_of = WEEKLY[-1]
    truth = account_day_truth(SEED, date(2026, 10, 20), date(2026, 11, 2), as_of, ("gwent",))
    with SimulatorProcess(SEED, forces=("gwent",)) as simulator:
        simulator.set_clock(as_of)
        parameters = {"metric": "page_media_view", "breakdown": "is_from_ads", "since": "2026-10-20", "until": "2026-11-03"}
        values = Asking(simulator).json("100000016000048/insights", **parameters)["data"][0]["values"]
    served = [value["value"] for value in values if value["is_from_ads"] == "0"]
    assert len(served) == len(truth) == 13
    assert [views if filled else 0 for views, filled in zip(truth["account_views"], truth["is_filled"], strict=True)] == served
    assert truth["is_filled"].tolist() == [True] * 11 + [False] * 2
