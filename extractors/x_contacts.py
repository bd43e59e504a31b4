"""What of X's mentions and of the force's replies is landed: no id, handle or word of anybody (extractors/contacts.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from extractors.contacts import Contacts, same_words, seconds_between, wording
from extractors.x_versions import SNOWFLAKE_SINCE, history_of, instant_of, times_of

REFERENCES = ("referenced_tweets", "referenced_posts")
REPOST, REPLY = frozenset({"retweeted", "reposted"}), frozenset({"replied_to"})
KEPT_OF_ERRORS = ("title", "status", "code")
TYPE = re.compile(r"/([a-z-]{1,60})$")


def mentions_for_landing(body: Any, contacts: Contacts, account_id: str) -> dict[str, Any]:
    """An answer of mentions, made anew: `data` holds messages, `meta` counts, `errors` their kind. Nothing else is taken over.

    What the account says of itself, what is only passed on (a repost) and a version that has been edited since is no contact: it
    is counted in `left_out`.
    """
    if not isinstance(body, dict):
        return {"data": []}
    items = body.get("data")
    listed = items if isinstance(items, list) else []
    ids = ids_of(body)
    messages = [_inbound(item, contacts, account_id, ids) for item in listed if _is_contact(item, account_id)]
    made: dict[str, Any] = {"data": messages} if isinstance(items, list) else {}
    if isinstance(body.get("meta"), dict):
        made["meta"] = {"result_count": len(listed), "left_out": len(listed) - len(messages)}
    if isinstance(body.get("errors"), list):
        made["errors"] = [_error(one) for one in body["errors"] if isinstance(one, dict)]
    return {**made, **_error(body)}


def ids_of(body: Any) -> dict[str, str]:
    """The ids that an answer lists, contacts or not, those of all versions of a post to its first. They never leave the memory."""
    items = body.get("data") if isinstance(body, dict) else None
    found: dict[str, str] = {}
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            found |= dict.fromkeys((*history_of(item), item["id"]), _first_id(item))
    return found


def _error(problem: dict[str, Any]) -> dict[str, Any]:
    """The kind of an error, by the end of its type URI, without the sentence, which may name an account."""
    kept = {name: problem[name] for name in KEPT_OF_ERRORS if isinstance(problem.get(name), str | int)}
    kind = TYPE.search(str(problem.get("type", "")))
    return {**kept, "type": f"problems/{kind[1]}"} if kind else kept


def _is_contact(item: Any, account_id: str) -> bool:
    if not isinstance(item, dict):
        return True
    return not (item.get("author_id") == account_id or _references(item, REPOST) or item.get("id") in history_of(item)[:-1])


def _first_id(item: dict[str, Any]) -> Any:
    """An edit gives a new id: the message keeps its first."""
    return next(iter(history_of(item)), item.get("id"))


def _said_at(item: dict[str, Any]) -> Any:
    moment = times_of(item.get("created_at"), history_of(item))[0]
    return moment.isoformat() if isinstance(moment, datetime) else moment


def _inbound(item: Any, contacts: Contacts, account_id: str, ids: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(item, dict):
        return contacts.inbound(None, None, None, "")
    replied_to = item.get("in_reply_to_user_id")
    # an answer to a third person's words is none to ours: only the force's own and the same person's are threads
    in_thread = isinstance(replied_to, str) and replied_to in (account_id, item.get("author_id"))
    reply_to = _references(item, REPLY) if in_thread else None
    return contacts.inbound(_first_id(item), ids.get(reply_to or "", reply_to), _said_at(item), item.get("text"))


def add_replies(items: list[Any], contacts: Contacts, mentioned: Mapping[str, str]) -> None:
    """To each reply of the force to somebody else its `contact`: what is landed of it as a message. Before the words are taken out.

    mentioned: ids of the mentions that are there in this run (ids_of). A reply to anything else is one to nothing we know: so what
    has been deleted upstream does not come back with the reply that still names it.
    """
    replies = [item for item in items if isinstance(item, dict) and _is_answer(item)]
    said = same_words(item.get("text") for item in replies)
    for item in replies:
        reply_to, created_at = _references(item, REPLY), _said_at(item)
        seconds = seconds_between(_instant(reply_to), created_at)
        times = said[wording(item.get("text"))]
        known = mentioned.get(reply_to or "")
        item["contact"] = contacts.outbound(_first_id(item), known, created_at, item.get("text"), seconds, times)


def _is_answer(item: dict[str, Any]) -> bool:
    """Not where the account goes on with its own thread."""
    return bool(_references(item, REPLY)) and item.get("in_reply_to_user_id") not in (item.get("author_id"), None)


def _references(item: dict[str, Any], types: frozenset[str]) -> str | None:
    """The id that an item refers to in one of these ways."""
    for name in REFERENCES:
        found = item.get(name)
        for one in found if isinstance(found, list) else ():
            if isinstance(one, dict) and one.get("type") in types and isinstance(one.get("id"), str):
                return str(one["id"])
    return None


def _instant(post_id: str | None) -> str | None:
    """When a post was made, as its id tells it."""
    if not (post_id and post_id.isascii() and post_id.isdigit() and len(post_id) <= 19) or int(post_id) < SNOWFLAKE_SINCE:
        return None
    return instant_of(post_id).isoformat()
