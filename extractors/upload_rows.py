"""Rows of the upload template, as they are landed: clean cells, or what is wrong with the row."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from extractors import upload_cells as cells
from extractors.upload_cells import LONDON, Wrong

ACCOUNT_FIGURES = ("followers",)
POST_FIGURES = ("views", "unique_viewers", "reactions", "comments", "shares", "saves", "clicks")
KINDS = ("original", "video", "repost")
LONGEST_TEXT = 20_000
LONGEST_UPLOAD_DAYS = 400
"""How long before its upload a figure may have been read."""


def _optional(how: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda cell: None if cell is None else how(cell)


def _needed(how: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(cell: Any) -> Any:
        if cell is None:
            raise Wrong("cell_missing", "is empty")
        return how(cell)

    return read


def _iso(how: Callable[[Any], Any]) -> Callable[[Any], str]:
    return lambda cell: how(cell).isoformat()


Cells = Sequence[tuple[str, str, Callable[[Any], Any]]]
"""Column, name under which it is landed, and how it is read."""


def account_cells() -> Cells:
    return (
        ("read_at", "read_at", _needed(_iso(cells.instant))),
        ("posts_from", "posts_from", _optional(_iso(cells.day))),
        ("posts_to", "posts_to", _optional(_iso(cells.day))),
        ("posts_published", "posts_published", _optional(cells.whole_number)),
        *((name, name, _optional(cells.number)) for name in ACCOUNT_FIGURES),
        *((name, name, _not_here("of an account row", name)) for name in POST_FIGURES),
    )


def post_cells() -> Cells:
    return (
        ("link", "permalink", _optional(cells.address)),
        ("post", "post_id", _optional(cells.identity)),
        ("read_at", "read_at", _needed(_iso(cells.instant))),
        ("published_at", "published_at", _needed(_iso(cells.instant))),
        ("kind", "kind", _kind),
        ("text", "text", _optional(lambda cell: cells.text(cell, is_prose=True)[:LONGEST_TEXT])),
        ("objective", "objective", _optional(cells.text)),
        ("campaign", "campaign", _optional(cells.text)),
        *((name, name, _optional(cells.number)) for name in POST_FIGURES),
        *((name, name, _not_here("of a post row", name)) for name in ACCOUNT_FIGURES),
    )


def _not_here(where: str, name: str) -> Callable[[Any], None]:
    def read(cell: Any) -> None:
        if cell is not None:
            raise Wrong("cell_misplaced", f"is filled in, and is no column {where}")

    return read


def _kind(cell: Any) -> str:
    said = "original" if cell is None else str(cell).strip().casefold()
    if said not in KINDS:
        raise Wrong("kind_unknown", f"is none of {', '.join(KINDS)}")
    return said


def check(row: dict[str, Any]) -> None:
    """What no cell says alone. Raises Wrong."""
    if row["type"] == "post":
        row.setdefault("post_id", row.get("permalink"))
        if row["post_id"] is None:
            raise Wrong("post_missing", "has neither post nor link")
        if row["kind"] == "repost":
            row.pop("text", None)  # somebody else's words
        if row["published_at"] > row["read_at"]:
            raise Wrong("read_before_published", "was read before the post was published")
        return
    said = [name for name in ("posts_from", "posts_to", "posts_published") if name in row]
    if 0 < len(said) < 3:
        raise Wrong("posts_incomplete", f"has {' and '.join(said)} only: posts_from, posts_to and posts_published go together")
    if said and row["posts_from"] > row["posts_to"]:
        raise Wrong("posts_incomplete", "has posts_from after posts_to")
    if said and row["posts_to"] > datetime.fromisoformat(row["read_at"]).astimezone(LONDON).date().isoformat():
        raise Wrong("posts_incomplete", "has posts_to after the day of reading")
    if not said and not any(name in row for name in ACCOUNT_FIGURES):
        raise Wrong("row_empty", "has neither followers nor the days of its posts")


def check_reading(row: dict[str, Any], run_date: date, observed_at: datetime) -> None:
    """The gate judges the time of every figure; a row may have none, and still say that its list is whole. Raises Wrong."""
    first = datetime.combine(run_date - timedelta(days=LONGEST_UPLOAD_DAYS), time(0), LONDON)
    last = min(observed_at, datetime.combine(run_date + timedelta(days=1), time(0), LONDON)) + timedelta(days=1)
    if not first <= datetime.fromisoformat(row["read_at"]) <= last:
        raise Wrong("observed_at_implausible", f"is not within the {LONGEST_UPLOAD_DAYS} days up to the upload of {run_date}")


def as_defect(row: Mapping[str, Any], wrong: Wrong) -> dict[str, Any]:
    """What is landed of a row that is set aside."""
    kept = {name: row[name] for name in ("number", "type", "post_id") if name in row}
    return {**kept, "defect": f"{wrong.rule}: row {row['number']}: {wrong.reason}"}


def set_aside_contradictions(rows: list[dict[str, Any]]) -> None:
    """Rows of one account that say different things of one reading: nobody knows which is right. The same row twice says nothing
    different."""
    readings: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if "defect" not in row and (row["type"] == "post" or "followers" in row):
            readings[row["type"], row.get("post_id"), row["read_at"]].append(place)
    for places in readings.values():
        numbers = [str(rows[place]["number"]) for place in places]
        if len({_what_it_says(rows[place]) for place in places}) > 1:
            for place in places:
                others = ", ".join(number for number in numbers if number != str(rows[place]["number"]))
                reason = f"row is about the same reading as row {others}, and says something else; keep one of them"
                rows[place] = as_defect(rows[place], Wrong("rows_contradict", reason))


def set_aside_posts_of_two(accounts: Sequence[list[dict[str, Any]]]) -> None:
    """A post that stands under two accounts: a post is one account's, and nobody knows whose."""
    found: dict[str, dict[int, int]] = defaultdict(dict)  # post to account to the first of its rows
    for account, rows in enumerate(accounts):
        for row in rows:
            if row["type"] == "post" and "defect" not in row:
                found[row["post_id"]].setdefault(account, row["number"])
    for account, rows in enumerate(accounts):
        for place, row in enumerate(rows):
            others = [number for other, number in found.get(row.get("post_id", ""), {}).items() if other != account]
            if others and "defect" not in row:
                reason = f"post stands under another account in row {others[0]}; a post is one account's"
                rows[place] = as_defect(row, Wrong("post_of_two", reason))


def _what_it_says(row: Mapping[str, Any]) -> str:
    """Of an account only its figures: the days of its posts may stand in several rows."""
    names = ACCOUNT_FIGURES if row["type"] == "account" else sorted(row.keys() - {"number"})
    return json.dumps({name: row.get(name) for name in names})


def proved(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What a page proves, for the ledger: the spans of which all posts are there, and those that fall short of what they say."""
    good = [row for row in rows if "defect" not in row]
    posts = {(row["post_id"], datetime.fromisoformat(row["published_at"])) for row in good if row["type"] == "post"}
    lists, short = [], []
    for row in good:
        if "posts_from" not in row:
            continue
        read_at = datetime.fromisoformat(row["read_at"])
        days = [published.astimezone(LONDON).date().isoformat() for _, published in posts if published <= read_at]
        held = sum(row["posts_from"] <= day <= row["posts_to"] for day in days)
        if held == row["posts_published"]:
            end = datetime.combine(date.fromisoformat(row["posts_to"]) + timedelta(days=1), time(0), LONDON)
            start = datetime.combine(date.fromisoformat(row["posts_from"]), time(0), LONDON)
            until = min(end.astimezone(UTC), read_at)
            lists.append(f"{start.astimezone(UTC).isoformat()}/{until.isoformat()}")
        else:
            short.append(f"row {row['number']}: {row['posts_published']} posts from {row['posts_from']} to {row['posts_to']}, "
                         f"the file has {held}")  # fmt: skip
    asked = {"subjects": "followers", "object_type": "account"} if any("followers" in row for row in good) else {}
    return {**asked, **({"lists": ",".join(lists)} if lists else {}), **({"lists_short": "; ".join(short)} if short else {})}
