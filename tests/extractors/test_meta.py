"""What Meta's errors mean: the contract's codes, subcodes and messages."""

from __future__ import annotations

from typing import Any

import pytest

from extractors.base import (
    AccountClosed,
    Outage,
    PermissionMissing,
    Refused,
    RetiredMetric,
    SourceError,
    Throttled,
    TokenExpired,
    TooFewViewers,
)
from extractors.http import Received
from extractors.meta import InvalidParameter, NotOfThisPost, TooMuchAsked, classify, suspects
from tests.extractors.facebook_examples import FACEBOOK, OBSERVED


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"code": 190, "error_subcode": 463}, TokenExpired),
        (401, {"code": 190, "error_subcode": 467}, TokenExpired),
        (400, {"code": 32, "message": "(#32) Page request limit reached"}, Throttled),
        (403, {"code": 4, "message": "(#4) Application request limit reached"}, Throttled),
        (400, {"code": 80001}, Throttled),
        (403, {"code": 10}, PermissionMissing),
        (400, {"code": 210}, PermissionMissing),
        (400, {"code": 200}, PermissionMissing),
        (400, {"code": 200, "error_subcode": 1504029}, TooFewViewers),
        (400, {"code": 100, "message": "(#100) The value must be a valid insights metric"}, RetiredMetric),
        (400, {"code": 100, "message": "(#100) Tried accessing nonexisting field (fan_count) on node type (Page)"}, RetiredMetric),
        (400, {"code": 80002}, Throttled),
        (400, {"code": 10, "message": "(#10) Not enough viewers for the media to show insights"}, TooFewViewers),
        (400, {"code": 100, "message": "(#100) metric[0] must be one of the following values: reach"}, RetiredMetric),
        (400, {"code": 100, "message": "Starting from version 22 and above, the impressions metric is no longer supported for the "
               "queried media/user."}, RetiredMetric),
        (400, {"code": 100, "message": "The Media Insights API does not support the views metric for this media product type."},
         NotOfThisPost),
        (400, {"code": 100, "error_subcode": 2108006, "message": "Media posted before business account conversion"}, NotOfThisPost),
        (400, {"code": 100, "error_subcode": 33, "message": "Unsupported get request."}, AccountClosed),
        (400, {"code": 100, "message": "(#100) Param limit must be positive"}, InvalidParameter),
        (400, {"code": 3001, "error_subcode": 1504028}, RetiredMetric),
        (500, {"code": 1, "message": "Please reduce the amount of data you're asking for, then retry your request"}, TooMuchAsked),
        (500, {"code": 2}, Outage),
        (400, {"code": 999, "is_transient": True}, Outage),
        (400, {"code": {}}, Refused),
        (400, {"code": 190, "error_subcode": []}, TokenExpired),
        (400, {"code": True}, Refused),
    ],
)  # fmt: skip
def test_errors_go_by_code_and_message_and_not_by_status(status: int, error: dict[str, Any], kind: type[SourceError]) -> None:
    for any_status in (status, 200, 403):
        found = FACEBOOK.classify(Received(any_status, {}, {"error": {"message": "", **error}}, OBSERVED))
        assert type(found) is kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-business-use-case-usage": '{"1":[{"type":"pages","call_count":97,"estimated_time_to_regain_access":3}]}'}, 180),
        ({"x-business-use-case-usage": "{broken", "Retry-After": "8"}, 8),
        ({"x-app-usage": '{"call_count":100}'}, None),
        ({"x-business-use-case-usage": '{"1":[{"estimated_time_to_regain_access":Infinity}]}'}, 24 * 3600),
        ({"x-business-use-case-usage": '{"1":[{"estimated_time_to_regain_access":NaN}]}'}, None),
        ({"x-business-use-case-usage": '{"1":[{"estimated_time_to_regain_access":1' + "0" * 400 + "}]}"}, None),
    ],
)
def test_the_reset_is_the_platforms_own(headers: dict[str, str], seconds: float | None) -> None:
    found = FACEBOOK.classify(Received(400, headers, {"error": {"code": 80001, "message": "calm down"}}, OBSERVED))
    assert isinstance(found, Throttled)
    assert found.reset_seconds == seconds


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("(#100) metric[2] must be one of the following values: reach, likes, comments", ["dead", "gone"]),
        ("(#100) Starting from version 22 and above, the dead metric is no longer supported for the queried media/user.", ["dead"]),
        ("The Media Insights API does not support the reach metric for this media product type.", ["reach"]),
        ("(#100) The value must be a valid insights metric", []),
    ],
)
def test_the_name_that_an_error_means(message: str, expected: list[str]) -> None:
    assert suspects(["reach", "likes", "dead", "gone"], message) == expected


def test_an_endpoint_that_knows_none_of_the_names_says_that_none_was_given() -> None:
    message = "No metric was specified to be fetched. Please specify one or more metrics to be fetched and try again."
    body = {"error": {"message": message, "code": 3001, "error_subcode": 1504028}}
    assert isinstance(classify(Received(400, {}, body, OBSERVED)), RetiredMetric)
