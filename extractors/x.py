"""X through its API v2: what is asked, and what its errors mean. Why: docs/sources/x.md. How a page becomes rows: x_rows.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from extractors.account_reading import UNPROVEN, has_posts
from extractors.base import (
    Account,
    AccountClosed,
    ApiSource,
    CreditsDepleted,
    Drop,
    Gap,
    NoAnswer,
    Order,
    Outage,
    Page,
    PermissionMissing,
    Refused,
    RetiredMetric,
    Row,
    RowBatch,
    SourceError,
    Throttled,
    TokenExpired,
)
from extractors.contacts import Contacts
from extractors.pacing import Limits, Quota, reset_seconds
from extractors.post_window import post_window
from extractors.x_contacts import ids_of, mentions_for_landing
from extractors.x_rows import count, for_landing, parse

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received

NEEDED_FIELDS = "created_at,public_metrics,author_id,referenced_tweets,edit_history_tweet_ids,in_reply_to_user_id"
POST_FIELDS, ABOUT_MEDIA = (
    f"{NEEDED_FIELDS},attachments,lang",
    {"expansions": "attachments.media_keys", "media.fields": "type,alt_text"},
)
SET_ASIDE = "media_and_language"
"""What a list of posts can do without. One retired name among its parameters fails the whole list."""

MENTION_FIELDS = "created_at,author_id,in_reply_to_user_id,referenced_tweets"
POSTS_PER_PAGE, LARGEST_NUMBER_OF_PAGES = 100, 50
NOTHING_SPECIAL: Mapping[str, Callable[[Any], Any]] = {}
MENTIONS_DEPTH = 800
"""X lists no more mentions than this, whatever the time asked for."""

DEPLETED = frozenset({"credits", "credits-depleted", "usage-capped"})
UNKNOWN, NOT_AUTHORISED = "resource-not-found", frozenset({"client-forbidden", "not-authorized-for-resource"})
RATE_LIMIT_CODE = 88

POST_READ_DOLLARS, USER_READ_DOLLARS = 0.005, 0.010
"""Pay-per-use prices of 2026 for each resource of an answer; the app's own account is cheaper, which is not counted on."""


def _dollars(endpoint: str, body: Any) -> dict[str, float]:
    """What an answer costs: each post and user in it, once a day however often it is asked for."""
    price = USER_READ_DOLLARS if endpoint == "account" else POST_READ_DOLLARS
    return {f"{endpoint} {one}": price for one in _ids(body)}


def _posts_read(endpoint: str, body: Any) -> dict[str, float]:
    return {} if endpoint == "account" else dict.fromkeys(_ids(body), 1.0)


def _ids(body: Any) -> list[str]:
    items = body.get("data") if isinstance(body, dict) else None
    return [str(item["id"]) for item in (items if isinstance(items, list) else [items]) if isinstance(item, dict) and "id" in item]


LIMITS = Limits(
    by_endpoint=True,
    quotas=(
        Quota(
            "credits",
            "US dollars",
            None,
            "month",
            cost={"account": USER_READ_DOLLARS},
            other=POSTS_PER_PAGE * POST_READ_DOLLARS,
            weigh=_dollars,
            is_paid=True,
        ),
        Quota("posts", "posts", 3e6, "month", cost={"account": 0.0}, other=POSTS_PER_PAGE, weigh=_posts_read, is_paid=True),
    ),
)
"""A window of 15 minutes for each request, in every answer's headers; credits, of which an answer says nothing."""


class InvalidRequest(Refused):
    """X does not know a parameter, or a name in one."""


class XPosts(ApiSource):
    """The forces' accounts on X: their followers, and of the last 30 days their posts with public metrics and who turned to them.

    pseudonym: the keyed hash for ids of messages. Without one no contact is asked for or kept.
    """

    name = "x"
    title = "X"
    platform = "x"
    limits = LIMITS
    documentation = "docs/sources/x.md"
    kinds = ("account", "post", "observation", "message")

    def __init__(self, pseudonym: Callable[[str], str] | None = None) -> None:
        self.contacts = Contacts(self.platform, pseudonym) if pseudonym else None

    def classify(self, received: Received) -> SourceError | None:
        return classify(received)

    def redact(self, body: Any) -> Any:
        return for_landing(body)

    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        depleted: SourceError | None = None
        for account in order.accounts:
            if depleted is None:
                depleted = yield from _Reading(client, order, account, self.contacts).run()
            else:
                yield Gap(account.account_id, "*", depleted.cause, str(depleted))

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        return parse(page)

    def count(self, page: Page) -> Counter[str]:
        return count(page)


def classify(received: Received) -> SourceError | None:
    """The error in an answer, None where it holds none: by the end of its type URI (its host has changed), then by status.

    An answer 200 with `errors` and without `data` is one: that is how X says that it does not know an account. What `meta` counts
    beside them (nothing) is no empty list.
    """
    body, status = received.body, received.status
    if not isinstance(body, dict):
        return None
    errors = [one for one in body.get("errors") or () if isinstance(one, dict)] if isinstance(body.get("errors"), list) else []
    kind, message = _kind(body), _message(body, errors)
    if status == 402 or kind in DEPLETED:
        return CreditsDepleted(
            f"{message}: the paid quota of X is used up; buy credits or wait for the next period, then clear the task"
        )
    if status == 429 or any(one.get("code") == RATE_LIMIT_CODE for one in errors):
        return Throttled(message, reset_seconds(received))
    if status == 401:
        return TokenExpired(message)
    if status == 403 or kind in NOT_AUTHORISED:
        return PermissionMissing(message)
    if kind == UNKNOWN:
        return AccountClosed(message)
    if kind == "invalid-request":
        return InvalidRequest(message)
    if status < 300 and errors and "data" not in body:
        kinds = {_kind(one) for one in errors}
        error = AccountClosed if UNKNOWN in kinds else PermissionMissing if kinds & NOT_AUTHORISED else Refused
        return error(message)
    return None


def _kind(problem: dict[str, Any]) -> str:
    return str(problem.get("type", "")).rpartition("/")[2]


def _message(body: dict[str, Any], errors: list[dict[str, Any]]) -> str:
    """Of `errors` only the titles are left (x_rows.for_landing)."""
    said = (body.get("detail"), body.get("message"), *(one.get("title") for one in errors), body.get("title"))
    return next((part for part in said if isinstance(part, str) and part), "X gave no reason")[:300]


class _Reading:
    """All that is asked about one account in one run."""

    def __init__(self, client: HttpClient, order: Order, account: Account, contacts: Contacts | None) -> None:
        self.client = client
        self.order = order
        self.account = account
        self.contacts = contacts
        self.unknown_handle: list[Gap] = []
        self.mentioned: dict[str, str] = {}
        """Ids of this run's mentions: in memory only, to tell which of the force's replies answer one that is still there."""
        self.is_proven = False
        """The account's own numbers came."""

    def run(self) -> Generator[Page | Gap, None, SourceError | None]:
        """Returns the error that ends the other accounts too: a quota that is used up."""
        ended: SourceError | None = None
        try:
            yield from self.snapshot()
            if self.contacts is not None:
                yield from self.mentions(self.contacts)
            yield from self.posts()
        except SourceError as error:
            # the token, a throttle, the quota or the account itself: every further request would fail too
            yield Gap(self.account.account_id, "*", error.cause, str(error))
            ended = error
        if not isinstance(ended, AccountClosed):
            yield from self.unknown_handle
        return ended if isinstance(ended, CreditsDepleted) else None

    def ask(
        self,
        endpoint: str,
        path: str,
        parameters: dict[str, str],
        object_type: str | None,
        subjects: Sequence[str],
        kept: Mapping[str, Callable[[Any], Any]] = NOTHING_SPECIAL,
        **context: str,
    ) -> Generator[Page, None, Any]:
        """Yields the pages, returns the body, raises the SourceError. object_type: whose fields the subjects are."""
        whose = {"object_type": object_type} if object_type else {}
        answer = self.client.get(
            endpoint,
            path,
            parameters,
            account_id=self.account.account_id,
            context={"subjects": ",".join(subjects), **whose, **context},
            **kept,
        )
        yield from answer.pages
        return answer.usable()

    def snapshot(self) -> Iterator[Page | Gap]:
        names = self.order.field_names("account", "snapshot")
        parameters = {"usernames": self.account.handle, "user.fields": "public_metrics"}
        try:
            yield from self.ask("account", "2/users/by", parameters, "account", names)
            self.is_proven = True
        except AccountClosed as error:
            # the handle is unknown, which a rename makes it too: the list goes by the id, and says whether the account is gone
            detail = f"no account under the handle {self.account.handle} ({error}); renamed? see accounts.csv"
            self.unknown_handle = list(self.gaps(names, "not_reported", detail))
        except (Outage, PermissionMissing) as error:
            if isinstance(error, NoAnswer):
                raise
            yield from self.gaps(names, error.cause, str(error))

    def gaps(self, names: Sequence[str], cause: str, detail: str) -> Iterator[Gap]:
        """Of numbers of the account."""
        for name in names:
            yield Gap(self.account.account_id, name, cause, detail, None, "account")

    def posts(self) -> Iterator[Page | Gap]:
        names = self.order.field_names("post", "lifetime")
        # no end_time: X refuses one that is not past, and the run's day is not over
        parameters = {
            "start_time": f"{post_window(self.order.run_date)[0]:%Y-%m-%dT%H:%M:%SZ}",
            "max_results": str(POSTS_PER_PAGE),
            "tweet.fields": POST_FIELDS,
            **ABOUT_MEDIA,
        }
        contacts, mentioned = self.contacts, self.mentioned
        kept = {"redact_more": lambda body: for_landing(body, contacts, mentioned)}
        yield from self.listed("tweets", parameters, "post", ("posts", *names), kept)

    def mentions(self, contacts: Contacts) -> Iterator[Page | Gap]:
        """Who turned to the account. Landed as keyed hashes, times and decisions; all else stays in memory."""
        own = self.account.account_id
        parameters = {
            "start_time": f"{post_window(self.order.run_date)[0]:%Y-%m-%dT%H:%M:%SZ}",
            "max_results": str(POSTS_PER_PAGE),
            "tweet.fields": MENTION_FIELDS,
        }

        def reduce(body: Any) -> Any:
            self.mentioned.update(ids_of(body))
            return mentions_for_landing(body, contacts, own)

        try:
            yield from self.listed("mentions", parameters, None, ("messages",), {"reduce": reduce})
        except CreditsDepleted:
            raise
        except AccountClosed as error:
            yield Gap(own, "messages", error.cause, str(error))
        except SourceError:
            return  # its gap is told; what else the account has was had
        if len(set(self.mentioned.values())) >= MENTIONS_DEPTH:
            detail = f"X lists no more than {MENTIONS_DEPTH} mentions: what is older is not known"
            yield Gap(own, "messages", "not_reported", detail)

    def listed(
        self,
        endpoint: str,
        parameters: dict[str, str],
        object_type: str | None,
        subjects: Sequence[str],
        kept: Mapping[str, Callable[[Any], Any]] = NOTHING_SPECIAL,
    ) -> Iterator[Page | Gap]:
        """A list of the account, page by page. Where it cannot be had, a gap of the first subject."""
        seen: Counter[str] = Counter()
        number, following = 1, ""
        path = f"2/users/{self.account.account_id}/{endpoint}"
        is_unproven = endpoint == "tweets" and not self.is_proven
        retired: InvalidRequest | None = None
        try:
            while True:
                asked = {**parameters, **({"pagination_token": following} if following else {})}
                try:
                    body = yield from self.ask(endpoint, path, asked, object_type, subjects, kept, page=str(number))
                except InvalidRequest as error:
                    if not ABOUT_MEDIA.keys() <= parameters.keys():
                        raise
                    retired = error
                    parameters = {name: value for name, value in parameters.items() if name not in ABOUT_MEDIA}
                    parameters["tweet.fields"] = NEEDED_FIELDS
                    continue
                following, is_unproven = _next_token(body), is_unproven and not has_posts(body)
                if not following:
                    if is_unproven:
                        yield Gap(self.account.account_id, "posts", "not_reported", UNPROVEN)
                    if retired is not None:
                        yield Gap(self.account.account_id, SET_ASIDE, RetiredMetric.cause, str(retired), None, object_type)
                    return
                seen[following] += 1
                if seen[following] > 2:  # twice is a page served again, three times a circle
                    raise Refused(f"paging leads back to a page already read; the list ends after {number} pages")
                if number == LARGEST_NUMBER_OF_PAGES:
                    raise Refused(f"the list has more than {LARGEST_NUMBER_OF_PAGES} pages")
                number += 1
        except Outage as error:
            yield Gap(self.account.account_id, subjects[0], error.cause, str(error))
            if isinstance(error, NoAnswer):
                raise
        except AccountClosed:
            raise
        except SourceError as error:
            yield Gap(self.account.account_id, subjects[0], error.cause, str(error))
            if not isinstance(error, PermissionMissing):
                raise


def _next_token(body: Any) -> str:
    meta = body.get("meta") if isinstance(body, dict) else None
    token = meta.get("next_token") if isinstance(meta, dict) else None
    return token if isinstance(token, str) else ""
