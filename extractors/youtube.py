"""YouTube through its Data API v3: what is asked, and what its errors mean. Why: docs/sources/youtube.md. Rows: youtube_rows.py."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from extractors.account_reading import UNPROVEN
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
    Row,
    RowBatch,
    SourceError,
    Throttled,
    TokenExpired,
)
from extractors.pacing import Limits, Quota, retry_after_seconds
from extractors.youtube_rows import count, has_no_video, is_of_the_window, items_of, listed, parse

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received

ROOT = "youtube/v3"
IDS_PER_CALL, ITEMS_PER_PAGE, LARGEST_NUMBER_OF_PAGES = 50, 50, 40

UNITS = Quota("units", "units", 10_000, time_zone="America/Los_Angeles", cost={"search": 0.0})
"""Of the whole project. Every request costs one, refused ones too, and no header tells of it: they are counted here."""

SEARCHES = Quota("searches", "searches", 100, time_zone="America/Los_Angeles", cost={"search": 1.0}, other=0.0)
"""`search` has a bucket of its own. No run searches yet: one that will is kept to it."""

USED_UP = frozenset({"quotaExceeded", "dailyLimitExceeded"})
TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
BAD_KEY = frozenset({"keyInvalid", "keyExpired", "authError", "API_KEY_INVALID"})
FORBIDDEN = frozenset({"forbidden", "accessNotConfigured", "playlistItemsNotAccessible", "ipRefererBlocked"})
NO_SUCH_LIST = frozenset({"playlistNotFound", "channelNotFound"})
TAG = re.compile(r"<[^>]*>")


class ListMissing(Refused):
    """YouTube does not know the list of uploads of a channel that it knows."""

    cause = "not_reported"


class YouTubeChannels(ApiSource):
    """The forces' channels: their subscribers, and their videos of the last 30 days with public counts."""

    name = "youtube"
    title = "YouTube"
    platform = "youtube"
    limits = Limits(quotas=(UNITS, SEARCHES))
    documentation = "docs/sources/youtube.md"
    kinds = ("account", "post", "observation")
    token_header = "X-goog-api-key"  # noqa: S105  (the name of a header; the parameter `key` would put the key into a URL)
    own_items: ClassVar[tuple[str, ...]] = ("items", "items.snippet")

    def classify(self, received: Received) -> SourceError | None:
        return classify(received)

    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        ended: SourceError | None = None
        for account in order.accounts:
            if ended is None:
                ended = yield from _Reading(client, order, account).run()
            else:
                yield Gap(account.account_id, "*", ended.cause, str(ended))

    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        return parse(page)

    def count(self, page: Page) -> Counter[str]:
        return count(page)


def classify(received: Received) -> SourceError | None:
    """The error in an answer, None where it holds none: by its reasons first, which have moved between HTTP statuses.

    An answer 200 without a channel is one, too: that is how YouTube says that it does not know an id.
    """
    body, status = received.body, received.status
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str):  # as Google's sign-in says no: {"error": "invalid_token"}
        error = {"message": error, "errors": [{"reason": error}]}
    if not isinstance(error, dict) and status == 401:
        return TokenExpired("answer 401 without a reason that could be read")
    if not isinstance(error, dict):
        is_unknown = status < 300 and isinstance(body, dict) and _lists_no_channel(body)
        return AccountClosed("YouTube knows no channel of this id") if is_unknown else None
    reasons, said = _reasons(error), str(error.get("status", ""))
    message = TAG.sub("", str(error.get("message") or "YouTube gave no reason"))[:300]
    if reasons & USED_UP:
        wait = UNITS.end_of_period(received.observed_at) - received.observed_at
        return Throttled(f"{message} (the units of the whole project, new at midnight Pacific)", wait.total_seconds())
    if reasons & TOO_FAST or status == 429 or said == "RESOURCE_EXHAUSTED":
        return Throttled(message, retry_after_seconds(received))
    if reasons & BAD_KEY or status == 401 or said == "UNAUTHENTICATED" or "api key" in message.lower():
        return TokenExpired(message)
    if reasons & NO_SUCH_LIST:
        return ListMissing(message)
    if status >= 500:
        return Outage(message)
    if reasons & FORBIDDEN or status == 403 or said == "PERMISSION_DENIED":
        return PermissionMissing(message)
    return Refused(f"error {status}: {message}")


def _lists_no_channel(body: dict[str, Any]) -> bool:
    return str(body.get("kind", "")).endswith("#channelListResponse") and not body.get("items")


def _reasons(error: dict[str, Any]) -> set[str]:
    """Of both envelopes: `errors[].reason`, and the newer `details[].reason`."""
    found = (one for name in ("errors", "details") if isinstance(error.get(name), list) for one in error[name])
    return {str(one.get("reason", "")) for one in found if isinstance(one, dict)}


class _Reading:
    """All that is asked about one channel in one run."""

    def __init__(self, client: HttpClient, order: Order, account: Account) -> None:
        self.client = client
        self.order = order
        self.account_id = account.account_id
        self.is_proven = False
        """The channel's own numbers came."""

    def run(self) -> Generator[Page | Gap, None, SourceError | None]:
        """Returns the error that ends the other channels too: of the key or the quota, which they share."""
        try:
            uploads = yield from self.snapshot()
            ids = yield from self.uploads(uploads)
            yield from self.videos(ids)
        except SourceError as error:
            yield Gap(self.account_id, "*", error.cause, str(error))
            return error if isinstance(error, TokenExpired | Throttled) else None
        return None

    def ask(
        self, endpoint: str, parameters: dict[str, str], object_type: str, subjects: Sequence[str], **context: str
    ) -> Generator[Page, None, Any]:
        """Yields the pages, returns the body, raises the SourceError. object_type: whose fields the subjects are."""
        answer = self.client.get(
            endpoint,
            f"{ROOT}/{endpoint}",
            parameters,
            account_id=self.account_id,
            context={"subjects": ",".join(subjects), "object_type": object_type, **context},
        )
        *earlier, last = answer.pages or (None,)
        if last is not None and endpoint == "channels" and has_no_video(answer.body, self.account_id):
            # YouTube has no list of no uploads: that there is none is what the channel's own count proves
            last = replace(last, context={**last.context, "subjects": ",".join((*subjects, "posts"))})
        yield from (page for page in (*earlier, last) if page is not None)
        return answer.usable()

    def snapshot(self) -> Generator[Page | Gap, None, str | None]:
        """Returns the id of the list of uploads; None where there is none, because no video is public."""
        names = self.order.field_names("account", "snapshot")
        parameters = {"part": "id,snippet,statistics,contentDetails", "id": self.account_id}
        body: Any = None
        try:
            body = yield from self.ask("channels", parameters, "account", names)
            self.is_proven = True
        except (Outage, PermissionMissing) as error:
            if isinstance(error, NoAnswer):
                raise
            for name in names:
                yield Gap(self.account_id, name, error.cause, str(error), None, "account")
        if has_no_video(body, self.account_id):
            return None
        return next((listed(item) for item in items_of(body) if item.get("id") == self.account_id), None) or (
            "UU" + self.account_id[2:]  # what every list of uploads is called, should the answer not say it
        )

    def uploads(self, playlist_id: str | None) -> Generator[Page | Gap, None, list[str]]:
        """Returns the ids of the videos of the window. The list is newest first and takes no dates: it ends where it is older."""
        if playlist_id is None:
            return []
        parameters = {"part": "contentDetails", "playlistId": playlist_id, "maxResults": str(ITEMS_PER_PAGE)}
        ids: dict[str, None] = {}
        seen: Counter[str] = Counter()
        number, following = 1, ""
        names = ",".join(self.order.field_names("post", "lifetime"))
        try:
            while True:
                token = {"pageToken": following} if following else {}
                body = yield from self.ask("playlistItems", parameters | token, "post", ("posts",), page=str(number), numbers=names)
                dated = [(one, when) for item in items_of(body) for one, when in is_of_the_window(item, self.order.run_date)]
                ids.update((one, None) for one, is_in_it in dated if is_in_it)
                following = _next_token(body)
                if not following and number == 1 and not (self.is_proven or items_of(body)):
                    yield Gap(self.account_id, "posts", "not_reported", UNPROVEN)
                if not following or (dated and not dated[-1][1]):
                    return list(ids)
                seen[following] += 1
                if seen[following] > 2:  # twice is a page served again, three times a circle
                    raise Refused(f"paging leads back to a page already read; the list ends after {number} pages")
                if number == LARGEST_NUMBER_OF_PAGES:
                    raise Refused(f"the list has more than {LARGEST_NUMBER_OF_PAGES} pages")
                number += 1
        except SourceError as error:
            yield Gap(self.account_id, "posts", error.cause, str(error))
            if isinstance(error, NoAnswer | TokenExpired | Throttled):
                raise
        return list(ids)

    def videos(self, ids: Sequence[str]) -> Iterator[Page | Gap]:
        """The videos themselves, with their numbers, up to 50 a call. Without them the list says only that there are some."""
        names = self.order.field_names("post", "lifetime")
        for first in range(0, len(ids), IDS_PER_CALL):
            asked = ",".join(ids[first : first + IDS_PER_CALL])
            parameters = {"part": "snippet,statistics,contentDetails", "id": asked}
            try:
                yield from self.ask("videos", parameters, "post", names, ids=asked)
            except SourceError as error:
                yield Gap(self.account_id, "posts", error.cause, str(error))
                if isinstance(error, NoAnswer | TokenExpired | Throttled):
                    raise


def _next_token(body: Any) -> str:
    token = body.get("nextPageToken") if isinstance(body, dict) else None
    return token if isinstance(token, str) else ""
