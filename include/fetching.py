"""What the sources are asked: host by host, with their limits kept, and what goes wrong turned into gaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from extractors.base import Access, Account, ApiSource, Gap, Order, Page, SignalOrder, SignalSource, SourceError, WatchedSeries
from include.budgets import LedgerPacer
from include.settings import Home, contact, longest_wait_seconds
from include.unexpected import unexpected

if TYPE_CHECKING:
    from extractors.http import HttpClient


@dataclass
class Made:
    """What asking took: requests, and the longest wait that a throttle named."""

    requests: int = 0
    reset_seconds: float | None = None

    def add(self, client: HttpClient) -> None:
        self.requests += client.requests_made
        waits = [wait for wait in (self.reset_seconds, client.reset_seconds) if wait is not None]
        self.reset_seconds = max(waits, default=None)


def fetch_accounts(
    source: ApiSource, order: Order, access: Access, home: Home, sleep: Callable[[float], None], made: Made
) -> Iterator[Page | Gap]:
    """What the source yields, host by host: on most platforms there is one."""
    from extractors.http import HttpClient

    by_host: dict[str, list[Account]] = defaultdict(list)
    for account in order.accounts:
        by_host[source.base_url(account, access.base_url)].append(account)
    for base_url, accounts in by_host.items():
        # the token is that of the connection's host, and no other host gets to see it
        is_its_host = urlsplit(base_url)[:2] == urlsplit(access.base_url)[:2]
        there = replace(access, base_url=base_url, token=access.token if is_its_host else None)
        pacer = LedgerPacer(source, there, order.run_date, home, sleep)
        client = HttpClient(
            there,
            run_date=order.run_date,
            classify=source.classify,
            redact_more=source.redact,
            own_items=source.own_items,
            token_header=source.token_header,
            pacer=pacer,
            reset_limit_seconds=longest_wait_seconds(),
        )
        try:
            yield from _fetch(source, client, replace(order, accounts=tuple(accounts)))
        finally:
            made.add(client)
            client.close()
            pacer.close()


def fetch_signals(
    source: SignalSource,
    by_host: Mapping[str, list[WatchedSeries]],
    run_date: date,
    sleep: Callable[[float], None],
    made: Made,
) -> Iterator[Page | Gap]:
    """What the source yields, host by host. What it lets through becomes a gap of the host's series that it had not finished."""
    from extractors.http import HttpClient

    for base_url, series in by_host.items():
        client = HttpClient(
            Access(base_url),
            run_date=run_date,
            classify=source.classify,
            redact_more=source.redact,
            own_items=source.own_items,
            contact=contact(),
            sleep=sleep,
        )
        answered: set[str] = set()
        try:
            for item in source.fetch(client, SignalOrder(run_date, tuple(series))):
                if isinstance(item, Gap):
                    answered.add(item.subject)
                elif "error" not in item.context:
                    answered.update(item.context.get("subjects", "").split(","))
                yield item
            continue
        except SourceError as error:
            cause, detail = error.cause, str(error)
        except Exception as error:
            cause, detail = "outage", unexpected(error, f"{source.name}: after {client.requests_made} requests")
        finally:
            made.add(client)
            client.close()
        for each in series:
            if each.subject not in answered:
                yield Gap(None, each.subject, cause, detail)


def _fetch(source: ApiSource, client: Any, order: Order) -> Iterator[Page | Gap]:
    """What the source yields. Whatever it lets through becomes a gap of the accounts that it had not finished: what came before
    is kept, and collect_force ends with that gap's error."""
    seen: dict[str | None, None] = {}
    pages, endpoint = 0, "any answer"
    try:
        for item in source.fetch(client, order):
            seen[item.account_id] = None
            if isinstance(item, Page):
                pages, endpoint = pages + 1, item.endpoint
            yield item
        return
    except SourceError as error:
        cause, detail = error.cause, str(error)
    except Exception as error:
        cause, detail = "outage", unexpected(error, f"{order.force_id}: after page {pages} ({endpoint})")
    last = next(reversed(seen), None)
    for account in order.accounts:
        if account.account_id == last or account.account_id not in seen:
            yield Gap(account.account_id, "*", cause, detail)
