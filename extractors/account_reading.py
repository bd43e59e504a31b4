"""What open social networks have in common: an account asked for its counts, then for its posts, newest first, page by page."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from extractors.base import Account, AccountClosed, Gap, NoAnswer, Order, Outage, Page, PermissionMissing, Refused, SourceError

if TYPE_CHECKING:
    from extractors.http import Answer, HttpClient

LARGEST_NUMBER_OF_PAGES = 50
UNPROVEN = (
    "the list of posts is empty, and the account's own numbers could not be had either, which would show that it may be read: "
    "whether nothing was published is not known"
)


def has_posts(body: Any) -> bool:
    """Whether a page of a list holds anything: a list itself, or in `data` (X) or `feed` (Bluesky)."""
    items = (body.get("data") or body.get("feed")) if isinstance(body, dict) else body
    return isinstance(items, list) and bool(items)


@dataclass(frozen=True)
class Request:
    """One request: a path below the base URL, or a whole URL that the platform gave."""

    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)


class AccountReading(ABC):
    """All that is asked about one account in one run. What fails becomes a Gap; the rest goes on."""

    def __init__(self, client: HttpClient, order: Order, account: Account) -> None:
        self.client = client
        self.order = order
        self.account = account
        self.unknown_handle: list[Gap] = []
        self.is_proven = self.has_posts = False
        """Whether the account's own numbers came, and whether the list of its posts held any."""

    @abstractmethod
    def snapshot(self) -> Request:
        """The request for the account's own numbers."""

    @abstractmethod
    def first_page(self) -> Request: ...

    @abstractmethod
    def following(self, answer: Answer) -> Request | None:
        """The page after this one; None where the list, or what is wanted of it, has ended."""

    @abstractmethod
    def for_landing(self, body: Any) -> Any:
        """What of an answer is landed, knowing whose it should be: of another's post nothing that tells of whom it is."""

    def contacts(self) -> Iterator[Page | Gap]:
        """Who turned to the account, before its answers are read: by default the platform does not tell."""
        return iter(())

    def closed_or_renamed(self, error: AccountClosed) -> None:
        """What it means that the snapshot's account is unknown: by default that the account is closed."""
        raise error

    def context(self) -> dict[str, str]:
        """Facts that the parser needs of every page."""
        return {}

    def run(self) -> Iterator[Page | Gap]:
        ended: SourceError | None = None
        try:
            yield from self._snapshot()
            yield from self.contacts()
            yield from self._posts()
        except SourceError as error:
            # the token, a throttle, or the account itself: every further request would fail too
            yield Gap(self.account.account_id, "*", error.cause, str(error))
            ended = error
        if not isinstance(ended, AccountClosed):
            yield from self.unknown_handle

    def gaps(self, cause: str, detail: str) -> Iterator[Gap]:
        """Of all numbers of the account."""
        for name in self.order.field_names("account", "snapshot"):
            yield Gap(self.account.account_id, name, cause, detail, None, "account")

    def _ask(
        self,
        endpoint: str,
        request: Request,
        object_type: str | None,
        subjects: Sequence[str],
        reduce: Callable[[Any], Any] | None = None,
        **context: str,
    ) -> Generator[Page, None, Answer]:
        """Yields the pages, returns the answer, raises the SourceError. object_type: whose fields the subjects are. reduce: as in
        HttpClient.get."""
        whose = {"object_type": object_type} if object_type else {}
        answer = self.client.get(
            endpoint,
            request.path,
            request.parameters,
            account_id=self.account.account_id,
            context={"subjects": ",".join(subjects), **whose, **self.context(), **context},
            reduce=reduce,
            redact_more=self.for_landing,
        )
        yield from answer.pages
        answer.usable()
        return answer

    def _snapshot(self) -> Iterator[Page | Gap]:
        try:
            yield from self._ask("account", self.snapshot(), "account", self.order.field_names("account", "snapshot"))
            self.is_proven = True
        except AccountClosed as error:
            self.closed_or_renamed(error)
        except (Outage, PermissionMissing) as error:
            if isinstance(error, NoAnswer):
                raise
            yield from self.gaps(error.cause, str(error))

    def listed(
        self,
        endpoint: str,
        request: Request,
        object_type: str | None,
        subjects: Sequence[str],
        following_of: Callable[[Answer], Request | None],
        reduce: Callable[[Any], Any] | None = None,
    ) -> Iterator[Page]:
        """A list, page by page. Raises the SourceError that ends it."""
        seen: Counter[str] = Counter()
        number = 1
        while True:
            answer = yield from self._ask(endpoint, request, object_type, subjects, reduce, page=str(number))
            self.has_posts = self.has_posts or (endpoint == "posts" and has_posts(answer.body))
            following = following_of(answer)
            if following is None:
                return
            seen[f"{following.path} {sorted(following.parameters.items())}"] += 1
            if max(seen.values()) > 2:  # twice is a page served again, three times a circle
                raise Refused(f"paging leads back to a page already read; the list ends after {number} pages")
            if number == LARGEST_NUMBER_OF_PAGES:
                raise Refused(f"the list has more than {LARGEST_NUMBER_OF_PAGES} pages")
            number, request = number + 1, following

    def _posts(self) -> Iterator[Page | Gap]:
        subjects = ("posts", *self.order.field_names("post", "lifetime"))
        try:
            yield from self.listed("posts", self.first_page(), "post", subjects, self.following)
            if not (self.is_proven or self.has_posts):
                yield Gap(self.account.account_id, "posts", "not_reported", UNPROVEN)
        except (Outage, PermissionMissing) as error:
            yield Gap(self.account.account_id, "posts", error.cause, str(error))
            if isinstance(error, NoAnswer):
                raise
