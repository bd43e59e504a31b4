"""What of Bluesky's mentions and of the force's replies is landed: no uri, handle or word of anybody (extractors/contacts.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from extractors.contacts import Contacts, same_words, seconds_between, wording

POST_URI = re.compile(r"at://(did:[a-z]+:[A-Za-z0-9._:%-]+)/app\.bsky\.feed\.post/[A-Za-z0-9._~:-]+")
ERROR_NAME = re.compile(r"[A-Za-z]{1,60}")


def mentions_for_landing(body: Any, contacts: Contacts, did: str, moment_of: Any) -> dict[str, Any]:
    """An answer of mentions, made anew: messages in the place of posts, and how many are none. Nothing else is taken over.

    What the account says of itself is no contact. moment_of: which of a post's two times counts.
    """
    if not isinstance(body, dict):
        return {}
    if "error" in body:
        name = body["error"]
        return {"error": name if isinstance(name, str) and ERROR_NAME.fullmatch(name) else "Unknown"}
    listed = body.get("posts")
    if not isinstance(listed, list):
        return {}
    others = [post for post in listed if author_of(post) != did]
    messages = [_inbound(post, contacts, did, moment_of) for post in others]
    return {"posts": messages, "left_out": len(listed) - len(messages)}


def mentioned_in(body: Any, moment_of: Any) -> dict[str, Any]:
    """The uris that an answer lists, and when each was said. They never leave the memory."""
    posts = body.get("posts") if isinstance(body, dict) else None
    found = (post for post in (posts if isinstance(posts, list) else ()) if isinstance(post, dict))
    return {post["uri"]: _said_at(post, moment_of) for post in found if isinstance(post.get("uri"), str)}


def author_of(post: Any) -> str | None:
    """The DID that a post's uri names."""
    uri = post.get("uri") if isinstance(post, dict) else post
    found = POST_URI.fullmatch(uri) if isinstance(uri, str) else None
    return found[1] if found else None


def _said_at(post: dict[str, Any], moment_of: Any) -> Any:
    return moment_of(_record(post).get("createdAt"), post.get("indexedAt"))


def _record(post: Any) -> dict[str, Any]:
    record = post.get("record") if isinstance(post, dict) else None
    return record if isinstance(record, dict) else {}


def _parent(record: dict[str, Any]) -> str | None:
    reply = record.get("reply")
    parent = reply.get("parent") if isinstance(reply, dict) else None
    uri = parent.get("uri") if isinstance(parent, dict) else None
    return uri if isinstance(uri, str) else None


def _inbound(post: Any, contacts: Contacts, did: str, moment_of: Any) -> dict[str, Any]:
    if not isinstance(post, dict):
        return contacts.inbound(None, None, None, "")
    parent, author = _parent(_record(post)), author_of(post)
    # an answer to a third person's words is none to ours
    in_thread = parent is not None and author is not None and author_of(parent) in (did, author)
    uri = post.get("uri") if author else None
    return contacts.inbound(uri, parent if in_thread else None, _said_at(post, moment_of), _record(post).get("text"))


def add_replies(feed: list[Any], contacts: Contacts, mentioned: Mapping[str, Any], did: str, moment_of: Any) -> None:
    """To each reply of the force to somebody else its `contact`: what is landed of it as a message. Before the words are taken out.

    mentioned: this run's mentions. A reply to anything else is one to nothing we know: so what has been deleted does not come back
    with the reply that still names it.
    """
    replies = [item for item in feed if isinstance(item, dict) and _is_answer(item, did)]
    said = same_words(_record(item["post"]).get("text") for item in replies)
    for item in replies:
        post = item["post"]
        text, parent, created_at = _record(post).get("text"), _parent(_record(post)), _said_at(post, moment_of)
        known = parent if parent in mentioned else None
        seconds = seconds_between(mentioned[known], created_at) if known else None
        item["contact"] = contacts.outbound(post["uri"], known, created_at, text, seconds, said[wording(text)])


def _is_answer(item: dict[str, Any], did: str) -> bool:
    """Not where the account goes on with its own thread, nor a repost of anybody's answer."""
    post = item.get("post")
    parent = _parent(_record(post))
    return author_of(post) == did and parent is not None and author_of(parent) != did and not isinstance(item.get("reason"), dict)
