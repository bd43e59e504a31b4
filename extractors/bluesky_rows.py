"""How a landed page of Bluesky becomes rows, what of it is never landed, and, by another way, how many records it holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from extractors.base import Drop, Gap, Page, Row
from extractors.bluesky_contacts import add_replies
from extractors.contacts import Contacts, values_of
from extractors.json_paths import Paths, count_by_paths
from extractors.page_rows import defect, observation, other_account, subjects_of
from extractors.post_window import is_before, post_window
from extractors.redaction import HIDDEN, numbers

OWN_ITEMS = ("feed", "feed.post", "feed.post.record", "profiles")
PROFILE = ("did", "handle", "displayName", "createdAt", "indexedAt")
REPOST, PIN = "app.bsky.feed.defs#reasonRepost", "app.bsky.feed.defs#reasonPin"
COUNT = re.compile(r"[A-Za-z]+Count")
"""How the numbers are called that are known: likeCount, followersCount. What may be added may have any name."""

MENTION = "@…"
"""In the place of a handle in the force's own words."""

POST_URI = re.compile(r"at://(did:[a-z]+:[A-Za-z0-9._:%-]+)/app\.bsky\.feed\.post/([A-Za-z0-9._~:-]+)")
REPOST_URI = re.compile(r"at://did:[a-z]+:[A-Za-z0-9._:%-]+/app\.bsky\.feed\.repost/[A-Za-z0-9._~:-]+")


# --- what is landed ---


def for_landing(
    body: Any, account_id: str | None = None, contacts: Contacts | None = None, mentioned: Mapping[str, Any] | None = None
) -> Any:
    """Of a profile its names and numbers; of an own post its words, times, numbers and how its media are described; of a reply
    no words; of a repost that there is one, since when, and its own id. Whom they answer, quote or mention goes.

    account_id: whose answer it should be, where that is known. Of another's profile or post nothing but that it came is left.
    contacts, mentioned: where answers to the public are to be told (bluesky_contacts.add_replies).
    """
    if not isinstance(body, dict):
        return []
    if "error" in body:
        return {name: body[name] for name in ("error", "message") if isinstance(body.get(name), str)}
    if "feed" in body:
        feed = body["feed"]
        if contacts is not None and account_id is not None and isinstance(feed, list):
            add_replies(feed, contacts, mentioned or {}, account_id, published_at)
        kept: dict[str, Any] = {"feed": [_item(each, account_id) for each in feed] if isinstance(feed, list) else None}
        return {**kept, "cursor": body["cursor"]} if isinstance(body.get("cursor"), str) else kept
    if "profiles" in body:
        profiles = body["profiles"]
        return {"profiles": [_profile(each, account_id) for each in profiles] if isinstance(profiles, list) else None}
    return _profile(body, account_id)


def _profile(found: Any, account_id: str | None) -> Any:
    if not isinstance(found, dict):
        return None
    if account_id is not None and found.get("did", account_id) != account_id:
        return {"did": HIDDEN}
    return {name: found[name] for name in PROFILE if isinstance(found.get(name), str)} | numbers(found, COUNT)


def _item(found: Any, account_id: str | None) -> Any:
    if not isinstance(found, dict):
        return None
    reason = found.get("reason")
    kept: dict[str, Any] = {}
    if isinstance(reason, dict):
        kept["reason"] = {name: reason[name] for name in ("$type", "uri", "indexedAt") if isinstance(reason.get(name), str)}
        if reason.get("$type") != PIN:  # a repost; or something that is not known, which may be another's post as well
            return kept
    post = found.get("post")
    if not isinstance(post, dict):
        return {**kept, "post": None}
    if account_id is not None and isinstance(post.get("uri"), str) and not post["uri"].startswith(f"at://{account_id}/"):
        return {**kept, "post": {"uri": HIDDEN}}
    shown = {name: post[name] for name in ("uri", "indexedAt") if isinstance(post.get(name), str)}
    is_reply = _is_reply(found)
    if isinstance(post.get("record"), dict):
        shown["record"] = _record(post["record"], is_reply)
    contact = {"contact": found["contact"]} if "contact" in found else {}
    return {**kept, **({"reply": {}} if is_reply else {}), "post": shown | numbers(post, COUNT), **contact}


def _is_reply(item: dict[str, Any]) -> bool:
    """The record says so, whether or not the network still shows what it answers."""
    record = item["post"].get("record")
    return item.get("reply") is not None or (isinstance(record, dict) and record.get("reply") is not None)


def _record(found: dict[str, Any], is_reply: bool) -> dict[str, Any]:
    names = ("$type", "createdAt") if is_reply else ("$type", "createdAt", "text")
    kept = {name: found[name] for name in names if isinstance(found.get(name), str)}
    if "text" in kept:
        kept["text"] = _without_mentions(kept["text"], found.get("facets"))
    if isinstance(found.get("langs"), list):
        kept["langs"] = [one for one in found["langs"] if isinstance(one, str)]
    if isinstance(found.get("embed"), dict):
        kept["embed"] = _embed(found["embed"])
    return kept


def _without_mentions(text: str, facets: Any) -> str:
    """The words without the handles that they link to; facets count bytes."""
    words = text.encode("utf-8", "surrogatepass")
    spans = []
    for facet in facets if isinstance(facets, list) else ():
        index, features = (facet.get(name) for name in ("index", "features")) if isinstance(facet, dict) else (None, None)
        is_mention = any(isinstance(one, dict) and one.get("did") for one in (features if isinstance(features, list) else ()))
        start, end = (index.get(name) for name in ("byteStart", "byteEnd")) if isinstance(index, dict) else (None, None)
        if is_mention and isinstance(start, int) and isinstance(end, int) and 0 <= start <= end:
            spans.append((start, end))
    for start, end in sorted(spans, reverse=True):
        words = words[:start] + MENTION.encode() + words[end:]
    return words.decode("utf-8", "replace") if spans else text


def _embed(found: dict[str, Any]) -> dict[str, Any]:
    """Its type, and for each of its media whether it has a description; not the words, which may name people."""
    kept: dict[str, Any] = {name: found[name] for name in ("$type",) if isinstance(found.get(name), str)}
    if isinstance(found.get("images"), list):
        kept["images"] = [{"alt": HIDDEN if isinstance(one, dict) and one.get("alt") else ""} for one in found["images"]]
    if "video" in found:
        kept["alt"] = HIDDEN if found.get("alt") else ""
    if isinstance(found.get("media"), dict):
        kept["media"] = _embed(found["media"])
    return kept


# --- rows ---


def parse(page: Page) -> Iterator[Row | Drop | Gap]:
    """Rows of kind account, post, observation and message. Values pass as they came; a hole is a Gap."""
    if "error" in page.context:
        return
    body = json.loads(page.body)
    if page.endpoint == "account":
        profiles = body.get("profiles", [body] if "did" in body else []) if isinstance(body, dict) else []
        yield from _accounts(page, profiles if isinstance(profiles, list) else [])
    elif page.endpoint == "posts":
        feed = body.get("feed") if isinstance(body, dict) else None
        if not isinstance(feed, list):
            yield Gap(page.account_id, "posts", "not_reported", "the answer came without a list of posts")
            return
        for number, item in enumerate(feed, start=1):
            yield from _post(page, item, f"feed of {page.account_id} page {page.context.get('page', '?')} item {number}")
    elif page.endpoint == "mentions":
        posts = body.get("posts") if isinstance(body, dict) else None
        if not isinstance(posts, list):
            yield Gap(page.account_id, "messages", "not_reported", "the answer came without a list of mentions")
            return
        for number, item in enumerate(posts, start=1):
            yield _message(page, item, f"mentions of {page.account_id} page {page.context.get('page', '?')} item {number}")


def _message(page: Page, item: Any, position: str) -> Row | Drop:
    if not isinstance(item, dict):
        return Row("message", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
    if _is_outside(item.get("created_at"), page):
        return Drop("message", "outside_window", position)
    return Row("message", values_of(page.account_id, item), position)


def _accounts(page: Page, profiles: list[Any]) -> Iterator[Row | Gap]:
    answered: set[str] = set()
    for number, profile in enumerate(profiles, start=1):
        position = f"profile {number}"
        if not isinstance(profile, dict):
            yield Row("account", {"_defect": f"expected an object, got {type(profile).__name__}"}, position)
            continue
        did = profile.get("did")
        wrong = other_account(page, did)
        url = f"https://bsky.app/profile/{did}" if isinstance(did, str) else None
        named = {"handle": profile.get("handle"), "display_name": profile.get("displayName"), "url": url}
        yield Row("account", {"account_id": did, **named, **wrong}, position)
        for name, value in numbers(profile, COUNT).items():
            yield observation(did, "account", did, name, "snapshot", value, f"{position} field {name}", **wrong)
            if did == page.account_id:
                answered.add(name)
    for name in subjects_of(page):
        if name not in answered:
            yield Gap(page.account_id, name, "not_reported", "the answer came without the number for this account", None, "account")


def _post(page: Page, item: Any, position: str) -> Iterator[Row | Drop | Gap]:
    if not isinstance(item, dict):
        yield Row("post", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
        return
    reason = item.get("reason")
    if isinstance(reason, dict) and reason.get("$type") != PIN:
        yield _repost(page, reason, position)
        return
    post = item.get("post")
    if not isinstance(post, dict):
        yield Row("post", {"_defect": f"expected a post, got {type(post).__name__}"}, position)
        return
    record = post["record"] if isinstance(post.get("record"), dict) else {}
    moment, counts = published_at(record.get("createdAt"), post.get("indexedAt")), numbers(post, COUNT)
    if _is_outside(moment, page):
        yield Drop("post", "outside_window", position)
        yield Drop("observation", "outside_window", position, len(counts))
        if "contact" in item:
            yield Drop("message", "outside_window", position)
        return
    uri = post.get("uri")
    at = POST_URI.fullmatch(uri) if isinstance(uri, str) else None
    account_id = at[1] if at else None  # the uri says whose it is; an unreadable one the suite names as of no known account
    # one that is another's has landed without its uri
    wrong = other_account(page, account_id or uri) if at or uri == HIDDEN else {}
    kind = "reply" if _is_reply(item) else "original"
    media = _media(record)
    langs = record.get("langs")
    values = {
        "post_id": uri,
        "account_id": account_id,
        "published_at": moment,
        "kind": kind,
        "permalink": f"https://bsky.app/profile/{at[1]}/post/{at[2]}" if at else None,
        "text": record.get("text") if kind == "original" else None,
        "language": langs[0] if isinstance(langs, list) and langs else None,
        "media_count": len(media),
        "media_with_alt_text": sum(media),
        **wrong,
    }
    yield Row("post", values, position)
    if "contact" in item:
        yield Row("message", values_of(account_id, item["contact"]) | wrong, position)
    for name, value in counts.items():
        yield observation(account_id, "post", uri, name, "lifetime", value, f"{position} field {name}", **wrong)
    for name in () if wrong else subjects_of(page):
        if name != "posts" and name not in counts:
            object_id = uri if isinstance(uri, str) else None
            yield Gap(page.account_id, name, "not_reported", "the post came without the number", object_id, "post")


def _repost(page: Page, reason: dict[str, Any], position: str) -> Row | Drop:
    """Whose post it repeats is not known here. Without an id of its own, account and time are one."""
    reposted_at, uri = reason.get("indexedAt"), reason.get("uri")
    if _is_outside(reposted_at, page):
        return Drop("post", "outside_window", position)
    if reason.get("$type") != REPOST:
        wrong = defect("reason_unknown", "the post stands in the list for a reason that is not known")
        return Row("post", {"account_id": page.account_id, "published_at": reposted_at, **wrong}, position)
    own_id = uri if isinstance(uri, str) and REPOST_URI.fullmatch(uri) else f"repost:{page.account_id}:{reposted_at}"
    values = {"post_id": own_id, "account_id": page.account_id, "published_at": reposted_at, "kind": "repost"}
    return Row("post", values, position)


def published_at(created_at: Any, indexed_at: Any) -> Any:
    """The earlier of what the client says and of when the network saw the post: a client's clock can be wrong, or lie."""
    created, indexed = _moment(created_at), _moment(indexed_at)
    if created is not None and indexed is not None:
        return created_at if created <= indexed else indexed_at
    return indexed_at if created is None and indexed is not None else created_at


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_outside(published_at: Any, page: Page) -> bool:
    """Before the window, or, where an old run is made up for, after it. What lies after the answer itself the suite judges."""
    moment, window = _moment(published_at), post_window(page.run_date)
    return moment is not None and (moment < window[0] or window[1] <= moment <= page.observed_at)


def ends_before(body: dict[str, Any], moment: datetime) -> bool:
    """Whether the last of a page, which is sorted by time, is older. Pins stand out of order."""
    feed = body.get("feed")
    for item in reversed(feed if isinstance(feed, list) else []):
        if not isinstance(item, dict):
            continue
        reason = item["reason"] if isinstance(item.get("reason"), dict) else {}
        post = item["post"] if isinstance(item.get("post"), dict) else {}
        record = post["record"] if isinstance(post.get("record"), dict) else {}
        if reason.get("$type") == PIN:
            continue
        sorted_by = reason.get("indexedAt") if reason else published_at(record.get("createdAt"), post.get("indexedAt"))
        found = _moment(sorted_by)
        return is_before(found.isoformat(), moment) if found else False
    return False


def _media(record: dict[str, Any]) -> list[bool]:
    """For each picture or film of a post whether it has a description. A card of a link, and a quoted post, are no media."""
    embed = record.get("embed")
    while isinstance(embed, dict) and isinstance(embed.get("media"), dict):
        embed = embed["media"]
    if not isinstance(embed, dict):
        return []
    if isinstance(embed.get("images"), list):
        return [bool(isinstance(one, dict) and one.get("alt")) for one in embed["images"]]
    return [bool(embed["alt"])] if "alt" in embed else []


# --- the independent count ---

A_NUMBER = "match(#, '[A-Za-z]+Count') || ((@ >= 0 || @ < 0) && !match(#, '.*([iI]d|ID)s?'))"
PATHS: dict[str, Paths] = {
    "account": {
        "account": ("$.did", "$.profiles[*]"),
        "observation": (f"$[?{A_NUMBER}]", f"$.profiles[*][?{A_NUMBER}]"),
    },
    "posts": {
        "post": ("$.feed[*]",),
        "observation": (f"$.feed[*].post[?{A_NUMBER}]",),
        "message": ("$.feed[*].contact",),
    },
    "mentions": {"message": ("$.posts[*]",)},
}


def count(page: Page) -> Counter[str]:
    """Records of each kind in a page, by JSON paths."""
    return count_by_paths(json.loads(page.body), PATHS[page.endpoint])
