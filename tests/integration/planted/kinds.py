"""Every kind of defect, with what the project must say of it: one entry a kind. `None` in `says`: got over, nothing may be said.

A finding is (where it is said, what is said). Where: `gap_ledger` (an open hole by its cause), `quarantine` (rows by their rule),
`unmapped` (a field that nobody knows, by name), `duplicates` (rows dropped), `revised` (a figure that was another), `got over` (an
answer that was no use and was asked again, by its cause).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from include.simulator.defects import KIND_PLATFORMS, Defect

Finding = tuple[str, str]
REVISION_LASTS = timedelta(days=60)


@dataclass(frozen=True)
class PlantedKind:
    """says: findings by platform, `*` for every other; each one must be made, and no other of that force, platform and date."""

    kind: str
    says: Mapping[str, tuple[Finding, ...]]
    detail: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    name: str = ""
    """Where the kind alone does not tell: one that lasts all day, and one that a retry gets over."""

    @property
    def title(self) -> str:
        return self.name or self.kind

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(each for each in KIND_PLATFORMS[self.kind] if each in self.says or "*" in self.says)

    def findings(self, platform: str) -> tuple[Finding, ...]:
        return self.says.get(platform, self.says.get("*", ()))

    def plant(self, force_id: str, on: date, platform: str) -> Defect:
        detail = dict(self.detail.get(platform, self.detail.get("*", {})))
        if self.kind != "late_revision":
            return Defect(self.kind, force_id, on, on, detail, platform)
        # revised the day before the run: a day that the run a week before had seen settled
        detail |= {"day": (on - timedelta(days=11)).isoformat()}
        return Defect(self.kind, force_id, on - timedelta(days=1), on + REVISION_LASTS, detail, platform)


def hole(cause: str) -> Finding:
    return ("gap_ledger", cause)


def rule(name: str) -> tuple[Finding, ...]:
    """A row that breaks a rule waits in quarantine, and its number is a hole."""
    return (("quarantine", name), hole("quarantined"))


ALL_DAY = {"*": {"count": None}}
OWN_NAMES = {"bluesky": {"field": "followersCount"}}
FIRST, CENTRAL = ("facebook", "instagram", "x"), ("facebook", "instagram", "x", "bluesky", "youtube")

PLANTED: tuple[PlantedKind, ...] = (
    PlantedKind("followers_not_reported", {"*": (hole("not_reported"),)}),
    # an empty answer gives no reason; on Facebook, where every number of the page stays away with it, the reason is plain
    PlantedKind("insights_permission_lost", {"facebook": (hole("permission"),), "instagram": (hole("not_reported"),)}),
    PlantedKind("posts_permission_lost", {"*": (hole("permission"),)}),
    PlantedKind("token_expired", {"*": (hole("expired_token"),)}),
    # not on Mastodon: a server that refuses is not asked for its other accounts either
    PlantedKind("throttle", dict.fromkeys(CENTRAL, (hole("throttled"),)), ALL_DAY, "throttle, all day"),
    PlantedKind("throttle", {"facebook": (("got over", "throttled"),), "instagram": (("got over", "throttled"),)}, name="throttle"),
    PlantedKind("server_error", {"*": (hole("outage"),)}, ALL_DAY, "server_error, all day"),
    PlantedKind("server_error", {"*": (("got over", "outage"),)}),
    PlantedKind("truncated_page", {"*": (hole("outage"),)}),
    PlantedKind("html_page", {"*": (hole("outage"),)}),
    PlantedKind("text_number", {"*": rule("wrong_type")}, OWN_NAMES),
    # YouTube's counts are text anyway, of digits
    PlantedKind("negative_count", {"youtube": rule("wrong_type"), "*": rule("value_below_zero")}, OWN_NAMES),
    PlantedKind("future_date", {"*": rule("published_at_in_future")}),
    # Instagram's media do not say whose they are
    PlantedKind("unknown_account_post", {"facebook": rule("other_account"), "x": rule("other_account")}),
    PlantedKind("duplicate_page", dict.fromkeys(FIRST, (("duplicates", "dropped"),))),
    PlantedKind(
        "unmapped_field",
        dict.fromkeys((*FIRST, "youtube"), (("unmapped", "post_hugs"), hole("quarantined"))),
        {"*": {"name": "post_hugs"}},
    ),
    PlantedKind(
        "metric_retired",
        {"facebook": (hole("retired_metric"),), "instagram": (hole("retired_metric"),)},
        {"facebook": {"metric": "post_media_view"}, "instagram": {"metric": "saved"}},
    ),
    PlantedKind("too_few_viewers", {"*": (hole("too_few_viewers"),)}),
    PlantedKind("too_much_data", {"*": (("got over", "outage"),)}),
    PlantedKind("late_revision", {"*": (("revised", "account"),)}, {"*": {"add": 17}}),
    PlantedKind("credits_depleted", {"*": (hole("credits_depleted"),)}),
    PlantedKind("account_taken_down", {"*": (hole("account_closed"),)}),
)


@dataclass(frozen=True)
class Planted:
    """One dated defect, and what must be found of it."""

    title: str
    defect: Defect
    run_date: date
    findings: tuple[Finding, ...]

    @property
    def place(self) -> tuple[str, str, date]:
        return self.defect.platform, self.defect.force_id, self.run_date


def draw(
    chance: random.Random, count: int, forces: tuple[str, ...], run_dates: tuple[date, ...], platforms: tuple[str, ...]
) -> list[Planted]:
    """So many defects, every kind once before one comes twice, each at a force and platform of its own.

    Nothing on the first run: a revision needs a figure that it revises. Credits are those of all forces: without them, whoever is
    asked later has nothing either, so they run out at the last one.
    """
    places = [(platform, force, chance.choice(run_dates[1:])) for platform in platforms for force in forces]
    chance.shuffle(places)
    kinds = [kind for kind in PLANTED if set(kind.platforms) & set(platforms)]
    chance.shuffle(kinds)
    kinds.sort(key=lambda kind: kind.kind != "credits_depleted")  # the one with a single place
    drawn: list[Planted] = []
    for kind in itertools.islice(itertools.cycle(kinds), 10 * count):
        asked_last = {max(forces)} if kind.kind == "credits_depleted" else set(forces)
        place = next((each for each in places if each[0] in kind.platforms and each[1] in asked_last), None)
        if place is None or len(drawn) == count:
            continue
        places.remove(place)
        platform, force, day = place
        drawn.append(Planted(kind.title, kind.plant(force, day, platform), day, kind.findings(platform)))
    return drawn
