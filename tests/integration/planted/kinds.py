"""Every kind of defect, with what the project must say of it: one entry a kind. `None` in `says`: got over, nothing may be said.

A finding is (where it is said, what is said). Where: `gap_ledger` (an open hole by its cause), `quarantine` (rows by their rule),
`unmapped` (a field that nobody knows, by name), `duplicates` (rows dropped), `revised` (a figure that was another), `deleted` and
`edited` (a post's mark), `got over` (an answer that was no use and was asked again, by its cause).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from include import registry
from include.simulator.defects import EVERYONE, KIND_PLATFORMS, Defect

Finding = tuple[str, str]
STAYS = timedelta(days=60)
ACTIVITY = "signals_mastodon"


@dataclass(frozen=True)
class PlantedKind:
    """says: findings by platform, `*` for every other; each one must be made, and no other of that force, platform and date, but
    for those that `may` names."""

    kind: str
    says: Mapping[str, tuple[Finding, ...]]
    detail: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    name: str = ""
    """Where the kind alone does not tell: one that lasts all day, and one that a retry gets over."""
    may: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return self.name or self.kind

    @property
    def platforms(self) -> tuple[str, ...]:
        """Open series go by their source's name, and by a server in the place of a force."""
        if self.kind == "activity_disabled":
            return (ACTIVITY,)
        return tuple(each for each in KIND_PLATFORMS[self.kind] if each in self.says or "*" in self.says)

    def findings(self, platform: str) -> tuple[Finding, ...]:
        return self.says.get(platform, self.says.get("*", ()))

    def plant(self, force_id: str, on: date, platform: str) -> Defect:
        detail = dict(self.detail.get(platform, self.detail.get("*", {})))
        if platform == ACTIVITY:
            return Defect(self.kind, EVERYONE, on, on, {"host": force_id}, "mastodon")
        if self.kind == "removed_post":  # what comes back was never deleted
            return Defect(self.kind, force_id, on, on + STAYS, detail, platform)
        if self.kind != "late_revision":
            return Defect(self.kind, force_id, on, on, detail, platform)
        # revised the day before the run: a day that the run a week before had seen settled
        detail |= {"day": (on - timedelta(days=11)).isoformat()}
        return Defect(self.kind, force_id, on - timedelta(days=1), on + STAYS, detail, platform)


def hole(cause: str) -> Finding:
    return ("gap_ledger", cause)


def rule(name: str) -> tuple[Finding, ...]:
    """A row that breaks a rule waits in quarantine, and its number is a hole."""
    return (("quarantine", name), hole("quarantined"))


ALL_DAY = {"*": {"count": None}}
DROPPED = (("duplicates", "dropped"),)
OWN_NAMES = {"bluesky": {"field": "followersCount"}}
UNDATED = ("bluesky", "mastodon", "youtube")
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
    PlantedKind("unknown_account_post", dict.fromkeys(("facebook", "x", "bluesky", "mastodon", "youtube"), rule("other_account"))),
    # lists that take no dates: the first page mostly reaches behind the window, and nobody asks for the one that would come again
    PlantedKind(
        "duplicate_page",
        {**dict.fromkeys((*FIRST, "threads"), DROPPED), **dict.fromkeys(UNDATED, ())},
        may=dict.fromkeys(UNDATED, DROPPED),
    ),
    PlantedKind("unmapped_field", {"*": (("unmapped", "post_hugs"), hole("quarantined"))}, {"*": {"name": "post_hugs"}}),
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
    PlantedKind("edited_post", {"*": (("edited", "post"),)}, {"*": {"age_days": 8}}),
    PlantedKind("removed_post", {"*": (("deleted", "post"),)}),
    # Instagram's insights have the likes all the same
    PlantedKind("hidden_likes", {"instagram": (), "youtube": (hole("not_reported"),)}),
    PlantedKind("comments_disabled", {"*": (hole("not_reported"),)}),
    PlantedKind("messages_permission_lost", {"*": (hole("permission"),)}),
    PlantedKind("activity_disabled", {"*": (hole("retired_metric"),)}),
)


@dataclass(frozen=True)
class Planted:
    """One dated defect, and what must be found of it."""

    title: str
    defect: Defect
    place: tuple[str, str, date]
    findings: tuple[Finding, ...]
    may: tuple[Finding, ...] = ()

    def is_found(self, said: set[Finding]) -> bool:
        return said - set(self.may) == set(self.findings)


def draw(
    chance: random.Random, count: int, forces: tuple[str, ...], run_dates: tuple[date, ...], platforms: tuple[str, ...]
) -> list[Planted]:
    """So many defects, every kind once before one comes twice, each at a force and platform of its own.

    Nothing on the first run: a revision needs a figure that it revises. Credits are those of all forces: without them, whoever is
    asked later has nothing either, so they run out at the last one.
    """
    servers = {series.asked_as.partition("/")[0] for series in registry.current().watched_series(ACTIVITY)}
    named = {platform: forces if platform != ACTIVITY else tuple(sorted(servers)) for platform in platforms}
    places = [(platform, name, chance.choice(run_dates[1:])) for platform, names in named.items() for name in names]
    chance.shuffle(places)
    kinds = [kind for kind in PLANTED if set(kind.platforms) & set(platforms)]
    chance.shuffle(kinds)
    kinds.sort(key=lambda kind: kind.kind != "credits_depleted")  # the one with a single place
    drawn: list[Planted] = []
    for kind in itertools.islice(itertools.cycle(kinds), 10 * count):
        is_free = kind.kind != "credits_depleted"
        place = next((each for each in places if each[0] in kind.platforms and (is_free or each[1] == max(forces))), None)
        if place is None or len(drawn) == count:
            continue
        places.remove(place)
        platform, force, day = place
        defect, may = kind.plant(force, day, platform), kind.may.get(platform, ())
        drawn.append(Planted(kind.title, defect, place, kind.findings(platform), may))
    return drawn
