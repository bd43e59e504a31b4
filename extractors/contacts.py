"""Public contacts: what of a message is kept, and the rules that read its words before these are thrown away.

A message becomes a small object of keyed hashes, its time and three decisions, in the redaction step: before anything is landed.
Text, handle, name, id and address of a person never leave this step. Rules and their limits: docs/sources/contacts.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

RULE_VERSION = 1
"""Of `wants_answer` and `is_automatic` together. A new version decides about new messages only: older words are gone."""

Direction = Literal["inbound", "outbound"]

INSTANT = re.compile(r"[0-9][0-9T:.,+Z -]{7,39}")
NOT_WORDS = re.compile(r"https?://\S+|www\.\S+|[@#]\S+", re.IGNORECASE)
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

ASKING = frozenset(
    {
        "who", "what", "when", "where", "why", "which", "how", "help", "please", "advice", "advise", "report", "reporting",
        "reported", "contact", "urgent", "urgently", "emergency", "asking", "question", "enquiry", "complaint", "complain",
        "stolen", "robbed", "burgled", "attacked", "assaulted", "threatened",
        "pwy", "beth", "pryd", "ble", "pam", "sut", "cymorth", "adrodd", "cwyn", "cwestiwn",
    }
)  # fmt: skip
"""Words of a question, of a call for help or of a report, English and Welsh."""

COURTESY = frozenset(
    {
        "thank", "thanks", "thankyou", "thx", "ta", "cheers", "you", "so", "very", "much", "many", "all", "the", "for", "this",
        "that", "your", "and", "well", "done", "great", "good", "job", "work", "brilliant", "nice", "lovely", "amazing", "welcome",
        "ok", "okay", "to", "lot", "a", "lots", "love", "team", "police", "officers",
        "diolch", "yn", "fawr", "iawn", "da",
    }
)  # fmt: skip
"""A message of these alone thanks or praises: it asks for nothing, whatever its signs."""

AUTOMATIC = re.compile(
    r"\bautomat(?:ed|ic)\s+(?:reply|response|message)|\bauto-?(?:reply|response)|\bthis is an automat"
    r"|\bnot monitored\b|\bisn['’]t monitored\b|\bout of office\b|\bneges awtomatig\b",
    re.IGNORECASE,
)
"""How a machine's answers name themselves."""

AT_ONCE_SECONDS = 60
"""The same words to more than one person, each within this time: nobody types that fast."""


def wants_answer(text: str) -> bool:
    """Rule 1: a question mark, or a word of asking, helping or reporting; not where all words are thanks or there is none."""
    plain = NOT_WORDS.sub(" ", text)
    words = [word.casefold().replace("’", "'") for word in WORD.findall(plain)]
    if all(word in COURTESY for word in words):
        return False
    return "?" in plain or any(word.partition("'")[0] in ASKING for word in words)


def is_automatic(text: str, seconds_after: float | None = None, same_words: int = 1) -> bool:
    """Rule 1: the reply says so itself, or its words went to several people and to this one at once.

    seconds_after: since the message that is answered; None where that is not known. same_words: how many replies of the same answer
    have these words.
    """
    if AUTOMATIC.search(text):
        return True
    return same_words > 1 and seconds_after is not None and 0 <= seconds_after <= AT_ONCE_SECONDS


def same_words(texts: Iterable[Any]) -> Counter[str]:
    """How often each wording occurs, whomever it addresses; keyed by `wording`."""
    return Counter(wording(text) for text in texts)


def wording(text: Any) -> str:
    """The words of a text, without whom it addresses."""
    return " ".join(WORD.findall(NOT_WORDS.sub(" ", text if isinstance(text, str) else ""))).casefold()


@dataclass(frozen=True)
class Contacts:
    """Makes what is landed of the messages of one platform. pseudonym: the keyed hash (include/pseudonyms.py)."""

    platform: str
    pseudonym: Callable[[str], str]

    def key(self, message_id: Any) -> str | None:
        """The keyed hash of the platform's id of a message. The same id on two platforms has two keys."""
        return self.pseudonym(f"message {self.platform} {message_id}") if isinstance(message_id, str) and message_id else None

    def inbound(self, message_id: Any, reply_to: Any, created_at: Any, text: Any) -> dict[str, Any]:
        """A message of the public. reply_to: what it answers, given only where that is the force's own or the same person's."""
        return {**self._message(message_id, reply_to, "inbound", created_at), "wants_answer": wants_answer(str(text or ""))}

    def outbound(
        self, message_id: Any, reply_to: Any, created_at: Any, text: Any, seconds_after: float | None = None, same_words: int = 1
    ) -> dict[str, Any]:
        """An answer of the force."""
        automatic = is_automatic(str(text or ""), seconds_after, same_words)
        return {**self._message(message_id, reply_to, "outbound", created_at), "is_automatic": automatic}

    def _message(self, message_id: Any, reply_to: Any, direction: Direction, created_at: Any) -> dict[str, Any]:
        is_time = isinstance(created_at, str) and INSTANT.fullmatch(created_at)
        return {
            "message_key": self.key(message_id),
            "reply_to_key": self.key(reply_to),
            "direction": direction,
            "created_at": created_at if is_time else None,  # what is no time may be anything
            "is_automatic": None,
            "wants_answer": None,
            "rule_version": RULE_VERSION,
        }


def seconds_between(earlier: Any, later: Any) -> float | None:
    """Between two times as platforms write them; None where one cannot be read."""
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None


KEPT = ("message_key", "reply_to_key", "direction", "created_at", "is_automatic", "wants_answer", "rule_version")


def values_of(account_id: str | None, message: dict[str, Any]) -> dict[str, Any]:
    """The columns of a record of kind `message` from what was landed of it."""
    return {"account_id": account_id, **{name: message.get(name) for name in KEPT}}
