"""What Facebook, Instagram and Threads share: one Graph API with its versions, tokens, throttles, cursors and batches of ids."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import urlencode

from include.simulator.clock import Clock
from include.simulator.contacts_world import Answer as CommentAnswer
from include.simulator.contacts_world import Message, still_there, under_post
from include.simulator.defects import Defect, removed_ids
from include.simulator.graph import (
    Field,
    GraphError,
    decode_cursor,
    encode_cursor,
    parse_fields,
    parse_instant,
    parse_limit,
    unknown_object,
)
from include.simulator.refusals import app_usage, business_usage, throttled, token_expired
from include.simulator.register import Account
from include.simulator.service import Answer, Question, RollingHour, Service, html_page
from include.simulator.timeline import BasePost, Timeline

CURRENT_VERSION = "v26.0"
VERSIONS = {f"v{number}.0" for number in range(19, 27)} | {f"v{number}" for number in range(19, 27)}
IDS_PER_REQUEST = 50
IN_2099 = 4_077_475_200
PLANTED = ("unknown_account_post", "future_date")

P = TypeVar("P", bound=BasePost)


@dataclass(frozen=True)
class Asker:
    """Who asks (the force whose token it is), for what, and where the answer's own links point."""

    force_id: str
    token: str
    root: str  # http://127.0.0.1:port/facebook


class GraphService(Service, Generic[P]):
    """A platform on the Graph API. Defects go by the force whose token asks."""

    versions: ClassVar[frozenset[str]] = frozenset(VERSIONS)
    current_version: ClassVar[str] = CURRENT_VERSION
    usage_type: ClassVar[str]
    throttle_code: ClassVar[int]
    list_endpoint: ClassVar[str]
    default_fields: ClassVar[str]

    def __init__(self, world: Timeline[P], secret: str, clock: Clock) -> None:
        super().__init__(secret, clock, world.register.forces)
        self.timeline = world
        self._hour = RollingHour(clock)
        self._under: dict[str, tuple[tuple[Message, ...], tuple[CommentAnswer, ...]]] = {}

    def answer(self, question: Question) -> Answer:
        version, *parts = question.parts or [""]
        query = question.query
        endpoint = self._endpoint(parts, query) if version in self.versions else None
        self.by_endpoint[endpoint or "unknown"] += 1
        try:
            force_id = self.holders.get(question.token or "")
            if force_id is None:
                raise GraphError("Invalid OAuth access token - Cannot parse access token", 190, 467, status=401)
            self.by_force[force_id] += 1
            percent = self._take(force_id)
            asker = Asker(force_id, question.token or "", question.root)
            if endpoint is None:
                raise GraphError("Unknown path components: /" + "/".join(parts), 2500)
            self._refuse(asker, endpoint)
            if self.due("html_page", force_id, endpoint):
                return html_page()
            body = getattr(self, f"_{endpoint}")(asker, parts, query)
        except GraphError as error:
            return Answer(error.status, error.body, {"x-app-usage": app_usage(self.by_force.total()), **error.headers})
        usage = {"x-business-use-case-usage": business_usage(self.usage_type, force_id, self.by_force[force_id], percent)}
        return Answer(200, body, usage, is_cut=self.due("truncated_page", force_id, endpoint) is not None)

    def allow(self, calls: int | None) -> None:
        super().allow(calls)
        self._hour = RollingHour(self.clock)

    def _take(self, force_id: str) -> int | None:
        """Percent of an hour's calls that are used with this one, where they are few (`allow`). Raises the throttle above 100."""
        if self.calls is None:
            return None
        percent = 100 * self._hour.take(force_id) // self.calls
        if percent > 100:
            self.refused += 1
            code = {"pages": 80001, "instagram": 80002}.get(self.usage_type, self.throttle_code)
            raise throttled(force_id, code, {"regain_minutes": self._hour.minutes_until_free(force_id)})
        return percent

    @abstractmethod
    def _endpoint(self, parts: list[str], query: Mapping[str, str]) -> str | None: ...

    def _due(self, kind: str, asker: Asker, endpoint: str | None = None) -> Defect | None:
        return self.due(kind, asker.force_id, endpoint)

    def _refuse(self, asker: Asker, endpoint: str) -> None:
        """Raises the error of a defect that lets no request of this kind through."""
        if self._due("token_expired", asker):
            raise token_expired(self.clock.now)
        throttle = self._due("throttle", asker, endpoint)
        if throttle:
            raise throttled(asker.force_id, throttle.detail.get("code", self.throttle_code), throttle.detail)
        if self._due("server_error", asker, endpoint):
            raise GraphError("An unexpected error has occurred. Please retry your request later.", 1, status=500, is_transient=True)
        if endpoint == "published_posts" and self._due("posts_permission_lost", asker):
            raise self._posts_permission_lost()

    @abstractmethod
    def _posts_permission_lost(self) -> GraphError: ...

    # Objects

    def _account(self, asker: Asker, account_id: str) -> Account:
        """The account, if it is open at the clock and the token is its own."""
        account = self.timeline.accounts.get(account_id)
        if account is None or not account.is_open(self.clock.today):
            raise unknown_object(account_id)
        if account.force_id != asker.force_id:
            raise self._not_your_own(account_id)
        return account

    @abstractmethod
    def _not_your_own(self, account_id: str) -> GraphError: ...

    def _post(self, asker: Asker, post_id: str) -> P:
        owners = self._planted_owners(asker, post_id)
        planted = next((one for owner in owners for one in self._planted_posts(asker, owner) if one.post_id == post_id), None)
        if planted:
            return planted
        post = self.timeline.post(post_id)
        if post is None or post.published_at > self.clock.instant:
            raise unknown_object(post_id)
        self._account(asker, post.account_id)
        return post

    def _planted_owners(self, asker: Asker, post_id: str) -> list[str]:
        """Accounts in whose lists a planted post of this id could stand."""
        if not any(defect.kind in PLANTED for defect in self.book.of(asker.force_id, self.clock.today)):
            return []
        return [account.account_id for account in self.timeline.accounts_of(asker.force_id)]

    def _planted_posts(self, asker: Asker, account_id: str) -> list[P]:
        """Posts that a defect puts at the head of an account's list."""
        return [self._planted(kind, account_id) for kind in PLANTED if self._due(kind, asker)]

    @abstractmethod
    def _planted(self, kind: str, account_id: str) -> P: ...

    @abstractmethod
    def _account_node(self, asker: Asker, account_id: str, fields: Iterable[Field]) -> dict[str, Any]: ...

    @abstractmethod
    def _post_node(self, asker: Asker, post: P, fields: Iterable[Field]) -> dict[str, Any]: ...

    def _spoils(self, asker: Asker, post: P) -> bool:
        """Whether this post's counts are the ones that `text_number` and `negative_count` spoil."""
        account = self.timeline.accounts.get(post.account_id)
        return (
            self.has_spoilt_counts(asker.force_id)
            and account is not None
            and post is self.timeline.newest_original(account, self.clock.instant)
        )

    # Endpoints

    def _snapshot(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        return self._account_node(asker, parts[0], parse_fields(query.get("fields", "name")))

    def _published_posts(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        account = self._account(asker, parts[0])
        limit = parse_limit(query.get("limit"))
        too_much = self._due("too_much_data", asker)
        if too_much and limit > too_much.detail.get("limit", 25):
            raise GraphError("Please reduce the amount of data you're asking for, then retry your request", 1, status=500)
        since = parse_instant(query.get("since"), "since") or 0
        until = parse_instant(query.get("until"), "until")
        last = self.clock.instant if until is None else min(until, self.clock.instant)
        cursor = decode_cursor(query["after"]) if query.get("after") else None
        planted = [] if cursor else self._planted_posts(asker, account.account_id)
        wanted = max(limit - len(planted), 1)
        shown: list[P] = []
        has_more = False
        removed = removed_ids(self.book, self.timeline, account, self.clock.today)
        for post in self.timeline.posts_backwards(account, since, last if cursor is None else min(last, cursor["at"])):
            if post.post_id in removed or (cursor and (post.published_at, post.post_id) >= (cursor["at"], cursor["id"])):
                continue
            if len(shown) == wanted:
                has_more = True
                break
            shown.append(post)
        fields = parse_fields(query.get("fields", self.default_fields))
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
                asker, account.account_id, self.list_endpoint, {"pretty": "0", **kept, "limit": limit, "after": after}
            )
        return {"data": items, "paging": paging}

    def _link(self, asker: Asker, object_id: str, edge: str, query: Mapping[str, Any]) -> str:
        """A paging link: with the newest version and, as the real ones, with the token in it."""
        return f"{asker.root}/{self.current_version}/{object_id}/{edge}?" + urlencode({"access_token": asker.token, **query})

    def _time_paging(
        self, asker: Asker, object_id: str, query: Mapping[str, str], until: int, span: int = 172_800
    ) -> dict[str, str]:
        return {
            name: self._link(asker, object_id, "insights", {"pretty": "0", **query, "since": begin, "until": begin + span})
            for name, begin in (("previous", until - 2 * span), ("next", until))
        }

    @abstractmethod
    def _insights_edge(self, asker: Asker, post: P, arguments: Mapping[str, str]) -> dict[str, Any]: ...

    def _post_insights(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        """One post, its insights, or a batch of ids of posts and accounts."""
        if parts and parts[-1] == "insights":
            return self._insights_edge(asker, self._post(asker, parts[0]), query)
        fields = parse_fields(query.get("fields", self.default_fields))
        if parts:
            return self._post_node(asker, self._post(asker, parts[0]), fields)
        ids = [one.strip() for one in query["ids"].split(",") if one.strip()]
        if len(ids) > IDS_PER_REQUEST:
            raise GraphError(f"(#100) Too many IDs. Maximum: {IDS_PER_REQUEST}. Provided: {len(ids)}.", 100)
        if not ids:
            raise GraphError("(#100) Param ids must be non-empty", 100)
        return {
            one: self._post_node(asker, self._post(asker, one), fields)
            if self.is_post_id(one)
            else self._account_node(asker, one, fields)
            for one in ids
        }

    def _mentions(self, asker: Asker, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        """A batch of ids of posts with their comments: asked like insights, and refused by itself."""
        if self._due("messages_permission_lost", asker):
            raise GraphError("(#10) This endpoint requires the 'pages_read_user_content' permission", 10)
        return self._post_insights(asker, parts, query)

    def comments_of(self, post: P) -> tuple[list[Message], list[CommentAnswer]]:
        """What stands under a post at the clock, in its order; a deleted message takes its answer with it."""
        if post.post_id not in self._under:
            account = self.timeline.accounts.get(post.account_id)
            handle = account.handle(self.clock.today) if account else ""
            self._under[post.post_id] = under_post(self.timeline.seed, self.platform, post, handle)
        messages, answers = self._under[post.post_id]
        now = self.clock.instant
        return still_there(messages, now), [one for one in answers if one.is_there(now)]

    @abstractmethod
    def is_post_id(self, object_id: str) -> bool: ...

    def new_entries(self, asker: Asker, data: list[dict[str, Any]], object_type: str, default: str) -> list[dict[str, Any]]:
        """What `unmapped_field` adds to insights: the first entry again, under a name that nobody asked for."""
        return [
            {**data[0], "name": defect.detail.get("name", default)}
            for defect in self.book.all("unmapped_field", asker.force_id, self.clock.today)
            if data and defect.detail.get("object_type", self.default_object_type) == object_type
        ]

    default_object_type: ClassVar[str]
