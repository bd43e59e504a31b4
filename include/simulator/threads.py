"""The Threads contract: user, posts and both kinds of insights on a Graph API of its own, with the defects that are due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from include.simulator.clock import Clock
from include.simulator.graph import Field, GraphError, parse_instant
from include.simulator.graph_service import IN_2099, Asker, GraphService
from include.simulator.instagram_insights import metric_names, unknown_metric
from include.simulator.register import Account
from include.simulator.threads_world import REPOST, ThreadsCounts, ThreadsPost, ThreadsWorld
from include.simulator.times import DAY, HOUR, pacific_midnight, wire_time
from include.simulator.world import last_full_pacific_day

LAG_SECONDS = 48 * HOUR
"""A day has no values until this long after its end."""

FIRST_DAY, STORED_DAYS = date(2024, 4, 13), 90
USER_FIELDS = ("id", "username", "name", "threads_profile_picture_url", "threads_biography", "is_verified")
POST_METRICS = ThreadsCounts._fields
ACCOUNT_METRICS = ("views", "likes", "replies", "reposts", "quotes", "clicks", "followers_count")


class ThreadsAccounts(GraphService[ThreadsPost]):
    """Answers of the simulated API of Threads."""

    platform = "threads"
    versions, current_version = frozenset({"v1.0"}), "v1.0"
    usage_type, throttle_code = "threads", 4
    list_endpoint, default_fields, default_object_type = "threads", "id", "post"

    def __init__(self, world: ThreadsWorld, secret: str, clock: Clock) -> None:
        super().__init__(world, secret, clock)
        self.world = world

    def _endpoint(self, parts: list[str], query: Mapping[str, str]) -> str | None:
        if not parts or len(parts) > 2:
            return None
        is_post = self.is_post_id(parts[0])
        if len(parts) == 1:
            return "post_insights" if is_post else "snapshot"
        edges = {"insights": "post_insights"} if is_post else {"threads": "published_posts", "threads_insights": "page_insights"}
        return edges.get(parts[1])

    def is_post_id(self, object_id: str) -> bool:
        return object_id.startswith("18")

    def _posts_permission_lost(self) -> GraphError:
        return GraphError("(#10) Application does not have permission for this action", 10, status=403)

    def _not_your_own(self, account_id: str) -> GraphError:
        return self._posts_permission_lost()

    def _planted(self, kind: str, account_id: str) -> ThreadsPost:
        published = IN_2099 if kind == "future_date" else self.clock.instant - 3600
        counts = ThreadsCounts(100, 3, 1, 0, 0, 1)
        return ThreadsPost(
            f"1899{account_id[-11:]}{len(kind):02d}", account_id, published, "other", "Planted.", 86_400.0, "TEXT_POST", counts
        )

    def _account_node(self, asker: Asker, account_id: str, fields: Iterable[Field]) -> dict[str, Any]:
        account = self._account(asker, account_id)
        names = [field.name for field in fields]
        for name in names:
            if name not in USER_FIELDS:
                raise GraphError(f"(#100) Tried accessing nonexisting field ({name}) on node type (ThreadsUser)", 100)
        node: dict[str, Any] = {
            "id": account_id,
            "username": account.handle(self.clock.today),
            "name": account.name,
            "threads_profile_picture_url": "https://www.example.org/picture.jpg",
            "threads_biography": "Simulated. Not monitored 24/7.",
            "is_verified": account.is_main,
        }
        return {name: node[name] for name in dict.fromkeys([*names, "id"])}

    def _post_node(self, asker: Asker, post: ThreadsPost, fields: Iterable[Field]) -> dict[str, Any]:
        account = self.world.accounts.get(post.account_id)
        handle = account.handle(self.clock.today) if account else "sim.stranger"
        is_repost = not post.is_original
        shortcode = f"S{int(post.post_id):x}"
        # what is reposted is somebody else's: its words, and where it stands
        author = f"sim.citizen.{int(post.post_id) % 1000:03d}" if is_repost else handle
        node: dict[str, Any] = {
            "id": post.post_id,
            "media_product_type": "THREADS",
            "media_type": post.media_type,
            "text": f"Words of {author}: {post.message}"[:500] if is_repost else post.message,
            "timestamp": wire_time(post.published_at),
            "permalink": f"https://www.threads.net/@{author}/post/{shortcode}",
            "shortcode": shortcode,
            "username": handle,
            "is_quote_post": False,
            "has_replies": post.at(self.clock.instant).replies > 0,
            "reposted_post": {"id": f"17{int(post.post_id) % 10**15:015d}"} if is_repost else None,
        }
        found: dict[str, Any] = {}
        for asked in fields:
            if asked.name not in node:
                raise GraphError(f"(#100) Tried accessing nonexisting field ({asked.name}) on node type (ThreadsMedia)", 100)
            if node[asked.name] is not None:
                found[asked.shown_as] = node[asked.name]
        return {**found, "id": post.post_id}

    # Insights

    def _insights_edge(self, asker: Asker, post: ThreadsPost, arguments: Mapping[str, str]) -> dict[str, Any]:
        names = self._names(asker, arguments, POST_METRICS)
        if post.media_type == REPOST or self._due("insights_permission_lost", asker):
            return {"data": []}
        counts = post.at(self.clock.instant)
        data = []
        for name in names:
            value: int | str = getattr(counts, name)
            value = self.spoilt(asker.force_id, name, getattr(counts, name)) if self._spoils(asker, post) else value
            data.append(self._entry(post.post_id, name, "lifetime", {"values": [{"value": value}]}))
        return {"data": data + self.new_entries(asker, data, "post", "saves_new")}

    def _names(self, asker: Asker, query: Mapping[str, str], known: Iterable[str]) -> list[str]:
        names, known = metric_names(query.get("metric")), list(known)
        retired = {defect.detail["metric"] for defect in self.book.all("metric_retired", asker.force_id, self.clock.today)}
        for place, name in enumerate(names):
            if name not in known or name in retired:
                raise unknown_metric(place, [each for each in known if each not in retired])
        return names

    @staticmethod
    def _entry(object_id: str, name: str, period: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
        words = {"title": name.replace("_", " ").capitalize(), "description": f"The {name}."}
        return {"name": name, "period": period, **numbers, **words, "id": f"{object_id}/insights/{name}/{period}"}

    def _page_insights(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        account = self._account(asker, parts[0])
        names = self._names(asker, query, ACCOUNT_METRICS)
        days = self._days(account, parse_instant(query.get("since"), "since"), parse_instant(query.get("until"), "until"))
        if self._due("insights_permission_lost", asker):
            return {"data": []}
        data = []
        for name in names:
            if name == "followers_count":  # of now, whatever span is asked for
                followers = self.world.followers(account, self.clock.today)
                if not self._due("followers_not_reported", asker):
                    total = {"value": self.spoilt(asker.force_id, name, followers)}
                    data.append(self._entry(account.account_id, name, "day", {"total_value": total}))
            elif name == "views":
                ends = {day: wire_time(pacific_midnight(day + timedelta(days=1))) for day in days}
                values = [{"value": self.world.day(account, day).views, "end_time": ends[day]} for day in days]
                data += [self._entry(account.account_id, name, "day", {"values": values})] if values else []
            else:
                total = {"value": sum(self._of_day(account, day, name) for day in days)}
                data.append(self._entry(account.account_id, name, "day", {"total_value": total}))
        return {"data": data + self.new_entries(asker, data, "account", "saves_new")}

    def _of_day(self, account: Account, day: date, name: str) -> int:
        counts = self.world.day(account, day)
        return counts.views // 200 if name == "clicks" else int(getattr(counts, name))

    def _days(self, account: Account, since: int | None, until: int | None) -> list[date]:
        """The filled Pacific days of a span; without one, the last two."""
        end = until if until is not None else self.clock.instant
        begin = since if since is not None else end - 4 * DAY
        if begin >= end:
            raise GraphError("(#100) since param is not before until param", 100)
        last = last_full_pacific_day(self.clock.instant)
        days = [last - timedelta(days=back) for back in range(STORED_DAYS - 1, -1, -1)]
        ends = {day: pacific_midnight(day + timedelta(days=1)) for day in days}
        return [
            day
            for day in days
            if begin < ends[day] <= end
            and ends[day] + LAG_SECONDS <= self.clock.instant
            and day >= FIRST_DAY
            and account.is_open(day)
        ]
