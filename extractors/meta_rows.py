"""How pages of Meta's Graph API become rows, and, by another way, how many records they hold: what its platforms have in common."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from extractors.base import Gap, Page, Row
from extractors.json_paths import Paths, count_by_paths, found_at
from extractors.page_rows import cut, defect, observation, other_account, subjects_of

DAY_TZ = "America/Los_Angeles"
"""Meta's day."""


def account(page: Page, body: Any, url: Any) -> Iterator[Row | Gap]:
    """Kinds account and observation (snapshots) of one profile; a field that did not come is a Gap."""
    names = subjects_of(page)
    if not isinstance(body, dict):
        for name in names:
            yield Gap(page.account_id, name, "not_reported", "the answer came without the account's fields", None, "account")
        return
    position = f"account {page.account_id}"
    account_id = body.get("id")
    wrong = other_account(page, account_id)
    if "id" in body:
        named = {"handle": body.get("username"), "display_name": body.get("name"), "url": url}
        yield Row("account", {"account_id": account_id, **named, **wrong}, position)
    for name in names:
        if body.get(name) is None:
            yield Gap(page.account_id, name, "not_reported", "the answer came without the field", None, "account")
        else:
            yield observation(
                account_id, "account", account_id, name, "snapshot", body[name], f"{position} field {name}", **wrong
            )  # fmt: skip


def at_path(item: dict[str, Any], path: str) -> Any:
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def post_insights(page: Page, body: Any, if_empty: tuple[str, str]) -> Iterator[Row | Gap]:
    """Numbers of several posts, asked by id. What came for a post that nobody asked for goes to quarantine by name.

    Context `young`: posts that the platform may not have counted yet. Of them an empty list is no hole.
    """
    asked = page.context["ids"].split(",")
    names = subjects_of(page)
    young = page.context.get("young", "").split(",")
    others = sorted(body.keys() - set(asked)) if isinstance(body, dict) else []
    for post_id in [*asked, *others]:
        entry = body.get(post_id) if isinstance(body, dict) else None
        found = entry.get("insights") if isinstance(entry, dict) else None
        position = f"post_insights of {post_id}"
        if post_id not in asked:
            wrong = defect("other_object", f"the answer has insights of {cut(post_id)}, which was not asked for")
            yield from insights(page, "post", post_id, found, (), if_empty, position, **wrong)
        else:
            expected = () if post_id in young and is_empty_list(found) else names
            yield from insights(page, "post", post_id, found, expected, if_empty, position)


def is_empty_list(found: Any) -> bool:
    """Whether an answer is a list without an item, and not something else that has none."""
    return isinstance(found, dict) and found.get("data") == []


def insights(
    page: Page,
    object_type: str,
    object_id: str | None,
    body: Any,
    names: Iterable[str],
    if_empty: tuple[str, str],
    position: str,
    stocks: Collection[str] = (),
    **more: str,
) -> Iterator[Row | Gap]:
    """Numbers of one object's insights, whatever they are called: a name that nobody asked for is not lost, the map judges it.

    All shapes are read: `values` (a list), `total_value` (one number, of the day asked for: context `metric_date`, and its parts by
    a breakdown), and in either an object of numbers.
    if_empty: cause and detail of the gap where the answer is an empty list. stocks: names of what is counted at the time of asking,
    whatever period the answer gives.
    """
    series = body.get("data") if isinstance(body, dict) else None
    gap_object = object_id if object_type == "post" else None
    if not isinstance(series, list):
        for name in names:
            yield Gap(page.account_id, name, "not_reported", "the answer came without insights", gap_object, object_type)
        return
    if not series:
        for name in names:
            yield Gap(page.account_id, name, *if_empty, gap_object, object_type)
        return
    answered = set()
    for entry in series:
        for item, day in _values(entry, page):
            name, end_time = entry.get("name"), item.get("end_time")
            answered.add(name if isinstance(name, str) else None)
            breakdown = next((one for one in (item.get(DIMENSION), page.context.get("breakdown")) if one in item), None)
            day, period = (None, "snapshot") if name in stocks else (day, entry.get("period"))
            yield observation(
                page.account_id, object_type, object_id, name, period, item["value"],
                f"{position} {name} {end_time or ''}".rstrip(),
                breakdown=breakdown,
                breakdown_value=item[breakdown] if breakdown is not None else None,
                metric_date=day,
                day_tz=DAY_TZ if day is not None else None,
                **more,
            )  # fmt: skip
    for name in names:
        if name not in answered:
            yield Gap(page.account_id, name, "not_reported", "the answer came without a value", gap_object, object_type)


def _values(entry: Any, page: Page) -> Iterator[tuple[dict[str, Any], Any]]:
    """The numbers of one metric, each with its day (None for a lifetime)."""
    if not isinstance(entry, dict):
        return
    values, day = entry.get("values"), page.context.get("metric_date")
    for item in values if isinstance(values, list) else ():
        if isinstance(item, dict):
            yield from ((number, metric_date(item.get("end_time"))) for number in _numbers(item))
    total = entry.get("total_value")
    for item in (total, *_parts(total)) if isinstance(total, dict) else ():
        yield from ((number, day) for number in _numbers(item))


DIMENSION, KEY = "_dimension", "key"
"""Under which name a part says by what it is one; and by what it is one where its number is an object of numbers."""


def _numbers(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An item as it came, or, where its value is an object (reactions by type), one for each member; nothing of what is null."""
    value = item.get("value")
    if isinstance(value, dict):
        yield from ({**item, "value": one, KEY: key, DIMENSION: KEY} for key, one in value.items() if one is not None)
    elif value is not None:
        yield item


def _parts(total: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a total that came with a breakdown, as the flat shape would have them. By several dimensions: with commas."""
    breakdowns = total.get("breakdowns")
    for breakdown in breakdowns if isinstance(breakdowns, list) else ():
        keys, results = (breakdown.get(name) for name in ("dimension_keys", "results")) if isinstance(breakdown, dict) else (0, 0)
        for result in results if isinstance(results, list) else ():
            if isinstance(result, dict):
                dimension, values = _joined(keys), _joined(result.get("dimension_values"))
                yield {"value": result.get("value"), dimension: values, DIMENSION: dimension}


def _joined(found: Any) -> str:
    return ",".join(str(one) for one in found) if isinstance(found, list) else str(found)


@cache
def _pacific() -> ZoneInfo:
    return ZoneInfo(DAY_TZ)


def metric_date(end_time: Any) -> Any:
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


def day_of_meta(day: date) -> tuple[datetime, datetime]:
    """First instant of one of Meta's days and the first after it (UTC)."""
    start, end = (datetime.combine(each, time(), tzinfo=_pacific()) for each in (day, day + timedelta(days=1)))
    return start.astimezone(UTC), end.astimezone(UTC)


# --- the independent count ---

INSIGHT_PATHS: dict[str, Paths] = {
    "account_insights": {
        "observation": (
            "$.data[*].values[*].value",
            "$.data[*].total_value.value",
            "$.data[*].total_value.breakdowns[*].results[*].value",
        )
    },
    "post_insights": {
        "observation": (
            "$.*.insights.data[*].values[*].value",
            "$.*.insights.data[*].total_value.value",
            "$.*.insights.data[*].total_value.breakdowns[*].results[*].value",
        )
    },
}


def count(page: Page, paths_of: Mapping[str, Paths]) -> Counter[str]:
    """Records of each kind in a page, by JSON paths. Of observations, the reported values: those that are not null.

    paths_of: endpoint to kind to paths. Observations of an account are the fields that were asked for.
    """
    paths = dict(paths_of[page.endpoint])
    if page.endpoint == "account" and "observation" in paths:
        paths["observation"] = tuple(f"$['{name}']" for name in page.context.get("subjects", "").split(",") if name)
    body = json.loads(page.body)
    found = count_by_paths(body, paths)
    for path in paths["observation"] if page.endpoint in INSIGHT_PATHS else ():
        objects = [value for value in found_at(path, body) if isinstance(value, dict)]
        found["observation"] += sum(sum(number is not None for number in one.values()) - 1 for one in objects)
    return found
