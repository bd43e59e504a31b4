"""Files as a force's digital team fills in the upload template: CSV in several encodings, and workbooks.

The columns are written down here a second time: nothing is shared with the reader. One reading of every account and of its posts
of 30 days for each instant, so that `truth.py` knows what the pipeline can know.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from include.simulator.register import SEEDS, Account, read_register
from include.simulator.times import DAY, LONDON, london_date, london_midnight, to_instant
from include.simulator.uploads_world import FIGURES, WORLDS, UploadedWorld

WINDOW_DAYS = 30
COLUMNS = (
    *("row", "platform", "force", "account", "read_at", "followers", "posts_from", "posts_to", "posts_published"),
    *("post", "published_at", "kind", "link", "text", "views", "unique_viewers", "reactions", "comments", "shares", "saves"),
    *("clicks", "note"),
)
COLUMN_OF = {"viewers": "unique_viewers"}

Row = dict[str, Any]


def write_uploads(
    folder: Path,
    seed: int,
    run_instants: Iterable[datetime],
    platforms: Sequence[str] = tuple(WORLDS),
    forces: Iterable[str] | None = None,
    seeds: Path = SEEDS,
) -> list[Path]:
    """One file or two for each platform, in `folder/<platform>/`, with readings of all instants. Returns their paths.

    LinkedIn: CSV of England, workbook of Wales. TikTok: Excel's Unicode text. Nextdoor: a workbook. WhatsApp: CSV in Windows-1252.
    """
    register = read_register(seeds, tuple(forces) if forces is not None else None)
    instants = sorted({to_instant(moment) for moment in run_instants})
    last = london_date(instants[-1])
    written = []
    for platform in platforms:
        world = WORLDS[platform](seed, register)
        by_country: dict[str, list[Row]] = {"England": [], "Wales": []}
        for account in world.accounts.values():
            country = register.forces[account.force_id].country
            by_country[country if platform == "linkedin" else "England"].extend(_rows(world, account, instants))
        target = folder / platform
        target.mkdir(parents=True, exist_ok=True)
        if platform == "linkedin":
            written += _write_csv(target / f"linkedin_england_{last}.csv", by_country["England"], "utf-8-sig", ",")
            written += _write_workbook(target / f"linkedin_wales_{last}.xlsx", by_country["Wales"])
        elif platform == "nextdoor":
            written += _write_workbook(target / f"nextdoor_{last}.xlsx", by_country["England"])
        elif platform == "tiktok":
            written += _write_csv(target / f"tiktok_{last}.csv", by_country["England"], "utf-16", "\t")
        else:
            written += _write_csv(target / f"whatsapp_{last}.csv", by_country["England"], "cp1252", ";")
    return written


def _rows(world: UploadedWorld, account: Account, instants: Sequence[int]) -> Iterator[Row]:
    """What somebody reads off the dashboard of one account, each time."""
    force = world.register.forces[account.force_id]
    for instant in instants:
        today = london_date(instant)
        if not account.is_open(today):
            continue
        start = instant - instant % DAY + DAY - WINDOW_DAYS * DAY
        first = london_date(start)
        if london_midnight(first) < start:
            first += timedelta(days=1)
        posts = world.posts(account, start, instant)
        common = {
            "platform": world.platform,
            # names as people write them
            "force": force.force_id if instant % 2 else force.name,
            "account": account.handle(today) if world.platform != "nextdoor" else None,
            "read_at": instant,
            "note": "SIMULATED",
        }
        yield {
            **common,
            "row": "account",
            "followers": world.followers(account, today),
            "posts_from": first,
            "posts_to": today,
            "posts_published": sum(london_midnight(first) <= post.published_at for post in posts),
        }
        for post in posts:
            figures = post.at(instant)._asdict()
            yield {
                **common,
                "row": "post",
                "post": post.post_id,
                "published_at": post.published_at,
                "kind": post.kind if post.kind != "original" else None,
                "text": post.message,
                **{COLUMN_OF.get(name, name): figures[name] for name in FIGURES[world.platform]},
            }


def _local(instant: int) -> datetime:
    """The clock on the wall."""
    return datetime.fromtimestamp(instant, LONDON).replace(tzinfo=None)


def _is_plain(instant: int) -> bool:
    """Whether the clock on the wall tells the instant, and is not midnight, which stands for a day alone."""
    local = _local(instant)
    return int(local.replace(tzinfo=LONDON).timestamp()) == instant and local.time() != datetime.min.time()


def _as_text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in ("read_at", "published_at"):
        if not _is_plain(value):
            return datetime.fromtimestamp(value, LONDON).isoformat()
        local = _local(value)
        # as a spreadsheet here writes it, where no day can be taken for a month
        return f"{local:%d/%m/%Y %H:%M:%S}" if local.day > 12 else f"{local:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, int) and value >= 10_000:
        return f"{value:,}"
    return str(value)


def _write_csv(path: Path, rows: Sequence[Row], encoding: str, delimiter: str) -> list[Path]:
    if not rows:
        return []
    with path.open("w", newline="", encoding=encoding, errors="replace") as handle:
        writer = csv.writer(handle, delimiter=delimiter)
        writer.writerow(COLUMNS)
        writer.writerows([_as_text(name, row.get(name)) for name in COLUMNS] for row in rows)
    return [path]


def _write_workbook(path: Path, rows: Sequence[Row]) -> list[Path]:
    from openpyxl import Workbook

    if not rows:
        return []
    book = Workbook(write_only=True)
    book.create_sheet("help").append(["What goes where stands in the template."])
    sheet = book.create_sheet("figures")
    sheet.append(COLUMNS)
    sheet.append(["example", "linkedin", "gwent", None, date(2026, 1, 5), 100])
    for row in rows:
        sheet.append([_as_cell(name, row.get(name)) for name in COLUMNS])
    book.save(path)
    return [path]


def _as_cell(name: str, value: Any) -> Any:
    if name in ("read_at", "published_at") and value is not None:
        return _local(value) if _is_plain(value) else datetime.fromtimestamp(value, LONDON).isoformat()
    return value
