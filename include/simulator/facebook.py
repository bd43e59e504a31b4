"""The Facebook Pages contract: what each request is answered, as of the clock, with the defects that are due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from include.simulator.clock import Clock
from include.simulator.graph import Field, GraphError, invalid_metric, parse_fields, parse_instant, parse_limit
from include.simulator.graph_service import IN_2099, Asker, GraphService
from include.simulator.insights import PAGE_METRICS, POST_METRICS, Metric, page_insights, pick_metrics, post_insights
from include.simulator.refusals import posts_permission_lost
from include.simulator.timeline import fraction
from include.simulator.times import wire_time
from include.simulator.world import Counts, Post, World

STRANGER_PAGE = "999000000000001"
PLANTED_NUMBERS = {"unknown_account_post": 990_000_000_000_001, "future_date": 990_000_000_000_002}

SNAPSHOT_FIELDS = [
    "id",
    "name",
    "username",
    "link",
    "followers_count",
    "fan_count",
    "talking_about_count",
    "rating_count",
    "overall_star_rating",
    "verification_status",
]
POST_FIELDS = ["id", "message", "created_time", "permalink_url", "status_type", "shares", "reactions", "comments", "insights"]
POST_COUNT_FIELDS = {"reactions", "comments", "shares"}


class FacebookPages(GraphService[Post]):
    """Answers of the simulated Graph API for Pages."""

    platform = "facebook"
    usage_type, throttle_code = "pages", 32
    list_endpoint, default_fields, default_object_type = "published_posts", "created_time,message", "page"

    def __init__(self, world: World, secret: str, clock: Clock) -> None:
        super().__init__(world, secret, clock)
        self.world = world

    def _endpoint(self, parts: list[str], query: Mapping[str, str]) -> str | None:
        if not parts:
            asks_comments = query.get("fields", "").startswith("comments.")
            return ("mentions" if asks_comments else "post_insights") if "ids" in query else None
        if parts == ["me", "accounts"]:
            return "me_accounts"
        is_post = self.is_post_id(parts[0])
        if len(parts) == 1:
            return "post_insights" if is_post else "snapshot"
        if len(parts) == 2 and parts[1] == "insights":
            return "post_insights" if is_post else "page_insights"
        return "published_posts" if len(parts) == 2 and parts[1] == "published_posts" and not is_post else None

    def is_post_id(self, object_id: str) -> bool:
        return "_" in object_id

    def _posts_permission_lost(self) -> GraphError:
        return posts_permission_lost()

    def _not_your_own(self, account_id: str) -> GraphError:
        return GraphError("(#210) A page access token is required to request this resource.", 210)

    def _planted(self, kind: str, account_id: str) -> Post:
        counts = Counts(3, 1, 1, 100, 0, 70, 60, 0, 66)
        owner = STRANGER_PAGE if kind == "unknown_account_post" else account_id
        created = IN_2099 if kind == "future_date" else self.clock.instant - 3600
        return Post(f"{owner}_{PLANTED_NUMBERS[kind]}", owner, created, "other", "Planted.", 86_400.0, "added_photos", counts)

    def _account_node(self, asker: Asker, account_id: str, fields: Iterable[Field]) -> dict[str, Any]:
        page = self._account(asker, account_id)
        names = [field.name for field in fields]
        for name in names:
            if name not in SNAPSHOT_FIELDS:
                raise GraphError(f"(#100) Tried accessing nonexisting field ({name}) on node type (Page)", 100)
        today = self.clock.today
        followers = self.world.followers(page, today)
        node: dict[str, Any] = {
            "id": page.account_id,
            "name": page.name,
            "username": page.handle(today),
            "link": f"https://www.facebook.com/{page.account_id}",
            "followers_count": followers,
            "fan_count": int(followers * (0.88 + 0.08 * fraction("fans", page.account_id))),
            "talking_about_count": followers // 150,
            "rating_count": 0,
            "overall_star_rating": 0,
            "verification_status": "blue_verified" if page.is_main else "not_verified",
        }
        for name in ("followers_count", "fan_count"):
            node[name] = self.spoilt(asker.force_id, name, node[name])
        if self._due("followers_not_reported", asker):
            del node["followers_count"], node["fan_count"]
        return {name: node[name] for name in dict.fromkeys([*names, "id"]) if name in node}

    def _me_accounts(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        pages = [page for page in self.world.accounts_of(asker.force_id) if page.is_open(self.clock.today)]
        names = [field.name for field in parse_fields(query.get("fields", "id,name,access_token"))]
        inner = tuple(Field(name) for name in names if name != "access_token")
        token = {"access_token": asker.token} if "access_token" in names else {}
        data = [{**self._account_node(asker, page.account_id, inner), **token} for page in pages[: parse_limit(query.get("limit"))]]
        return {"data": data, "paging": {"cursors": {"before": "MAZDZD", "after": "MQZDZD"}}} if data else {"data": []}

    def _post_node(self, asker: Asker, post: Post, fields: Iterable[Field]) -> dict[str, Any]:
        counts = post.at(self.clock.instant)
        is_spoilt = self._spoils(asker, post)
        node: dict[str, Any] = {}
        for asked in fields:
            name, shown_as = asked.name, asked.shown_as
            if name not in POST_FIELDS:
                raise GraphError(f"(#100) Tried accessing nonexisting field ({name}) on node type (Post)", 100)
            if name == "id":
                node[name] = post.post_id
            elif name == "insights":
                node[shown_as] = self._insights_edge(asker, post, asked.arguments)
            elif name == "created_time":
                node[shown_as] = wire_time(post.published_at)
            elif name == "permalink_url":
                node[shown_as] = f"https://www.facebook.com/{post.account_id}/posts/{post.post_id.partition('_')[2]}"
            elif name == "status_type":
                node[shown_as] = post.status_type
            elif name == "message":
                if post.message is not None:
                    node[shown_as] = post.message
            elif name == "shares":
                if counts.shares:
                    node[shown_as] = {"count": self.spoilt(asker.force_id, name, counts.shares) if is_spoilt else counts.shares}
            elif name == "comments" and asked.arguments.get("limit", "25") != "0":
                node[shown_as] = {"data": self._comments(post)}
            elif name in POST_COUNT_FIELDS:
                node[shown_as] = {"data": []}
                if asked.arguments.get("summary") in ("true", "1", "total_count"):
                    total: int | str = counts.reactions
                    if name == "comments":  # without filter(stream) the replies to comments are left out
                        total = counts.comments if asked.arguments.get("filter") == "stream" else counts.comments * 4 // 5
                    total = self.spoilt(asker.force_id, name, int(total)) if is_spoilt else total
                    node[shown_as]["summary"] = (
                        {"total_count": total, "viewer_reaction": "NONE"}
                        if name == "reactions"
                        else {"order": "chronological", "total_count": total, "can_comment": True}
                    )
        return node if "id" in node else {**node, "id": post.post_id}

    def _comments(self, post: Post) -> list[dict[str, Any]]:
        """All comments in one list (`filter(stream)`), oldest first; the page's own among them."""
        messages, answers = self.comments_of(post)
        page = self.world.accounts[post.account_id]
        items = [
            {
                "id": one.message_id,
                "from": {"id": one.person.person_id, "name": one.person.name},
                "created_time": wire_time(one.sent_at),
                "message": one.text,
                **({"parent": {"id": one.reply_to}} if one.reply_to != post.post_id else {}),
            }
            for one in messages
        ]
        items += [
            {
                "id": one.answer_id,
                "from": {"id": page.account_id, "name": page.name},
                "created_time": wire_time(one.sent_at),
                "message": one.text,
                "parent": {"id": one.to.message_id},
            }
            for one in answers
        ]
        return sorted(items, key=lambda item: str(item["created_time"]))

    # Insights

    def _metrics(self, asker: Asker, text: str | None, known: dict[str, Metric], breakdown: str | None) -> list[Metric]:
        metrics = pick_metrics(text, known, self.clock.today, breakdown)
        names = {metric.name for metric in metrics}
        for defect in self.book.of(asker.force_id, self.clock.today):
            if defect.kind == "metric_retired" and defect.detail["metric"] in names:
                raise invalid_metric()
            if defect.kind == "too_few_viewers" and defect.detail.get("metric", "post_total_media_view_unique") in names:
                raise GraphError("(#200) Insights are not available: too few people have viewed this.", 200, 1504029)
        return metrics

    def _insights_edge(self, asker: Asker, post: Post, arguments: Mapping[str, str]) -> dict[str, Any]:
        breakdown = arguments.get("breakdown")
        metrics = self._metrics(asker, arguments.get("metric"), POST_METRICS, breakdown)
        if arguments.get("period", "lifetime") != "lifetime":
            raise GraphError(f"(#100) The period {arguments['period']} is not valid for posts", 100)
        if self._due("insights_permission_lost", asker):
            return {"data": []}
        instant = self.clock.instant
        data = post_insights(post, instant, metrics, breakdown)
        if self._spoils(asker, post):
            for entry in data:
                for value in entry["values"]:
                    if value.get("is_from_ads", "0") == "0":
                        value["value"] = self.spoilt(asker.force_id, entry["name"], value["value"])
        data += self.new_entries(asker, data, "post", "post_media_view_new")
        return {"data": data, "paging": self._time_paging(asker, post.post_id, {"metric": arguments.get("metric", "")}, instant)}

    def _page_insights(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        page = self._account(asker, parts[0])
        breakdown = query.get("breakdown")
        metrics = self._metrics(asker, query.get("metric"), PAGE_METRICS, breakdown)
        if query.get("period", "day") != "day":
            raise GraphError(f"(#100) The period {query['period']} is not served by the simulator", 100)
        since, until = parse_instant(query.get("since"), "since"), parse_instant(query.get("until"), "until")
        revised = self.revisions(page.force_id)
        data = page_insights(self.world, page, self.clock.instant, metrics, breakdown, since, until, revised)
        if self._due("insights_permission_lost", asker):
            return {"data": []}
        data += self.new_entries(asker, data, "page", "page_media_view_new")
        kept = {name: query[name] for name in ("metric", "period", "breakdown") if name in query}
        end = until if until is not None else self.clock.instant
        span = max(end - since, 86_400) if since is not None else 172_800
        return {"data": data, "paging": self._time_paging(asker, page.account_id, kept, end, span)}
