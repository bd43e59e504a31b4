"""What platforms announce about their limits, in the forms that the contracts show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from extractors.http import Received
from extractors.pacing import Quota, Window, meta_windows, pause_seconds, rate_limit_windows, reset_seconds
from extractors.threads import Threads
from extractors.x import LIMITS as X_LIMITS

NOW = datetime(2026, 11, 2, 21, 0, 4, tzinfo=UTC)


def answer(**headers: str) -> Received:
    return Received(200, CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()}), {}, NOW)


@pytest.mark.parametrize(
    ("headers", "limit", "left", "seconds"),
    [
        pytest.param(
            {"x-rate-limit-limit": "1500", "x-rate-limit-remaining": "1498", "x-rate-limit-reset": str(int(NOW.timestamp()) + 900)},
            1500, 1498, 900, id="X: Unix seconds",
        ),
        pytest.param(
            {"RateLimit-Limit": "3000", "RateLimit-Remaining": "2994", "RateLimit-Reset": str(int(NOW.timestamp()) + 300),
             "RateLimit-Policy": "3000;w=300"}, 3000, 2994, 300, id="Bluesky: Unix seconds",
        ),
        pytest.param(
            {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "293", "X-RateLimit-Reset": "2026-11-02T21:05:00.377431Z"},
            300, 293, 296.377431, id="Mastodon: ISO 8601 with microseconds",
        ),
        pytest.param({"RateLimit-Limit": "100", "RateLimit-Remaining": "50", "RateLimit-Reset": "30"}, 100, 50, 30, id="seconds"),
        pytest.param({"RateLimit": "limit=100, remaining=50, reset=30"}, 100, 50, 30, id="IETF draft 7"),
        pytest.param(
            {"RateLimit": '"default";r=50;t=30', "RateLimit-Policy": '"default";q=100;w=60'}, 100, 50, 30, id="IETF draft 8"
        ),
    ],
)  # fmt: skip
def test_each_family_of_headers_announces_the_same_window(
    headers: dict[str, str], limit: float, left: float, seconds: float
) -> None:
    assert list(rate_limit_windows(answer(**headers))) == [Window("calls", limit, left, NOW + timedelta(seconds=seconds))]
    assert reset_seconds(answer(**headers, Retry_After="7")) == pytest.approx(seconds)
    without_the_rest = {name: text for name, text in headers.items() if not name.endswith(("-Limit", "-limit", "emaining"))}
    assert reset_seconds(answer(**without_the_rest)) == pytest.approx(seconds)


def test_without_a_window_the_wait_is_that_of_retry_after() -> None:
    assert reset_seconds(answer(Retry_After="7", X_RateLimit_Reset="soon")) == 7
    assert reset_seconds(answer(x_rate_limit_reset=str(int(NOW.timestamp()) - 60))) == 0
    assert reset_seconds(answer()) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-rate-limit-remaining": "5"},
        {"x-rate-limit-remaining": "many", "x-rate-limit-reset": "1665183228"},
        {"x-rate-limit-remaining": "5", "x-rate-limit-reset": "9" * 15},
        {"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "soon"},
        {"RateLimit": "unlimited"},
    ],
)
def test_headers_that_cannot_be_read_announce_nothing(headers: dict[str, str]) -> None:
    assert list(rate_limit_windows(answer(**headers))) == []


def test_meta_announces_shares_and_the_minutes_until_it_answers_again() -> None:
    app = '{"call_count":28,"total_time":25,"total_cputime":40}'
    business = '{"1":[{"type":"pages","call_count":97,"total_cputime":23,"total_time":23,"estimated_time_to_regain_access":0}]}'
    read = meta_windows("pages")
    assert list(read(answer(**{"x-app-usage": app}))) == [Window("app", 100, 60, None, "app")]
    assert list(read(answer(**{"x-business-use-case-usage": business}))) == [Window("pages of 1", 100, 3, None)]
    blocked = business.replace('access":0', 'access":5')
    assert list(read(answer(**{"x-business-use-case-usage": blocked}))) == [
        Window("pages of 1", 100, 0, NOW + timedelta(minutes=5))
    ]
    assert list(meta_windows("instagram")(answer(**{"x-business-use-case-usage": business}))) == []
    # what Threads calls its own is documented nowhere
    assert list(Threads.limits.read(answer(**{"x-business-use-case-usage": business}))) == [Window("threads of 1", 100, 3, None)]


def test_a_share_may_be_text_and_a_number_without_end_is_none() -> None:
    said = '{"1":[{"type":null,"call_count":"97","total_time":1%s,"estimated_time_to_regain_access":"5"}]}' % ("0" * 400)
    assert list(meta_windows("pages")(answer(**{"x-business-use-case-usage": said}))) == [
        Window("pages of 1", 100, 0, NOW + timedelta(minutes=5))
    ]


def test_half_a_sign_in_the_name_of_a_business_can_be_written_down() -> None:
    said = '{"\\ud800":[{"type":"pages","call_count":9}]}'
    (window,) = meta_windows("pages")(answer(**{"x-business-use-case-usage": said}))
    assert window.name.encode() == b"pages of ?"


@pytest.mark.parametrize("said", ["", "null", "[]", '{"1":3}', '{"1":[null]}', '{"1":[{"type":"pages"}]}', "{", "[" * 20_000])
def test_odd_usage_announces_nothing(said: str) -> None:
    assert list(meta_windows("pages")(answer(**{"x-business-use-case-usage": said, "x-app-usage": said}))) == []


def test_the_pause_grows_as_the_share_does() -> None:
    pauses = [pause_seconds(percent) for percent in (0, 74, 75, 80, 90, 100, 1000)]
    assert pauses == [0, 0, 1, 4, 64, 1024, 3600]


@pytest.mark.parametrize(
    ("quota", "moment", "period", "end"),
    [
        (Quota("units", "units", 10_000, time_zone="America/Los_Angeles"), datetime(2026, 11, 2, 7, 59, tzinfo=UTC),
         "2026-11-01", datetime(2026, 11, 2, 8, tzinfo=UTC)),
        (Quota("units", "units", 10_000, time_zone="America/Los_Angeles"), datetime(2026, 11, 1, 7, 30, tzinfo=UTC),
         "2026-11-01", datetime(2026, 11, 2, 8, tzinfo=UTC)),  # the clocks go back: 25 hours
        (Quota("credits", "US dollars", 1, "month"), datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "2026-12",
         datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_quota_is_whole_again_by_the_platforms_own_midnight(quota: Quota, moment: datetime, period: str, end: datetime) -> None:
    assert (quota.period_of(moment), quota.end_of_period(moment)) == (period, end)


def test_what_an_answer_of_x_costs() -> None:
    posts: Any = {"data": [{"id": "1"}, {"id": "2"}]}
    credits, read = X_LIMITS.quotas
    assert credits.weigh
    assert read.weigh
    assert sum(credits.weigh("tweets", posts).values()) == pytest.approx(0.010)
    assert credits.weigh("account", {"data": [{"id": "9"}]}) == {"account 9": 0.010}
    assert (read.weigh("tweets", posts), read.weigh("account", posts)) == ({"1": 1.0, "2": 1.0}, {})
    assert credits.weigh("tweets", None) == {}
