"""Facebook Pages: how a landed page becomes rows, with the contract's examples."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from extractors.base import (
    Drop,
    Gap,
)
from tests.extractors.facebook_examples import PAGE_ID, SNAPSHOT, page, parse, post_item, rows_of


def test_a_snapshot_is_an_account_and_its_numbers() -> None:
    parsed = parse(page("account", SNAPSHOT, "followers_count,fan_count"))
    assert rows_of(parsed, "account") == [
        {"account_id": PAGE_ID, "handle": "AirbyteHQ", "display_name": "Airbyte", "url": f"https://www.facebook.com/{PAGE_ID}"}
    ]
    numbers = rows_of(parsed, "observation")
    assert [(row["source_field"], row["period"], row["value"], row["origin"]) for row in numbers] == [
        ("followers_count", "snapshot", 320, "reported"),
        ("fan_count", "snapshot", 270, "reported"),
    ]


def test_a_count_that_is_not_there_is_a_gap_and_no_zero() -> None:
    body = {name: value for name, value in SNAPSHOT.items() if name != "followers_count"}
    parsed = parse(page("account", body, "followers_count,fan_count"))
    assert [(gap.subject, gap.cause) for gap in parsed if isinstance(gap, Gap)] == [("followers_count", "not_reported")]
    assert [row["source_field"] for row in rows_of(parsed, "observation")] == ["fan_count"]


LIST_FIELDS = "posts,reactions.summary.total_count,comments.summary.total_count,shares.count"


def test_a_post_and_its_counts() -> None:
    parsed = parse(page("published_posts", {"data": [post_item(1)]}, LIST_FIELDS, page="1"))
    (post,) = rows_of(parsed, "post")
    assert post == {
        "post_id": f"{PAGE_ID}_1",
        "account_id": PAGE_ID,
        "published_at": "2026-10-30T19:09:52+0000",
        "kind": "original",
        "permalink": f"https://www.facebook.com/{PAGE_ID}/posts/1/",
        "text": "Singaporean logistics company …",
    }
    assert {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")} == {
        "shares.count": 10,
        "reactions.summary.total_count": 125,
        "comments.summary.total_count": 13,
    }


@pytest.mark.parametrize(
    ("status_type", "kind", "has_text"),
    [
        ("shared_story", "repost", False),
        ("added_video", "video", False),
        ("mobile_status_update", "original", True),
        (None, "original", True),
    ],
)
def test_only_originals_have_text(status_type: str | None, kind: str, has_text: bool) -> None:
    (post,) = rows_of(parse(page("published_posts", {"data": [post_item(1, status_type=status_type)]}, LIST_FIELDS)), "post")
    assert (post["kind"], post["text"] is not None) == (kind, has_text)


def test_absent_shares_are_zero_by_contract_and_absent_reactions_are_a_gap() -> None:
    item = post_item(1)
    del item["shares"], item["reactions"]
    parsed = parse(page("published_posts", {"data": [item]}, LIST_FIELDS))
    by_field = {row["source_field"]: (row["value"], row["origin"]) for row in rows_of(parsed, "observation")}
    assert by_field == {"shares.count": (0, "absent_is_zero"), "comments.summary.total_count": (13, "reported")}
    assert [(gap.subject, gap.cause, gap.object_id) for gap in parsed if isinstance(gap, Gap)] == [
        ("reactions.summary.total_count", "not_reported", f"{PAGE_ID}_1")
    ]


def test_shares_that_were_not_asked_for_are_not_zero() -> None:
    item = post_item(1)
    del item["shares"]
    parsed = parse(page("published_posts", {"data": [item]}, "posts,reactions.summary.total_count"))
    assert "shares.count" not in {row["source_field"] for row in rows_of(parsed, "observation")}


def test_an_empty_list_is_an_answer() -> None:
    assert parse(page("published_posts", {"data": []}, LIST_FIELDS)) == []


def test_a_post_before_the_window_is_dropped_and_counted() -> None:
    parsed = parse(
        page(
            "published_posts",
            {"data": [post_item(1, "2026-10-03T23:59:59+0000"), post_item(2, "2026-10-04T00:00:00+0000")]},
            LIST_FIELDS,
        )
    )
    drops = [(drop.kind, drop.reason, drop.count) for drop in parsed if isinstance(drop, Drop)]
    assert drops == [("post", "outside_window", 1), ("observation", "outside_window", 3)]
    assert [post["post_id"] for post in rows_of(parsed, "post")] == [f"{PAGE_ID}_2"]


@pytest.mark.parametrize("created", ["2099-01-01T00:00:00+0000", "last Tuesday", 1793400000, None, "9999-12-31T23:59:59-0800"])
def test_a_time_that_cannot_be_right_passes_as_it_came_for_the_suite_to_judge(created: Any) -> None:
    (post,) = rows_of(parse(page("published_posts", {"data": [post_item(1, created)]}, LIST_FIELDS)), "post")
    assert post["published_at"] == created


@pytest.mark.parametrize("value", ["125", -3, {"like": 2}, 1.5, True])
def test_a_count_of_a_wrong_kind_passes_as_it_came(value: Any) -> None:
    parsed = parse(
        page("published_posts", {"data": [post_item(1, reactions={"data": [], "summary": {"total_count": value}})]}, LIST_FIELDS)
    )
    assert {row["source_field"]: row["value"] for row in rows_of(parsed, "observation")}["reactions.summary.total_count"] == value


@pytest.mark.parametrize("item", [None, 7, "post", [], {}, {"id": None}, {"id": 5, "shares": 3, "comments": {"summary": []}}])
def test_an_item_that_is_no_post_is_not_lost(item: Any) -> None:
    (post,) = rows_of(parse(page("published_posts", {"data": [item]}, LIST_FIELDS)), "post")
    assert post.get("account_id") is None


def test_a_post_of_another_page_names_that_page() -> None:
    parsed = parse(page("published_posts", {"data": [post_item(1, id="999_1")]}, LIST_FIELDS))
    (post,) = rows_of(parsed, "post")
    assert post["account_id"] == "999"
    defects = {row["_defect"] for row in (post, *rows_of(parsed, "observation"))}
    assert defects == {f"other_account: account {PAGE_ID} was asked, the answer is of 999"}


@pytest.mark.parametrize(
    "body", [SNAPSHOT | {"id": "615000000002"}, {**SNAPSHOT, "id": None}, {"followers_count": 9, "fan_count": 1}]
)
def test_a_snapshot_that_is_not_of_the_page_asked_is_a_defect_and_not_put_right(body: dict[str, Any]) -> None:
    parsed = parse(page("account", body, "followers_count,fan_count"))
    rows = [*rows_of(parsed, "account"), *rows_of(parsed, "observation")]
    assert len(rows) == (3 if "id" in body else 2)
    for row in rows:
        assert row["_defect"].startswith(f"other_account: account {PAGE_ID} was asked, the answer is of ")
        assert row["account_id"] == body.get("id")


@pytest.mark.parametrize("body", [[], [SNAPSHOT]])
def test_a_list_where_the_snapshot_was_due_is_a_gap_of_each_field(body: Any) -> None:
    parsed = parse(page("account", body, "followers_count,fan_count"))
    assert [(gap.subject, gap.cause) for gap in parsed] == [("followers_count", "not_reported"), ("fan_count", "not_reported")]


def test_insights_of_a_post_that_was_not_asked_for_are_a_defect() -> None:
    data = [{"name": "post_media_view", "period": "lifetime", "values": [{"value": 3}]}]
    body = {post_id: {"id": post_id, "insights": {"data": data}} for post_id in (f"{PAGE_ID}_1", "999_1")}
    rows = rows_of(parse(page("post_insights", body, "post_media_view", ids=f"{PAGE_ID}_1")), "observation")
    assert [(row["object_id"], row.get("_defect")) for row in rows] == [
        (f"{PAGE_ID}_1", None),
        ("999_1", "other_object: the answer has insights of 999_1, which was not asked for"),
    ]


def test_a_daily_value_belongs_to_the_pacific_day_before_its_end_time() -> None:
    body = {
        "data": [
            {
                "name": "page_media_view",
                "period": "day",
                "values": [
                    {"value": 25, "end_time": "2026-03-02T08:00:00+0000", "is_from_ads": "0"},
                    {"value": 0, "end_time": "2026-03-02T08:00:00+0000", "is_from_ads": "1"},
                    {"value": 66226, "end_time": "2026-03-10T07:00:00+0000", "is_from_ads": "0"},
                ],
                "title": None,
                "id": "615000000001/insights/page_media_view/day",
            }
        ],
        "paging": {"next": "https://graph.facebook.com/v26.0/1/insights?since=1583910000"},
    }
    rows = rows_of(parse(page("account_insights", body, "page_media_view", breakdown="is_from_ads")), "observation")
    assert [(row["metric_date"], row["breakdown_value"], row["value"]) for row in rows] == [
        (date(2026, 3, 1), "0", 25),  # 08:00 UTC: midnight in winter time
        (date(2026, 3, 1), "1", 0),
        (date(2026, 3, 9), "0", 66226),  # 07:00 UTC: midnight in summer time
    ]
    assert {(row["day_tz"], row["object_id"], row["breakdown"]) for row in rows} == {
        ("America/Los_Angeles", PAGE_ID, "is_from_ads")
    }


@pytest.mark.parametrize("end_time", ["soon", "2026-03-10T07:00:00", 1583910000, "0001-01-01T00:00:00+0000"])
def test_an_end_time_that_is_none_becomes_the_rows_defect(end_time: Any) -> None:
    from include.records import to_table

    body = {"data": [{"name": "page_follows", "period": "day", "values": [{"value": 1, "end_time": end_time}]}]}
    rows = rows_of(parse(page("account_insights", body, "page_follows")), "observation")
    assert "metric_date: expected a date" in to_table("observation", rows).column("_defect")[0].as_py()


def test_post_insights_go_by_the_id_that_was_asked() -> None:
    post_id = "1202888116239414_137"
    body = {
        post_id: {
            "id": post_id,
            "insights": {
                "data": [
                    {
                        "name": "post_media_view",
                        "period": "lifetime",
                        "values": [{"value": 528, "is_from_ads": "0"}, {"value": 0, "is_from_ads": "1"}],
                        "title": "post_media_view",
                        "description": "your post&#039;s media",
                        "id": "105872884133170_137",
                    }
                ]
            },
        }
    }
    rows = rows_of(parse(page("post_insights", body, "post_media_view", ids=post_id, breakdown="is_from_ads")), "observation")
    assert [(row["object_id"], row["account_id"], row["breakdown_value"], row["value"], row["metric_date"]) for row in rows] == [
        (post_id, PAGE_ID, "0", 528, None),
        (post_id, PAGE_ID, "1", 0, None),
    ]


def test_an_object_of_numbers_is_one_number_for_each_of_its_keys() -> None:
    values = {"post_reactions_by_type_total": {"like": 5, "love": 1}, "post_clicks_by_type": {"other clicks": 2, "photo view": 0}}
    data = [{"name": name, "period": "lifetime", "values": [{"value": value}]} for name, value in values.items()]
    data.append({"name": "post_activity_by_action_type", "period": "lifetime", "values": [{"value": {}}]})
    names = ",".join((*values, "post_activity_by_action_type"))
    parsed = parse(page("post_insights", {"1_1": {"insights": {"data": data}}}, names, ids="1_1"))
    assert [
        (row["source_field"], row["breakdown"], row["breakdown_value"], row["value"]) for row in rows_of(parsed, "observation")
    ] == [
        ("post_reactions_by_type_total", "key", "like", 5),
        ("post_reactions_by_type_total", "key", "love", 1),
        ("post_clicks_by_type", "key", "other clicks", 2),
        ("post_clicks_by_type", "key", "photo view", 0),
    ]
    # that an empty one stands for 0 nobody has confirmed
    assert [(gap.subject, gap.cause) for gap in parsed if isinstance(gap, Gap)] == [
        ("post_activity_by_action_type", "not_reported")
    ]


def test_two_periods_of_one_name_are_two_numbers() -> None:
    values = [{"value": 5}], [{"value": 2, "end_time": "2026-10-30T07:00:00+0000"}]
    data = [
        {"name": "post_video_views", "period": period, "values": v} for period, v in zip(("lifetime", "day"), values, strict=True)
    ]
    rows = rows_of(
        parse(page("post_insights", {"1_1": {"insights": {"data": data}}}, "post_video_views", ids="1_1")), "observation"
    )
    assert [(row["period"], row["value"]) for row in rows] == [("lifetime", 5), ("day", 2)]


def test_an_empty_list_of_insights_is_a_missing_permission_of_each_name() -> None:
    parsed = parse(page("account_insights", {"data": []}, "page_follows,page_total_media_view_unique"))
    assert [(gap.subject, gap.cause, gap.object_id) for gap in parsed] == [
        ("page_follows", "permission", None),
        ("page_total_media_view_unique", "permission", None),
    ]
    parsed = parse(
        page("post_insights", {"1_1": {"insights": {"data": []}, "id": "1_1"}, "1_2": {"id": "1_2"}}, "v", ids="1_1,1_2,1_3")
    )
    assert [(gap.object_id, gap.cause) for gap in parsed] == [
        ("1_1", "permission"),
        ("1_2", "not_reported"),
        ("1_3", "not_reported"),
    ]


def test_a_metric_that_nobody_asked_for_is_not_lost() -> None:
    data = [
        {"name": name, "period": "day", "values": [{"value": 1, "end_time": "2026-10-30T07:00:00+0000"}]}
        for name in ("page_follows", "page_new")
    ]
    rows = rows_of(parse(page("account_insights", {"data": data}, "page_follows")), "observation")
    assert [row["source_field"] for row in rows] == ["page_follows", "page_new"]


def test_an_error_page_holds_no_records() -> None:
    landed = page("published_posts", {"error": {"code": 190, "message": "m"}}, LIST_FIELDS, error="expired_token")
    assert parse(landed) == []
