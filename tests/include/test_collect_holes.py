"""The ledger of real sources where a platform has one name for a number of accounts and of posts, and where it answers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import extractors
from extractors.base import Access, Gap, PermissionMissing, Secret, SourceError
from include.collect import collect_force
from include.settings import Home
from tests.extractors import test_facebook, test_instagram, test_x
from tests.extractors.loopback import Asked, Reply, serving

RUN_DATE = date(2026, 11, 2)
UNKNOWN_NAME = Reply({"error": {"message": "(#100) metric[0] must be one of the following values: reach", "code": 100}}, 400)
NOT_ALLOWED = Reply({"error": {"message": "(#10) Application does not have permission for this action", "code": 10}}, 403)

Outcomes = dict[tuple[str | None, str, str | None], str]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "var")


def collect(home: Home, source: str, script: Callable[[Asked], Any]) -> None:
    with serving(script) as server:
        collect_force(source, "gwent", RUN_DATE, home, Access(server.base_url, Secret("planted0123456789")), sleep=lambda _: None)


def outcomes(home: Home, source: str, script: Callable[[Asked], Any]) -> Outcomes:
    """Object type, subject and object → cause, or collected. What the run ends with is not looked at."""
    with suppress(SourceError):
        collect(home, source, script)
    (path,) = (home.records / source / RUN_DATE.isoformat() / "gwent").glob("*/collection.parquet")
    rows = pq.read_table(path).to_pylist()
    return {(row["object_type"], row["subject"], row["object_id"]): row["cause"] or row["outcome"] for row in rows}


def test_instagrams_views_of_posts_and_of_the_account_are_two_holes(home: Home) -> None:
    graph = test_instagram.Graph()

    def batch(asked: Asked) -> Any:
        return UNKNOWN_NAME if "views" in asked.query["fields"] else graph.batch(asked)

    def insights(asked: Asked) -> Any:
        return NOT_ALLOWED if asked.query["metric"] == "views" else graph.insights(asked)

    found = outcomes(home, "instagram", test_instagram.Graph(batch=batch, insights=insights))
    assert found["post", "views", None] == "retired_metric"
    assert found["account", "views", None] == "permission", "asked although the posts' name is dead"
    assert found["post", "reach", None] == found["account", "reach", None] == "collected"


def test_totals_of_the_account_that_are_empty_take_no_number_from_the_posts(home: Home) -> None:
    found = outcomes(home, "instagram", test_instagram.Graph(insights=lambda _: {"data": []}))
    assert found["post", "views", None] == found["post", "reach", None] == found[None, "posts", None] == "collected"
    assert found["account", "views", None] == found["account", "reach", None] == "not_reported"


def test_numbers_of_posts_that_are_refused_take_none_from_the_account(home: Home) -> None:
    found = outcomes(home, "instagram", test_instagram.Graph(batch=lambda _: NOT_ALLOWED))
    assert found["post", "views", None] == found["post", "reach", None] == "permission"
    assert found["account", "views", None] == found["account", "reach", None] == "collected"


def test_a_like_count_of_x_that_is_missing_is_a_hole_of_the_one_that_lacks_it(home: Home) -> None:
    user = {"id": "1", "username": "sim_gwent", "public_metrics": {"followers_count": 5}}
    found = outcomes(home, "x", test_x.Api(by=lambda _: {"data": [user]}))
    assert (found["account", "like_count", None], found["post", "like_count", None]) == ("not_reported", "collected")
    found = outcomes(Home(home.path / "2"), "x", test_x.Api(by=lambda _: Reply({"title": "no"}, 403)))
    assert (found["account", "like_count", None], found["post", "like_count", None]) == ("permission", "collected")


def test_a_renamed_handle_of_x_costs_the_followers_and_not_the_posts(home: Home) -> None:
    script = test_x.Api(by=lambda _: {"errors": [test_x.NOT_FOUND]})
    collect(home, "x", script)  # ends without an error
    found = outcomes(Home(home.path / "2"), "x", script)
    assert (found["account", "followers_count", None], found["account", "like_count", None]) == ("not_reported", "not_reported")
    assert (found[None, "posts", None], found["post", "like_count", None]) == ("collected", "collected")


@pytest.mark.parametrize("says_nothing", ["page", "gap"])
def test_a_source_that_does_not_say_whose_field_it_is_is_refused_by_name(
    home: Home, monkeypatch: pytest.MonkeyPatch, says_nothing: str
) -> None:
    class Careless(type(extractors.source("x"))):  # type: ignore[misc]
        def fetch(self, client: Any, order: Any) -> Iterator[Any]:
            account_id = order.accounts[0].account_id
            context = {"subjects": "posts,like_count"} | ({} if says_nothing == "page" else {"object_type": "post"})
            answer = client.get("tweets", f"2/users/{account_id}/tweets", account_id=account_id, context=context)
            yield from answer.pages
            yield Gap(account_id, "like_count", "permission", "no", object_type=None if says_nothing == "gap" else "account")

    monkeypatch.setattr(extractors, "SOURCES", (Careless(),))
    with pytest.raises(ValueError, match=r"x: 'like_count' is a field of account and of post; .*\(object_type\)"):
        outcomes(home, "x", test_x.Api())
    assert list(home.landing.rglob("*.jsonl.gz")), "what was answered is landed"


EMPTY: dict[str, Any] = {"data": []}


@pytest.mark.parametrize(
    ("source", "graph", "listed", "snapshot"),
    [
        ("instagram", test_instagram.Graph, "media", "followers_count"),
        ("facebook", test_facebook.Graph, "published_posts", "followers_count"),
    ],
)
def test_a_closed_data_access_window_is_no_quiet_month(
    home: Home, source: str, graph: Callable[..., Any], listed: str, snapshot: str
) -> None:
    """Meta answers 200 with nothing, to all but the snapshot: the posts are not collected, and the run is not green."""
    found = outcomes(home, source, graph(**{listed: lambda _: EMPTY, "insights": lambda _: EMPTY}))
    assert found[None, "posts", None] == "permission"
    assert found["account", snapshot, None] == "collected"
    with pytest.raises(PermissionMissing, match=r"posts: no post in 30 days.*owner must log in to the app again"):
        collect(Home(home.path / "2"), source, graph(**{listed: lambda _: EMPTY, "insights": lambda _: EMPTY}))


@pytest.mark.parametrize(
    "open_window",
    [
        pytest.param({"media": lambda _: EMPTY}, id="insights come"),
        pytest.param({"insights": lambda _: EMPTY}, id="media come"),
        pytest.param(
            {
                "media": lambda _: {"data": [test_instagram.media_item(1, "2026-01-01T00:00:00+0000")]},
                "insights": lambda _: EMPTY,
            },
            id="media from before the window come",
        ),
        pytest.param(
            {
                "media": lambda _: EMPTY,
                "insights": lambda asked: EMPTY if asked.query["metric"] == "views" else test_instagram.Graph().insights(asked),
            },
            id="one number comes",
        ),
        pytest.param({"media": lambda _: EMPTY, "insights": lambda _: NOT_ALLOWED}, id="insights are refused in words"),
    ],
)
def test_one_thing_that_comes_shows_that_the_window_is_open(home: Home, open_window: dict[str, Any]) -> None:
    found = outcomes(home, "instagram", test_instagram.Graph(**open_window))
    assert found[None, "posts", None] == "collected"
