"""Facebook Pages through Meta's Graph API: what is asked. Why: docs/sources/facebook.md.

What Meta's errors mean stands in meta.py, how a page becomes rows in facebook_rows.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from extractors.base import (
    Account,
    AccountClosed,
    ApiSource,
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
    TooFewViewers,
)
from extractors.facebook_rows import count, is_before_window, parse, post_window
from extractors.meta import TooMuchAsked, classify

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received

VERSION = "v26.0"
INSIGHT_DAYS = 14
"""Days of the account's daily totals read again: the last ones are 0 at first and filled later, and a weekly run needs seven."""

POSTS_PER_PAGE, POSTS_PER_BATCH, LARGEST_NUMBER_OF_PAGES = 50, 50, 200

POST_FIELDS = "id,message,created_time,permalink_url,status_type"
COUNT_FIELDS = {
    "shares.count": "shares",
    "reactions.summary.total_count": "reactions.limit(0).summary(true)",
    "comments.summary.total_count": "comments.limit(0).summary(true).filter(stream)",
}
"""Counts that come with the list of posts: our name for each (its path in the answer), and how it is asked."""

POST_ID = re.compile(r"\d+_\d+")


class FacebookPages(ApiSource):
    """The pages of the forces: their followers, their posts of the last 30 days, and the insights of both."""

    name = "facebook"
    title = "Facebook Pages"
    platform = "facebook"
    documentation = "docs/sources/facebook.md"
    kinds = ("account", "post", "observation")

    def classify(self, received: Received) -> SourceError | None:
        return classify(received)

    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        for account in order.accounts:
            yield from _Reading(client, order, account).run()

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        return parse(page)

    def count(self, page: Page) -> Counter[str]:
        return count(page)


class _Reading:
    """All that is asked about one account in one run."""

    def __init__(self, client: HttpClient, order: Order, account: Account) -> None:
        self.client = client
        self.order = order
        self.account_id = account.account_id
        self.post_ids: dict[str, None] = {}
        self.retired: set[str] = set()

    def run(self) -> Iterator[Page | Gap]:
        try:
            for unit in (self.snapshot, self.posts, self.post_insights, self.account_insights):
                yield from unit()
        except SourceError as error:
            # the token, a throttle or the account itself: every further request would fail too, and make a throttle longer
            yield Gap(self.account_id, "*", error.cause, str(error))

    def ask(
        self, endpoint: str, path: str, parameters: dict[str, str], subjects: Sequence[str], **context: str
    ) -> Generator[Page, None, Any]:
        """Yields the pages, returns the body, raises the SourceError."""
        answer = self.client.get(
            endpoint, path, parameters, account_id=self.account_id, context={"subjects": ",".join(subjects), **context}
        )
        yield from answer.pages
        return answer.usable()

    def gaps(self, names: Sequence[str], error: SourceError, object_id: str | None = None) -> Iterator[Gap]:
        for name in names:
            yield Gap(self.account_id, name, error.cause, str(error), object_id)

    def snapshot(self) -> Iterator[Page | Gap]:
        def ask(_: Sequence[str], names: Sequence[str]) -> Iterator[Page]:
            fields = ",".join(("id", "name", "username", "link", *names))
            yield from self.ask("account", f"{VERSION}/{self.account_id}", {"fields": fields}, names)

        yield from self.halving(ask, [self.account_id], self.order.field_names("account", "snapshot"))

    def posts(self) -> Iterator[Page | Gap]:
        names = [name for name in self.order.field_names("post", "lifetime") if name in COUNT_FIELDS]
        try:
            yield from self.post_pages(names)
        except (PermissionMissing, RetiredMetric) as error:
            # without pages_read_user_content the counts of reactions and comments fail the whole list: it is asked without them
            without = [name for name in names if "summary" not in name and isinstance(error, PermissionMissing)]
            yield from self.gaps([name for name in names if name not in without], error)
            try:
                yield from self.post_pages(without)
            except (PermissionMissing, RetiredMetric) as again:
                yield Gap(self.account_id, "posts", again.cause, str(again))

    def post_pages(self, names: Sequence[str]) -> Iterator[Page | Gap]:
        start, end = post_window(self.order.run_date)
        path: str | None = f"{VERSION}/{self.account_id}/published_posts"
        parameters = {
            "fields": ",".join((POST_FIELDS, *(COUNT_FIELDS[name] for name in names))),
            "since": str(int(start.timestamp())),
            "until": str(int(end.timestamp())),
            "limit": str(POSTS_PER_PAGE),
        }
        asked: Counter[tuple[str, int]] = Counter()
        number, limit = 1, POSTS_PER_PAGE
        try:
            while path:
                asked[path, limit] += 1
                if asked[path, limit] > 2:  # twice is a page served again, three times a circle
                    raise Refused(f"paging leads back to a page already read; the list ends after {number - 1} pages")
                if number > LARGEST_NUMBER_OF_PAGES:
                    raise Refused(f"the list has more than {LARGEST_NUMBER_OF_PAGES} pages")
                try:
                    body = yield from self.ask("published_posts", path, parameters, ("posts", *names), page=str(number))
                except TooMuchAsked:
                    if limit == 1:
                        raise
                    limit //= 2
                    path, parameters = _with_limit(path, parameters, limit)
                    continue
                self.post_ids.update(dict.fromkeys(self.readable_posts(body)))
                path, parameters, number = _next(body), {}, number + 1
        except (TokenExpired, Throttled, AccountClosed, NoAnswer) as error:
            yield Gap(self.account_id, "posts", error.cause, str(error))
            raise
        except Outage as error:
            yield Gap(self.account_id, "posts", error.cause, str(error))

    def readable_posts(self, body: Any) -> Iterator[str]:
        """Ids of this account's posts in the window: those whose metrics can be asked."""
        items = body.get("data") if isinstance(body, dict) else None
        for item in items if isinstance(items, list) else ():
            post_id = item.get("id") if isinstance(item, dict) else None
            if not isinstance(post_id, str) or not POST_ID.fullmatch(post_id):
                continue
            if post_id.startswith(f"{self.account_id}_") and not is_before_window(item, self.order.run_date):
                yield post_id

    def post_insights(self) -> Iterator[Page | Gap]:
        ids = list(self.post_ids)
        for breakdown, names in self.insight_names("post", "lifetime"):

            def ask(ids: Sequence[str], names: Sequence[str], breakdown: str | None = breakdown) -> Iterator[Page]:
                split = f".breakdown({breakdown})" if breakdown else ""
                fields = f"insights.metric({','.join(names)}).period(lifetime){split}"
                context = {"breakdown": breakdown} if breakdown else {}
                yield from self.ask(
                    "post_insights", f"{VERSION}/", {"ids": ",".join(ids), "fields": fields}, names, ids=",".join(ids), **context
                )

            for first in range(0, len(ids), POSTS_PER_BATCH):
                yield from self.halving(ask, ids[first : first + POSTS_PER_BATCH], names, are_posts=True)

    def account_insights(self) -> Iterator[Page | Gap]:
        since = self.order.run_date - timedelta(days=INSIGHT_DAYS)
        for breakdown, names in self.insight_names("account", "day"):

            def ask(_: Sequence[str], names: Sequence[str], breakdown: str | None = breakdown) -> Iterator[Page]:
                split = {"breakdown": breakdown} if breakdown else {}
                parameters = {"metric": ",".join(names), "period": "day", "since": since.isoformat()}
                parameters |= {"until": self.order.run_date.isoformat(), **split}
                yield from self.ask("account_insights", f"{VERSION}/{self.account_id}/insights", parameters, names, **split)

            # its paging is by time and never ends: it is not followed
            yield from self.halving(ask, [self.account_id], names)

    def insight_names(self, object_type: str, period: str) -> Iterator[tuple[str | None, list[str]]]:
        """The metrics of insights by their breakdown: those with one cannot be asked together with those without."""
        wanted = [f for f in self.order.fields if (f.object_type, f.period) == (object_type, period)]
        for breakdown in dict.fromkeys(f.breakdown for f in wanted):
            names = [f.source_field for f in wanted if f.breakdown == breakdown and f.source_field not in COUNT_FIELDS]
            if names:
                yield breakdown, list(dict.fromkeys(names))

    def halving(
        self,
        ask: Callable[[Sequence[str], Sequence[str]], Iterator[Page]],
        ids: Sequence[str],
        names: Sequence[str],
        are_posts: bool = False,
    ) -> Iterator[Page | Gap]:
        """Ask for names of objects. One bad name or object fails the whole request: halve until what is bad stands alone."""
        names = [name for name in names if name not in self.retired]
        if not names:
            return
        concerns_posts = False
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
        except (TooFewViewers, TooMuchAsked) as error:
            problem, concerns_posts = error, are_posts
        except SourceError as error:
            problem = error
        if concerns_posts and len(ids) > 1:
            middle = len(ids) // 2
            for half in (ids[:middle], ids[middle:]):
                yield from self.halving(ask, half, names, are_posts)
        elif len(names) > 1 and isinstance(problem, RetiredMetric | TooFewViewers | TooMuchAsked | PermissionMissing):
            middle = len(names) // 2
            for part in (names[:middle], names[middle:]):
                yield from self.halving(ask, ids, part, are_posts)
        else:
            if isinstance(problem, RetiredMetric):
                self.retired.update(names)
            yield from self.gaps(names, problem, ids[0] if concerns_posts else None)


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
