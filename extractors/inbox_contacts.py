"""Contacts as a social-inbox tool exports them, in one template for all platforms (docs/sources/contacts.md).

Reading turns every row into what extractors/contacts.py keeps of a message. Ids and words are in memory only; of a row that cannot
be read nothing is landed but its number and what is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from extractors import upload_cells as cells
from extractors.base import BadFile, Drop, FileSource, Gap, Page, Row
from extractors.contacts import Contacts, same_words, values_of, wording
from extractors.upload import EXAMPLE, SIMULATED
from extractors.upload_cells import Wrong
from extractors.upload_file import Layout, RawRow, rows
from extractors.upload_register import Register, Seeds

COLUMNS: dict[str, str] = {
    "platform": "facebook, instagram, x, tiktok, linkedin, nextdoor, whatsapp, bluesky, mastodon, threads or youtube",
    "force": "The force, as the register has it: gwent, or Gwent Police",
    "account": "The account's handle or id in the register; may stay empty where the force has one account there",
    "message_id": "The platform's own id of the message, as text; of a post on X its address will do. Kept as a keyed hash only",
    "direction": "inbound (the public to the force) or outbound (the force's answer)",
    "created_at": "When it was sent, with its offset: 2026-10-31T14:05:00+00:00",
    "created_at_utc": "Instead of created_at, where the tool exports UTC without saying so: 2026-10-31 14:05",
    "in_reply_to": "The id of the message that it answers, as in message_id; empty where it answers none",
    "wants_answer": "Inbound: yes or no, where the tool or a person has decided it; empty: decided from the text",
    "automatic": "Outbound: yes or no, whether a machine answered; empty: decided from the text",
    "text": "Its words, to decide these two; read in memory and thrown away",
    "note": "For yourself: it is not kept. A row whose note says example is not read",
}
"""The template: column to what goes into it. Nothing of people: who wrote has no column."""

CONTACTS = Layout(
    "template for contacts",
    COLUMNS,
    ("message_id", "direction"),
    ("platform", "force", "message_id", "direction"),
    "contacts",
    "python -m include.upload_template contacts.xlsx --contacts",
    "rename or remove them. Who wrote is never taken in: no name, handle, address or id of a person",
    quotes=False,
)
INBOUND, OUTBOUND = "inbound", "outbound"
ANSWERS = {"yes": True, "true": True, "no": False, "false": False}
X_ADDRESS = re.compile(r"https://(?:www\.|mobile\.)?(?:x|twitter)\.com/[^/\s]+/status/(\d+)(?:[/?#]\S*)?", re.IGNORECASE)

X_ID = re.compile(r"[0-9]{1,19}")
ADDRESS = re.compile(r"https?:", re.IGNORECASE)
LISTED = frozenset({"facebook", "instagram", "x", "bluesky"})
"""Where a list of the platform may bring the same message."""


@dataclass(frozen=True)
class _Said:
    """One good row, in memory."""

    number: int
    message_id: str
    direction: str
    created_at: datetime
    reply_to: str | None
    decided: bool | None
    text: str


class InboxContacts(FileSource):
    """What the public said and how it was answered, of any platform, as the forces' tools export it."""

    name = "contacts"
    title = "Contacts (exports of social-inbox tools)"
    documentation = "docs/sources/contacts.md"
    kinds = ("message",)
    names_platforms = True
    keeps_files = False

    def __init__(self, pseudonym: Callable[[str], str], seeds: Callable[[], Seeds]) -> None:
        self._pseudonym = pseudonym
        self._seeds = seeds

    # --- reading ---

    def read(self, path: Path, run_date: date, observed_at: datetime) -> Iterator[Page | Gap]:
        raw = [row for row in rows(path, CONTACTS) if row.said("note") != EXAMPLE]
        if not raw:
            raise BadFile(f"{path.name}: nothing but the example of the template; fill in your messages and drop it again")
        seeds = self._seeds()
        registers = {row["platform"]: Register(seeds, row["platform"]) for row in seeds["platforms"]}
        is_simulated = 2 * sum(str(row.cells.get("note", "")).strip() == SIMULATED for row in raw) >= len(raw)
        good: dict[tuple[str, str, str], list[_Said]] = defaultdict(list)
        bad: list[dict[str, Any]] = []
        for row in raw:
            try:
                whose, said = _read(row, registers)
                good[whose].append(said)
            except Wrong as wrong:
                bad.append({"number": row.number, "defect": f"{wrong.rule}: row {row.number}: {wrong}"})
        parts = {whose: _landed(of_account, Contacts(whose[0], self._pseudonym)) for whose, of_account in sorted(good.items())}
        for (platform, account_id, force_id), landed in [*parts.items(), *([(("", "", ""), bad)] if bad else [])]:
            yield Page(
                endpoint="contacts",
                account_id=account_id or None,
                request=f"contacts {platform} {account_id}".strip() if platform else "contacts unreadable rows",
                status=200,
                observed_at=observed_at,
                body=json.dumps({"rows": landed}, separators=(",", ":")),
                is_simulated=is_simulated,
                run_date=run_date,
                context={"file": path.name, **({"platform": platform, "force_id": force_id} if platform else {})},
            )

    # --- landed page → rows ---

    def parse(self, page: Page) -> Iterator[Row | Drop | Gap]:
        whose = {"platform": page.context.get("platform"), "force_id": page.context.get("force_id")}
        for row in json.loads(page.body)["rows"]:
            wrong = {"_defect": row["defect"]} if "defect" in row else {}
            yield Row(
                "message", {**whose, **values_of(page.account_id, row), **wrong}, f"{page.context['file']} row {row['number']}"
            )

    def count(self, page: Page) -> Counter[str]:
        return Counter(message=page.body.count('"number":'))


def _read(row: RawRow, registers: Mapping[str, Register]) -> tuple[tuple[str, str, str], _Said]:
    """Platform, account and force of a row, and what it says. Raises Wrong, with the column in the reason."""
    column = "row"
    try:
        if row.is_hidden:
            raise Wrong("row_hidden", "is of a hidden row: show it, or delete it")
        if row.surplus:
            raise Wrong("cell_count", f"has {row.surplus} cells more than the header: a comma too many?")
        column = "platform"
        register = registers.get(row.said(column))
        if register is None:
            raise Wrong("platform_unknown", f"is none of {', '.join(registers)}")
        column = "force"
        force_id = register.force(row.cells.get(column))
        column = "account"
        account_id = register.account(force_id, row.cells.get(column))
        column = "message_id"
        message_id = identity(row.cells.get(column), register.platform)
        if message_id is None:
            raise Wrong("cell_missing", "is empty")
        column = "direction"
        direction = row.said(column)
        if direction not in (INBOUND, OUTBOUND):
            raise Wrong("direction_unreadable", f"is none of {INBOUND}, {OUTBOUND}")
        given = [name for name in ("created_at", "created_at_utc") if name in row.cells]
        column = given[0] if given else "created_at"
        if len(given) != 1:
            raise Wrong("time_unreadable", "and created_at_utc are both filled in" if given else "is empty")
        created_at = cells.instant_with_offset(row.cells[column], column == "created_at_utc")
        column = "in_reply_to"
        reply_to = identity(row.cells.get(column), register.platform)
        own, other = ("wants_answer", "automatic") if direction == INBOUND else ("automatic", "wants_answer")
        column = other
        if other in row.cells:
            raise Wrong("cell_misplaced", f"is filled in, and is no column of an {direction} message")
        column = own
        decided = ANSWERS.get(row.said(own))
        if decided is None and own in row.cells:
            raise Wrong("yes_or_no", "is neither yes nor no")
        if decided is None and "text" not in row.cells:
            raise Wrong("undecided", "is empty, and there is no text to decide from")
    except Wrong as wrong:
        raise Wrong(wrong.rule, f"{column} {wrong.reason}") from None
    text = str(row.cells.get("text", ""))
    said = _Said(row.number, message_id, direction, created_at, reply_to, decided, text)
    return (register.platform, account_id, force_id), said


def identity(cell: Any, platform: str) -> str | None:
    """An id as the platform's API writes it, so that one message has one key whoever brings it. Raises Wrong."""
    if cell is None:
        return None
    said = cells.identity(cell)
    found = X_ADDRESS.fullmatch(said) if platform == "x" else None
    if found:
        return found[1]
    if (platform == "x" and not X_ID.fullmatch(said)) or (platform in LISTED and ADDRESS.match(said)):
        # under another key than the platform's own list has, it would count twice and outlive its deletion
        raise Wrong("id_unreadable", f"is none of {platform}'s own ids")
    return said


def _landed(said: Sequence[_Said], contacts: Contacts) -> list[dict[str, Any]]:
    """One account's rows as they are landed. What a message answers is kept only where it stands in the same file, and is the other
    side's."""
    sent = {direction: {one.message_id: one for one in said if one.direction == direction} for direction in (INBOUND, OUTBOUND)}
    times = same_words(one.text for one in said if one.direction == OUTBOUND and one.text)
    landed = []
    for one in said:
        to = sent[OUTBOUND if one.direction == INBOUND else INBOUND].get(one.reply_to or "")
        reply_to, created_at = to.message_id if to else None, one.created_at.isoformat()
        if one.direction == INBOUND:
            message = contacts.inbound(one.message_id, reply_to, created_at, one.text)
            message["wants_answer"] = message["wants_answer"] if one.decided is None else one.decided
        else:
            seconds = (one.created_at - to.created_at).total_seconds() if to else None
            message = contacts.outbound(one.message_id, reply_to, created_at, one.text, seconds, times[wording(one.text)])
            message["is_automatic"] = message["is_automatic"] if one.decided is None else one.decided
        landed.append({"number": one.number, **message})
    return landed
