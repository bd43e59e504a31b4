"""The X API v2 contract: users, timelines and posts, as of the clock, with the defects that are due."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from include.simulator.clock import Clock
from include.simulator.contacts_world import Message
from include.simulator.defects import removed_ids
from include.simulator.register import Account
from include.simulator.service import Answer, Question, RateWindows, Service, html_page
from include.simulator.timeline import fraction
from include.simulator.times import from_instant, london_midnight, to_instant
from include.simulator.x_problems import Problem, invalid, no_credits, not_enrolled, not_found, not_promoted, plain, too_many
from include.simulator.x_world import PublicMetrics, XPost, XWorld, status_id

WINDOW_SECONDS = 900
LIMITS = {"snapshot": 300, "published_posts": 10_000, "post_insights": 3500, "mentions": 450}
"""Requests with an app's token in each window: users/by, users/:id/tweets, tweets, users/:id/mentions."""

DEEPEST, DEEPEST_WITHOUT_REPLIES, DEEPEST_MENTIONS = 3200, 800, 800
STRANGER = "1999999999999999999"
IN_2099 = 4_077_475_200
USER_FIELDS = {"id", "name", "username", "created_at", "public_metrics", "verified", "verified_type", "protected", "description"}
TWEET_FIELDS = {
    *("id", "text", "edit_history_tweet_ids", "author_id", "created_at", "public_metrics", "conversation_id", "lang", "source"),
    *("in_reply_to_user_id", "referenced_tweets", "attachments", "possibly_sensitive", "promoted_metrics", "reply_settings"),
}
REFERENCE = {"quote": "quoted", "reply": "replied_to", "retweet": "retweeted"}


def created_at(instant: int) -> str:
    return from_instant(instant).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _names(query: Mapping[str, str], parameter: str, known: set[str], defaults: Sequence[str]) -> set[str]:
    """The fields asked for and the default ones. Raises Problem for an unknown one."""
    names = {name.strip() for name in query.get(parameter, "").split(",") if name.strip()}
    for name in sorted(names - known):
        shown = ",".join(sorted(known))
        raise invalid(parameter, name, f"The `{parameter}` query parameter value [{name}] is not one of [{shown}]")
    return names | set(defaults)


def _time(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return to_instant(datetime.fromisoformat(text))
    except ValueError:
        raise invalid(name, text, f"The `{name}` query parameter value [{text}] is not a valid RFC3339 date") from None


def _id(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise invalid(name, text, f"The `{name}` query parameter value [{text}] does not match ^[0-9]{{1,19}}$")
    return int(text)


def _token(skip: int) -> str:
    return "t3b" + base64.b32hexencode(json.dumps([skip]).encode()).decode().rstrip("=").lower()


def _skipped(token: str) -> int:
    text = token.removeprefix("t3b").upper()
    try:
        (skip,) = json.loads(base64.b32hexdecode(text + "=" * (-len(text) % 8)))
        return int(skip)
    except (ValueError, TypeError):
        raise invalid("pagination_token", token, f"The `pagination_token` query parameter value [{token}] is not valid") from None


class XTimelines(Service):
    """Answers of the simulated API. Any force's token reads every account; defects go by the force whose token asks."""

    platform = "x"

    def __init__(self, world: XWorld, secret: str, clock: Clock) -> None:
        super().__init__(secret, clock, world.register.forces)
        self.world = world
        self._windows = RateWindows(clock, WINDOW_SECONDS)

    def answer(self, question: Question) -> Answer:
        parts, query = question.parts, question.query
        endpoint = self._endpoint(parts)
        self.by_endpoint[endpoint or "unknown"] += 1
        limit = self.calls or LIMITS.get(endpoint or "", 300)
        left = limit
        is_cut = False
        try:
            force_id = self.holders.get(question.token or "")
            if force_id is None:
                raise plain(401, "Unauthorized")
            self.by_force[force_id] += 1
            left = self._windows.take(limit, force_id, endpoint, is_strict=self.calls is not None)
            if endpoint is None:
                raise plain(404, "Not Found")
            if left < 0:
                self.refused += 1
                raise too_many("v2", self._windows.reset - self.clock.instant)
            self._refuse(force_id, endpoint)
            if self.due("html_page", force_id, endpoint):
                page = html_page()
                page.headers |= self._rate(limit, left)
                return page
            status, body = 200, getattr(self, f"_{endpoint}")(force_id, parts, query)
            is_cut = self.due("truncated_page", force_id, endpoint) is not None
        except Problem as problem:
            status, body = problem.status, problem.body
            if problem.blocked_seconds is not None:
                reset = self.clock.instant + problem.blocked_seconds
                return self._problem(status, body, {**self._rate(limit, 0), "x-rate-limit-reset": str(reset)})
            return self._problem(status, body, self._rate(limit, left))
        return Answer(status, body, self._rate(limit, left), is_cut, "application/json; charset=utf-8")

    def _rate(self, limit: int, left: int) -> dict[str, str]:
        return {
            "x-rate-limit-limit": str(limit),
            "x-rate-limit-remaining": str(max(left, 0)),
            "x-rate-limit-reset": str(self._windows.reset),
            "api-version": "2.167",
            "x-access-level": "read",
        }

    @staticmethod
    def _problem(status: int, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        return Answer(status, body, headers, media_type="application/problem+json; charset=utf-8")

    @staticmethod
    def _endpoint(parts: list[str]) -> str | None:
        if parts == ["2", "users", "by"]:
            return "snapshot"
        if parts == ["2", "tweets"]:
            return "post_insights"
        lists = {"tweets": "published_posts", "mentions": "mentions"}
        return lists.get(parts[3]) if len(parts) == 4 and parts[:2] == ["2", "users"] else None

    def _refuse(self, force_id: str, endpoint: str) -> None:
        """Raises the problem of a defect that lets no request of this kind through."""
        if self.due("token_expired", force_id):
            raise plain(401, "Unauthorized")
        credits = self.due("credits_depleted", force_id)
        if credits:
            raise no_credits(credits.detail.get("form", "2026"))
        throttle = self.due("throttle", force_id, endpoint)
        if throttle:
            raise too_many(throttle.detail.get("form", "v2"), 60 * throttle.detail.get("regain_minutes", 0))
        if self.due("server_error", force_id, endpoint):
            raise plain(503, "Service Unavailable")
        if endpoint == "published_posts" and self.due("posts_permission_lost", force_id):
            raise not_enrolled()
        if endpoint == "mentions" and self.due("messages_permission_lost", force_id):
            raise not_enrolled()

    # Users

    def _snapshot(self, force_id: str, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        names = [name for name in query.get("usernames", "").split(",") if name]
        if not 1 <= len(names) <= 100:
            text = query.get("usernames", "")
            raise invalid("usernames", text, "The `usernames` query parameter can not be empty, nor hold more than 100 names")
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9_]{1,15}", name):
                message = f"The `usernames` query parameter value [{name}] does not match ^[A-Za-z0-9_]{{1,15}}$"
                raise invalid("usernames", name, message)
        fields = _names(query, "user.fields", USER_FIELDS, ("id", "name", "username"))
        today = self.clock.today
        by_handle = {one.handle(today).casefold(): one for one in self.world.accounts.values() if one.is_open(today)}
        found = [by_handle[name.casefold()] for name in names if name.casefold() in by_handle]
        missing = [name for name in names if name.casefold() not in by_handle]
        body: dict[str, Any] = {"data": [self._user(force_id, account, fields) for account in found]} if found else {}
        return {**body, "errors": [not_found("user", "usernames", name) for name in missing]} if missing else body

    def _user(self, force_id: str, account: Account, fields: set[str]) -> dict[str, Any]:
        today = self.clock.today
        metrics = {
            "followers_count": self.spoilt(force_id, "followers_count", self.world.followers(account, today)),
            "following_count": 200 + int(800 * fraction("following", account.account_id)),
            "tweet_count": int((today - account.opened).days / 7 * self.world.posts_per_week(account)),
            "listed_count": 50,
            "like_count": 900,
            "media_count": 3000,
        }
        user: dict[str, Any] = {
            "id": account.account_id,
            "name": account.name,
            "username": account.handle(today),
            "created_at": created_at(london_midnight(account.opened)),
            "verified": account.is_main,
            "verified_type": "government" if account.is_main else "none",
            "protected": False,
            "description": "Simulated. Not monitored 24/7.",
            "public_metrics": metrics,
        }
        if self.due("followers_not_reported", force_id):
            del user["public_metrics"]
        return {name: value for name, value in user.items() if name in fields}

    # Posts

    def _ids(self, post: XPost) -> tuple[str, ...]:
        """The history of a post's ids up to the clock, with the edits that defects have planted."""
        ids = post.ids_at(self.clock.instant)
        owner = self.world.accounts.get(post.account_id)
        late = [
            status_id(london_midnight(day), post.place, self.world.tag(post.account_id))
            for day in self._edit_days(owner)
            if owner and self._edited_on(owner, day) is post
        ]
        return (*ids, *late)

    def _edit_days(self, account: Account | None) -> list[date]:
        return [
            defect.first_date
            for defect in self.book.defects
            if defect.kind == "edited_post" and account and defect.force_id == account.force_id
            if defect.first_date <= self.clock.today
        ]

    def _edited_on(self, account: Account, day: date) -> XPost | None:
        age = next(
            defect.detail.get("age_days", 0)
            for defect in self.book.defects
            if defect.kind == "edited_post" and defect.force_id == account.force_id and defect.first_date == day
        )
        return self.world.newest_original(account, london_midnight(day) - 86_400 * age)

    def _post(self, post_id: str) -> XPost | None:
        """The post whose newest id this is, if it is there at the clock."""
        late = (self._edited_on(account, day) for account in self.world.accounts.values() for day in self._edit_days(account))
        for post in (self.world.post(post_id), *late):
            if post and post.published_at <= self.clock.instant and self._ids(post)[-1] == post_id:
                owner = self.world.accounts[post.account_id]
                return post if owner.is_open(self.clock.today) else None
        return None

    def _planted(self, force_id: str, account: Account) -> list[XPost]:
        found = []
        for kind, owner in (("unknown_account_post", STRANGER), ("future_date", account.account_id)):
            if self.due(kind, force_id):
                created = IN_2099 if kind == "future_date" else self.clock.instant - 3600
                one = str(1_999_000_000_000_000_000 + len(kind))
                counts = PublicMetrics(1, 1, 3, 0, 0, 100)
                found.append(
                    XPost(
                        one,
                        owner,
                        created,
                        "other",
                        "Planted.",
                        86_400.0,
                        None,
                        "original",
                        0,
                        (),
                        (one,),
                        None,
                        None,
                        one,
                        (),
                        counts,
                    )
                )
        return found

    def _published_posts(self, force_id: str, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        account = self.world.accounts.get(parts[2])
        text = query.get("max_results", "10")
        if not (text.isascii() and text.isdigit()) or not 5 <= int(text) <= 100:
            raise invalid("max_results", text, f"The `max_results` query parameter value [{text}] is not between 5 and 100")
        size, skip = int(text), _skipped(query["pagination_token"]) if "pagination_token" in query else 0
        excluded = {name for name in query.get("exclude", "").split(",") if name}
        for name in excluded - {"replies", "retweets"}:
            raise invalid("exclude", name, f"The `exclude` query parameter value [{name}] is not one of [replies,retweets]")
        start, end = _time(query, "start_time") or 0, _time(query, "end_time")
        if account is None or not account.is_open(self.clock.today):
            return {"errors": [not_found("user", "id", parts[2])]}
        last = self.clock.instant if end is None else min(end - 1, self.clock.instant)
        deepest = DEEPEST_WITHOUT_REPLIES if "replies" in excluded else DEEPEST
        kinds = {"reply": "replies", "retweet": "retweets"}
        since, until = _id(query, "since_id", 0), _id(query, "until_id", 2**63)
        shown: list[XPost] = []
        has_more, place = False, 0
        removed = removed_ids(self.book, self.world, account, self.clock.today)
        for post in self.world.posts_backwards(account, start, last):
            if post.post_id in removed or kinds.get(post.kind) in excluded or not since < int(post.post_id) < until:
                continue
            place += 1
            if place > deepest:
                break
            if place <= skip:
                continue
            if len(shown) == size:
                has_more = True
                break
            shown.append(post)
        items = [*(self._planted(force_id, account) if skip == 0 else []), *shown]
        next_skip = skip + len(shown)
        if "pagination_token" not in query and shown and self.due("duplicate_page", force_id):
            next_skip, has_more = 0, True
        return self._page(force_id, items, query, _token(next_skip) if has_more else None, max(skip - size, 0) if skip else None)

    def _mentions(self, force_id: str, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        """What people say to an account, newest first; what they have deleted is gone."""
        account = self.world.accounts.get(parts[2])
        text = query.get("max_results", "10")
        if not (text.isascii() and text.isdigit()) or not 5 <= int(text) <= 100:
            raise invalid("max_results", text, f"The `max_results` query parameter value [{text}] is not between 5 and 100")
        size, skip = int(text), _skipped(query["pagination_token"]) if "pagination_token" in query else 0
        if account is None or not account.is_open(self.clock.today):
            return {"errors": [not_found("user", "id", parts[2])]}
        end = _time(query, "end_time")
        last = self.clock.instant if end is None else min(end - 1, self.clock.instant)
        since, until = _id(query, "since_id", 0), _id(query, "until_id", 2**63)
        there = [
            message
            for message in self.world.messages(account, _time(query, "start_time") or 0, last)
            if message.is_there(self.clock.instant) and since < int(message.message_id) < until
        ][:DEEPEST_MENTIONS]
        shown = there[skip : skip + size]
        if not shown:
            return {"meta": {"result_count": 0}}
        fields = _names(query, "tweet.fields", TWEET_FIELDS, ("id", "text", "edit_history_tweet_ids"))
        body: dict[str, Any] = {"data": [self._mention(message, fields) for message in shown]}
        if "author_id" in query.get("expansions", "").split(","):
            people = {message.person.person_id: message.person for message in shown}
            body["includes"] = {
                "users": [{"id": one.person_id, "name": one.name, "username": one.handle} for one in people.values()]
            }
        meta = {"result_count": len(shown), "newest_id": shown[0].message_id, "oldest_id": shown[-1].message_id}
        following = {"next_token": _token(skip + size)} if len(there) > skip + size else {}
        return {**body, "meta": {**meta, **following}}

    @staticmethod
    def _mention(message: Message, fields: set[str]) -> dict[str, Any]:
        item: dict[str, Any] = {
            "id": message.message_id,
            "text": message.text,
            "edit_history_tweet_ids": [message.message_id],
            "author_id": message.person.person_id,
            "created_at": created_at(message.sent_at),
            "conversation_id": message.reply_to or message.message_id,
            "lang": "en",
            "public_metrics": dict.fromkeys(
                ("retweet_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count"), 0
            ),
        }
        if message.is_repost:
            item["referenced_tweets"] = [{"type": "retweeted", "id": str(int(message.message_id) - 4096)}]
        if message.reply_to:
            item["referenced_tweets"] = [{"type": "replied_to", "id": message.reply_to}]
            item["in_reply_to_user_id"] = message.reply_to_person
        return {name: value for name, value in item.items() if name in fields}

    def _page(
        self, force_id: str, items: list[XPost], query: Mapping[str, str], next_token: str | None, previous: int | None
    ) -> dict[str, Any]:
        if not items:
            return {"meta": {"result_count": 0}}
        body = self._posts_body(force_id, items, query)
        ids = [item["id"] for item in body["data"]]
        meta: dict[str, Any] = {"result_count": len(ids), "newest_id": max(ids, key=int), "oldest_id": min(ids, key=int)}
        if next_token:
            meta["next_token"] = next_token
        if previous is not None:
            meta["previous_token"] = _token(previous)
        return {**body, "meta": meta}

    def _posts_body(self, force_id: str, posts: Sequence[XPost], query: Mapping[str, str]) -> dict[str, Any]:
        fields = _names(query, "tweet.fields", TWEET_FIELDS, ("id", "text", "edit_history_tweet_ids"))
        body: dict[str, Any] = {"data": [self._item(force_id, post, fields) for post in posts]}
        media_fields = {"media_key", "type", *query.get("media.fields", "").split(",")}
        includes: dict[str, Any] = {}
        if "attachments.media_keys" in query.get("expansions", "").split(","):
            includes["media"] = [entry for post in posts for entry in self._media(post, media_fields)]
        if "author_id" in query.get("expansions", "").split(","):
            owners = dict.fromkeys(post.account_id for post in posts if post.account_id in self.world.accounts)
            includes["users"] = [self._user(force_id, self.world.accounts[one], {"id", "name", "username"}) for one in owners]
        includes = {name: entries for name, entries in includes.items() if entries}
        if includes:
            body["includes"] = includes
        if "promoted_metrics" in fields:
            body["errors"] = [error for item in body["data"] for error in not_promoted(item["id"])]
        return body

    @staticmethod
    def _media(post: XPost, fields: set[str]) -> list[dict[str, Any]]:
        entries = []
        for place, (kind, alt) in enumerate(post.media):
            entry = {"media_key": f"{7 if kind == 'video' else 3}_{int(post.post_id) + place}", "type": kind, "alt_text": alt}
            entries.append({name: value for name, value in entry.items() if name in fields and value is not None})
        return entries

    def _item(self, force_id: str, post: XPost, fields: set[str]) -> dict[str, Any]:
        ids = self._ids(post)
        item: dict[str, Any] = {
            "id": ids[-1],
            "text": post.message,
            "edit_history_tweet_ids": list(ids),
            "author_id": post.account_id,
            "created_at": created_at(post.published_at),
            "conversation_id": post.conversation_id,
            "lang": "en",
            "possibly_sensitive": False,
            "reply_settings": "everyone",
        }
        if "public_metrics" in fields:
            item["public_metrics"] = self._metrics(force_id, post)
        if post.referenced_id:
            item["referenced_tweets"] = [{"type": REFERENCE[post.kind], "id": post.referenced_id}]
        if post.referenced_user:
            item["in_reply_to_user_id"] = post.referenced_user
        if post.media:
            item["attachments"] = {"media_keys": [entry["media_key"] for entry in self._media(post, {"media_key"})]}
        return {name: value for name, value in item.items() if name in fields}

    def _metrics(self, force_id: str, post: XPost) -> dict[str, Any]:
        counts = post.at(self.clock.instant)
        metrics: dict[str, Any] = {
            "retweet_count": counts.retweets,
            "reply_count": counts.replies,
            "like_count": counts.likes,
            "quote_count": counts.quotes,
            "bookmark_count": counts.bookmarks,
            "impression_count": counts.impressions,
        }
        account = self.world.accounts.get(post.account_id)
        if self.has_spoilt_counts(force_id) and account and post is self.world.newest_original(account, self.clock.instant):
            metrics = {name: self.spoilt(force_id, name, value) for name, value in metrics.items()}
        for defect in self.book.all("unmapped_field", force_id, self.clock.today):
            metrics[defect.detail.get("name", "loud_count")] = counts.likes
        return metrics

    def _post_insights(self, force_id: str, parts: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        ids = [one for one in query.get("ids", "").split(",") if one]
        if not 1 <= len(ids) <= 100:
            text = query.get("ids", "")
            raise invalid("ids", text, "The `ids` query parameter can not be empty, nor hold more than 100 ids")
        found = {one: self._post(one) for one in ids}
        posts = [post for post in found.values() if post]
        body: dict[str, Any] = self._posts_body(force_id, posts, query) if posts else {}
        missing = [not_found("tweet", "ids", one) for one, post in found.items() if post is None]
        return {**body, "errors": [*body.get("errors", []), *missing]} if missing else body
