"""Comments on the force's posts on Facebook and Instagram, and its answers to them: how they are asked, landed and read.

Nothing of the answer is taken over: what is landed are the messages that extractors/contacts.py makes (docs/sources/contacts.md).
Only comments of the first days of a post count, so that a list of the posts of 30 days holds each for as long as it is looked at.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from extractors.base import Drop, Gap, Page, Row
from extractors.contacts import Contacts, same_words, seconds_between, values_of, wording
from extractors.json_paths import count_by_paths
from extractors.post_window import post_window

ENDPOINT, SUBJECT = "comments", "messages"
COUNTED_SECONDS = 14 * 86_400
"""How long after a post a comment on it is collected."""

KEPT_OF_ERRORS = ("code", "error_subcode", "is_transient")
TOLD_BY_WORDS = ("reduce the amount of data", "nonexisting field", "does not exist")
"""What only the sentence of an error tells (extractors/meta.py)."""


@dataclass(frozen=True)
class Comment:
    """One comment as either platform has it."""

    comment_id: Any
    author: Any
    created_at: Any
    text: Any
    parent: str | None


@dataclass
class Seen:
    """What one run has seen of the comments on an account's posts. A thread may go over pages. It never leaves the memory.

    under: what stands under a comment, by its id. waiting: answers to a comment that has not come yet.
    """

    comments: dict[str, Comment] = field(default_factory=dict)
    under: dict[str, dict[str, Comment]] = field(default_factory=dict)
    waiting: list[Comment] = field(default_factory=list)

    def add(self, one: Comment) -> None:
        if isinstance(one.comment_id, str):
            self.comments[one.comment_id] = one
            self.under.setdefault(one.parent or "", {})[one.comment_id] = one


def for_landing(
    body: Any,
    contacts: Contacts,
    account_id: str,
    handle: str,
    published: Mapping[str, str],
    post_id: str = "",
    seen: Seen | None = None,
) -> Any:
    """What is landed in the place of an answer about comments: `data` with messages, and how many were left out.

    published: when each post was, by its id. post_id: whose comments they are where the answer is one post's list. seen: what the
    answers before had.
    """
    seen = seen or Seen()
    if not isinstance(body, dict):
        return {"data": [], "left_out": 0}
    if isinstance(body.get("error"), dict):
        return {"error": _error(body["error"])}
    listed: dict[str, Any] = {post_id: body} if post_id else {name: _dict(post).get("comments") for name, post in body.items()}
    made: list[dict[str, Any]] = []
    count = 0
    for post, edge in listed.items():
        found = list(_comments(_dict(edge).get("data"), None))
        count += len(found)
        made += _messages(found, contacts, (account_id, handle), post, published.get(post), seen)
    return {"data": made, "left_out": max(0, count - len(made))}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _error(error: dict[str, Any]) -> dict[str, Any]:
    message = str(error.get("message", ""))
    said = next((words for words in TOLD_BY_WORDS if words in message), "the platform's sentence is not kept")
    return {**{name: error[name] for name in KEPT_OF_ERRORS if isinstance(error.get(name), int)}, "message": said}


def _comments(items: Any, parent: Any) -> Iterator[Comment]:
    """All comments of a list, with those that answer them (Instagram nests these)."""
    for item in items if isinstance(items, list) else ():
        one = _dict(item)
        author = _dict(one.get("from"))
        above = parent or _dict(one.get("parent")).get("id") or one.get("parent_id")
        yield Comment(
            one.get("id"),
            author.get("id") or author.get("username") or one.get("username"),
            one.get("created_time") or one.get("timestamp"),
            one.get("message", one.get("text")),
            above if isinstance(above, str) else None,
        )
        yield from _comments(_dict(one.get("replies")).get("data"), one.get("id"))


def _messages(
    found: Sequence[Comment], contacts: Contacts, own: tuple[str, str], post_id: str, published_at: str | None, seen: Seen
) -> Iterator[dict[str, Any]]:
    """Messages of one list, and of what waited for it."""
    said = same_words(one.text for one in found if one.author in own)
    counted = [one for one in found if one.author in own or not _is_late(published_at, one.created_at)]
    for one in counted:
        seen.add(one)
    waited, seen.waiting = seen.waiting, []
    for one in [*counted, *waited]:
        above = seen.comments.get(one.parent or "")
        if one.author not in own:
            is_thread = above is not None and (above.author in own or (above.author is not None and above.author == one.author))
            reply_to = above.comment_id if above and is_thread else post_id
            yield contacts.inbound(one.comment_id, reply_to, one.created_at, one.text)
        elif above is None and one.parent:
            seen.waiting.append(one)
        elif above is not None and above.author not in own:
            to = _last_said(above, one, seen)
            seconds = seconds_between(to.created_at, one.created_at)
            yield contacts.outbound(one.comment_id, to.comment_id, one.created_at, one.text, seconds, said[wording(one.text)])


def _is_late(published_at: str | None, created_at: Any) -> bool:
    age = seconds_between(published_at, created_at)
    return age is not None and age > COUNTED_SECONDS


def _last_said(above: Comment, answer: Comment, seen: Seen) -> Comment:
    """What an answer answers. A thread has one level: whoever is answered in it, the answer stands under the comment that began it.
    So it is one to what the person who began it has said last before."""
    later = [
        (-seconds, one)
        for one in seen.under.get(above.comment_id, {}).values()
        if one.author is not None and one.author == above.author
        if (seconds := seconds_between(one.created_at, answer.created_at)) is not None and seconds >= 0
    ]
    return max(later, key=lambda each: each[0])[1] if later else above


def next_pages(body: Any) -> Iterator[tuple[str, str]]:
    """Of each post whose comments go on: its id, and where."""
    for post_id, post in _dict(body).items():
        following = _dict(_dict(_dict(post).get("comments")).get("paging")).get("next")
        if isinstance(following, str) and following:
            yield post_id, following


def next_page(body: Any) -> str | None:
    following = _dict(_dict(body).get("paging")).get("next")
    return following if isinstance(following, str) and following else None


def parse(page: Page) -> Iterator[Row | Drop | Gap]:
    """Rows of kind message."""
    if "error" in page.context:
        return
    body = json.loads(page.body)
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list):
        yield Gap(page.account_id, SUBJECT, "not_reported", "the answer came without comments")
        return
    for number, item in enumerate(items, start=1):
        position = f"comments of {page.account_id} page {page.context.get('page', '?')} item {number}"
        if not isinstance(item, dict):
            yield Row("message", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
        elif _is_after_run(item.get("created_at"), page):
            yield Drop("message", "outside_window", position)
        else:
            yield Row("message", values_of(page.account_id, item), position)


def _is_after_run(created_at: Any, page: Page) -> bool:
    """Where an old run is made up for. What lies after the answer itself the suite judges."""
    try:
        return post_window(page.run_date)[1] <= datetime.fromisoformat(created_at) <= page.observed_at
    except (TypeError, ValueError, OverflowError):
        return False


def count(page: Page) -> Counter[str]:
    """How many messages a page holds, by a JSON path."""
    return count_by_paths(json.loads(page.body), {"message": ("$.data[*]",)})
