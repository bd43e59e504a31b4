"""The AT Protocol contract as far as it is asked: profiles and author feeds, as of the clock, with the defects that are due."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from include.simulator.bluesky_world import BlueskyPost, BlueskyWorld, stranger_did, wire_moment
from include.simulator.clock import Clock
from include.simulator.contacts_world import Message
from include.simulator.defects import removed_ids
from include.simulator.register import Account
from include.simulator.service import Answer, Question, RateWindows, Service, html_page
from include.simulator.times import from_instant, to_instant

LIMIT, WINDOW_SECONDS = 3000, 300
"""Requests of one address in each window, through a PDS. The public AppView, asked without a token, tells no limit."""

DEFAULT_LIMIT, LARGEST_LIMIT, MOST_ACTORS = 50, 100, 25
PROFILE, PROFILES, FEED = "app.bsky.actor.getProfile", "app.bsky.actor.getProfiles", "app.bsky.feed.getAuthorFeed"
SEARCH, DEFAULT_SEARCH_LIMIT = "app.bsky.feed.searchPosts", 25
ENDPOINTS = {PROFILE: "snapshot", PROFILES: "snapshot", FEED: "published_posts", SEARCH: "mentions"}
FILTERS = ("posts_with_replies", "posts_no_replies", "posts_with_media", "posts_and_author_threads", "posts_with_video")
CID = "bafyreisimulated"


class XrpcError(Exception):
    """An error answer: status, its name, and what it says."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(error)
        self.status, self.body = status, {"error": error, "message": message}


def invalid(message: str) -> XrpcError:
    return XrpcError(400, "InvalidRequest", message)


def _cursor(skip: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([skip]).encode()).decode().rstrip("=")


def _skipped(cursor: str) -> int:
    try:
        (skip,) = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return int(skip)
    except (ValueError, TypeError):
        raise invalid("Error: malformed cursor") from None


class BlueskyAppView(Service):
    """Answers of the simulated network. Everything is public; defects go by the force whose token asks, or whose account it is."""

    platform = "bluesky"

    def __init__(self, world: BlueskyWorld, secret: str, clock: Clock) -> None:
        super().__init__(secret, clock, world.register.forces)
        self.world = world
        self._windows = RateWindows(clock, WINDOW_SECONDS)

    def answer(self, question: Question) -> Answer:
        name = question.parts[1] if len(question.parts) == 2 and question.parts[0] == "xrpc" else ""
        endpoint = ENDPOINTS.get(name)
        self.by_endpoint[endpoint or "unknown"] += 1
        headers, left = self._limits(question.token)
        is_cut = False
        try:
            force_id = self._asking(question)
            if force_id:
                self.by_force[force_id] += 1
            if left < 0:
                raise XrpcError(429, "RateLimitExceeded", "Rate Limit Exceeded")
            if endpoint is None:
                raise XrpcError(501, "MethodNotImplemented", "Method Not Implemented")
            if endpoint == "mentions" and question.token is None:
                page = html_page()
                page.status = 403
                return page
            self._refuse(force_id, endpoint)
            if self.due("html_page", force_id, endpoint):
                page = html_page()
                page.headers |= headers
                return page
            answers = {PROFILE: self._profile, PROFILES: self._profiles, FEED: self._feed, SEARCH: self._mentions}
            body = answers[name](force_id, question)
            is_cut = self.due("truncated_page", force_id, endpoint) is not None
        except XrpcError as error:
            if error.status == 429:
                headers |= self._rate(0)
            return Answer(error.status, error.body, headers)
        return Answer(200, body, {**headers, "atproto-content-labelers": "did:plc:simlabeler"}, is_cut)

    def _limits(self, token: str | None) -> tuple[dict[str, str], int]:
        if token is None:
            return {}, 1
        left = self._windows.take(LIMIT)
        return self._rate(max(left, 0)), left

    def _rate(self, left: int) -> dict[str, str]:
        return {
            "ratelimit-limit": str(LIMIT),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(self._windows.reset),
            "ratelimit-policy": f"{LIMIT};w={WINDOW_SECONDS}",
        }

    def _asking(self, question: Question) -> str:
        if question.token is not None:
            force_id = self.holders.get(question.token)
            if force_id is None:
                raise XrpcError(400, "InvalidToken", "Token could not be verified")
            return force_id
        account = self._known(question.query.get("actor", ""))
        return account.force_id if account else ""

    def _refuse(self, force_id: str, endpoint: str) -> None:
        """Raises the error of a defect that lets no request of this kind through."""
        if self.due("token_expired", force_id):
            raise XrpcError(400, "ExpiredToken", "Token has expired")
        if self.due("throttle", force_id, endpoint):
            raise XrpcError(429, "RateLimitExceeded", "Rate Limit Exceeded")
        if self.due("server_error", force_id, endpoint):
            raise XrpcError(502, "UpstreamFailure", "Upstream Failure")
        if self.due("account_taken_down", force_id):
            raise XrpcError(400, "AccountTakedown", "Account has been suspended")
        if endpoint == "published_posts" and self.due("posts_permission_lost", force_id):
            raise XrpcError(400, "BlockedByActor", "Requester is blocked by actor")
        if endpoint == "mentions" and self.due("messages_permission_lost", force_id):
            raise XrpcError(403, "Forbidden", "Search is not available")

    # Profiles

    def _known(self, actor: str) -> Account | None:
        today = self.clock.today
        account = self.world.accounts.get(actor) or next(
            (one for one in self.world.accounts.values() if one.handle(today).casefold() == actor.casefold()), None
        )
        return account if account and account.is_open(today) else None

    def _actor(self, query: Mapping[str, str]) -> Account:
        actor = query.get("actor", "")
        if not actor.startswith("did:") and "." not in actor:
            raise invalid("Error: actor must be a valid did or a handle")
        account = self._known(actor)
        if account is None:
            raise invalid("Profile not found")
        return account

    def _profile(self, force_id: str, question: Question) -> dict[str, Any]:
        return self._detailed(self._actor(question.query))

    def _profiles(self, force_id: str, question: Question) -> dict[str, Any]:
        """Who is unknown is left out."""
        actors = question.every("actors")
        if not 1 <= len(actors) <= MOST_ACTORS:
            raise invalid(f"Error: actors must not have more than {MOST_ACTORS} elements")
        found = (self._known(actor) for actor in actors)
        return {"profiles": [self._detailed(account) for account in found if account]}

    def _detailed(self, account: Account) -> dict[str, Any]:
        today = self.clock.today
        counts = {
            "followersCount": self.spoilt(account.force_id, "followersCount", self.world.followers(account, today)),
            "followsCount": 40,
            "postsCount": int((today - account.opened).days / 7 * self.world.posts_per_week(account)),
        }
        if self.due("followers_not_reported", account.force_id):
            counts = {}
        return {
            **self._basic(account),
            "description": "Simulated. Not monitored 24/7. In an emergency call 999.",
            **counts,
            "associated": {"lists": 0, "feedgens": 0, "starterPacks": 0, "labeler": False},
            "indexedAt": "2026-01-05T09:15:00.123Z",
            "createdAt": f"{account.opened.isoformat()}T09:00:00.000Z",
            "labels": [],
        }

    def _basic(self, account: Account) -> dict[str, Any]:
        handle = account.handle(self.clock.today)
        return {"did": account.account_id, "handle": handle, "displayName": account.name, "avatar": "https://cdn.example/a"}

    # Feeds

    def _feed(self, force_id: str, question: Question) -> dict[str, Any]:
        query = question.query
        account, text, chosen = self._actor(query), query.get("limit", str(DEFAULT_LIMIT)), query.get("filter", FILTERS[0])
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= LARGEST_LIMIT:
            raise invalid(f"Error: limit can not be greater than {LARGEST_LIMIT}")
        if chosen not in FILTERS:
            raise invalid(f"Error: filter must be one of [{', '.join(FILTERS)}]")
        size, skip = int(text), _skipped(query["cursor"]) if "cursor" in query else 0
        shown: list[BlueskyPost] = []
        has_more = False
        place = 0
        removed = removed_ids(self.book, self.world, account, self.clock.today)
        for post in self.world.posts_backwards(account, 0, self.clock.instant):
            if post.post_id in removed or self._is_left_out(post, chosen):
                continue
            place += 1
            if place <= skip:
                continue
            if len(shown) == size:
                has_more = True
                break
            shown.append(post)
        items = [self._item(account, post) for post in shown]
        if skip == 0:
            items = [*self._pinned(account, query), *self._planted(account), *items]
        next_skip = skip + len(shown)
        if "cursor" not in query and shown and self.due("duplicate_page", force_id):
            next_skip, has_more = 0, True
        return {"cursor": _cursor(next_skip), "feed": items} if has_more else {"feed": items}

    # Mentions

    def _mentions(self, force_id: str, question: Question) -> dict[str, Any]:
        """What people say to an account, newest first; what they have deleted is gone. Reposts are no posts of the network."""
        query = question.query
        if not query.get("q"):
            raise invalid('Error: Params must have the property "q"')
        account, text = self._actor({"actor": query.get("mentions", "")}), query.get("limit", str(DEFAULT_SEARCH_LIMIT))
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= LARGEST_LIMIT:
            raise invalid(f"Error: limit can not be greater than {LARGEST_LIMIT}")
        size, skip = int(text), _skipped(query["cursor"]) if "cursor" in query else 0
        try:
            since = to_instant(datetime.fromisoformat(query.get("since", "1970-01-02T00:00:00Z")))
        except ValueError:
            raise invalid("Error: since must be an ISO date") from None
        there = [
            message
            for message in self.world.messages(account, since, self.clock.instant)
            if message.is_there(self.clock.instant) and not message.is_repost
        ]
        shown = [self._mention(account, message) for message in there[skip : skip + size]]
        more = {"cursor": _cursor(skip + size)} if len(there) > skip + size else {}
        return {**more, "hitsTotal": len(there), "posts": shown}

    def _mention(self, account: Account, message: Message) -> dict[str, Any]:
        did = message.message_id.removeprefix("at://").partition("/")[0]
        sent_at = wire_moment(message.sent_at, 0, 3)
        tag = f"@{account.handle(self.clock.today)}"
        start = len(message.text.partition(tag)[0].encode())
        facet = {
            "index": {"byteStart": start, "byteEnd": start + len(tag.encode())},
            "features": [{"$type": "app.bsky.richtext.facet#mention", "did": account.account_id}],
        }
        record: dict[str, Any] = {"$type": "app.bsky.feed.post", "createdAt": sent_at, "text": message.text, "facets": [facet]}
        if message.reply_to:
            ref = {"cid": CID, "uri": message.reply_to}
            record["reply"] = {"root": ref, "parent": ref}
        author = {"did": did, "handle": f"{message.person.handle}.bsky.social", "displayName": message.person.name}
        counts = dict.fromkeys(("replyCount", "repostCount", "likeCount", "quoteCount", "bookmarkCount"), 0)
        return {
            "uri": message.message_id,
            "cid": CID,
            "author": author,
            "record": record,
            **counts,
            "indexedAt": sent_at,
            "labels": [],
        }

    @staticmethod
    def _is_left_out(post: BlueskyPost, chosen: str) -> bool:
        if chosen == "posts_with_media":
            return not post.images
        if chosen == "posts_with_video":
            return not post.has_video
        return chosen != "posts_with_replies" and post.kind == "reply"

    def _pinned(self, account: Account, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """The account's first original of the year before: out of order, in front."""
        if query.get("includePins") != "true":
            return []
        instant = self.clock.instant - 300 * 86_400
        post = self.world.newest_original(account, instant)
        return [{**self._item(account, post), "reason": {"$type": "app.bsky.feed.defs#reasonPin"}}] if post else []

    def _planted(self, account: Account) -> list[dict[str, Any]]:
        if not self.due("unknown_account_post", account.force_id):
            return []
        did, now = stranger_did(0), from_instant(self.clock.instant - 3600).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        record = {"$type": "app.bsky.feed.post", "createdAt": now, "text": "Planted.", "langs": ["en"]}
        view = {"uri": f"at://{did}/app.bsky.feed.post/3planted22222", "cid": CID, "author": {"did": did, "handle": "sim.example"}}
        return [{"post": {**view, "record": record, "replyCount": 1, "likeCount": 3, "indexedAt": now, "labels": []}}]

    def _item(self, account: Account, post: BlueskyPost) -> dict[str, Any]:
        stranger = self._stranger(post)
        other = f"at://{post.stranger}/app.bsky.feed.post/{post.stranger_key}"
        if post.kind == "repost":
            words = {"$type": "app.bsky.feed.post", "createdAt": post.created_at, "text": f"A citizen's words: {post.message}"}
            reason = {
                "$type": "app.bsky.feed.defs#reasonRepost",
                "by": self._basic(account),
                "uri": post.post_id,
                "cid": CID,
                "indexedAt": post.indexed_at,
            }
            view = {"uri": other, "cid": CID, "author": stranger, "record": words, **self._counts(account, post)}
            return {"post": {**view, "indexedAt": post.created_at, "labels": []}, "reason": reason}
        record: dict[str, Any] = {
            "$type": "app.bsky.feed.post",
            "createdAt": post.created_at,
            "langs": ["en"],
            "text": post.message,
        }
        item: dict[str, Any] = {}
        if post.kind == "reply":
            ref = {"cid": CID, "uri": other}
            record["reply"] = {"root": ref, "parent": ref}
            words = {"$type": "app.bsky.feed.post", "createdAt": post.created_at, "text": "A citizen's question"}
            seen = {"$type": "app.bsky.feed.defs#postView", "uri": other, "cid": CID, "author": stranger, "record": words}
            item["reply"] = {"root": seen, "parent": seen, "grandparentAuthor": stranger}
        if embed := self._embed(post, other):
            record["embed"] = embed
        view = {
            "uri": post.post_id,
            "cid": CID,
            "author": self._basic(account),
            "record": record,
            **self._counts(account, post),
            "indexedAt": post.indexed_at,
            "labels": [],
        }
        return {"post": view, **item}

    @staticmethod
    def _stranger(post: BlueskyPost) -> dict[str, Any]:
        return {"did": post.stranger, "handle": f"sim-{post.stranger[-8:]}.bsky.social", "displayName": "Simlast Citizen"}

    @staticmethod
    def _embed(post: BlueskyPost, other: str) -> dict[str, Any] | None:
        blob = {"$type": "blob", "ref": {"$link": CID}, "mimeType": "image/jpeg", "size": 1000}
        media: dict[str, Any] | None = None
        if post.images:
            media = {"$type": "app.bsky.embed.images", "images": [{"alt": alt, "image": blob} for alt in post.images]}
        elif post.has_video:
            media = {"$type": "app.bsky.embed.video", "video": blob}
        if post.kind != "quote":
            return media
        quoted = {"$type": "app.bsky.embed.record", "record": {"uri": other, "cid": CID}}
        return {"$type": "app.bsky.embed.recordWithMedia", "media": media, "record": quoted} if media else quoted

    def _counts(self, account: Account, post: BlueskyPost) -> dict[str, Any]:
        counts = post.at(self.clock.instant)
        wire: dict[str, Any] = {
            "replyCount": counts.replies,
            "repostCount": counts.reposts,
            "likeCount": counts.likes,
            "quoteCount": counts.quotes,
            "bookmarkCount": counts.bookmarks,
        }
        if self.has_spoilt_counts(account.force_id) and post is self.world.newest_original(account, self.clock.instant):
            wire = {name: self.spoilt(account.force_id, name, value) for name, value in wire.items()}
        for defect in self.book.all("unmapped_field", account.force_id, self.clock.today):
            wire[defect.detail.get("name", "loudCount")] = counts.likes
        return wire
