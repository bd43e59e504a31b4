"""data.police.uk: which accounts the forces list there (docs/sources/police_uk.md). A plain module: it brings no record kinds.

What is listed is old and unmaintained: it proposes changes to the register, and changes nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from extractors.base import Gap, Page, Refused, SourceError

if TYPE_CHECKING:
    from extractors.http import HttpClient, Received

NAME = "police_uk"
DEFAULT_HOST = "https://data.police.uk"
OWN_ITEMS = ("engagement_methods",)
FORCE_ID = re.compile(r"[a-z][a-z-]{1,40}")

BURST, SECONDS_BETWEEN = 25, 1 / 12
"""Below what it allows: 15 requests a second, 30 at once."""

HOSTS = {
    "facebook.com": "facebook",
    "fb.com": "facebook",
    "twitter.com": "x",
    "x.com": "x",
    "youtube.com": "youtube",
    "instagram.com": "instagram",
    "flickr.com": "flickr",
    "tiktok.com": "tiktok",
    "threads.net": "threads",
    "threads.com": "threads",
    "linkedin.com": "linkedin",
    "nextdoor.co.uk": "nextdoor",
    "nextdoor.com": "nextdoor",
    "bsky.app": "bluesky",
    "whatsapp.com": "whatsapp",
}
"""Hosts of platforms, old names too, and what the register calls them."""

OTHER_HOSTS = ("www.", "m.", "mobile.", "web.", "en-gb.", "uk.", "touch.")
BEFORE_THE_HANDLE = {
    "facebook": ("pg", "people"),
    "youtube": ("c", "user", "channel"),
    "flickr": ("photos", "people"),
    "linkedin": ("company", "showcase"),
    "nextdoor": ("agency-detail",),
    "bluesky": ("profile",),
    "whatsapp": ("channel",),
}
NO_HANDLES = frozenset(
    ("home", "index", "search", "login", "sharer", "share", "watch", "playlist", "groups", "events", "intent", "explore", "feed")
)
HANDLE = re.compile(r"[^\s/?#\"'<>\\]{1,100}")


@dataclass(frozen=True)
class Listed:
    """One account as a force lists it. handle: as its platform compares them, in small letters, without @."""

    force_id: str
    platform: str
    handle: str
    url: str  # as it stood there
    sha256: str  # of the answer
    observed_at: datetime
    is_simulated: bool


class NotThere(Refused):
    """The site knows no such force."""

    cause = "not_reported"


def classify(received: Received) -> SourceError | None:
    """404 comes as plain text."""
    return NotThere("answer 404: data.police.uk has no such force") if received.status == 404 else None


def only_needed(body: Any) -> Any:
    """Ids, names and addresses: descriptions hold HTML, and telephone numbers are none of ours."""
    if isinstance(body, list):
        return [{name: each.get(name) for name in ("id", "name")} for each in body if isinstance(each, dict)]
    if not isinstance(body, dict) or "_unreadable" in body:
        return body
    methods = body.get("engagement_methods")
    kept = [
        {name: each[name] for name in ("type", "title", "url") if isinstance(each.get(name), str)}
        for each in (methods if isinstance(methods, list) else [])
        if isinstance(each, dict) and _kind(each) not in ("telephone", "email", "e-mail")
    ]
    return {**{name: body[name] for name in ("id", "name", "url") if name in body}, "engagement_methods": kept}


def fetch(client: HttpClient, wanted: Iterable[str], sleep: Callable[[float], None] = time.sleep) -> Iterator[Page | Gap]:
    """The list of forces, then each force that is wanted and listed, in the order of the list. A force that fails is a Gap
    whose subject is its id; `*` where the list itself could not be had."""
    answer = client.get("forces", "api/forces")
    yield from answer.pages
    if answer.error is not None:
        yield Gap(None, "*", answer.error.cause, str(answer.error))
        return
    there = forces(answer.body)
    for number, force_id in enumerate(wanted):
        if force_id not in there:
            yield Gap(None, force_id, "not_reported", "data.police.uk does not list the force")
            continue
        if number >= BURST:
            sleep(SECONDS_BETWEEN)
        found = client.get("force", f"api/forces/{force_id}", context={"force_id": force_id})
        yield from found.pages
        if found.error is not None:
            yield Gap(None, force_id, found.error.cause, str(found.error))


def forces(body: Any) -> dict[str, str]:
    """Force id to name, of the list of forces. Entries that are none are left out."""
    rows = [row for row in body if isinstance(row, dict)] if isinstance(body, list) else []
    return {
        row["id"]: str(row.get("name") or "") for row in rows if isinstance(row.get("id"), str) and FORCE_ID.fullmatch(row["id"])
    }


def parse(page: Page) -> Iterator[Listed]:
    """The accounts that a force's page lists, each once, both shapes: with `type`, and the older one with the title alone."""
    if page.endpoint != "force" or "error" in page.context:
        return
    body = json.loads(page.body)
    methods = body.get("engagement_methods") if isinstance(body, dict) else None
    seen: set[tuple[str, str]] = set()
    for method in methods if isinstance(methods, list) else []:
        url = method.get("url") if isinstance(method, dict) else None
        found = normalise(url, _kind(method)) if isinstance(url, str) else None
        if found is not None and found not in seen:
            seen.add(found)
            yield Listed(page.context["force_id"], *found, str(url).strip(), page.sha256, page.observed_at, page.is_simulated)


def _kind(method: Mapping[str, Any]) -> str:
    return str(method.get("type") or method.get("title") or "").strip().casefold()


def normalise(url: str, kind: str = "") -> tuple[str, str] | None:
    """Platform and handle of an address; None where it is empty, or no account's.

    The host decides; `kind` (facebook, twitter) only where there is no host: a bare handle.
    """
    address = unescape(unquote(url)).strip()
    if not address:
        return None
    if re.fullmatch(r"@?[A-Za-z0-9_.-]{2,50}", address) and not any(address.casefold().endswith(host) for host in HOSTS):
        platform = {"twitter": "x"}.get(kind, kind)
        return (platform, address.lstrip("@").casefold()) if platform in HOSTS.values() else None
    try:
        parts = urlsplit(address if "://" in address else f"https://{address.lstrip('/')}")
        host = (parts.hostname or "").casefold()
    except ValueError:
        return None
    for prefix in OTHER_HOSTS:
        host = host.removeprefix(prefix)
    platform = HOSTS.get(host, "")
    if not platform:
        return None
    # twitter.com/#!/handle is older than the site's present addresses
    path = parts.fragment[1:] if parts.fragment.startswith("!") else parts.path
    steps = [step for step in path.split("/") if step]
    if platform == "facebook" and steps[:1] == ["profile.php"]:
        steps = parse_qs(parts.query).get("id", [])
    elif platform == "facebook" and steps[:1] == ["pages"]:
        steps = steps[-1:] if len(steps) > 1 else []  # /pages/Name/ID, /pages/category/Kind/Name-ID
    elif steps and steps[0].casefold() in BEFORE_THE_HANDLE.get(platform, ()):
        steps = steps[1:]
    handle = steps[0].lstrip("@").casefold() if steps else ""
    if not HANDLE.fullmatch(handle) or handle in NO_HANDLES:
        return None
    return platform, handle
