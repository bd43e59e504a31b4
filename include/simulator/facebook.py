"""The Facebook Pages contract: what each request is answered, as of the clock, with the defects that are due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from include.simulator.clock import Clock
from include.simulator.defects import Defect, DefectBook
from include.simulator.graph import (
    Field,
    GraphError,
    decode_cursor,
    encode_cursor,
    force_token,
    invalid_metric,
    parse_fields,
    parse_instant,
    parse_limit,
    unknown_object,
)
from include.simulator.insights import PAGE_METRICS, POST_METRICS, Metric, page_insights, pick_metrics, post_insights
from include.simulator.refusals import app_usage, page_usage, posts_permission_lost, throttled, token_expired
from include.simulator.register import PageAccount
from include.simulator.times import wire_time
from include.simulator.world import Counts, Post, World, fraction

CURRENT_VERSION = "v26.0"
VERSIONS = {f"v{number}.0" for number in range(19, 27)} | {f"v{number}" for number in range(19, 27)}
IDS_PER_REQUEST = 50
STRANGER_PAGE = "999000000000001"
PLANTED_NUMBERS = {"unknown_account_post": 990_000_000_000_001, "future_date": 990_000_000_000_002}
HTML_PAGE = "<!DOCTYPE html><html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>"
IN_2099 = 4_077_475_200

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


@dataclass
class Answer:
    """What goes back: a JSON value, or a text that is no JSON."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False


@dataclass(frozen=True)
class Asker:
    """Who asks (the force whose token it is), for what, and where the answer's own links point."""

    force_id: str
    token: str
    root: str  # http://127.0.0.1:port/facebook


class FacebookPages:
    """Answers of the simulated Graph API. Defects go by the force whose token asks."""

    platform = "facebook"

    def __init__(self, world: World, secret: str, clock: Clock) -> None:
        self.world = world
        self.register = world.register
        self.clock = clock
        self.book = DefectBook()
        self.by_endpoint: Counter[str] = Counter()
        self.by_force: Counter[str] = Counter()
        self._holders = {force_token(secret, self.platform, force_id): force_id for force_id in self.register.forces}

    def answer(self, path: str, query: Mapping[str, str], token: str | None, root: str) -> Answer:
        """One GET request, `path` without the mount point: `/v26.0/<id>/published_posts`."""
        version, _, rest = path.strip("/").partition("/")
        parts = [part for part in rest.split("/") if part]
        endpoint = self._endpoint(version, parts, query)
        self.by_endpoint[endpoint or "unknown"] += 1
        try:
            force_id = self._holders.get(token or "")
            if force_id is None:
                raise GraphError("Invalid OAuth access token - Cannot parse access token", 190, 467, status=401)
            self.by_force[force_id] += 1
            asker = Asker(force_id, token or "", root)
            if endpoint is None:
                raise GraphError("Unknown path components: /" + rest, 2500)
            self._refuse(asker, endpoint)
            if self._due("html_page", asker, endpoint):
                return Answer(200, HTML_PAGE)
            body = getattr(self, f"_{endpoint}")(asker, parts, query)
        except GraphError as error:
            return Answer(error.status, error.body, {"x-app-usage": app_usage(self.by_force.total()), **error.headers})
        usage = {"x-business-use-case-usage": page_usage(force_id, self.by_force[force_id])}
        return Answer(200, body, usage, is_cut=self._due("truncated_page", asker, endpoint) is not None)

    @staticmethod
    def _endpoint(version: str, parts: list[str], query: Mapping[str, str]) -> str | None:
        if version not in VERSIONS:
            return None
        if not parts:
            return "post_insights" if "ids" in query else None
        if parts == ["me", "accounts"]:
            return "me_accounts"
        is_post = "_" in parts[0]
        if len(parts) == 1:
            return "post_insights" if is_post else "snapshot"
        if len(parts) == 2 and parts[1] == "insights":
            return "post_insights" if is_post else "page_insights"
        return "published_posts" if len(parts) == 2 and parts[1] == "published_posts" and not is_post else None

    # Refusals

    def _due(self, kind: str, asker: Asker, endpoint: str | None = None) -> Defect | None:
        return self.book.first(kind, asker.force_id, self.clock.today, endpoint)

    def _refuse(self, asker: Asker, endpoint: str) -> None:
        """Raises the error of a defect that lets no request of this kind through."""
        if self._due("token_expired", asker):
            raise token_expired(self.clock.now)
        throttle = self._due("throttle", asker, endpoint)
        if throttle:
            raise throttled(asker.force_id, throttle.detail)
        if self._due("server_error", asker, endpoint):
            raise GraphError("An unexpected error has occurred. Please retry your request later.", 1, status=500, is_transient=True)
        if endpoint == "published_posts" and self._due("posts_permission_lost", asker):
            raise posts_permission_lost()

    # Objects

    def _page(self, asker: Asker, page_id: str) -> PageAccount:
        """The page, if it is open at the clock and the token is its own."""
        page = self.register.pages.get(page_id)
        if page is None or not page.is_open(self.clock.today):
            raise unknown_object(page_id)
        if page.force_id != asker.force_id:
            raise GraphError("(#210) A page access token is required to request this resource.", 210)
        return page

    def _post(self, asker: Asker, post_id: str) -> Post:
        planted = next((post for post in self._planted_posts(asker, post_id.partition("_")[0]) if post.post_id == post_id), None)
        if planted:
            return planted
        post = self.world.post(post_id)
        if post is None or post.published_at > self.clock.instant:
            raise unknown_object(post_id)
        self._page(asker, post.page_id)
        return post

    def _planted_posts(self, asker: Asker, page_id: str) -> list[Post]:
        """Posts that a defect puts at the head of a page's list."""
        counts = Counts(3, 1, 1, 100, 0, 70, 60, 0, 66)
        found = []
        for kind, owner in (("unknown_account_post", STRANGER_PAGE), ("future_date", page_id)):
            if self._due(kind, asker):
                created = IN_2099 if kind == "future_date" else self.clock.instant - 3600
                found.append(
                    Post(f"{owner}_{PLANTED_NUMBERS[kind]}", owner, created, "added_photos", "other", "Planted.", 86_400.0, counts)
                )
        return found

    # Endpoints

    def _snapshot(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        return self._page_node(asker, parts[0], parse_fields(query.get("fields", "name")))

    def _page_node(self, asker: Asker, page_id: str, fields: Iterable[Field]) -> dict[str, Any]:
        page = self._page(asker, page_id)
        names = [field.name for field in fields]
        for name in names:
            if name not in SNAPSHOT_FIELDS:
                raise GraphError(f"(#100) Tried accessing nonexisting field ({name}) on node type (Page)", 100)
        today = self.clock.today
        followers = self.world.followers(page, today)
        node: dict[str, Any] = {
            "id": page.page_id,
            "name": page.name,
            "username": page.handle(today),
            "link": f"https://www.facebook.com/{page.page_id}",
            "followers_count": followers,
            "fan_count": int(followers * (0.88 + 0.08 * fraction("fans", page.page_id))),
            "talking_about_count": followers // 150,
            "rating_count": 0,
            "overall_star_rating": 0,
            "verification_status": "blue_verified" if page.is_main else "not_verified",
        }
        for name in ("followers_count", "fan_count"):
            node[name] = self._spoilt(asker, name, node[name])
        if self._due("followers_not_reported", asker):
            del node["followers_count"], node["fan_count"]
        return {name: node[name] for name in dict.fromkeys([*names, "id"]) if name in node}

    def _spoilt(self, asker: Asker, name: str, value: int) -> int | str:
        for defect in self.book.of(asker.force_id, self.clock.today):
            if defect.detail.get("field", "followers_count") == name:
                if defect.kind == "text_number":
                    return str(value)
                if defect.kind == "negative_count":
                    return -(value or 1)
        return value

    def _me_accounts(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        pages = [page for page in self.register.pages_of(asker.force_id) if page.is_open(self.clock.today)]
        names = [field.name for field in parse_fields(query.get("fields", "id,name,access_token"))]
        inner = tuple(Field(name) for name in names if name != "access_token")
        token = {"access_token": asker.token} if "access_token" in names else {}
        data = [{**self._page_node(asker, page.page_id, inner), **token} for page in pages[: parse_limit(query.get("limit"))]]
        return {"data": data, "paging": {"cursors": {"before": "MAZDZD", "after": "MQZDZD"}}} if data else {"data": []}

    def _published_posts(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        page = self._page(asker, parts[0])
        limit = parse_limit(query.get("limit"))
        too_much = self._due("too_much_data", asker)
        if too_much and limit > too_much.detail.get("limit", 25):
            raise GraphError("Please reduce the amount of data you're asking for, then retry your request", 1, status=500)
        since = parse_instant(query.get("since"), "since") or 0
        until = parse_instant(query.get("until"), "until")
        last = self.clock.instant if until is None else min(until, self.clock.instant)
        cursor = decode_cursor(query["after"]) if query.get("after") else None
        planted = [] if cursor else self._planted_posts(asker, page.page_id)
        wanted = max(limit - len(planted), 1)
        shown: list[Post] = []
        has_more = False
        for post in self.world.posts_backwards(page, since, last if cursor is None else min(last, cursor["at"])):
            if cursor and (post.published_at, post.post_id) >= (cursor["at"], cursor["id"]):
                continue
            if len(shown) == wanted:
                has_more = True
                break
            shown.append(post)
        fields = parse_fields(query.get("fields", "created_time,message"))
        items = [self._post_node(asker, post, fields) for post in [*planted, *shown]]
        if not items:
            return {"data": []}
        edge = shown or planted
        paging: dict[str, Any] = {"cursors": {"before": encode_cursor(at=edge[0].published_at, id=edge[0].post_id)}}
        after = encode_cursor(at=edge[-1].published_at, id=edge[-1].post_id)
        if cursor is None and shown and self._due("duplicate_page", asker):
            after, has_more = encode_cursor(at=shown[0].published_at, id=shown[0].post_id + "~"), True
        paging["cursors"]["after"] = after
        if has_more:
            kept = {name: value for name, value in query.items() if name not in ("access_token", "after", "limit")}
            paging["next"] = self._link(
                asker, page.page_id, "published_posts", {"pretty": "0", **kept, "limit": limit, "after": after}
            )
        return {"data": items, "paging": paging}

    def _link(self, asker: Asker, object_id: str, edge: str, query: Mapping[str, Any]) -> str:
        """A paging link: with the newest version and, as the real ones, with the token in it."""
        return f"{asker.root}/{CURRENT_VERSION}/{object_id}/{edge}?" + urlencode({"access_token": asker.token, **query})

    def _post_node(self, asker: Asker, post: Post, fields: Iterable[Field]) -> dict[str, Any]:
        counts = post.at(self.clock.instant)
        is_newest = self._has_spoilt_posts(asker) and self._is_newest_original(post)
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
                node[shown_as] = f"https://www.facebook.com/{post.page_id}/posts/{post.post_id.partition('_')[2]}"
            elif name == "status_type":
                node[shown_as] = post.status_type
            elif name == "message":
                if post.message is not None:
                    node[shown_as] = post.message
            elif name == "shares":
                if counts.shares:
                    node[shown_as] = {"count": self._spoilt(asker, name, counts.shares) if is_newest else counts.shares}
            elif name in POST_COUNT_FIELDS:
                node[shown_as] = {"data": []}
                if asked.arguments.get("summary") in ("true", "1", "total_count"):
                    total: int | str = counts.reactions
                    if name == "comments":  # without filter(stream) the replies to comments are left out
                        total = counts.comments if asked.arguments.get("filter") == "stream" else counts.comments * 4 // 5
                    total = self._spoilt(asker, name, int(total)) if is_newest else total
                    node[shown_as]["summary"] = (
                        {"total_count": total, "viewer_reaction": "NONE"}
                        if name == "reactions"
                        else {"order": "chronological", "total_count": total, "can_comment": True}
                    )
        return node if "id" in node else {**node, "id": post.post_id}

    def _has_spoilt_posts(self, asker: Asker) -> bool:
        due = self.book.of(asker.force_id, self.clock.today)
        return any(defect.kind in ("text_number", "negative_count") for defect in due)

    def _is_newest_original(self, post: Post) -> bool:
        page = self.register.pages.get(post.page_id)
        return page is not None and post is self.world.newest_original(page, self.clock.instant)

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
        if self._has_spoilt_posts(asker) and self._is_newest_original(post):
            for entry in data:
                for value in entry["values"]:
                    if value.get("is_from_ads", "0") == "0":
                        value["value"] = self._spoilt(asker, entry["name"], value["value"])
        data += [
            {**data[0], "name": self._new_name(defect)}
            for defect in self.book.all("unmapped_field", asker.force_id, self.clock.today)
            if defect.detail.get("object_type") == "post"
        ]
        return {"data": data, "paging": self._time_paging(asker, post.post_id, {"metric": arguments.get("metric", "")}, instant)}

    @staticmethod
    def _new_name(defect: Defect) -> str:
        return defect.detail.get("name", f"{defect.detail.get('object_type', 'page')}_media_view_new")

    def _time_paging(
        self, asker: Asker, object_id: str, query: Mapping[str, str], until: int, span: int = 172_800
    ) -> dict[str, str]:
        return {
            name: self._link(asker, object_id, "insights", {"pretty": "0", **query, "since": begin, "until": begin + span})
            for name, begin in (("previous", until - 2 * span), ("next", until))
        }

    def _post_insights(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        if parts and parts[-1] == "insights":
            return self._insights_edge(asker, self._post(asker, parts[0]), query)
        fields = parse_fields(query.get("fields", "created_time,message"))
        if parts:
            return self._post_node(asker, self._post(asker, parts[0]), fields)
        ids = [one.strip() for one in query["ids"].split(",") if one.strip()]
        if len(ids) > IDS_PER_REQUEST:
            raise GraphError(f"(#100) Too many IDs. Maximum: {IDS_PER_REQUEST}. Provided: {len(ids)}.", 100)
        if not ids:
            raise GraphError("(#100) Param ids must be non-empty", 100)
        return {
            one: self._post_node(asker, self._post(asker, one), fields) if "_" in one else self._page_node(asker, one, fields)
            for one in ids
        }

    def _page_insights(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        page = self._page(asker, parts[0])
        breakdown = query.get("breakdown")
        metrics = self._metrics(asker, query.get("metric"), PAGE_METRICS, breakdown)
        if query.get("period", "day") != "day":
            raise GraphError(f"(#100) The period {query['period']} is not served by the simulator", 100)
        since, until = parse_instant(query.get("since"), "since"), parse_instant(query.get("until"), "until")
        data = page_insights(self.world, page, self.clock.instant, metrics, breakdown, since, until)
        if self._due("insights_permission_lost", asker):
            return {"data": []}
        data += [
            {**data[0], "name": self._new_name(defect)}
            for defect in self.book.all("unmapped_field", asker.force_id, self.clock.today)
            if defect.detail.get("object_type", "page") == "page"
        ]
        kept = {name: query[name] for name in ("metric", "period", "breakdown") if name in query}
        end = until if until is not None else self.clock.instant
        span = max(end - since, 86_400) if since is not None else 172_800
        return {"data": data, "paging": self._time_paging(asker, page.page_id, kept, end, span)}
