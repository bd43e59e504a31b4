"""Uploads: figures of platforms whose API is closed to forces, filled into one template (docs/sources/upload.md).

One class, four sources. Reading turns each account's part of a file into one page of clean cells; what people typed into a cell
that cannot be read, their notes, and names that the register does not have never leave it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, ClassVar

from extractors import upload_cells as cells
from extractors.base import BadFile, Drop, FileSource, Gap, Page, Row
from extractors.upload_cells import LONDON, Wrong
from extractors.upload_file import RawRow, rows

Seeds = Mapping[str, list[dict[str, str]]]

ACCOUNT_FIGURES = ("followers",)
POST_FIGURES = ("views", "unique_viewers", "reactions", "comments", "shares", "saves", "clicks")
KINDS = ("original", "video", "repost")
EXAMPLE, SIMULATED = "example", "SIMULATED"
LONGEST_TEXT = 20_000


@dataclass
class _Part:
    """What a file holds of one account; of nobody's where its rows name no account of the register."""

    force_id: str | None
    rows: list[dict[str, Any]] = field(default_factory=list)


class Upload(FileSource):
    """One platform's figures as its forces upload them."""

    kinds = ("post", "observation")
    platforms: ClassVar[tuple[str, ...]] = ("linkedin", "tiktok", "nextdoor", "whatsapp")

    def __init__(self, platform: str, title: str, seeds: Callable[[], Seeds]) -> None:
        self.name: str = platform  # type: ignore[misc]  # one class, several sources
        self.platform: str = platform  # type: ignore[misc]  # likewise
        self.title: str = title  # type: ignore[misc]  # likewise
        self.documentation: str = f"docs/sources/{platform}.md"  # type: ignore[misc]  # likewise
        self._seeds = seeds

    # --- reading ---

    def read(self, path: Path, run_date: date, observed_at: datetime) -> Iterator[Page | Gap]:
        raw = [row for row in rows(path) if str(row.cells.get("row", "")).strip().casefold() != EXAMPLE]
        if not raw:
            raise BadFile(f"{path.name}: nothing but the example of the template; fill in your figures and drop it again")
        register = Register(self._seeds(), self.platform)
        others = [row for row in raw if _said(row, "platform") in self.platforms and _said(row, "platform") != self.platform]
        if len(others) == len(raw):
            raise BadFile(f"{path.name}: all rows are of another platform; drop it into var/inbox/{_said(raw[0], 'platform')}/")
        parts: dict[str | None, _Part] = defaultdict(lambda: _Part(None))
        is_simulated = 2 * sum(str(row.cells.get("note", "")).strip() == SIMULATED for row in raw) >= len(raw)
        for row in raw:
            account_id, force_id, landed = self._clean(row, register)
            parts[account_id].force_id = force_id
            parts[account_id].rows.append(landed)
        for account_id, part in sorted(parts.items(), key=lambda item: item[0] or ""):
            yield Page(
                endpoint="upload",
                account_id=account_id,
                request=f"upload {self.platform} {account_id or 'unknown account'}",
                status=200,
                observed_at=observed_at,
                body=json.dumps({"rows": part.rows}, ensure_ascii=False, separators=(",", ":")),
                is_simulated=is_simulated,
                run_date=run_date,
                context={"file": path.name, **({"force_id": part.force_id} if part.force_id else {}), **_asked(part.rows)},
            )

    def _clean(self, row: RawRow, register: Register) -> tuple[str | None, str | None, dict[str, Any]]:
        """Account, force and the row as it is landed. A row that cannot be read is landed as what is wrong with it."""
        landed: dict[str, Any] = {"number": row.number, "type": _said(row, "row")}
        account_id = force_id = None
        column = "row"
        try:
            if landed["type"] not in ("account", "post"):
                landed["type"] = "post" if row.cells.keys() & {"post", "link", "published_at"} else "account"
                raise Wrong("row_unknown", "is neither account nor post")
            column = "force"
            force_id = register.force(row.cells.get("force"))
            column = "account"
            account_id = register.account(force_id, row.cells.get("account"))
            column = "row"
            if row.is_hidden:
                raise Wrong("row_hidden", "is of a hidden row: show it, or delete it")
            if row.surplus:
                raise Wrong("cell_count", f"has {row.surplus} cells more than the header: a comma too many?")
            column = "platform"
            if _said(row, "platform") != self.platform:
                raise Wrong("platform_wrong", f"is not {self.platform}, whose folder this is")
            clean = _account_cells if landed["type"] == "account" else _post_cells
            for column, name, how in clean(row):
                value = how(row.cells.get(column))
                if value is not None:
                    landed[name] = value
            column = "row"
            _check(landed)
        except Wrong as wrong:
            landed = {name: landed[name] for name in ("number", "type", "post_id") if name in landed}
            landed["defect"] = f"{wrong.rule}: row {row.number}: {column} {wrong.reason}"
        return account_id, force_id if account_id else None, landed

    # --- landed page → rows ---

    def parse(self, page: Page) -> Iterator[Row | Drop | Gap]:
        """Records of kind post and observation. What the map of the platform has and a row leaves empty is a gap."""
        expected = _expected(self._seeds(), self.platform)
        for row in json.loads(page.body)["rows"]:
            position = f"{page.context['file']} row {row['number']}"
            whose = {"account_id": page.account_id, "force_id": page.context.get("force_id")}
            if row["type"] == "account":
                yield from _account_rows(row, whose, position, "followers" in expected["account"])
            else:
                yield from _post_rows(row, whose, position, expected["post"])

    def count(self, page: Page) -> Counter[str]:
        """Posts and figures of the landed rows, cell by cell."""
        held: Counter[str] = Counter()
        for row in json.loads(page.body)["rows"]:
            figures = sum(name in row for name in (*ACCOUNT_FIGURES, *POST_FIGURES))
            is_post, is_bad = row["type"] == "post", "defect" in row
            held["post"] += is_post
            held["observation"] += figures + (is_bad and not is_post)
        return held


def _said(row: RawRow, column: str) -> str:
    return str(row.cells.get(column, "")).strip().casefold()


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


def _account_cells(row: RawRow) -> Cells:
    return (
        ("read_at", "read_at", _needed(_iso(cells.instant))),
        ("posts_from", "posts_from", _optional(_iso(cells.day))),
        ("posts_to", "posts_to", _optional(_iso(cells.day))),
        ("posts_published", "posts_published", _optional(cells.whole_number)),
        *((name, name, _optional(cells.number)) for name in ACCOUNT_FIGURES),
        *((name, name, _not_here("of an account row", name)) for name in POST_FIGURES),
    )


def _post_cells(row: RawRow) -> Cells:
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


def _check(row: dict[str, Any]) -> None:
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


def _asked(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
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


class Register:
    """Forces, and a platform's accounts, by what people call them."""

    def __init__(self, seeds: Seeds, platform: str) -> None:
        self.platform = platform
        self._forces: dict[str, str] = {}
        for row in seeds["forces"]:
            for name in ("force_id", "official_name", "other_name"):
                if row.get(name):
                    self._forces[row[name].casefold()] = row["force_id"]
        self._accounts: dict[str, dict[str, str]] = defaultdict(dict)
        for row in seeds["accounts"]:
            if row["platform"] == platform:
                for name in ("account_id", "handle"):
                    self._accounts[row["force_id"]][row[name].casefold()] = row["account_id"]

    def force(self, cell: Any) -> str:
        """Raises Wrong."""
        if cell is None:
            raise Wrong("cell_missing", "is empty")
        found = self._forces.get(cells.text(cell).casefold())
        if found is None:
            raise Wrong("force_unknown", f"is not in the register ({cells.shown(cell)}); see the sheet 'lists' of the template")
        return found

    def account(self, force_id: str, cell: Any) -> str:
        """Raises Wrong."""
        own = self._accounts.get(force_id, {})
        ids = sorted(set(own.values()))
        if cell is None:
            if len(ids) == 1:
                return ids[0]
            raise Wrong("account_unknown", f"is empty, and {force_id} has {len(ids)} accounts on {self.platform} in the register")
        said = str(cell).strip()
        found = own.get(said.casefold()) or own.get(said.lstrip("@").casefold())
        if found is None:
            raise Wrong(
                "account_unknown",
                f"is none of {force_id} on {self.platform} in the register ({cells.shown(cell)}); see the sheet 'lists'",
            )
        return found


def _expected(seeds: Seeds, platform: str) -> dict[str, tuple[str, ...]]:
    """The figures that a platform has, by object type: those that the map takes for a metric."""
    found: dict[str, tuple[str, ...]] = {"account": (), "post": ()}
    for row in seeds["platform_metric_map"]:
        if row["platform"] == platform and row["preferred"] == "true" and row["metric"] and not row["valid_to"]:
            found[row["object_type"]] += (row["source_field"],)
    return found


def _account_rows(row: Mapping[str, Any], whose: Mapping[str, Any], position: str, is_expected: bool) -> Iterator[Row | Gap]:
    common = {**whose, "object_type": "account", "object_id": whose["account_id"], "period": "snapshot", "origin": "reported"}
    if "defect" in row:
        yield Row("observation", {**common, "source_field": "followers", "_defect": row["defect"]}, position)
        return
    for name in ACCOUNT_FIGURES:
        if name in row:
            yield Row("observation", {**common, "observed_at": row["read_at"], "source_field": name, "value": row[name]}, position)
        elif is_expected:
            yield Gap(whose["account_id"], name, "not_reported", f"{position}: the cell is empty", None, "account")


def _post_rows(row: Mapping[str, Any], whose: Mapping[str, Any], position: str, expected: Sequence[str]) -> Iterator[Row | Gap]:
    if "defect" in row:
        yield Row("post", {**whose, "post_id": row.get("post_id"), "_defect": row["defect"]}, position)
        return
    passed = ("post_id", "published_at", "kind", "permalink", "text", "objective", "campaign")
    read = {**whose, "observed_at": row["read_at"]}
    yield Row("post", {**read, **{name: row.get(name) for name in passed}}, position)
    common = {**read, "object_type": "post", "object_id": row["post_id"], "period": "lifetime", "origin": "reported"}
    for name in POST_FIGURES:
        if name in row:
            yield Row("observation", {**common, "source_field": name, "value": row[name]}, position)
        elif name in expected and row["kind"] != "repost":
            detail = f"{position}: the cell is empty"
            yield Gap(whose["account_id"], name, "not_reported", detail, row["post_id"], "post")
