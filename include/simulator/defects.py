"""What goes wrong on purpose: planted per platform, force and London date of the simulator's clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar

from include.simulator.register import Account
from include.simulator.timeline import BasePost, Timeline
from include.simulator.times import DAY, london_midnight

P = TypeVar("P", bound=BasePost)

KINDS: dict[str, str] = {
    "followers_not_reported": "the follower fields are absent from the snapshot",
    "insights_permission_lost": "insights answer 200 with an empty list",
    "posts_permission_lost": "the list of posts is refused: #10, on X 403 client-forbidden, on Bluesky 400 BlockedByActor, "
    "on Mastodon 401",
    "messages_permission_lost": "what the public says is refused: #10, on X 403 client-forbidden, on Bluesky 403",
    "token_expired": "every request is refused: 190, subcode 463, on X 401, on Bluesky 400 ExpiredToken, on YouTube 400 "
    "(detail.form old: in its older words)",
    "throttle": "the next detail.count requests (2) are refused. Meta: detail.code (32 or 80001, on Instagram 80002 or 4) with "
    "detail.status (400 or 403) and detail.regain_minutes (0). X: 429 until detail.regain_minutes, body by detail.form (v2 or v1). "
    "YouTube: detail.form rate (403), user (429) or quota (403, until midnight Pacific). Mastodon: with detail.form html a page "
    "for people",
    "server_error": "the next detail.count requests (1) answer 500, code 1, is_transient; Bluesky 502, elsewhere 503",
    "too_much_data": "a list of posts with a limit above detail.limit (25) answers 500, code 1, and asks for less",
    "truncated_page": "answers of detail.endpoint (published_posts) end in the middle",
    "html_page": "answers of detail.endpoint (published_posts) are HTML, with status 200",
    "text_number": "a count as text: detail.field (followers_count; Bluesky has its own names, such as followersCount)",
    "negative_count": "a count below zero: detail.field (followers_count)",
    "future_date": "the list of posts holds one created in 2099",
    "unknown_account_post": "the list of posts holds one of no registered account",
    "duplicate_page": "the first page of the list of posts comes twice, with different cursors",
    "unmapped_field": "insights hold a metric that nobody asked for: detail.name; on X the public metrics do",
    "metric_retired": "detail.metric is refused with #100",
    "too_few_viewers": "detail.metric (post_total_media_view_unique) is refused with #200, subcode 1504029",
    "hidden_likes": "no post of the list has a like_count; the insights have; on YouTube nothing has one",
    "comments_disabled": "no video has a commentCount",
    "removed_post": "the newest original that was detail.age_days (10) old on the first date is gone; on YouTube no longer public: "
    "listed, but without a date, and told nothing of",
    "edited_post": "from the first date on, the newest original older than detail.age_days (0) has a new id; the older ones are in "
    "its history, and gone",
    "late_revision": "the platform's day detail.day of the account's own daily totals is another by detail.add: organic views on "
    "Facebook, reach on Instagram",
    "credits_depleted": "every request answers 402; with detail.form enrolled in its older words, with usage_capped 429",
    "account_taken_down": "every request answers 400 AccountTakedown",
    "activity_disabled": "detail.host (every one) answers 404 without a body",
}
SOCIAL = ("facebook", "instagram", "x", "bluesky", "mastodon", "youtube", "threads")
META = ("facebook", "instagram", "threads")
PLATFORMS = (*SOCIAL, "wikimedia", "police_uk")
KIND_PLATFORMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(KINDS, SOCIAL),
    **dict.fromkeys(("throttle", "server_error", "truncated_page", "html_page"), PLATFORMS),
    **dict.fromkeys(("insights_permission_lost", "too_much_data", "metric_retired"), META),
    "late_revision": ("facebook", "instagram"),
    "too_few_viewers": ("facebook",),
    "hidden_likes": ("instagram", "youtube"),
    "comments_disabled": ("youtube",),
    "edited_post": ("x",),
    "future_date": ("facebook", "instagram", "x", "mastodon", "youtube", "threads"),
    "token_expired": ("facebook", "instagram", "x", "bluesky", "youtube", "threads"),
    "unknown_account_post": tuple(each for each in SOCIAL if each != "threads"),
    "account_taken_down": ("bluesky",),
    "credits_depleted": ("x",),
    "activity_disabled": ("mastodon",),
    "messages_permission_lost": ("facebook", "instagram", "x", "bluesky"),
}
ENDPOINTS = ("snapshot", "published_posts", "post_insights", "page_insights", "me_accounts", "mentions")
"""The parts that requests play, by Facebook's names everywhere: `published_posts` is Instagram's media and X's timeline too."""

EVERYONE = "*"
"""In the place of a force id, where a platform has none."""

COUNTED = {"throttle": 2, "server_error": 1}
"""Kinds that end after a number of requests on each date, and that number where the detail does not give it."""


@dataclass(frozen=True)
class Defect:
    """One defect of one force on one platform, from its first to its last date (both included).

    `detail`: as KINDS tells; `endpoint` narrows throttle, server_error, truncated_page and html_page to one of ENDPOINTS;
    `count` ends the last two after so many answers of a date too, and as None keeps the first two up all day.
    Platforms without forces take EVERYONE. Raises ValueError for an unknown kind or endpoint, a kind that the platform does not
    have, and dates in the wrong order.
    """

    kind: str
    force_id: str
    first_date: date
    last_date: date
    detail: Mapping[str, Any] = field(default_factory=dict)
    platform: str = "facebook"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of defect {self.kind!r}: it is one of {', '.join(KINDS)}")
        if self.platform not in KIND_PLATFORMS[self.kind]:
            raise ValueError(f"{self.kind} is no defect of {self.platform!r}, but of {', '.join(KIND_PLATFORMS[self.kind])}")
        if self.last_date < self.first_date:
            raise ValueError(f"{self.kind} of {self.force_id} ends ({self.last_date}) before it begins ({self.first_date})")
        if self.detail.get("endpoint", ENDPOINTS[0]) not in ENDPOINTS:
            raise ValueError(f"unknown endpoint {self.detail['endpoint']!r}: it is one of {', '.join(ENDPOINTS)}")

    def holds(self, force_id: str, on: date) -> bool:
        return self.force_id == force_id and self.first_date <= on <= self.last_date

    @property
    def count(self) -> int | None:
        """After how many requests of a date it ends; None where it does not."""
        return self.detail.get("count", COUNTED.get(self.kind))

    @property
    def endpoint(self) -> str | None:
        """The endpoint it is about; None for all."""
        is_of_list = self.kind in ("truncated_page", "html_page") and self.platform in SOCIAL and self.force_id != EVERYONE
        return self.detail.get("endpoint", "published_posts" if is_of_list else None)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "first_date": self.first_date.isoformat(), "last_date": self.last_date.isoformat()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Defect:
        dates = {name: date.fromisoformat(value[name]) for name in ("first_date", "last_date")}
        detail, platform = dict(value.get("detail") or {}), value.get("platform", "facebook")
        return cls(value["kind"], value["force_id"], detail=detail, platform=platform, **dates)


class DefectBook:
    """The planted defects, and how much of the counted ones is left."""

    def __init__(self, defects: Iterable[Defect] = ()) -> None:
        self.defects = tuple(defects)
        self._used: dict[tuple[int, date], int] = {}
        self._found: dict[tuple[str, date], tuple[Defect, ...]] = {}

    def of(self, force_id: str, on: date) -> tuple[Defect, ...]:
        key = (force_id, on)
        if key not in self._found:
            self._found[key] = tuple(defect for defect in self.defects if defect.holds(force_id, on))
        return self._found[key]

    def first(self, kind: str, force_id: str, on: date, endpoint: str | None = None) -> Defect | None:
        """The first defect of a kind that is due here; a counted one is used up by being found."""
        for defect in self.of(force_id, on):
            if defect.kind != kind or (endpoint and defect.endpoint not in (None, endpoint)):
                continue
            if defect.count is None:
                return defect
            place = (self.defects.index(defect), on)
            if self._used.get(place, 0) < defect.count:
                self._used[place] = self._used.get(place, 0) + 1
                return defect
        return None

    def all(self, kind: str, force_id: str, on: date) -> list[Defect]:
        return [defect for defect in self.of(force_id, on) if defect.kind == kind]


def revisions(defects: Iterable[Defect], force_id: str, on: date, platform: str) -> dict[date, int]:
    """What the platform has added to its daily totals of a force's account by a date: day to sum."""
    found: Counter[date] = Counter()
    for defect in defects:
        if (defect.kind, defect.platform) == ("late_revision", platform) and defect.holds(force_id, on):
            found[date.fromisoformat(defect.detail["day"])] += int(defect.detail["add"])
    return dict(found)


@dataclass(frozen=True)
class Losses:
    """What a force's run on a date cannot have, whatever it tries. Defects that a retry gets over are not in it."""

    snapshot: bool
    posts: bool
    post_insights: bool
    page_insights: bool
    metrics: frozenset[str]  # refused by name
    spoilt_fields: frozenset[str]  # unusable: follower counts of the page; post counts of the page's newest original
    hidden: frozenset[str] = frozenset()  # counts that no post has
    removals: tuple[Defect, ...] = ()  # each takes one post away (removed_post)


HIDDEN_COUNTS = {"hidden_likes": "likeCount", "comments_disabled": "commentCount"}
"""On YouTube, where nothing else has the number."""

FOLLOWERS = ("followers_count", "followersCount")
DOWN = ("token_expired", "credits_depleted", "account_taken_down", "throttle", "server_error", "truncated_page", "html_page")


def losses(defects: Iterable[Defect], force_id: str, on: date, platform: str = "facebook") -> Losses:
    """The readings that defects take from a force on a platform and a date.

    A post whose list could not be read has no insights either: there is no other way to learn its id.
    """
    due = [defect for defect in defects if defect.platform == platform and defect.holds(force_id, on)]
    kinds = {defect.kind for defect in due}
    down = {defect.endpoint for defect in due if defect.kind in DOWN and defect.count is None}
    all_down = None in down
    # YouTube's list holds ids alone: without the videos themselves nothing is known of any
    lists = {"published_posts", "post_insights"} if platform == "youtube" else {"published_posts"}
    posts = all_down or bool(lists & down) or "posts_permission_lost" in kinds
    spoilt = {defect.detail.get("field", "followers_count") for defect in due if defect.kind in ("text_number", "negative_count")}
    metrics = frozenset(
        defect.detail.get("metric", "post_total_media_view_unique")
        for defect in due
        if defect.kind in ("metric_retired", "too_few_viewers")
    )
    page_insights = all_down or "page_insights" in down or "insights_permission_lost" in kinds
    # the followers of Threads come with the account's insights, everybody else's with the profile
    snapshot = (page_insights or "followers_count" in metrics) if platform == "threads" else (all_down or "snapshot" in down)
    return Losses(
        snapshot=snapshot or "followers_not_reported" in kinds or not spoilt.isdisjoint(FOLLOWERS),
        posts=posts,
        post_insights=posts or "post_insights" in down or "insights_permission_lost" in kinds,
        page_insights=page_insights,
        metrics=metrics,
        spoilt_fields=frozenset(spoilt),
        hidden=frozenset(HIDDEN_COUNTS[kind] for kind in kinds & HIDDEN_COUNTS.keys() if platform == "youtube"),
        removals=tuple(defect for defect in due if defect.kind == "removed_post"),
    )


def removed_post(world: Timeline[P], account: Account, defect: Defect) -> P | None:
    """The post that `removed_post` takes away: the newest that was detail.age_days (10) old as the defect began."""
    return world.newest_original(account, london_midnight(defect.first_date) - DAY * defect.detail.get("age_days", 10))


def removed_ids(book: DefectBook, world: Timeline[P], account: Account, on: date) -> set[str]:
    """The posts of an account that `removed_post` has taken away on a date, by their post_id."""
    due = book.all("removed_post", account.force_id, on)
    return {post.post_id for defect in due if (post := removed_post(world, account, defect)) is not None}


def default_defects(as_of: date) -> list[Defect]:
    """The handful planted in the default world, so that the pipeline's honesty shows in its figures.

    Gwent's follower count is not reported in all of the month before the as-of month; Dyfed-Powys had an expired token on the
    weekly run eight weeks before. A post of Surrey is removed on each platform four weeks before, after its reading: it is marked.
    One throttle, one duplicated page, hidden likes on Instagram and an edited post on X must not show at all.
    """
    month_before = (as_of.replace(day=1) - timedelta(days=1)).replace(day=1)
    weeks = {number: as_of - timedelta(weeks=number) for number in (2, 3, 4, 8)}
    return [
        Defect("followers_not_reported", "gwent", month_before, as_of.replace(day=1) - timedelta(days=1)),
        Defect("token_expired", "dyfed-powys", weeks[8], weeks[8]),
        Defect("throttle", "essex", weeks[3], weeks[3], {"count": 1, "code": 80001}),
        Defect("duplicate_page", "merseyside", weeks[2], weeks[2]),
        Defect("hidden_likes", "kent", weeks[3], weeks[2], platform="instagram"),
        Defect("edited_post", "essex", weeks[3], weeks[3], {"age_days": 8}, "x"),
        *(Defect("removed_post", "surrey", weeks[4], as_of, {"age_days": 16}, platform) for platform in SOCIAL),
    ]


DEFAULT_DEFECTS = default_defects
