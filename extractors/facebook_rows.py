"""How a landed page of Facebook becomes rows, and, by another way, how many records it holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from extractors.base import Drop, Gap, Page, Row

DAY_TZ = "America/Los_Angeles"
"""Meta's day."""

POST_WINDOW_DAYS = 30
"""Days of posts read again in each run, the run date among them: the last reading is at an age of 28 days."""

COUNTS = ("shares.count", "reactions.summary.total_count", "comments.summary.total_count")
"""Where the counts stand in an item of the list of posts; the path is the name of the field too."""

ABSENT_IS_ZERO = frozenset({"shares.count"})
"""By contract absent where it is 0."""

KINDS = {"shared_story": "repost", "added_video": "video"}


def post_window(run_date: date) -> tuple[datetime, datetime]:
    """From the first instant of the window to the first after it (UTC)."""
    end = datetime.combine(run_date + timedelta(days=1), time(), tzinfo=UTC)
    return end - timedelta(days=POST_WINDOW_DAYS), end


def is_before_window(item: dict[str, Any], run_date: date) -> bool:
    """Whether a post is older than what was asked. A time that cannot be read, or one to come, is not: the suite judges it."""
    try:
        return datetime.fromisoformat(item["created_time"]) < post_window(run_date)[0]
    except (KeyError, TypeError, ValueError, OverflowError):
        return False


def parse(page: Page) -> Iterator[Row | Drop | Gap]:
    """Rows of kind account, post and observation. Values pass as they came; a hole is a Gap."""
    if "error" in page.context:
        return
    body = json.loads(page.body)
    subjects = [name for name in page.context.get("subjects", "").split(",") if name]
    if page.endpoint == "account":
        yield from _account(page, body, subjects)
    elif page.endpoint == "published_posts":
        yield from _posts(page, body, [name for name in subjects if name != "posts"])
    elif page.endpoint == "account_insights":
        yield from _insights(page, "account", page.account_id, body, subjects, f"account_insights of {page.account_id}")
    elif page.endpoint == "post_insights":
        for post_id in page.context["ids"].split(","):
            entry = body.get(post_id) if isinstance(body, dict) else None
            yield from _insights(
                page, "post", post_id, entry.get("insights") if isinstance(entry, dict) else None, subjects,
                f"post_insights of {post_id}",
            )  # fmt: skip
        for post_id in sorted(body.keys() - set(page.context["ids"].split(","))) if isinstance(body, dict) else ():
            entry = body[post_id]
            yield from _insights(
                page, "post", post_id, entry.get("insights") if isinstance(entry, dict) else None, (),
                f"post_insights of {post_id}",
                **_defect("other_object", f"the answer has insights of {_cut(post_id)}, which was not asked for"),
            )  # fmt: skip


def _observation(
    account_id: Any, object_type: str, object_id: Any, source_field: Any, period: Any, value: Any, position: str, **more: Any
) -> Row:
    values = {
        "account_id": account_id,
        "object_type": object_type,
        "object_id": object_id,
        "source_field": source_field,
        "period": period,
        "value": value,
        "origin": "reported",
    }
    return Row("observation", values | more, position)


def _defect(rule: str, reason: str) -> dict[str, str]:
    return {"_defect": f"{rule}: {reason}"}


def _cut(value: Any) -> str:
    return str(value)[:60]


def _other_account(page: Page, account_id: Any) -> dict[str, str]:
    """The defect of a row that is not of the account that was asked; nothing is put right silently."""
    if account_id == page.account_id:
        return {}
    return _defect("other_account", f"account {page.account_id} was asked, the answer is of {_cut(account_id)}")


def _account(page: Page, body: Any, names: list[str]) -> Iterator[Row | Gap]:
    if not isinstance(body, dict):
        for name in names:
            yield Gap(page.account_id, name, "not_reported", "the answer came without the account's fields")
        return
    position = f"account {page.account_id}"
    account_id = body.get("id")
    wrong = _other_account(page, account_id)
    if "id" in body:
        named = {"handle": body.get("username"), "display_name": body.get("name"), "url": body.get("link")}
        yield Row("account", {"account_id": account_id, **named, **wrong}, position)
    for name in names:
        if body.get(name) is None:
            yield Gap(page.account_id, name, "not_reported", "the answer came without the field")
        else:
            yield _observation(
                account_id, "account", account_id, name, "snapshot", body[name], f"{position} field {name}", **wrong
            )  # fmt: skip


def _posts(page: Page, body: Any, names: list[str]) -> Iterator[Row | Drop | Gap]:
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list):
        yield Gap(page.account_id, "posts", "not_reported", "the answer came without a list of posts")
        return
    for number, item in enumerate(items, start=1):
        position = f"published_posts of {page.account_id} page {page.context.get('page', '?')} item {number}"
        if not isinstance(item, dict):
            yield Row("post", {"_defect": f"expected an object, got {type(item).__name__}"}, position)
            continue
        post_id = item.get("id")
        counts = {name: _at_path(item, name) for name in COUNTS}
        if is_before_window(item, page.run_date):
            yield Drop("post", "outside_window", position)
            yield Drop("observation", "outside_window", position, sum(value is not None for value in counts.values()))
            continue
        # the post says whose it is; where it says nothing readable, the suite names it as of no known account
        account_id = post_id.split("_")[0] if isinstance(post_id, str) else None
        wrong = _other_account(page, account_id) if account_id is not None else {}
        kind = KINDS.get(str(item.get("status_type")), "original")
        values = {
            "post_id": post_id,
            "account_id": account_id,
            "published_at": item.get("created_time"),
            "kind": kind,
            "permalink": item.get("permalink_url"),
            "text": item.get("message") if kind == "original" else None,
            **wrong,
        }
        yield Row("post", values, position)
        for name, value in counts.items():
            if value is not None:
                yield _observation(
                    account_id, "post", post_id, name, "lifetime", value, f"{position} field {name}", **wrong
                )  # fmt: skip
            elif name not in names:
                continue
            elif name in ABSENT_IS_ZERO and name.split(".")[0] not in item:
                yield _observation(
                    account_id, "post", post_id, name, "lifetime", 0, f"{position} field {name}", origin="absent_is_zero", **wrong
                )
            else:
                object_id = post_id if isinstance(post_id, str) else None
                yield Gap(page.account_id, name, "not_reported", "the post came without the count", object_id)


def _at_path(item: dict[str, Any], path: str) -> Any:
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _insights(
    page: Page, object_type: str, object_id: str | None, body: Any, names: Any, position: str, **more: str
) -> Iterator[Row | Gap]:
    """Numbers of one object's insights, whatever they are called: a name that nobody asked for is not lost, the map judges it."""
    series = body.get("data") if isinstance(body, dict) else None
    gap_object = object_id if object_type == "post" else None
    if not isinstance(series, list):
        for name in names:
            yield Gap(page.account_id, name, "not_reported", "the answer came without insights", gap_object)
        return
    if not series:
        for name in names:
            detail = "answer 200 with an empty list: as with a token without read_insights, or past the data access window"
            yield Gap(page.account_id, name, "permission", detail, gap_object)
        return
    breakdown = page.context.get("breakdown")
    answered = set()
    for entry in series:
        values = entry.get("values") if isinstance(entry, dict) else None
        for item in values if isinstance(values, list) else ():
            if not isinstance(item, dict) or item.get("value") is None:
                continue
            name, end_time = entry.get("name"), item.get("end_time")
            answered.add(name if isinstance(name, str) else None)
            has_breakdown = breakdown is not None and breakdown in item
            yield _observation(
                page.account_id, object_type, object_id, name, entry.get("period"), item["value"],
                f"{position} {name} {end_time or ''}".rstrip(),
                breakdown=breakdown if has_breakdown else None,
                breakdown_value=item[breakdown] if has_breakdown and breakdown else None,
                metric_date=_metric_date(end_time),
                day_tz=DAY_TZ if end_time is not None else None,
                **more,
            )  # fmt: skip
    for name in names:
        if name not in answered:
            yield Gap(page.account_id, name, "not_reported", "the answer came without a value", gap_object)


@cache
def _pacific() -> ZoneInfo:
    return ZoneInfo(DAY_TZ)


def _metric_date(end_time: Any) -> Any:
    """The day before the midnight (Pacific) at which it ended. What is no time passes as it came: it becomes the row's defect."""
    if end_time is None:
        return None
    try:
        moment = datetime.fromisoformat(end_time)
        if moment.tzinfo is None:
            return end_time
        return moment.astimezone(_pacific()).date() - timedelta(days=1)
    except (TypeError, ValueError, OverflowError):
        return end_time if isinstance(end_time, str) else str(end_time)


# --- the independent count ---

PATHS: dict[str, dict[str, tuple[str, ...]]] = {
    "account": {"account": ("$.id",), "observation": ()},
    "published_posts": {
        "post": ("$.data[*]",),
        "observation": (
            "$.data[*].shares.count",
            "$.data[*].reactions.summary.total_count",
            "$.data[*].comments.summary.total_count",
        ),
    },
    "account_insights": {"observation": ("$.data[*].values[*].value",)},
    "post_insights": {"observation": ("$.*.insights.data[*].values[*].value",)},
}


@cache
def _compiled(path: str) -> Any:
    import jsonpath

    return jsonpath.compile(path)


def count(page: Page) -> Counter[str]:
    """Records of each kind in a page, by JSON paths. Of observations, the reported values: those that are not null."""
    found: Counter[str] = Counter()
    body = json.loads(page.body)
    for kind, paths in PATHS[page.endpoint].items():
        if page.endpoint == "account" and kind == "observation":
            paths = tuple(f"$['{name}']" for name in page.context.get("subjects", "").split(",") if name)
        for path in paths:
            values = _compiled(path).findall(body)
            found[kind] += sum(value is not None for value in values) if kind == "observation" else len(values)
    return found
