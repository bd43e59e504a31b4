"""Threads: what is asked, and how its pages become rows, with the contract's examples. The server is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from extractors.base import Access, Account, Drop, Gap, Order, Page, Secret, SourceField
from extractors.http import HttpClient
from extractors.redaction import dump, redact
from extractors.threads import Threads
from tests.extractors.facebook_examples import EXPIRED, OBSERVED, RUN_DATE, parse, rows_of
from tests.extractors.loopback import Asked, Loopback, Reply, serving

THREADS = Threads()
USER, POST = "25012345678901234", "18012345678901234"
OF_POSTS = ("likes", "replies", "reposts", "quotes", "shares", "views")
FIELDS = (
    SourceField("account", "followers_count", "snapshot", None),
    SourceField("account", "views", "day", None),
    *(SourceField("post", name, "lifetime", None) for name in OF_POSTS),
)
PROFILE = {"id": USER, "username": "sim.gwent", "name": "Gwent Police"}
ACCOUNT = {
    "data": [
        {
            "name": "views", "period": "day", "title": "views", "description": "…", "id": f"{USER}/insights/views/day",
            "values": [
                {"value": 11, "end_time": "2026-07-12T08:00:00+0000"},
                {"value": 12, "end_time": "2026-07-13T07:00:00+0000"},
                {"value": 0, "end_time": "2026-11-02T08:00:00+0000"},
            ],
        },
        {"name": "followers_count", "period": "day", "title": "followers_count", "description": "…", "id": f"{USER}/insights/f/day",
         "total_value": {"value": 48210}},
    ]
}  # fmt: skip


def item(post_id: str = POST, media_type: str = "TEXT_POST", **more: Any) -> dict[str, Any]:
    return {
        "id": post_id,
        "text": "Road closed at Newport.",
        "timestamp": "2026-10-30T10:30:00+0000",
        "permalink": "https://www.threads.net/@sim.gwent/post/abc",
        "media_type": media_type,
        "media_product_type": "THREADS",
    } | more


def insights(*names: str, value: Any = 5) -> dict[str, Any]:
    return {"data": [{"name": name, "period": "lifetime", "values": [{"value": value}], "id": f"{POST}/{name}"} for name in names]}


def landed(endpoint: str, body: Any, subjects: tuple[str, ...] = (), **context: str) -> Page:
    about = {"subjects": ",".join(subjects), "object_type": "account" if "account" in endpoint else "post", **context}
    text = dump(THREADS.redact(redact(body, own_items=THREADS.own_items)))
    return Page(endpoint, USER, "GET /", 200, OBSERVED, text, True, RUN_DATE, about)


def posts_of(*items: Any) -> list[Any]:
    return parse(landed("threads", {"data": list(items)}, ("posts",)), THREADS)


class Api:
    """A small scripted API: answers by the end of the path, each of which a test may replace."""

    def __init__(self, **replies: Callable[[Asked], Any]) -> None:
        self.replies = replies

    def __call__(self, asked: Asked) -> Any:
        name = asked.path.rpartition("/")[2]
        name = name if name in ("threads", "insights", "threads_insights") else "profile"
        return self.replies.get(name, getattr(self, name))(asked)

    def profile(self, asked: Asked) -> Any:
        return PROFILE

    def threads(self, asked: Asked) -> Any:
        return {"data": [item(), item("18000000000000002", "REPOST_FACADE")]}

    def insights(self, asked: Asked) -> Any:
        return insights(*asked.query["metric"].split(","))

    def threads_insights(self, asked: Asked) -> Any:
        names = asked.query["metric"].split(",")
        return {"data": [entry for entry in ACCOUNT["data"] if entry["name"] in names]}


def fetch(script: Callable[[Asked], Any], run_date: date = RUN_DATE) -> tuple[list[Page | Gap], Loopback]:
    order = Order("gwent", (Account("threads", USER, "sim.gwent", "gwent"),), run_date, FIELDS)
    with serving(script) as server:
        client = HttpClient(
            Access(server.base_url, Secret("THAAplanted0123456789")),
            run_date=run_date,
            classify=THREADS.classify,
            redact_more=THREADS.redact,
            own_items=THREADS.own_items,
            sleep=lambda _: None,
            tries=2,
        )
        items = list(THREADS.fetch(client, order))
        client.close()
    return items, server


def gaps_of(items: list[Any]) -> list[tuple[str, str, str | None, str | None]]:
    return [(one.subject, one.cause, one.object_id, one.object_type) for one in items if isinstance(one, Gap)]


def numbers_of(parsed: list[Any]) -> dict[str, Any]:
    return {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")}


def error(code: int, message: str, status: int = 400, **more: Any) -> Reply:
    return Reply({"error": {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "x", **more}}, status)


def test_all_is_asked_as_the_contract_has_it_and_nothing_of_a_repost() -> None:
    items, server = fetch(Api())
    assert gaps_of(items) == []
    # the window of 30 days ends with the run date; of the account's days, the last fourteen, by Meta's midnight
    assert [(one.path, one.query) for one in server.asked] == [
        (f"/v1.0/{USER}", {"fields": "id,username,name"}),
        (
            f"/v1.0/{USER}/threads",
            {
                "fields": "id,text,timestamp,permalink,media_type,media_product_type",
                "since": "1791072000",
                "until": "1793664000",
                "limit": "50",
            },
        ),
        (f"/v1.0/{POST}/insights", {"metric": ",".join(OF_POSTS)}),
        (f"/v1.0/{USER}/threads_insights", {"metric": "views,followers_count", "since": "1792393200", "until": "1793606400"}),
    ]
    assert all(one.headers["authorization"].startswith("Bearer ") for one in server.asked)


def test_nothing_is_asked_from_before_the_first_second() -> None:
    _, server = fetch(Api(threads=lambda _: {"data": []}), date(2024, 4, 18))
    assert server.asked[-1].query["since"] == "1712991600"


def test_a_profile_is_an_account() -> None:
    url = "https://www.threads.net/@sim.gwent"
    assert rows_of(parse(landed("account", PROFILE), THREADS), "account") == [
        {"account_id": USER, "handle": "sim.gwent", "display_name": "Gwent Police", "url": url}
    ]
    assert gaps_of(parse(landed("account", {}, ("profile",)), THREADS)) == [("profile", "not_reported", None, "account")]
    other = rows_of(parse(landed("account", {**PROFILE, "id": "99"}), THREADS), "account")
    assert "other_account" in other[0]["_defect"]


def test_views_are_of_days_and_followers_of_now() -> None:
    parsed = parse(landed("account_insights", ACCOUNT, ("views", "followers_count")), THREADS)
    rows = [(row["source_field"], row["period"], row["metric_date"], row["value"]) for row in rows_of(parsed, "observation")]
    assert rows == [
        ("views", "day", date(2026, 7, 11), 11),
        ("views", "day", date(2026, 7, 12), 12),
        ("views", "day", date(2026, 11, 1), 0),
        ("followers_count", "snapshot", None, 48210),
    ]
    assert {row["day_tz"] for row in rows_of(parsed, "observation")} == {"America/Los_Angeles", None}
    assert gaps_of(parsed) == []


def test_totals_of_the_account_are_read_too() -> None:
    body = {"data": [{"name": "likes", "period": "day", "total_value": {"value": 7}}]}
    (row,) = rows_of(parse(landed("account_insights", body, (), metric_date="2026-10-30"), THREADS), "observation")
    assert (row["source_field"], row["period"], row["metric_date"], row["value"]) == ("likes", "day", "2026-10-30", 7)


def test_insights_that_are_empty_are_gaps() -> None:
    names = ("views", "followers_count")
    assert gaps_of(parse(landed("account_insights", {"data": []}, names), THREADS)) == [
        (name, "not_reported", None, "account") for name in names
    ]
    assert gaps_of(parse(landed("post_insights", {"data": []}, OF_POSTS, ids=POST), THREADS)) == [
        (name, "not_reported", POST, "post") for name in OF_POSTS
    ]
    only_views = {"data": ACCOUNT["data"][:1]}
    assert gaps_of(parse(landed("account_insights", only_views, names), THREADS)) == [
        ("followers_count", "not_reported", None, "account")
    ]


def test_a_post_and_its_numbers() -> None:
    assert rows_of(posts_of(item()), "post") == [
        {
            "post_id": POST,
            "account_id": USER,
            "published_at": "2026-10-30T10:30:00+0000",
            "kind": "original",
            "permalink": "https://www.threads.net/@sim.gwent/post/abc",
            "text": "Road closed at Newport.",
        }
    ]
    parsed = parse(landed("post_insights", insights(*OF_POSTS), OF_POSTS, ids=POST), THREADS)
    assert numbers_of(parsed) == dict.fromkeys(OF_POSTS, 5)
    assert {row["object_id"] for row in rows_of(parsed, "observation")} == {POST}
    raw = parse(landed("post_insights", insights("likes", value="5"), ("likes",), ids=POST), THREADS)
    assert numbers_of(raw) == {"likes": "5"}, "a count as text passes as it came: the suite names it"


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        *((name, "original") for name in ("TEXT_POST", "IMAGE", "CAROUSEL_ALBUM", "AUDIO")),
        ("VIDEO", "video"), ("REPOST_FACADE", "repost"), ("HOLOGRAM", "HOLOGRAM"), (None, None),
    ],
)  # fmt: skip
def test_kinds_of_posts(media_type: str, kind: str) -> None:
    assert rows_of(posts_of(item(media_type=media_type)), "post")[0]["kind"] == kind


def test_words_and_ways_to_other_people_are_not_landed() -> None:
    """A repost repeats somebody's words; a quote and a reply lead to somebody's post."""
    repost = item(
        media_type="REPOST_FACADE",
        text="Jane Planted says",
        permalink="https://www.threads.net/@jane_planted/post/1",
        reposted_post={"id": "17planted"},
    )
    quote = item("18000000000000003", quoted_post={"id": "17planted"}, is_quote_post=True)
    page = landed("threads", {"data": [repost, quote]}, ("posts",))
    assert "planted" not in page.body.lower()
    assert "Road closed" in page.body
    assert [(row["kind"], row["text"]) for row in rows_of(parse(page, THREADS), "post")] == [
        ("repost", None), ("original", "Road closed at Newport."),
    ]  # fmt: skip


def test_what_is_older_than_the_window_is_dropped() -> None:
    parsed = posts_of(item(timestamp="2026-09-30T10:30:00+0000"), "text")
    assert [(one.kind, one.reason) for one in parsed if isinstance(one, Drop)] == [("post", "outside_window")]
    assert "_defect" in rows_of(parsed, "post")[0]
    assert gaps_of(parse(landed("threads", {}, ("posts",)), THREADS)) == [("posts", "not_reported", None, None)]


def test_pages_are_followed() -> None:
    def threads(asked: Asked) -> Any:
        if "after" in asked.query:
            return {"data": [item("18000000000000009")]}
        following = f"http://{asked.headers['host']}/v1.0/{USER}/threads?access_token=THAAplanted0123456789&after=abc&limit=50"
        return {"data": [item()], "paging": {"cursors": {"before": "a", "after": "abc"}, "next": following}}

    items, server = fetch(Api(threads=threads))
    assert gaps_of(items) == []
    assert [one.path for one in server.asked[3:5]] == [f"/v1.0/{POST}/insights", "/v1.0/18000000000000009/insights"]
    assert "THAAplanted" not in "".join(page.body + page.request for page in items if isinstance(page, Page))
    assert all("access_token" not in one.query for one in server.asked)


def test_a_name_that_is_refused_is_set_aside_once_and_the_rest_kept() -> None:
    def refused(asked: Asked) -> Any:
        names = asked.query["metric"].split(",")
        if "quotes" not in names:
            return insights(*names)
        known = ", ".join(name for name in OF_POSTS if name != "quotes")
        return error(100, f"(#100) metric[{names.index('quotes')}] must be one of the following values: {known}")

    posts = {"data": [item(), item("18000000000000002"), item("18000000000000003")]}
    items, server = fetch(Api(threads=lambda _: posts, insights=refused))
    assert gaps_of(items) == [("quotes", "retired_metric", None, "post")]
    asked = [one.query["metric"].split(",") for one in server.asked if one.path.endswith("/insights")]
    assert sum("quotes" in names for names in asked) == 2, "found at the first post: the error itself names it"
    last = json.loads([page.body for page in items if isinstance(page, Page) and page.endpoint == "post_insights"][-1])
    assert {entry["name"] for entry in last["data"]} == set(OF_POSTS) - {"quotes"}


def test_one_of_the_accounts_numbers_that_is_refused_costs_no_other() -> None:
    def refused(asked: Asked) -> Any:
        names = asked.query["metric"].split(",")
        return error(10, "(#10) Permission denied", 403) if "followers_count" in names else {"data": ACCOUNT["data"][:1]}

    items, _ = fetch(Api(threads_insights=refused))
    assert gaps_of(items) == [("followers_count", "permission", None, "account")]


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (EXPIRED, "expired_token"),
        (error(4, "(#4) Application request limit reached", 403), "throttled"),
        (error(100, "Object with ID does not exist", 400, error_subcode=33), "account_closed"),
    ],
)
def test_what_concerns_the_whole_account_ends_it(reply: Reply, cause: str) -> None:
    items, server = fetch(Api(profile=lambda _: reply))
    assert gaps_of(items) == [("*", cause, None, None)]
    assert {one.path for one in server.asked} == {f"/v1.0/{USER}"}


def test_a_profile_that_is_refused_is_a_hole_and_loses_no_number() -> None:
    items, _ = fetch(Api(profile=lambda _: error(10, "(#10) Permission denied", 403)))
    assert gaps_of(items) == [("profile", "permission", None, "account")]
    assert {page.endpoint for page in items if isinstance(page, Page)} == {
        "account",
        "threads",
        "post_insights",
        "account_insights",
    }


def test_an_empty_list_and_no_insights_at_all_mean_that_access_has_run_out() -> None:
    items, _ = fetch(Api(threads=lambda _: {"data": []}, threads_insights=lambda _: {"data": []}))
    assert ("posts", "permission", None, None) in gaps_of(items)
    items, _ = fetch(Api(threads=lambda _: {"data": []}))
    assert gaps_of(items) == [], "the insights came: the list is truly empty"
