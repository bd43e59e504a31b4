"""What is asked of Meta's Graph API about one account: what Facebook, Instagram and Threads have in common.

What Meta's errors mean stands in meta.py, how its pages become rows in meta_rows.py and beside each platform.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from extractors import meta_contacts
from extractors.base import (
    Account,
    AccountClosed,
    Gap,
    NoAnswer,
    Order,
    Outage,
    Page,
    PermissionMissing,
    Refused,
    RetiredMetric,
    SourceError,
    Throttled,
    TokenExpired,
    TooFewViewers,
)
from extractors.contacts import Contacts
from extractors.meta import InvalidParameter, NotOfThisPost, TooMuchAsked, suspects
from extractors.meta_rows import is_empty_list
from extractors.post_window import post_window

if TYPE_CHECKING:
    from extractors.http import HttpClient

VERSION = "v26.0"
INSIGHT_DAYS = 14
"""Days of the account's daily totals read again: the last ones are 0 at first and filled later, and a weekly run needs seven."""

WINDOW_CLOSED = (
    "no post in 30 days, and no number of the account's insights: an empty answer, status 200, to all that was asked, as after the "
    "90 days of Meta's data access window; the account's owner must log in to the app again and grant it access, then put the new "
    "token into the connection"
)

UNPROVEN = (
    "the list of posts is empty, and no number of the account's insights came that would show that the permission holds: whether "
    "nothing was published is not known"
)
LONGEST_DETAIL = 300
POSTS_PER_PAGE, POSTS_PER_BATCH, LARGEST_NUMBER_OF_PAGES = 50, 50, 200


class MetaReading(ABC):
    """All that is asked about one account in one run: snapshot, list of posts, insights of the posts, insights of the account."""

    version: ClassVar[str] = VERSION
    account_fields: ClassVar[str]
    list_endpoint: ClassVar[str]
    """The edge that lists the posts, and the endpoint of its pages."""
    list_counts: ClassVar[Collection[str]]
    """Numbers that come with the list of posts; every other number of a post is one of its insights."""
    comment_fields: ClassVar[str]
    """How the comments of a post are asked for with it."""
    insights_period: ClassVar[str] = ""
    """How the period of posts' insights is asked for, where it has to be."""

    def __init__(
        self,
        client: HttpClient,
        order: Order,
        account: Account,
        retired: set[tuple[str, str]] | None = None,
        contacts: Contacts | None = None,
    ) -> None:
        self.client = client
        self.order = order
        self.account_id, self.handle = account.account_id, account.handle
        self.contacts = contacts
        self.published: dict[str, str] = {}
        self.comments_seen = meta_contacts.Seen()
        """When each post of the list was, as the platform writes it."""
        self.post_ids: dict[str, None] = {}
        self.young_ids: set[str] = set()
        self.list_is_empty = False
        """The list of posts was read to its end and held nothing at all, not even what is left out here."""
        self.insights_are_empty: list[bool] = []
        """Of every answer about the account's insights; a refusal in words is none."""
        self.insights_were_asked = False
        self.retired: set[tuple[str, str]] = set() if retired is None else retired
        """Object type and name: a name that is dead for posts may live for accounts. Shared by the accounts of a force."""
        self.told: set[tuple[str, str]] = set()
        """Those of which this account has its gap."""
        self.media_types: dict[str, str | None] = {}

    @abstractmethod
    def list_fields(self, names: Sequence[str]) -> str:
        """Fields of an item of the list, with these numbers."""

    @abstractmethod
    def post_id(self, item: dict[str, Any]) -> str | None:
        """The item's id if it is a post of this account, in the window, of which insights can be asked."""

    def is_young(self, item: dict[str, Any]) -> bool:
        """Whether the platform may have no insights of the post yet."""
        return False

    def media_type(self, item: dict[str, Any]) -> str | None:
        """What the platform calls this type of post; None where it does not say."""
        return None

    def counts_to_try_again(self, names: Sequence[str], error: SourceError) -> list[str]:
        """Which numbers the list is asked with once more after it was refused with all of them."""
        return []

    def run(self) -> Iterator[Page | Gap]:
        try:
            for unit in (self.snapshot, self.posts, self.post_insights, self.account_insights):
                yield from unit()
            if self.contacts is not None:
                yield from self.comments(self.contacts)
            # no post at all is a true zero only where the same run had a number that needs the same permission
            if self.list_is_empty and self.insights_were_asked and all(self.insights_are_empty):
                cause, detail = (PermissionMissing.cause, WINDOW_CLOSED) if self.insights_are_empty else ("not_reported", UNPROVEN)
                yield Gap(self.account_id, "posts", cause, detail)
        except SourceError as error:
            # the token, a throttle or the account itself: every further request would fail too, and make a throttle longer
            yield Gap(self.account_id, "*", error.cause, str(error)[:LONGEST_DETAIL])

    def ask(
        self, endpoint: str, path: str, parameters: dict[str, str], object_type: str, subjects: Sequence[str], **context: str
    ) -> Generator[Page, None, Any]:
        """Yields the pages, returns the body, raises the SourceError. object_type: whose fields the subjects are."""
        about = {"subjects": ",".join(subjects), "object_type": object_type}
        answer = self.client.get(endpoint, path, parameters, account_id=self.account_id, context=about | context)
        yield from answer.pages
        return answer.usable()

    def gaps(self, object_type: str, names: Sequence[str], error: SourceError, object_id: str | None = None) -> Iterator[Gap]:
        for name in names:
            yield Gap(self.account_id, name, error.cause, str(error)[:LONGEST_DETAIL], object_id, object_type)

    def snapshot(self) -> Iterator[Page | Gap]:
        def ask(_: Sequence[str], names: Sequence[str]) -> Iterator[Page]:
            fields = ",".join((self.account_fields, *names))
            yield from self.ask("account", f"{self.version}/{self.account_id}", {"fields": fields}, "account", names)

        yield from self.halving(ask, "account", [self.account_id], self.order.field_names("account", "snapshot"))

    def posts(self) -> Iterator[Page | Gap]:
        names = [name for name in self.order.field_names("post", "lifetime") if name in self.list_counts]
        try:
            yield from self.post_pages(names)
        except (PermissionMissing, RetiredMetric) as error:
            # one number that is refused fails the whole list: it is asked without
            without = self.counts_to_try_again(names, error)
            yield from self.gaps("post", [name for name in names if name not in without], error)
            try:
                yield from self.post_pages(without)
            except (PermissionMissing, RetiredMetric) as again:
                yield Gap(self.account_id, "posts", again.cause, str(again)[:LONGEST_DETAIL])

    def post_pages(self, names: Sequence[str]) -> Iterator[Page | Gap]:
        start, end = post_window(self.order.run_date)
        path: str | None = f"{self.version}/{self.account_id}/{self.list_endpoint}"
        parameters = {
            "fields": self.list_fields(names),
            "since": str(int(start.timestamp())),
            "until": str(int(end.timestamp())),
            "limit": str(POSTS_PER_PAGE),
        }
        asked: Counter[tuple[str, int]] = Counter()
        number, limit = 1, POSTS_PER_PAGE
        all_empty = True
        try:
            while path:
                asked[path, limit] += 1
                if asked[path, limit] > 2:  # twice is a page served again, three times a circle
                    raise Refused(f"paging leads back to a page already read; the list ends after {number - 1} pages")
                if number > LARGEST_NUMBER_OF_PAGES:
                    raise Refused(f"the list has more than {LARGEST_NUMBER_OF_PAGES} pages")
                try:
                    subjects = ("posts", *names)
                    body = yield from self.ask(self.list_endpoint, path, parameters, "post", subjects, page=str(number))
                except TooMuchAsked:
                    if limit == 1:
                        raise
                    limit //= 2
                    path, parameters = _with_limit(path, parameters, limit)
                    continue
                all_empty = all_empty and is_empty_list(body)
                self.post_ids.update(dict.fromkeys(self.readable_posts(body)))
                path, parameters, number = _next(body), {}, number + 1
            self.list_is_empty = all_empty
        except (TokenExpired, Throttled, AccountClosed, NoAnswer) as error:
            yield Gap(self.account_id, "posts", error.cause, str(error)[:LONGEST_DETAIL])
            raise
        except Outage as error:
            yield Gap(self.account_id, "posts", error.cause, str(error)[:LONGEST_DETAIL])

    def readable_posts(self, body: Any) -> Iterator[str]:
        """Ids of this account's posts in the window: those whose metrics can be asked."""
        items = body.get("data") if isinstance(body, dict) else None
        for item in items if isinstance(items, list) else ():
            post_id = self.post_id(item) if isinstance(item, dict) else None
            if post_id is not None:
                if self.is_young(item):
                    self.young_ids.add(post_id)
                self.media_types[post_id] = self.media_type(item)
                self.published[post_id] = str(item.get("created_time") or item.get("timestamp") or "")
                yield post_id

    def post_insights(self) -> Iterator[Page | Gap]:
        ids = list(self.post_ids)
        for breakdown, names in self.insight_names("post", "lifetime"):

            def ask(ids: Sequence[str], names: Sequence[str], breakdown: str | None = breakdown) -> Iterator[Page]:
                split = f".breakdown({breakdown})" if breakdown else ""
                fields = f"insights.metric({','.join(names)}){self.insights_period}{split}"
                young = ",".join(post_id for post_id in ids if post_id in self.young_ids)
                context = ({"breakdown": breakdown} if breakdown else {}) | ({"young": young} if young else {})
                parameters = {"ids": ",".join(ids), "fields": fields}
                yield from self.ask("post_insights", f"{self.version}/", parameters, "post", names, ids=",".join(ids), **context)

            for of_type, valid in self.by_names(ids, names, breakdown):
                for first in range(0, len(of_type), POSTS_PER_BATCH):
                    yield from self.halving(ask, "post", of_type[first : first + POSTS_PER_BATCH], valid)

    def by_names(self, ids: Sequence[str], names: Sequence[str], breakdown: str | None) -> Iterator[tuple[list[str], list[str]]]:
        """Posts together of which the same names can be asked, by their media types: one that a type has not fails the others."""
        fields = {f.source_field: f for f in self.order.fields if f.object_type == "post" and f.breakdown == breakdown}
        groups: dict[tuple[str, ...], list[str]] = {}
        for post_id in ids:
            valid = tuple(name for name in names if fields[name].is_of(self.media_types.get(post_id)))
            groups.setdefault(valid, []).append(post_id)
        for valid, of_type in groups.items():
            yield of_type, list(valid)

    @abstractmethod
    def account_insights(self) -> Iterator[Page | Gap]:
        """The account's own numbers, day by day."""

    def daily_insights(
        self, names: Sequence[str], since: str, until: str, breakdown: str | None = None, **more: str
    ) -> Iterator[Page | Gap]:
        """One request for daily numbers of the account. Its paging is by time and never ends: it is not followed."""
        split = {"breakdown": breakdown} if breakdown else {}
        context = split | {name: value for name, value in more.items() if name == "metric_date"}
        further = {name: value for name, value in more.items() if name != "metric_date"}

        def ask(_: Sequence[str], names: Sequence[str]) -> Iterator[Page]:
            parameters = {"metric": ",".join(names), **further, "period": "day", "since": since, "until": until, **split}
            yield from self.ask_about_account("insights", parameters, names, **context)

        yield from self.halving(ask, "account", [self.account_id], names)

    def ask_about_account(self, edge: str, parameters: dict[str, str], names: Sequence[str], **context: str) -> Iterator[Page]:
        """One request for insights of the account. Keeps what its answer says of the permission to read the posts."""
        self.insights_were_asked = True
        try:
            path = f"{self.version}/{self.account_id}/{edge}"
            body = yield from self.ask("account_insights", path, parameters, "account", names, **context)
        except (PermissionMissing, RetiredMetric, TooFewViewers):
            self.insights_are_empty.append(False)  # said in words: a closed window, or a lost permission for posts, is silent
            raise
        self.insights_are_empty.append(is_empty_list(body))

    def comments(self, contacts: Contacts) -> Iterator[Page | Gap]:
        """What people say under the posts, and what is answered. Where it cannot be had, a gap of its own: the rest was had."""
        ids = [post_id for post_id in self.post_ids if self.published.get(post_id)]
        try:
            for first in range(0, len(ids), POSTS_PER_BATCH):
                yield from self.comments_of(contacts, ids[first : first + POSTS_PER_BATCH])
        except SourceError as error:
            yield Gap(self.account_id, meta_contacts.SUBJECT, error.cause, str(error)[:LONGEST_DETAIL])

    def comments_of(self, contacts: Contacts, ids: Sequence[str]) -> Iterator[Page | Gap]:
        """Of some posts, in one request where that is possible. One post that is gone fails all: it is looked for by halves."""
        try:
            body = yield from self.comment_page(contacts, f"{self.version}/", {"ids": ",".join(ids), "fields": self.comment_fields})
        except (AccountClosed, TooMuchAsked) as error:
            if len(ids) > 1:
                middle = len(ids) // 2
                for half in (ids[:middle], ids[middle:]):
                    yield from self.comments_of(contacts, half)
                return
            if isinstance(error, AccountClosed):
                return  # its comments are gone with it
            raise
        for post_id, following in meta_contacts.next_pages(body):
            asked: Counter[str] = Counter()
            path: str | None = following
            while path:
                asked[path] += 1
                if asked[path] > 1 or len(asked) > LARGEST_NUMBER_OF_PAGES:
                    raise Refused("the list of a post's comments leads back to a page already read, or does not end")
                path = meta_contacts.next_page((yield from self.comment_page(contacts, path, {}, post_id)))

    def comment_page(
        self, contacts: Contacts, path: str, parameters: dict[str, str], post_id: str = ""
    ) -> Generator[Page, None, Any]:
        def reduce(body: Any) -> Any:
            return meta_contacts.for_landing(
                body, contacts, self.account_id, self.handle, self.published, post_id, self.comments_seen
            )

        context = {"subjects": meta_contacts.SUBJECT}
        answer = self.client.get(
            meta_contacts.ENDPOINT, path, parameters, account_id=self.account_id, context=context, reduce=reduce
        )
        yield from answer.pages
        return answer.usable()

    def insight_names(self, object_type: str, period: str) -> Iterator[tuple[str | None, list[str]]]:
        """The metrics of insights by their breakdown: those with one cannot be asked together with those without."""
        wanted = [f for f in self.order.fields if (f.object_type, f.period) == (object_type, period)]
        for breakdown in dict.fromkeys(f.breakdown for f in wanted):
            names = [f.source_field for f in wanted if f.breakdown == breakdown and f.source_field not in self.list_counts]
            if names:
                yield breakdown, list(dict.fromkeys(names))

    def halving(
        self,
        ask: Callable[[Sequence[str], Sequence[str]], Iterator[Page]],
        object_type: str,
        ids: Sequence[str],
        names: Sequence[str],
    ) -> Iterator[Page | Gap]:
        """Ask for names of objects. One bad name or object fails the whole request: halve until what is bad stands alone."""
        untold = [name for name in names if (object_type, name) in self.retired - self.told]
        self.told.update((object_type, name) for name in untold)
        yield from self.gaps(object_type, untold, RetiredMetric("refused a moment ago, for another account of the force"))
        names = [name for name in names if (object_type, name) not in self.retired]
        if not names:
            return
        are_posts, concerns_posts = object_type == "post", False
        try:
            yield from ask(ids, names)
            return
        except (TokenExpired, Throttled, NoAnswer):
            raise
        except AccountClosed as error:
            if not are_posts:
                raise
            problem: SourceError = _PostGone(str(error))
            concerns_posts = True
        except (TooFewViewers, NotOfThisPost, TooMuchAsked) as error:
            problem, concerns_posts = error, are_posts
        except SourceError as error:
            problem = error
        named = suspects(names, str(problem)) if isinstance(problem, RetiredMetric | NotOfThisPost) else []
        if 0 < len(named) < len(names):
            for part in ([name for name in names if name not in named], named):
                yield from self.halving(ask, object_type, ids, part)
        elif concerns_posts and len(ids) > 1:
            middle = len(ids) // 2
            for half in (ids[:middle], ids[middle:]):
                yield from self.halving(ask, object_type, half, names)
        elif len(names) > 1 and isinstance(
            problem, RetiredMetric | InvalidParameter | TooFewViewers | NotOfThisPost | TooMuchAsked | PermissionMissing
        ):
            middle = len(names) // 2
            for part in (names[:middle], names[middle:]):
                yield from self.halving(ask, object_type, ids, part)
        else:
            if isinstance(problem, RetiredMetric):
                self.retired.update((object_type, name) for name in names)
                self.told.update((object_type, name) for name in names)
            yield from self.gaps(object_type, names, problem, ids[0] if concerns_posts else None)


class _PostGone(SourceError):
    """The list had the post, and a moment later the platform no longer knows it."""

    cause = "not_reported"


def _next(body: Any) -> str | None:
    paging = body.get("paging") if isinstance(body, dict) else None
    following = paging.get("next") if isinstance(paging, dict) else None
    return following if isinstance(following, str) and following else None


def _with_limit(path: str, parameters: dict[str, str], limit: int) -> tuple[str, dict[str, str]]:
    if "limit" in parameters:
        return path, {**parameters, "limit": str(limit)}
    parts = urlsplit(path)
    query = [(name, str(limit) if name == "limit" else value) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    return urlunsplit(parts._replace(query=urlencode(query))), parameters
