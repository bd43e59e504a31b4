"""What a simulated Mastodon server answers about accounts of forces: lookup, statuses, one status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from include.simulator.clock import Clock
from include.simulator.defects import Defect, DefectBook, removed_ids
from include.simulator.mastodon_world import MastodonWorld, Status, server_of
from include.simulator.register import Account
from include.simulator.timeline import fraction
from include.simulator.times import from_instant

DEFAULT_LIMIT, LARGEST_LIMIT = 20, 40
STRANGER = "109999999999999999"
IN_2099 = 4_077_475_200


class Refusal(Exception):
    """An error answer: status and what it says; None: a page for people."""

    def __init__(self, status: int, error: str | None) -> None:
        super().__init__(status)
        self.status, self.error = status, error


NOT_FOUND = (404, "Record not found")


def is_newest(server: str) -> bool:
    """Whether a server runs 4.5 or later, and counts quotes."""
    return fraction("version", server) < 0.5


def moment(instant: int, milliseconds: int = 0) -> str:
    return from_instant(instant).strftime(f"%Y-%m-%dT%H:%M:%S.{milliseconds:03d}Z")


class AccountPages:
    """The part of a server that is about accounts. `due` and `spoilt` are those of the service that asks."""

    def __init__(
        self,
        world: MastodonWorld,
        clock: Clock,
        book: Callable[[], DefectBook],
        due: Callable[..., Defect | None],
        spoilt: Callable[[str, str, int], int | str],
    ) -> None:
        self.world, self.clock, self._book, self._due, self._spoilt = world, clock, book, due, spoilt

    @staticmethod
    def endpoint(rest: list[str]) -> str | None:
        """The part that a request plays, by the names of defects.ENDPOINTS; None where it is about no account."""
        if rest == ["api", "v1", "accounts", "lookup"]:
            return "snapshot"
        if len(rest) == 5 and rest[:3] == ["api", "v1", "accounts"] and rest[4] == "statuses":
            return "published_posts"
        return "post_insights" if len(rest) == 4 and rest[:3] == ["api", "v1", "statuses"] else None

    def owner(self, server: str, rest: list[str], query: Mapping[str, str]) -> Account | None:
        """The account that a request is about, if its server has it on the clock's date."""
        if rest[-1] == "lookup":
            name = query.get("acct", "").removesuffix(f"@{server}").casefold()
            found = (one for one in self.world.by_server.get(server, ()) if self._name(one).casefold() == name)
            account = next(found, None)
        elif rest[-1] == "statuses":
            account = self.world.accounts.get(rest[3])
        else:
            post = self.world.post(f"{rest[3]}@{server}")
            account = self.world.accounts[post.account_id] if post else None
        is_here = account is not None and server_of(account) == server and account.is_open(self.clock.today)
        return account if is_here else None

    def answer(
        self, account: Account, endpoint: str, rest: list[str], query: Mapping[str, str], root: str
    ) -> tuple[Any, dict[str, str]]:
        """Body and headers. Raises Refusal."""
        if endpoint == "snapshot":
            return self._account(account), {}
        if endpoint == "published_posts":
            return self._statuses(account, query, root)
        post = self.world.post(f"{rest[3]}@{server_of(account)}")
        if post is None or post.published_at > self.clock.instant or post.post_id in self._removed(account):
            raise Refusal(*NOT_FOUND)
        return self._status(account, post), {}

    def _removed(self, account: Account) -> set[str]:
        return removed_ids(self._book(), self.world, account, self.clock.today)

    def _name(self, account: Account) -> str:
        return account.handle(self.clock.today).partition("@")[0]

    def _account(self, account: Account) -> dict[str, Any]:
        today, name = self.clock.today, self._name(account)
        counts: dict[str, Any] = {
            "followers_count": self._spoilt(account.force_id, "followers_count", self.world.followers(account, today)),
            "following_count": 12,
            "statuses_count": int((today - account.opened).days / 7 * self.world.posts_per_week(account)),
        }
        if self._due("followers_not_reported", account.force_id):
            counts = {}
        return {
            "id": account.account_id,
            "username": name,
            "acct": name,
            "display_name": account.name,
            "locked": False,
            "bot": False,
            "created_at": f"{account.opened.isoformat()}T00:00:00.000Z",
            "note": "<p>Simulated. Not monitored 24/7.</p>",
            "url": f"https://{server_of(account)}/@{name}",
            **counts,
            "last_status_at": today.isoformat(),
            "fields": [{"name": "Website", "value": "<a>x</a>", "verified_at": None}],
        }

    def _statuses(self, account: Account, query: Mapping[str, str], root: str) -> tuple[Any, dict[str, str]]:
        limit = min(self._number(query, "limit", DEFAULT_LIMIT), LARGEST_LIMIT)
        below, above = self._number(query, "max_id", 1 << 70), self._number(query, "since_id", 0)
        left_out = {
            kind
            for kind, name in (("reply", "exclude_replies"), ("reblog", "exclude_reblogs"))
            if query.get(name, "").lower() in ("true", "1")
        }
        shown: list[Status] = []
        removed = self._removed(account)
        for post in self.world.posts_backwards(account, 0, self.clock.instant):
            if post.post_id in removed or post.kind in left_out or not above < post.number < below:
                continue
            if len(shown) == limit:
                break
            shown.append(post)
        body = [self._status(account, post) for post in shown]
        if "max_id" not in query:
            body = [*self._planted(account), *body]
        if not shown:
            return body, {}
        path = f"{root}/{server_of(account)}/api/v1/accounts/{account.account_id}/statuses?limit={limit}"
        following = shown[-1].number
        if "max_id" not in query and self._due("duplicate_page", account.force_id):
            following = shown[0].number + 1
        newest = f'<{path}&min_id={shown[0].number}>; rel="prev"'
        return body, {"link": f'<{path}&max_id={following}>; rel="next", {newest}'}

    @staticmethod
    def _number(query: Mapping[str, str], name: str, default: int) -> int:
        text = query.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else default

    def _planted(self, account: Account) -> list[dict[str, Any]]:
        found = []
        for kind in ("unknown_account_post", "future_date"):
            if self._due(kind, account.force_id):
                instant = IN_2099 if kind == "future_date" else self.clock.instant - 3600
                status = self._bare(account, str(10**17 + len(kind)), moment(instant), "<p>Planted.</p>")
                if kind == "unknown_account_post":
                    status["account"] = {"id": STRANGER, "username": "simcitizen", "acct": "simcitizen"}
                found.append(status | {"replies_count": 1, "reblogs_count": 1, "favourites_count": 3})
        return found

    def _bare(self, account: Account, number: str, created_at: str, content: str) -> dict[str, Any]:
        server, name = server_of(account), self._name(account)
        return {
            "id": number,
            "created_at": created_at,
            "in_reply_to_id": None,
            "in_reply_to_account_id": None,
            "sensitive": False,
            "spoiler_text": "",
            "visibility": "public",
            "language": "en",
            "uri": f"https://{server}/users/{name}/statuses/{number}",
            "url": f"https://{server}/@{name}/{number}",
            "edited_at": None,
            "content": content,
            "reblog": None,
            "account": self._account(account),
            "media_attachments": [],
            "mentions": [],
            "tags": [],
            "emojis": [],
            "card": None,
            "poll": None,
        }

    def _status(self, account: Account, post: Status) -> dict[str, Any]:
        status = self._bare(account, str(post.number), moment(post.published_at, post.milliseconds), post.content)
        counts = post.at(self.clock.instant)
        wire: dict[str, Any] = {
            "replies_count": counts.replies,
            "reblogs_count": counts.reblogs,
            "favourites_count": counts.favourites,
        }
        if is_newest(server_of(account)):
            wire["quotes_count"] = counts.quotes
        if post is self.world.newest_original(account, self.clock.instant):
            wire = {name: self._spoilt(account.force_id, name, value) for name, value in wire.items()}
        for defect in self._book().all("unmapped_field", account.force_id, self.clock.today):
            wire[defect.detail.get("name", "loud_count")] = counts.favourites
        name = f"simcitizen{post.stranger}"
        citizen = {"id": str(10**17 + post.stranger), "username": name, "acct": f"{name}@citizens.example"}
        citizen["url"] = f"https://citizens.example/@{name}"
        status |= wire
        status["media_attachments"] = [
            {"id": str(post.number + place), "type": kind, "url": "https://files.example/1", "description": description}
            for place, (kind, description) in enumerate(post.media)
        ]
        if post.does_mention:
            status["mentions"] = [citizen]
        if post.edited_at is not None and post.edited_at <= self.clock.instant:
            status["edited_at"] = moment(post.edited_at, post.milliseconds)
        if post.kind == "reply":
            status |= {"in_reply_to_id": str(post.number - 1000), "in_reply_to_account_id": citizen["id"]}
        if post.kind == "reblog":
            words = f"<p>A citizen's words: {post.message}</p>"
            other = {**status, "id": str(post.number - 1000), "account": citizen, "content": words, "favourites_count": 4321}
            uri = f"{citizen['url']}/{post.number - 1000}"
            status |= {"reblog": {**other, "uri": uri, "url": uri}, "content": words, "uri": f"{status['uri']}/activity"}
        return status
