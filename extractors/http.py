"""The one HTTP client: timeouts, backoff with jitter, the platform's own reset, and redaction before anything leaves it.

The token goes into one header (Authorization, unless the source says otherwise) and to the host of `base_url`, nowhere else. No
clock is read here.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

import requests
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from extractors.base import AUTHORIZATION, Access, NoAnswer, Outage, Page, Refused, Secret, SourceError, Throttled
from extractors.pacing import Pacer, retry_after_seconds
from extractors.redaction import OWN_ITEMS, UndeclaredList, dump, is_secret_name, redact, redact_text, unreadable_body

log = logging.getLogger(__name__)

CONTACT = "police-social-insight maintainers"
LARGEST_ANSWER_BYTES = 16 * 1024 * 1024
LONGEST_REDIRECT = 3
LAST_YEAR = 9000

PAGING = frozenset(
    {
        "after", "before", "cursor", "max_id", "min_id", "next_token", "page_token", "pageToken", "pagination_token", "since_id",
        "until_id", "__paging_token",
    }
)  # fmt: skip
"""Parameters that say where in a list to go on: often an id in another writing."""


@dataclass(frozen=True)
class Received:
    """One answer as `ApiSource.classify` sees it. body: the decoded JSON after redaction, None where it is not JSON."""

    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: Any
    observed_at: datetime


@dataclass(frozen=True)
class Answer:
    """What became of one request.

    pages: every answer received, redacted, in order: what landing keeps. The last is the one that counts, the ones before it
    were errors, asked again. body: the last answer's JSON as received, with its secrets; None with an error. links: where its
    header Link points to, by what it is there (`next`).
    """

    pages: tuple[Page, ...]
    body: Any
    error: SourceError | None
    links: Mapping[str, str] = field(default_factory=dict)

    def usable(self) -> Any:
        """The body; raises the SourceError where there is none."""
        if self.error is not None:
            raise self.error
        return self.body


class _InHeader(AuthBase):
    """Sets the header itself, so that no ~/.netrc of the machine can replace it."""

    def __init__(self, token: Secret | None, header: str) -> None:
        self._token = token
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            scheme = "Bearer " if self._header == AUTHORIZATION else ""
            request.headers[self._header] = f"{scheme}{self._token.reveal()}"
        return request


@dataclass(frozen=True)
class _Kept:
    """What makes of an answer what is landed: `reduce`, where there is one, else the common redaction and `redact_more`."""

    reduce: Callable[[Any], Any] | None
    redact_more: Callable[[Any], Any]


@dataclass(frozen=True)
class _Try:
    page: Page | None
    body: Any
    error: SourceError | None
    links: Mapping[str, str] = field(default_factory=dict)


class HttpClient:
    """Asks one host with one token. Not for sharing between threads.

    classify: the source's reading of its own error bodies. redact_more: what it takes out of an answer beyond what is taken out
    of all (extractors/redaction.py). own_items: where own items stand (Source.own_items). token_header: where the token
    goes (ApiSource.token_header). reset_limit_seconds: the longest wait for a reset that the platform names; a longer one is left
    to the caller, as a Throttled error. tries: how often one request is made at most. pacer: asked before every call, so that the
    limits which the platform announces are never met.
    """

    def __init__(
        self,
        access: Access,
        *,
        run_date: date,
        classify: Callable[[Received], SourceError | None] = lambda received: None,
        redact_more: Callable[[Any], Any] = lambda body: body,
        own_items: tuple[str, ...] = OWN_ITEMS,
        token_header: str = AUTHORIZATION,
        contact: str = CONTACT,
        sleep: Callable[[float], None] = time.sleep,
        pacer: Pacer | None = None,
        tries: int = 5,
        reset_limit_seconds: float = 120.0,
        connect_timeout_seconds: float = 10.0,
        read_timeout_seconds: float = 60.0,
        largest_answer_bytes: int = LARGEST_ANSWER_BYTES,
    ) -> None:
        self._base_url = access.base_url.rstrip("/")
        self._origin = _origin(self._base_url)
        self.has_token = access.token is not None
        self._secrets = (access.token.reveal(),) if access.token else ()
        self._run_date = run_date
        self._classify = classify
        self._redact_more = redact_more
        self._own_items = own_items
        self._pacer = pacer
        self._sleep = pacer.sleep if pacer else sleep
        self._tries = tries
        self._reset_limit_seconds = reset_limit_seconds
        self._timeouts = (connect_timeout_seconds, read_timeout_seconds)
        self._largest_answer_bytes = largest_answer_bytes
        self._backoff = wait_random_exponential(multiplier=0.5, max=30)  # full jitter
        self._slow_backoff = wait_random_exponential(multiplier=2, max=60)
        self._session = requests.Session()
        self._session.auth = _InHeader(access.token, token_header)
        self._session.headers["User-Agent"] = f"police-social-insight/0.1 (+{contact})"
        self._session.headers["Accept"] = "application/json"
        self._session.trust_env = urlsplit(self._base_url).hostname not in ("127.0.0.1", "localhost", "::1")
        self.requests_made = 0
        self.reset_seconds: float | None = None
        """The longest wait that a platform named and that was left to the caller; None: no request ended so."""

    def get(
        self,
        endpoint: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        account_id: str | None = None,
        context: Mapping[str, str] | None = None,
        reduce: Callable[[Any], Any] | None = None,
        redact_more: Callable[[Any], Any] | None = None,
    ) -> Answer:
        """Ask. path: below base_url, or a whole URL that the platform gave (a next page), which must be on the same host.

        reduce: for answers about the public. Given the decoded answer as it came, it makes what is landed in its place; where the
        paging stands, which may hold ids, is then not told either. redact_more: for this answer, in place of the client's own.
        Never raises for what the platform or the network does: see Answer.error.
        """
        kept = _Kept(reduce, redact_more or self._redact_more)
        try:
            url = self._url(path, parameters or {})
        except Refused as error:
            return Answer((), None, error)
        except ValueError as error:  # half a surrogate pair, an open bracket: what urllib cannot take apart or put together
            return Answer((), None, Refused(f"was pointed to an address that cannot be read ({type(error).__name__})"))
        request = f"GET {redact_text(unquote(url if reduce is None else _without_paging(url)), self._secrets, self._origin)}"
        attempts: list[_Try] = []

        def once() -> _Try:
            attempts.append(self._once(endpoint, url, request, account_id, context or {}, kept))
            return attempts[-1]

        Retrying(
            retry=retry_if_result(self._is_worth_asking_again),
            stop=stop_after_attempt(self._tries),
            wait=self._wait,
            sleep=self._sleep,
            before_sleep=lambda state: self._tell(endpoint, account_id, state),
            retry_error_callback=lambda state: None,
        )(once)
        last = attempts[-1]
        if isinstance(last.error, Throttled) and last.error.reset_seconds is not None:
            self.reset_seconds = max(self.reset_seconds or 0.0, last.error.reset_seconds)
        earlier = [_in_context(attempt.page, superseded="true") for attempt in attempts[:-1] if attempt.page]
        return Answer((*earlier, *((last.page,) if last.page else ())), last.body, last.error, last.links)

    def close(self) -> None:
        self._session.close()

    def _url(self, path: str, parameters: Mapping[str, str]) -> str:
        url = path if "://" in path else f"{self._base_url}/{path.lstrip('/')}"
        url.encode()  # half a surrogate pair, which no file could hold: UnicodeEncodeError
        parts = urlsplit(url)
        if _origin(url) != self._origin or parts.username is not None:
            raise Refused(f"was pointed to another host ({parts.hostname}) and did not go there")
        # the platform's next links carry the token as a parameter: it is not sent that way
        query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not is_secret_name(name)]
        return urlunsplit(parts._replace(query=urlencode([*query, *parameters.items()], quote_via=quote, safe="(),:"), fragment=""))

    def _is_worth_asking_again(self, attempt: _Try) -> bool:
        if isinstance(attempt.error, Throttled):
            return (attempt.error.reset_seconds or 0.0) <= self._reset_limit_seconds
        return attempt.error is not None and attempt.error.ask_again

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.result().error if state.outcome else None
        if isinstance(error, Throttled):  # named: platforms round down, 0 minutes may mean 50 seconds; not named: wait longer
            return max(error.reset_seconds or 0.0, self._slow_backoff(state))
        return self._backoff(state)

    def _tell(self, endpoint: str, account_id: str | None, state: RetryCallState) -> None:
        error = state.outcome.result().error if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        log.info(
            "%s %s: %s; asking again in %.1f s (try %d of %d)",
            endpoint, account_id or "", error, seconds, state.attempt_number + 1, self._tries,
        )  # fmt: skip

    def _once(self, endpoint: str, url: str, request: str, account_id: str | None, context: Mapping[str, str], kept: _Kept) -> _Try:
        if self._pacer is None:
            return self._ask(endpoint, url, request, account_id, context, kept)[0]
        try:
            reservation = self._pacer.before(endpoint)
        except SourceError as error:  # not asked at all
            return _Try(None, None, error)
        received: Received | None = None
        attempt = _Try(None, None, None)
        try:
            attempt, received = self._ask(endpoint, url, request, account_id, context, kept)
        finally:
            self._pacer.after(reservation, endpoint, received, attempt.error)
        return attempt

    def _ask(
        self, endpoint: str, url: str, request: str, account_id: str | None, context: Mapping[str, str], kept: _Kept
    ) -> tuple[_Try, Received | None]:
        """One call. The answer as received (its body not redacted) goes with it, where one came that tells its time."""
        try:
            status, headers, content = self._receive(url)
        except SourceError as error:
            return _Try(None, None, error), None
        except (ValueError, OverflowError, HTTPException) as error:
            # an address or a header that cannot be sent; the message may quote either, the token with it
            return _Try(None, None, Refused(f"the request could not be made ({type(error).__name__})")), None
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            return _Try(None, None, Outage("the answer broke off before its end")), None
        except requests.RequestException as error:
            # the message of a requests error quotes the URL: only host and cause are told
            host = urlsplit(self._origin).netloc.rpartition("@")[2]
            return _Try(None, None, NoAnswer(f"no answer from {host}: {_cause(error)}")), None
        try:
            observed_at = _observed_at(headers)
        except Outage as error:
            return _Try(None, None, error), None
        try:
            body, text = self._decode(content, headers, kept)
        except UndeclaredList as error:
            unlanded = Received(status, headers, None, observed_at)
            return _Try(None, None, Refused(f"answer {status} of {endpoint} cannot be landed: {error}")), unlanded
        received = Received(status, headers, body, observed_at)
        problem = self._error(Received(status, headers, json.loads(text) if body is not None else None, observed_at))
        page = Page(
            endpoint=endpoint,
            account_id=account_id,
            request=request,
            status=status,
            observed_at=observed_at,
            body=text,
            is_simulated=headers.get("X-Simulated", "").strip().lower() == "true",
            run_date=self._run_date,
            context=dict(context),
        )
        if problem is None:
            return _Try(page, body, None, _links(headers)), received
        return _Try(_in_context(page, error=problem.cause), None, problem), received

    def _receive(self, url: str) -> tuple[int, Mapping[str, str], bytes]:
        for _ in range(LONGEST_REDIRECT):
            self.requests_made += 1
            with self._session.get(url, timeout=self._timeouts, allow_redirects=False, stream=True) as response:
                if response.is_redirect:
                    url = self._url(urljoin(url, response.headers["Location"]), {})
                    continue
                content = bytearray()
                for chunk in response.iter_content(64 * 1024):
                    content += chunk
                    if len(content) > self._largest_answer_bytes:
                        raise Refused(f"the answer is larger than {self._largest_answer_bytes} bytes")
                return response.status_code, response.headers, bytes(content)
        raise Refused(f"was sent on more than {LONGEST_REDIRECT} times")

    def _decode(self, content: bytes, headers: Mapping[str, str], kept: _Kept) -> tuple[Any, str]:
        """The JSON as received and the text to land. (None, a note about the body) where it is not a JSON object or list."""
        try:
            body = json.loads(content)
            if isinstance(body, dict | list) and kept.reduce is not None:
                return body, dump(kept.reduce(json.loads(content)))
            if isinstance(body, dict | list):
                return body, dump(kept.redact_more(redact(body, self._secrets, self._origin, self._own_items)))
        except (ValueError, RecursionError):
            pass
        return None, unreadable_body(content, headers.get("Content-Type", ""))

    def _error(self, received: Received) -> SourceError | None:
        error = self._classify(received)
        if error is not None:
            return error
        if received.body is None:
            if received.status == 429:
                return Throttled("answer 429 without a body that could be read", retry_after_seconds(received))
            declared = received.headers.get("Content-Type", "no content type").split(";")[0][:60]
            return Outage(f"answer {received.status} is not readable JSON ({declared}): truncated, or a page for people")
        if received.status < 300:
            return None
        if received.status == 429:
            return Throttled("answer 429", retry_after_seconds(received))
        problem = Outage if received.status >= 500 else Refused
        return problem(f"answer {received.status}: {redact_text(dump(received.body), self._secrets)[:200]}")


def _links(headers: Mapping[str, str]) -> Mapping[str, str]:
    """What the header Link holds, by `rel`. Nobody has gone there yet: `get` goes to no other host."""
    found = requests.utils.parse_header_links(headers.get("Link", ""))
    return {one["rel"]: one["url"] for one in found if "rel" in one and "url" in one}


def _observed_at(headers: Mapping[str, str]) -> datetime:
    value = headers.get("Date")
    if not value:
        raise Outage("the answer has no Date header: when it was observed is unknown")
    try:
        moment = parsedate_to_datetime(value)
        if moment.year >= LAST_YEAR:  # no day could be counted on from the end of all calendars
            raise ValueError
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Outage("the answer's Date header cannot be read: when it was observed is unknown") from None


def _cause(error: requests.RequestException) -> str:
    """Why nothing came, in the operating system's words where it has any (connection refused), else the kind of error."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno and not isinstance(found, requests.RequestException):
            return (found.strerror or type(found).__name__).lower()
        found = found.__cause__ or found.__context__
    return type(error).__name__


def _without_paging(url: str) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in PAGING]
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote, safe="(),:")))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _in_context(page: Page | None, **facts: str) -> Page:
    assert page is not None
    return replace(page, context={**page.context, **facts})
