"""An accepted history of any length, quickly: daily runs over every registered page, as the gate would have left it.

Per account and run: two snapshots, 14 days of four daily totals (0 at first, filled later, a few revised), and the counts of
every post of the last 30 days. Some runs lack a page's followers, some ingests came again with other numbers for the same instants,
some posts are reposts. Drawn from a seed; nothing here knows how a metric is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.accepted import ensure_schema_files
from include.records import ALL_KINDS
from include.registry import load
from include.settings import Home, run_instant

DAILY_TOTALS = (("page_follows", None), ("page_media_view", "0"), ("page_media_view", "1"), ("page_total_media_view_unique", None))
COUNTS = (
    ("comments.summary.total_count", None, 0.1),
    ("post_media_view", "0", 30.0),
    ("post_media_view", "1", 4.0),
    ("post_total_media_view_unique", None, 20.0),
    ("reactions.summary.total_count", None, 1.0),
    ("shares.count", None, 0.2),
)
"""Source field, part of the split, and size beside the reactions."""

APPEALS = [f"Appeal {number}: have you seen anything? Call 101." for number in range(997)]
INSIGHT_DAYS, WINDOW_DAYS = 14, 30
MICROSECONDS, DAY = 1_000_000, 86_400_000_000

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class History:
    """`days` daily runs up to and including `as_of`."""

    as_of: date
    days: int
    posts_per_day: float = 3.0
    seed: int = 7

    @property
    def first_run(self) -> date:
        return self.as_of - timedelta(days=self.days - 1)

    def write(self, home: Home, last: date | None = None) -> dict[str, int]:
        """The accepted files of a home, one per kind × month, up to a day (by default all). Returns the rows of each kind."""
        ensure_schema_files(home)
        written: dict[str, int] = {}
        pages = _Pages(self)
        for first, end in self._months(last or self.as_of):
            for kind, table in pages.month(first, end).items():
                path = home.accepted / kind / "facebook" / f"{first:%Y-%m}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(table, path, compression="zstd")
                written[kind] = written.get(kind, 0) + table.num_rows
        return written

    def last_day(self) -> dict[str, pa.Table]:
        """What the run of `as_of` brought, by kind: for a home into which `write` put the days before it."""
        tables = _Pages(self).month(self.as_of, self.as_of)
        # an ingest that came twice is one ingest of a run
        observations = tables["observation"]
        is_first = pc.invert(pc.ends_with(observations.column("ingest_id"), "-again"))
        return tables | {"observation": observations.filter(is_first)}

    def _months(self, last: date) -> Iterator[tuple[date, date]]:
        first = self.first_run
        while first <= last:
            end = min((first.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1), last)
            yield first, end
            first = end + timedelta(days=1)


class _Pages:
    """The pages and everything they publish over a history."""

    def __init__(self, history: History) -> None:
        self.history = history
        rows = sorted(
            (row.account_id, row.force_id) for row in load().accounts if row.platform == "facebook" and row.status == "open"
        )
        self.account_ids = [account_id for account_id, _ in rows]
        self.force_ids = [force_id for _, force_id in rows]
        random = np.random.default_rng(history.seed)
        count = len(rows)
        self.followers = random.integers(2_000, 300_000, count)
        # posts of the 30 days before the first run are seen too
        days = history.days + WINDOW_DAYS - 1
        per_day = random.poisson(history.posts_per_day, (count, days))
        self.post_account = np.repeat(np.arange(count), per_day.sum(axis=1))
        day = np.concatenate([np.repeat(np.arange(days), of_account) for of_account in per_day])
        total = len(day)
        start = _microseconds(datetime.combine(history.first_run - timedelta(days=WINDOW_DAYS - 1), datetime.min.time(), UTC))
        published = start + day * DAY + random.integers(0, 20 * 3600, total) * MICROSECONDS
        order = np.lexsort((published, self.post_account))
        self.published: Integers = published[order]
        self.size = random.lognormal(3.5, 1.2, total)
        self.is_repost = random.random(total) < 0.1
        self.post_ids = [f"{self.account_ids[account]}_{number:07d}" for number, account in enumerate(self.post_account)]

    def month(self, first: date, last: date) -> dict[str, pa.Table]:
        """Everything that the runs of some days brought."""
        runs = np.arange((last - first).days + 1)
        random = np.random.default_rng((self.history.seed, first.toordinal()))
        instants = _microseconds(run_instant(first)) + runs * DAY
        shape = (len(self.account_ids), len(runs))
        month = _Month(self, first, instants, random.random(shape) < 0.01, random.random(shape) < 0.02)
        return {"plan": month.plan(), "collection": month.collection(), "post": month.posts(), "observation": month.observations()}


class _Month:
    def __init__(self, pages: _Pages, first: date, instants: Integers, lacks: Any, is_twice: Any) -> None:
        self.pages, self.first, self.instants = pages, first, instants
        self.lacks, self.is_twice = lacks, is_twice

    def plan(self) -> pa.Table:
        account, run = self._grid()
        return self._table("plan", account, run, planned_at=_timestamps(self.instants[run]))

    def collection(self) -> pa.Table:
        parts = []
        for subject in ("*", "followers_count", "posts"):
            account, run = self._grid()
            is_gap = self.lacks[account, run] & (subject == "followers_count")
            parts.append(
                self._table(
                    "collection", account, run,
                    subject=_same(subject, len(run)),
                    **({"object_type": _same("account", len(run))} if subject == "followers_count" else {}),
                    outcome=_text(["collected", "gap"], is_gap.astype(int)),
                    cause=_text(["not_reported"], np.zeros(len(run), int), ~is_gap),
                    detail=_text(["not in the answer"], np.zeros(len(run), int), ~is_gap),
                    recorded_at=_timestamps(self._observed(account, run)),
                )
            )  # fmt: skip
        return pa.concat_tables(parts)

    def posts(self) -> pa.Table:
        post, run = self._sightings()
        pages = self.pages
        account = pages.post_account[post]
        return self._table(
            "post", account, run,
            post_id=_text(pages.post_ids, post),
            published_at=_timestamps(pages.published[post]),
            kind=_text(["original", "repost"], pages.is_repost[post].astype(int)),
            permalink=_text([f"https://www.facebook.com/{post_id}" for post_id in pages.post_ids], post),
            text=_text(APPEALS, post % len(APPEALS), pages.is_repost[post]),
        )  # fmt: skip

    def observations(self) -> pa.Table:
        self._twice: list[Any] = []
        parts = [self._snapshot(field) for field in ("fan_count", "followers_count")]
        parts += [self._daily_totals(*names) for names in DAILY_TOTALS]
        parts += [self._counts(*names) for names in COUNTS]
        table = pa.concat_tables(parts)
        twice = table.filter(pa.array(np.concatenate(self._twice)))
        again = pa.array([f"{name}-again" for name in twice.column("ingest_id").to_pylist()], pa.string())
        twice = twice.set_column(table.schema.get_field_index("ingest_id"), "ingest_id", again)
        more = pc.add(twice.column("value"), 1.0)
        table = pa.concat_tables([table, twice.set_column(table.schema.get_field_index("value"), "value", more)])
        key = [*ALL_KINDS["observation"].key, "ingest_id"]
        # as include.accepted sorts them; object and instant are enough to lie as they do there
        return table.sort_by([(name, "ascending") for name in key if name not in ("platform", "period", "breakdown", "day_tz")])

    def _snapshot(self, field: str) -> pa.Table:
        account, run = self._grid()
        if field == "followers_count":
            kept = ~self.lacks[account, run]
            account, run = account[kept], run[kept]
        value = self.pages.followers[account] + run * 3 - (10 if field == "fan_count" else 0)
        return self._observed_table(account, run, self._accounts(account), "account", field, None, "snapshot", value)

    def _daily_totals(self, field: str, part: str | None) -> pa.Table:
        account, run = (np.repeat(values, INSIGHT_DAYS) for values in self._grid())
        back = np.tile(np.arange(1, INSIGHT_DAYS + 1), len(account) // INSIGHT_DAYS)
        day = self._run_day(run) - back
        settled = (self.pages.followers[account] // 20 + (day * 7919 + account * 31) % 500) // (10 if part == "1" else 1)
        revised = (back >= 9) & ((day + account) % 50 == 0)
        value = np.where(back <= 2, 0, settled + revised)
        more = {
            "metric_date": pa.array(day.astype("int32"), pa.int32()).cast(pa.date32()),
            "day_tz": _same("America/Los_Angeles", len(day)),
        }
        return self._observed_table(account, run, self._accounts(account), "account", field, part, "day", value, **more)

    def _counts(self, field: str, part: str | None, size: float) -> pa.Table:
        post, run = self._sightings()
        age = (self.instants[run] - self.pages.published[post]) / DAY
        value = np.floor(self.pages.size[post] * size * (1 - np.exp(-age / 4)))
        objects = _text(self.pages.post_ids, post)
        return self._observed_table(self.pages.post_account[post], run, objects, "post", field, part, "lifetime", value)

    def _observed_table(
        self, account: Integers, run: Integers, objects: pa.Array, object_type: str, field: str, part: str | None, period: str,
        value: Any, **more: pa.Array,
    ) -> pa.Table:  # fmt: skip
        self._twice.append(self.is_twice[account, run])
        rows = len(run)
        if part is not None:
            more |= {"breakdown": _same("is_from_ads", rows), "breakdown_value": _same(part, rows)}
        texts = {"object_type": object_type, "source_field": field, "period": period, "origin": "reported"}
        own = {name: _same(text, rows) for name, text in texts.items()}
        return self._table(
            "observation", account, run, object_id=objects, value=pa.array(np.asarray(value, "float64")), **own, **more
        )

    def _table(self, kind: str, account: Integers, run: Integers, /, **columns: pa.Array) -> pa.Table:
        pages, rows = self.pages, len(run)
        names = [f"{force_id}-{self._day(each)}" for force_id in pages.force_ids for each in range(len(self.instants))]
        common = {
            "source": _same("facebook", rows),
            "platform": _same("facebook", rows),
            "force_id": _text(pages.force_ids, account),
            "run_date": pa.array(self._run_day(run).astype("int32"), pa.int32()).cast(pa.date32()),
            "ingest_id": _text(names, account * len(self.instants) + run),
            "observed_at": _timestamps(self._observed(account, run)),
            "raw_sha256": _same("ab" * 32, rows),
            "is_simulated": pa.array(np.ones(rows, bool)),
            "account_id": self._accounts(account),
        }
        known = common | columns
        schema = ALL_KINDS[kind].accepted_schema
        return pa.table([known.get(field.name, pa.nulls(rows, field.type)) for field in schema], schema=schema)

    def _grid(self) -> tuple[Integers, Integers]:
        accounts, runs = len(self.pages.account_ids), len(self.instants)
        return np.repeat(np.arange(accounts), runs), np.tile(np.arange(runs), accounts)

    def _sightings(self) -> tuple[Integers, Integers]:
        """Each post with each run that lists it."""
        age = (self.instants[None, :] - self.pages.published[:, None]) / DAY
        post, run = np.nonzero((age > 0) & (age <= WINDOW_DAYS))
        return post, run

    def _accounts(self, account: Integers) -> pa.Array:
        return _text(self.pages.account_ids, account)

    def _observed(self, account: Integers, run: Integers) -> Integers:
        observed: Integers = self.instants[run] + (4 + account % 13) * MICROSECONDS
        return observed

    def _run_day(self, run: Integers) -> Integers:
        """Days since 1970-01-01, as Arrow counts dates."""
        day: Integers = (self.first - date(1970, 1, 1)).days + run
        return day

    def _day(self, run: int) -> date:
        return self.first + timedelta(days=run)


def _text(values: list[str], codes: Any, is_null: Any = None) -> pa.Array:
    indices = pa.array(np.asarray(codes, "int32"), mask=is_null)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string())).cast(pa.string())


def _same(value: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), rows)


def _timestamps(microseconds: Integers) -> pa.Array:
    return pa.array(microseconds, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _microseconds(instant: datetime) -> int:
    return int(instant.timestamp()) * MICROSECONDS
