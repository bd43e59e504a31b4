"""Landing: whole files or none, and the same name for the same answers."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from extractors.base import Gap, Page
from include import landing

PAGE = Page(
    endpoint="published_posts",
    account_id="1",
    request="GET /v26.0/1/published_posts?limit=50",
    status=200,
    observed_at=datetime(2026, 11, 2, 21, 0, 4, tzinfo=UTC),
    body='{"data":[{"message":"café\\u2028 🚓"}]}',
    is_simulated=True,
    run_date=date(2026, 11, 2),
    context={"subjects": "posts"},
)
GAP = Gap("1", "page_follows", "retired_metric", "(#100)", None)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    landed = landing.write([PAGE, GAP, replace(PAGE, account_id=None)], tmp_path / "a" / "b")
    assert list(landing.read(landed.path)) == [PAGE, GAP, replace(PAGE, account_id=None)]
    assert (landed.pages, landed.gaps, landed.is_new) == (2, 1, True)
    assert landed.path.name == f"{landed.ingest_id}.jsonl.gz"
    assert len(landed.ingest_id) == 20


def test_the_same_answers_at_another_time_and_in_another_order_change_nothing(tmp_path: Path) -> None:
    first = landing.write([PAGE, GAP], tmp_path)
    before = first.path.read_bytes()
    later = replace(PAGE, observed_at=PAGE.observed_at + timedelta(hours=1))
    again = landing.write([replace(GAP, detail="in other words"), later], tmp_path)
    assert (again.ingest_id, again.is_new) == (first.ingest_id, False)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before], "the first observation stands"


@pytest.mark.parametrize(
    "changed",
    [
        replace(PAGE, body="{}"),
        replace(PAGE, status=500),
        replace(PAGE, request="GET /other"),
        replace(PAGE, endpoint="account"),
        replace(GAP, subject="posts"),
        replace(GAP, cause="outage"),
        replace(GAP, object_id="1_1"),
    ],
)
def test_another_answer_is_another_ingest(tmp_path: Path, changed: Page | Gap) -> None:
    first = landing.write([PAGE, GAP], tmp_path)
    other = landing.write([changed, GAP if isinstance(changed, Page) else PAGE], tmp_path)
    assert other.ingest_id != first.ingest_id


def test_an_error_that_was_asked_again_is_kept_and_does_not_change_the_name(tmp_path: Path) -> None:
    plain = landing.write([PAGE], tmp_path / "plain")
    failed = replace(PAGE, status=500, body='{"error":1}', context={"error": "outage", "superseded": "true"})
    bumpy = landing.write([failed, PAGE], tmp_path / "bumpy")
    assert bumpy.ingest_id == plain.ingest_id
    assert list(landing.read(bumpy.path)) == [failed, PAGE]


def test_two_files_of_the_same_answers_are_the_same_bytes(tmp_path: Path) -> None:
    one, two = (landing.write([PAGE, GAP], tmp_path / name).path.read_bytes() for name in "ab")
    assert one == two


def test_a_crash_leaves_nothing_and_its_leftovers_go_at_the_next_attempt(tmp_path: Path) -> None:
    def crashing() -> Iterator[Page]:
        yield PAGE
        raise MemoryError

    with pytest.raises(MemoryError):
        landing.write(crashing(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / f".0123{landing.PART}").write_bytes(b"half a file of a killed process")
    landed = landing.write([PAGE], tmp_path)
    assert list(tmp_path.iterdir()) == [landed.path]


def test_a_file_has_no_name_before_it_is_whole(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def watching() -> Iterator[Page]:
        yield PAGE
        seen.append([path.name for path in tmp_path.glob("*.jsonl.gz")])

    landing.write(watching(), tmp_path)
    assert seen == [[]]


def test_a_damaged_file_is_named_with_its_line(tmp_path: Path) -> None:
    landed = landing.write([PAGE, PAGE], tmp_path)
    lines = gzip.decompress(landed.path.read_bytes()).decode().splitlines()
    record = json.loads(lines[1]) | {"body": '{"data":[]}'}
    landed.path.write_bytes(gzip.compress("\n".join([lines[0], json.dumps(record)]).encode()))
    with pytest.raises(landing.LandingDamaged, match=f"{landed.ingest_id}.*line 2.*sha256"):
        list(landing.read(landed.path))
    landed.path.write_bytes(landed.path.read_bytes()[:-20])
    with pytest.raises(landing.LandingDamaged, match=landed.ingest_id):
        list(landing.read(landed.path))


def _killed_before_the_name(path: Path) -> None:
    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    Path.replace = die  # type: ignore[assignment, method-assign]
    landing.rewrite(path, lambda page: replace(page, body="{}"))


def test_what_a_killed_rewriting_leaves_goes_with_the_next(tmp_path: Path) -> None:
    """A copy that nobody knows of would hold what a later erasure cuts out."""
    landed = landing.write([PAGE, GAP], tmp_path)
    process = multiprocessing.get_context("spawn").Process(target=_killed_before_the_name, args=(landed.path,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2, "the kill fell before the file had its name"
    landing.rewrite(landed.path, lambda page: replace(page, body="[]"))
    assert list(tmp_path.iterdir()) == [landed.path]
    assert list(landing.read(landed.path)) == [replace(PAGE, body="[]"), GAP]
