"""What the rows of every platform have in common: what was asked with a page, one number, and how a wrong row is named."""

from __future__ import annotations

from typing import Any

from extractors.base import Page, Row


def subjects_of(page: Page) -> list[str]:
    """What was asked for with this page."""
    return [name for name in page.context.get("subjects", "").split(",") if name]


def observation(
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


def defect(rule: str, reason: str) -> dict[str, str]:
    return {"_defect": f"{rule}: {reason}"}


def cut(value: Any) -> str:
    return str(value)[:60]


def other_account(page: Page, account_id: Any) -> dict[str, str]:
    """The defect of a row that is not of the account that was asked; nothing is put right silently."""
    if account_id == page.account_id:
        return {}
    return defect("other_account", f"account {page.account_id} was asked, the answer is of {cut(account_id)}")
