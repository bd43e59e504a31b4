"""Uploads: figures of platforms whose API is closed to forces, filled into one template (docs/sources/upload.md).

One class, four sources. Reading turns each account's part of a file into one page of clean cells; what people typed into a cell
that cannot be read, their notes, and names that the register does not have never leave it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar

from extractors.base import BadFile, Drop, FileSource, Gap, Page, Row
from extractors.upload_cells import Wrong
from extractors.upload_file import RawRow, rows
from extractors.upload_register import Register, Seeds
from extractors.upload_rows import (
    ACCOUNT_FIGURES,
    POST_FIGURES,
    account_cells,
    as_defect,
    check,
    check_reading,
    post_cells,
    proved,
    set_aside_contradictions,
    set_aside_posts_of_two,
)

EXAMPLE, SIMULATED = "example", "SIMULATED"


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
        raw = [row for row in rows(path) if row.said("row") != EXAMPLE]
        if not raw:
            raise BadFile(f"{path.name}: nothing but the example of the template; fill in your figures and drop it again")
        register = Register(self._seeds(), self.platform)
        others = [row for row in raw if row.said("platform") in self.platforms and row.said("platform") != self.platform]
        if len(others) == len(raw):
            raise BadFile(f"{path.name}: all rows are of another platform; drop it into var/inbox/{raw[0].said('platform')}/")
        parts: dict[str | None, _Part] = defaultdict(lambda: _Part(None))
        is_simulated = 2 * sum(str(row.cells.get("note", "")).strip() == SIMULATED for row in raw) >= len(raw)
        for row in raw:
            account_id, force_id, landed = self._clean(row, register, run_date, observed_at)
            parts[account_id].force_id = force_id
            parts[account_id].rows.append(landed)
        set_aside_posts_of_two([part.rows for part in parts.values()])
        for account_id, part in sorted(parts.items(), key=lambda item: item[0] or ""):
            set_aside_contradictions(part.rows)
            yield Page(
                endpoint="upload",
                account_id=account_id,
                request=f"upload {self.platform} {account_id or 'unknown account'}",
                status=200,
                observed_at=observed_at,
                body=json.dumps({"rows": part.rows}, ensure_ascii=False, separators=(",", ":")),
                is_simulated=is_simulated,
                run_date=run_date,
                context={"file": path.name, **({"force_id": part.force_id} if part.force_id else {}), **proved(part.rows)},
            )

    def _clean(
        self, row: RawRow, register: Register, run_date: date, observed_at: datetime
    ) -> tuple[str | None, str | None, dict[str, Any]]:
        """Account, force and the row as it is landed. A row that cannot be read is landed as what is wrong with it."""
        landed: dict[str, Any] = {"number": row.number, "type": row.said("row")}
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
            if row.said("platform") != self.platform:
                raise Wrong("platform_wrong", f"is not {self.platform}, whose folder this is")
            for column, name, how in account_cells() if landed["type"] == "account" else post_cells():
                value = how(row.cells.get(column))
                if value is not None:
                    landed[name] = value
            column = "row"
            check(landed)
            column = "read_at"
            check_reading(landed, run_date, observed_at)
        except Wrong as wrong:
            landed = as_defect(landed, Wrong(wrong.rule, f"{column} {wrong.reason}"))
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
