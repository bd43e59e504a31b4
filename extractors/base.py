"""What a source is.

A source is one small module: what to ask, how to page, how a page becomes rows of the fixed record kinds
(include/records.py). It is plain Python: it never imports Airflow, opens the warehouse or reads the clock.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from extractors.pacing import Limits
from extractors.redaction import OWN_ITEMS

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received


AUTHORIZATION = "Authorization"
"""The header of most platforms' tokens: `Authorization: Bearer …`."""


class Secret:
    """A token that does not show itself when printed, logged or rendered."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


@dataclass(frozen=True)
class Access:
    """Where a source is asked, and with what. Real host or simulator: only these two differ."""

    base_url: str
    token: Secret | None = None
    limits: Mapping[str, float] = field(default_factory=dict)  # one's own, by the name of the quota (extractors/pacing.py)


@dataclass(frozen=True)
class Account:
    """One open account of a force, as the registry has it on the run date."""

    platform: str
    account_id: str
    handle: str
    force_id: str


@dataclass(frozen=True)
class SourceField:
    """One number to ask for, by the platform's own name: a row of the seed platform_metric_map that is valid when asked."""

    object_type: str  # account, post
    source_field: str
    period: str  # snapshot, day, lifetime
    breakdown: str | None
    media_types: frozenset[str] | None = None
    """The types of post that have it, by the platform's own words (seed metric_media_types); None: every type."""

    def is_of(self, media_type: str | None) -> bool:
        """Whether a post of this type has the number. Of one whose type is not known it is asked."""
        return self.media_types is None or media_type is None or media_type in self.media_types


@dataclass(frozen=True)
class Order:
    """What one force's part of a run has to collect."""

    force_id: str
    accounts: tuple[Account, ...]
    run_date: date
    fields: tuple[SourceField, ...]

    def field_names(self, object_type: str, period: str) -> list[str]:
        """Names to ask for, without repeats, in the order of the map."""
        return list(dict.fromkeys(f.source_field for f in self.fields if (f.object_type, f.period) == (object_type, period)))


@dataclass(frozen=True)
class WatchedSeries:
    """One open series: a row of the seed horizon_watchlist."""

    channel: str
    series: str
    asked_as: str  # what its source calls it, as that source's module says

    @property
    def subject(self) -> str:
        """How pages and gaps name it."""
        return f"{self.channel}/{self.series}"


@dataclass(frozen=True)
class SignalOrder:
    """What one run of an open source has to collect from one host."""

    run_date: date
    series: tuple[WatchedSeries, ...]


@dataclass(frozen=True)
class Page:
    """One answer as received, after redaction: what landing keeps and all that `parse` may look at."""

    endpoint: str  # the source's own name of the request, for example "published_posts"
    account_id: str | None
    request: str  # method, path and parameters, without secrets
    status: int
    observed_at: datetime  # the answer's Date header (UTC); for files an argument
    body: str
    is_simulated: bool  # what the answer itself says
    run_date: date
    context: Mapping[str, str] = field(default_factory=dict)
    """Small facts that parse and the ledger need. Of general meaning: `subjects` (what was asked for, as in Gap.subject, with
    commas), `object_type` (whose fields are among them, as in Gap), `error` (a cause: this answer was no use), `superseded`
    (asked again afterwards; not part of the ingest_id)."""

    @property
    def sha256(self) -> str:
        """Of the redacted body."""
        return hashlib.sha256(self.body.encode()).hexdigest()


@dataclass(frozen=True)
class Row:
    """One record of a kind: values of the kind's own columns (and force_id where the row, not the batch, decides it)."""

    kind: str
    values: Mapping[str, Any]
    position: str  # where it stood, for people: "published_posts item 17", "survey.csv row 12"


@dataclass(frozen=True)
class RowBatch:
    """Many records of one kind, column by column, for files too large for one object a row.

    columns: a list (or Arrow array) of `length` values of the column's type, or one value for all rows; `_position` and
    `_defect` are columns too.
    """

    kind: str
    columns: Mapping[str, Any]
    length: int


DropReason = Literal["duplicate", "outside_window"]


@dataclass(frozen=True)
class Drop:
    """A record that was there and is left out on purpose. Conservation counts it."""

    kind: str
    reason: DropReason
    position: str
    count: int = 1


@dataclass(frozen=True)
class Gap:
    """A hole with its typed cause (seed gap_causes). subject: '*' for all of an account, 'posts', or a source field.

    object_type (account, post) says whose field it is. Where a platform has one name for a number of both, the ledger refuses a
    gap or a page without it. '*' and 'posts' are nobody's field and have none.
    """

    account_id: str | None
    subject: str
    cause: str
    detail: str
    object_id: str | None = None
    object_type: str | None = None


class SourceError(Exception):
    """A request that gave no usable answer. `cause` is a code of the seed gap_causes."""

    cause: ClassVar[str] = "outage"
    retryable: ClassVar[bool] = True  # another attempt of the task, later, may succeed
    ask_again: ClassVar[bool] = False  # the same request may succeed in some seconds: the client tries


class TokenExpired(SourceError):
    cause = "expired_token"
    retryable = False


class PermissionMissing(SourceError):
    cause = "permission"
    retryable = False


class CreditsDepleted(SourceError):
    """The paid quota is used up. Every further request would be refused, or paid for: nothing more is asked."""

    cause = "credits_depleted"
    retryable = False


class RetiredMetric(SourceError):
    cause = "retired_metric"
    retryable = False


class TooFewViewers(SourceError):
    cause = "too_few_viewers"
    retryable = False


class AccountClosed(SourceError):
    cause = "account_closed"
    retryable = False


class Outage(SourceError):
    """A server error, or an answer that could not be read after all tries."""

    ask_again = True


class NoAnswer(Outage):
    """Nothing came back at all: the host could not be reached."""


class Refused(Outage):
    """An answer that the same request would only get again."""

    ask_again = False


class Throttled(SourceError):
    """The platform said stop. `reset_seconds`: how long it said to wait, a day at most; None where it did not say."""

    cause = "throttled"
    longest_reset_seconds: ClassVar[float] = 24 * 3600.0

    def __init__(self, message: str, reset_seconds: float | None = None) -> None:
        super().__init__(message)
        if reset_seconds is not None:
            reset_seconds = None if math.isnan(reset_seconds) else min(max(reset_seconds, 0.0), self.longest_reset_seconds)
        self.reset_seconds = reset_seconds


class BadFile(ValueError):
    """A file that cannot be read as what it should be. The message names file, place and what to do."""


class Source(ABC):
    """Common to all sources. `name` is the DAG's suffix, the folder and the column `source`."""

    name: ClassVar[str]
    title: ClassVar[str]
    platform: ClassVar[str | None] = None
    documentation: ClassVar[str]  # docs/sources/<file>.md
    kinds: ClassVar[tuple[str, ...]]  # record kinds it produces
    own_items: ClassVar[tuple[str, ...]] = OWN_ITEMS
    """Where own items stand in its answers, as names from the answer down (`items`, `items.snippet`): only their words are landed.
    Every step of a way is named. An answer whose list stands elsewhere is an error, not an empty list."""

    def redact(self, body: Any) -> Any:
        """Takes out what must not be landed and only the source's own shape tells. body: decoded JSON, redacted as all are."""
        return body

    @abstractmethod
    def parse(self, page: Page) -> Iterator[Row | RowBatch | Drop | Gap]:
        """Turn one landed page into rows. Never raises for bad content of a row: that row carries the raw value."""

    @abstractmethod
    def count(self, page: Page) -> Counter[str]:
        """How many records of each kind the page holds, by a way that shares no code with `parse`."""


class ApiSource(Source):
    """A platform with an API: collected daily, one force at a time, account by account."""

    platform: ClassVar[str]
    needs_token: ClassVar[bool] = True  # False: what is asked is public; a token that the connection has is sent all the same
    token_header: ClassVar[str] = AUTHORIZATION
    """The header that the token goes into; any other has it as it is, without `Bearer`. A token never goes into a URL."""
    limits: ClassVar[Limits] = Limits()
    """How the platform counts calls: what its answers announce is kept to, what they do not is counted (extractors/pacing.py)."""

    def base_url(self, account: Account, connection: str) -> str:
        """Where an account is asked. connection: the base URL that the connection gives. A token goes to that host alone."""
        return connection

    def classify(self, received: Received) -> SourceError | None:
        """What the platform's own error body means. None: no error known here; the client then goes by the status.

        received.body is None where the answer is not JSON (empty, text, HTML, cut off): then only status and headers speak.
        """
        return None

    @abstractmethod
    def fetch(self, client: HttpClient, order: Order) -> Iterator[Page | Gap]:
        """Ask for all that the order wants. A request that fails for good becomes a Gap; the rest goes on."""


class SignalSource(Source):
    """An open source of series about channels: collected daily, all that the watchlist has of it, without credentials."""

    default_host: ClassVar[str]

    def base_url(self, series: WatchedSeries, host: str | None) -> str:
        """Where a series is asked. host: what a connection named like the source says instead of the real host, if there is one."""
        return host or self.default_host

    def classify(self, received: Received) -> SourceError | None:
        """What the source's own error body means. None: no error known here; the client then goes by the status.

        received.body is None where the answer is not JSON (empty, text, HTML, cut off): then only status and headers speak.
        """
        return None

    @abstractmethod
    def fetch(self, client: HttpClient, order: SignalOrder) -> Iterator[Page | Gap]:
        """Ask for all that the order wants. A series that fails for good becomes a Gap (its `subject`); the rest goes on."""


class FileSource(Source):
    """A source that comes as a file: dropped into `var/inbox/<name>/`, or shipped with the project (`shipped`)."""

    shipped: ClassVar[Path | None] = None
    names_platforms: ClassVar[bool] = False
    """Whether each row names its platform and force: a source of files without one platform of its own."""
    keeps_files: ClassVar[bool] = True
    """False where a file holds what must not be kept: it is removed once it was read, or refused (the reason stays)."""

    @abstractmethod
    def read(self, path: Path, run_date: date, observed_at: datetime) -> Iterator[Page | Gap]:
        """Read and redact one file. Raises BadFile where it cannot be read as a whole."""
