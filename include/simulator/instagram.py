"""The Instagram contract on the Graph API: user, media and insights, as of the clock, with the defects that are due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from include.simulator.clock import Clock
from include.simulator.graph import Field, GraphError, parse_instant
from include.simulator.graph_service import IN_2099, Asker, GraphService
from include.simulator.instagram_insights import (
    ACCOUNT_METRICS,
    MEDIA_METRICS,
    account_insights,
    check_media_metrics,
    media_insights,
    metric_names,
    unknown_metric,
)
from include.simulator.instagram_world import InstagramWorld, Media, MediaCounts
from include.simulator.timeline import fraction
from include.simulator.times import wire_time

STRANGER_ACCOUNT = "17841499999999999"
USER_FIELDS = [
    "id",
    "username",
    "name",
    "followers_count",
    "follows_count",
    "media_count",
    "website",
    "biography",
    "profile_picture_url",
    "has_profile_pic",
    "is_published",
]
COUNT_FIELDS = {
    "like_count": "likes",
    "comments_count": "comments",
    "saved_count": "saved",
    "shares_count": "shares",
    "reposts_count": "reposts",
}
TOTAL_FIELDS = {
    "total_like_count": ("likes", "paid_likes"),
    "total_comments_count": ("comments", "paid_comments"),
    "total_views_count": ("views", "paid_views"),
}


class InstagramAccounts(GraphService[Media]):
    """Answers of the simulated Graph API for professional accounts."""

    platform = "instagram"
    usage_type, throttle_code = "instagram", 80002
    list_endpoint, default_fields, default_object_type = "media", "id", "account"

    def __init__(self, world: InstagramWorld, secret: str, clock: Clock) -> None:
        super().__init__(world, secret, clock)
        self.world = world

    def _endpoint(self, parts: list[str], query: Mapping[str, str]) -> str | None:
        if not parts:
            asks_comments = query.get("fields", "").startswith("comments.")
            return ("mentions" if asks_comments else "post_insights") if "ids" in query else None
        is_media = self.is_post_id(parts[0])
        if len(parts) == 1:
            return "post_insights" if is_media else "snapshot"
        if len(parts) == 2 and parts[1] == "insights":
            return "post_insights" if is_media else "page_insights"
        return "published_posts" if len(parts) == 2 and parts[1] == "media" and not is_media else None

    def is_post_id(self, object_id: str) -> bool:
        return object_id.startswith("18")

    def _posts_permission_lost(self) -> GraphError:
        return GraphError("(#10) Application does not have permission for this action", 10, status=403)

    def _not_your_own(self, account_id: str) -> GraphError:
        return GraphError("(#10) Application does not have permission for this action", 10, status=403)

    def _planted(self, kind: str, account_id: str) -> Media:
        counts = MediaCounts(3, 1, 1, 0, 0, 100, 0, 0, 0, 70, 66, 0, 0, 0)
        owner = STRANGER_ACCOUNT if kind == "unknown_account_post" else account_id
        created = IN_2099 if kind == "future_date" else self.clock.instant - 3600
        media_id = f"1899{owner[-11:]}{1 if kind == 'future_date' else 2:02d}"
        return Media(media_id, owner, created, "other", "Planted.", 86_400.0, "IMAGE", "FEED", 0, False, counts)

    def _account_node(self, asker: Asker, account_id: str, fields: Iterable[Field]) -> dict[str, Any]:
        account = self._account(asker, account_id)
        names = [field.name for field in fields]
        for name in names:
            if name not in USER_FIELDS:
                raise GraphError(f"(#100) Tried accessing nonexisting field ({name}) on node type (IGUser)", 100)
        today = self.clock.today
        node: dict[str, Any] = {
            "id": account_id,
            "username": account.handle(today),
            "name": account.name,
            "followers_count": self.spoilt(asker.force_id, "followers_count", self.world.followers(account, today)),
            "follows_count": 100 + int(400 * fraction("follows", account_id)),
            "media_count": int((today - account.opened).days / 7 * self.world.posts_per_week(account)),
            "website": "https://www.example.org/",
            "biography": "Simulated. Not monitored 24/7.",
            "profile_picture_url": "https://www.example.org/picture.jpg",
            "has_profile_pic": True,
            "is_published": True,
        }
        if self._due("followers_not_reported", asker):
            del node["followers_count"]
        return {name: node[name] for name in dict.fromkeys([*names, "id"]) if name in node}

    def _post_node(self, asker: Asker, post: Media, fields: Iterable[Field]) -> dict[str, Any]:
        counts = post.at(self.clock.instant)
        is_spoilt = self._spoils(asker, post)
        hides_likes = post.hides_likes or self._due("hidden_likes", asker) is not None
        node: dict[str, Any] = {}
        for asked in fields:
            name = asked.name
            if name == "insights":
                node[asked.shown_as] = self._insights_edge(asker, post, asked.arguments)
                continue
            if name == "comments":
                node[asked.shown_as] = {"data": self._comments(post)}
                continue
            value: Any
            if name in COUNT_FIELDS:
                value = getattr(counts, COUNT_FIELDS[name])
                value = self.spoilt(asker.force_id, name, value) if is_spoilt else value
            elif name in TOTAL_FIELDS:
                value = sum(getattr(counts, part) for part in TOTAL_FIELDS[name])
            elif name == "view_count":
                raise GraphError("(#36104) The field view_count is only available through business discovery", 36104)
            else:
                value = self._plain_field(post, name)
            is_hidden = hides_likes and name in ("like_count", "total_like_count")
            if value is not None and not is_hidden:
                node[asked.shown_as] = value
        return {**node, "id": post.post_id}

    def _comments(self, post: Media) -> list[dict[str, Any]]:
        """Comments with what was said to them below each, newest first. No `from`, but the name of whoever it is."""
        messages, answers = self.comments_of(post)
        account = self.world.accounts[post.account_id]
        below: dict[str, list[dict[str, Any]]] = {}
        for one in messages:
            if one.reply_to and one.reply_to != post.post_id:
                below.setdefault(one.reply_to, []).append(self._comment(one.message_id, one.person.handle, one.sent_at, one.text))
        for answer in answers:
            handle = account.handle(self.clock.today)
            item = self._comment(answer.answer_id, handle, answer.sent_at, answer.text)
            below.setdefault(answer.to.message_id, []).append(item)
        items = []
        for one in sorted(messages, key=lambda message: -message.sent_at):
            if one.reply_to == post.post_id:
                item = self._comment(one.message_id, one.person.handle, one.sent_at, one.text)
                replies = below.get(one.message_id, [])
                items.append({**item, "replies": {"data": replies}} if replies else item)
        return items

    @staticmethod
    def _comment(comment_id: str, username: str, sent_at: int, text: str) -> dict[str, Any]:
        return {"id": comment_id, "username": username, "timestamp": wire_time(sent_at), "text": text}

    def _plain_field(self, media: Media, name: str) -> Any:
        """None where the medium has no such thing: it is then absent from the answer."""
        if name == "id":
            return media.post_id
        if name == "caption":
            return media.message
        if name in ("media_type", "media_product_type"):
            return media.media_type if name == "media_type" else media.product_type
        if name == "timestamp":
            return wire_time(media.published_at)
        if name == "shortcode":
            return media.shortcode
        if name == "permalink":
            kind = "reel" if media.product_type == "REELS" else "p"
            return f"https://www.instagram.com/{kind}/{media.shortcode}/"
        if name == "username":
            account = self.world.accounts.get(media.account_id)
            return account.handle(self.clock.today) if account else "sim_stranger"
        if name == "children":
            children = [{"id": f"{int(media.post_id) + 10**15 * (place + 1)}"} for place in range(2 + int(media.post_id) % 4)]
            return {"data": children} if media.media_type == "CAROUSEL_ALBUM" else None
        raise GraphError(f"(#100) Tried accessing nonexisting field ({name}) on node type (IGMedia)", 100)

    # Insights

    def _insights_edge(self, asker: Asker, post: Media, arguments: Mapping[str, str]) -> dict[str, Any]:
        names = metric_names(arguments.get("metric"))
        check_media_metrics(names, post, self.clock.today)
        self._refuse_retired(asker, names, MEDIA_METRICS)
        age = self.clock.instant - post.published_at
        if age < post.insights_delay or self._due("insights_permission_lost", asker):
            return {"data": []}
        data = media_insights(post, self.clock.instant, names, arguments.get("breakdown"))
        if self._spoils(asker, post):
            for entry in data:
                for value in entry.get("values", []):
                    value["value"] = self.spoilt(asker.force_id, entry["name"], value["value"])
        return {"data": data + self.new_entries(asker, data, "post", "views_new")}

    def _refuse_retired(self, asker: Asker, names: list[str], known: Iterable[str]) -> None:
        for defect in self.book.all("metric_retired", asker.force_id, self.clock.today):
            metric = defect.detail["metric"]
            if metric in names:
                raise unknown_metric(names.index(metric), [name for name in known if name != metric])

    def _page_insights(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        account = self._account(asker, parts[0])
        names = metric_names(query.get("metric"))
        since, until = parse_instant(query.get("since"), "since"), parse_instant(query.get("until"), "until")
        self._refuse_retired(asker, names, ACCOUNT_METRICS)
        data = account_insights(self.world, account, self.clock, names, query, since, until, self.revisions(account.force_id))
        if self._due("insights_permission_lost", asker):
            return {"data": []}
        data += self.new_entries(asker, data, "account", "views_new")
        kept = {name: query[name] for name in ("metric", "period", "metric_type", "breakdown") if name in query}
        end = until if until is not None else self.clock.instant
        span = max(end - since, 86_400) if since is not None else 86_400
        return {"data": data, "paging": self._time_paging(asker, account.account_id, kept, end, span)} if data else {"data": []}
