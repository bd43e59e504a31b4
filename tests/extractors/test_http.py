"""The HTTP client against a real server: what it asks again, what it waits for, what it never lets out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import extractors
from extractors.base import Access, ApiSource, NoAnswer, Outage, Refused, Secret, SignalSource, SourceError, Throttled
from extractors.http import Answer, HttpClient, Received
from tests.extractors.loopback import Asked, Reply, serving

TOKEN = "EAAplantedTokenThatMustNeverBeSeen0123456789"
RUN_DATE = date(2026, 11, 2)


def ask(script: Callable[[Asked], Any], path: str = "things", **options: Any) -> tuple[Answer, list[Asked], list[float]]:
    slept: list[float] = []
    parameters = options.pop("parameters", {"limit": "5"})
    with serving(script) as server:
        client = HttpClient(Access(server.base_url, Secret(TOKEN)), run_date=RUN_DATE, sleep=slept.append, **options)
        answer = client.get("things", path.replace("{base}", server.base_url), parameters, account_id="7")
        client.close()
    return answer, server.asked, slept


def in_turn(*replies: Any) -> Callable[[Asked], Any]:
    """The replies one after the other, the last one for ever."""
    left = list(replies)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def test_an_answer_becomes_a_page_with_the_time_of_its_date_header() -> None:
    answer, asked, slept = ask(lambda _: {"data": [1]})
    page = answer.pages[0]
    assert answer.usable() == {"data": [1]}
    assert (page.observed_at, page.status, page.is_simulated) == (datetime(2026, 11, 2, 21, 0, 4, tzinfo=UTC), 200, True)
    assert (page.request, page.body, page.account_id, slept) == ("GET /things?limit=5", '{"data":[1]}', "7", [])
    assert asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_it_says_who_asks_and_how_to_reach_them() -> None:
    _, asked, _ = ask(lambda _: {}, contact="https://insight.example; data@insight.example")
    assert asked[0].headers["user-agent"] == "police-social-insight/0.1 (+https://insight.example; data@insight.example)"


def test_a_netrc_of_the_machine_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    _, asked, _ = ask(lambda _: {})
    assert asked[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Reply({"oops": 1}, status=503), id="server error"),
        pytest.param(Reply(b'{"data":[{"id":'), id="truncated JSON"),
        pytest.param(Reply(b'{"data":[]}', cut=True), id="connection broken off"),
        pytest.param(Reply(b"<!DOCTYPE html><title>Sorry</title>", headers={"Content-Type": "text/html"}), id="HTML"),
        pytest.param(Reply(b'"just text"'), id="JSON that is no object"),
        pytest.param(Reply({"data": []}, date=None), id="no Date header"),
        pytest.param(Reply({"data": []}, date="yesterday, after tea"), id="garbled Date header"),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_again(bad: Reply) -> None:
    answer, asked, slept = ask(in_turn(bad, bad, {"data": ["good"]}))
    assert answer.usable() == {"data": ["good"]}
    assert len(asked) == 3
    assert len(slept) == 2
    assert all(0 <= seconds <= 1 for seconds in slept), "full jitter over half a second, then one second"
    assert [page.context.get("superseded") for page in answer.pages] == ["true"] * (len(answer.pages) - 1) + [None]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (Reply({"oops": 1}, status=500), Outage),
        (Reply(b"<html>", headers={"Content-Type": "text/html"}), Outage),
        (Reply({"data": []}, date=None), Outage),
    ],
)
def test_it_gives_up_after_its_tries(bad: Reply, kind: type[SourceError]) -> None:
    answer, asked, slept = ask(lambda _: bad, tries=4)
    assert type(answer.error) is kind
    assert (len(asked), len(slept)) == (4, 3)
    with pytest.raises(kind):
        answer.usable()


def test_what_the_source_makes_of_an_answer_without_json_is_asked_first() -> None:
    def classify(received: Received) -> SourceError | None:
        return Refused("not here") if received.body is None and received.status == 404 else None

    for body in (b"", b"<html>", b'"just text"'):
        answer, asked, _ = ask(lambda _, body=body: Reply(body, status=404), classify=classify)
        assert (str(answer.error), len(asked)) == ("not here", 1)
    assert type(ask(lambda _: Reply(b"", status=500), classify=classify, tries=1)[0].error) is Outage


@pytest.mark.parametrize("source", [source for source in extractors.SOURCES if isinstance(source, ApiSource | SignalSource)])
@pytest.mark.parametrize("status", [200, 400, 401, 402, 403, 404, 429, 500])
def test_every_source_bears_an_answer_without_json(source: ApiSource | SignalSource, status: int) -> None:
    error = source.classify(Received(status, {}, None, datetime(2026, 11, 2, tzinfo=UTC)))
    assert error is None or status >= 400


def test_an_answer_that_will_not_change_is_not_asked_again() -> None:
    answer, asked, _ = ask(lambda _: Reply({"detail": "no such thing"}, status=404))
    assert isinstance(answer.error, Refused)
    assert "404" in str(answer.error)
    assert len(asked) == 1


def test_html_never_reaches_a_page() -> None:
    answer, _, _ = ask(lambda _: Reply(b"<html>Jane Doe, jane@example.org</html>", headers={"Content-Type": "text/html"}), tries=1)
    assert "Jane" not in answer.pages[0].body
    assert '"content_type":"text/html"' in answer.pages[0].body
    assert '"length":39' in answer.pages[0].body


def test_a_list_that_the_source_does_not_declare_is_refused_by_name_and_not_emptied() -> None:
    body = {"items": [{"id": "1", "title": "Own"}]}
    answer, asked, _ = ask(lambda _: body)
    assert isinstance(answer.error, Refused)
    assert "'items'" in str(answer.error)
    assert (len(asked), answer.pages) == (1, ()), "asked once, nothing landed"
    answer, _, _ = ask(lambda _: body, own_items=("items",))
    assert answer.pages[0].body == '{"items":[{"id":"1","title":"Own"}]}'


def test_an_unreachable_host_is_no_answer() -> None:
    with serving(lambda _: {}) as server:
        gone = server.base_url
    slept: list[float] = []
    answer = HttpClient(Access(gone, Secret(TOKEN)), run_date=RUN_DATE, sleep=slept.append, tries=3).get("things", "things")
    assert isinstance(answer.error, NoAnswer)
    assert str(answer.error) == f"no answer from {gone.removeprefix('http://')}: connection refused"
    assert (answer.pages, len(slept)) == ((), 2)


def test_a_slow_host_is_given_up() -> None:
    import time

    answer, _, _ = ask(lambda _: time.sleep(1) or {}, read_timeout_seconds=0.1, tries=1)
    assert isinstance(answer.error, NoAnswer)


def throttled(reset_seconds: float | None) -> Callable[[Received], SourceError | None]:
    return lambda received: Throttled("slow down", reset_seconds) if received.status == 403 else None


def test_a_reset_that_the_platform_names_is_waited_for() -> None:
    answer, asked, slept = ask(in_turn(Reply({}, status=403), {"data": []}), classify=throttled(90))
    assert answer.usable() == {"data": []}
    assert (slept, len(asked)) == ([90], 2)


def test_a_reset_beyond_the_limit_is_left_to_the_caller() -> None:
    answer, asked, slept = ask(lambda _: Reply({}, status=403), classify=throttled(121))
    assert isinstance(answer.error, Throttled)
    assert (answer.error.reset_seconds, slept, len(asked)) == (121, [], 1)


def test_a_throttle_without_a_reset_is_asked_again_slowly_and_not_for_ever() -> None:
    answer, asked, slept = ask(lambda _: Reply({}, status=403), classify=throttled(None), tries=3)
    assert isinstance(answer.error, Throttled)
    assert (len(asked), len(slept)) == (3, 2)


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("Mon, 02 Nov 2026 21:00:34 GMT", 30)])
def test_retry_after_counts_from_the_answers_own_date(header: str, seconds: float) -> None:
    answer, _, slept = ask(in_turn(Reply({}, status=429, headers={"Retry-After": header}), {"data": []}), tries=2)
    assert answer.error is None
    assert slept[0] >= seconds
    assert slept[0] <= seconds + 2


def test_too_large_an_answer_is_refused() -> None:
    answer, asked, _ = ask(lambda _: {"data": "x" * 5000}, largest_answer_bytes=1000)
    assert isinstance(answer.error, Refused)
    assert (answer.pages, len(asked)) == ((), 1)


def test_the_token_never_leaves_for_another_host() -> None:
    with serving(lambda _: {"stolen": True}) as other:
        for script, path in (
            (lambda _: {}, f"{other.base_url}/v26.0/1/published_posts?after=2"),
            (lambda _: Reply({}, status=302, headers={"Location": f"{other.base_url}/collect"}), "things"),
            (lambda _: {}, "http://{base}@127.0.0.1.example.org/"),
        ):
            answer, _, _ = ask(script, path)
            assert isinstance(answer.error, Refused)
            assert "another host" in str(answer.error)
        assert other.asked == []


def test_a_next_link_is_followed_without_the_token_in_it() -> None:
    answer, asked, _ = ask(lambda _: {"data": []}, "{base}/things?access_token=" + TOKEN + "&after=abc", parameters={})
    assert asked[0].query == {"after": "abc"}
    assert asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert answer.pages[0].request == "GET /things?after=abc"


def test_a_redirect_on_the_same_host_is_followed() -> None:
    def script(asked: Asked) -> Any:
        return {"data": ["moved"]} if asked.path == "/new" else Reply({}, status=302, headers={"Location": "/new"})

    assert ask(script)[0].usable() == {"data": ["moved"]}


def test_the_token_is_in_no_page_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    def script(asked: Asked) -> Any:
        where = f"http://{asked.headers['host']}/things?access_token={TOKEN}&after=x"
        if "after" not in asked.query:
            return Reply({"error": f"Malformed access token {TOKEN}", "paging": {"next": where}}, status=500)
        return {"paging": {"next": where}, "token": TOKEN, "echo": [TOKEN]}

    with caplog.at_level(logging.DEBUG):
        first, _, _ = ask(script)
        second, _, _ = ask(script, "{base}/things?after=1&access_token=" + TOKEN)
    seen = [str(first), repr(first.error), str(second.pages), caplog.text, repr(Access("http://x", Secret(TOKEN)))]
    assert not [text for text in seen if TOKEN in text]
    assert len(caplog.records) > 4, "the requests were logged"
    assert '"next":"/things?after=x"' in second.pages[0].body, "and the host asked is not in it either"


def test_a_body_too_deep_to_read_is_an_outage() -> None:
    answer, _, _ = ask(lambda _: Reply(b"[" * 100_000 + b"]" * 100_000), tries=1)
    assert isinstance(answer.error, Outage)


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}\u2019"])
def test_a_token_that_no_header_can_carry_is_not_quoted_in_the_error(token: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving(lambda _: {}) as server, caplog.at_level(logging.DEBUG):
        answer = HttpClient(Access(server.base_url, Secret(token)), run_date=RUN_DATE).get("things", "things")
    assert isinstance(answer.error, Refused)
    assert TOKEN not in str(answer.error) + caplog.text
    assert answer.error.__cause__ is None
    assert server.asked == []


@pytest.mark.parametrize(
    "link",
    [
        "{base}/things?after=" + TOKEN,
        "{base}/things?back=https%3A%2F%2Fx%3Faccess_token%3D" + TOKEN,
        "{base}/things?back=https%253A%252F%252Fx%253Faccess_token%253D" + TOKEN,
        "{base}/things?back=%3Faccess_token%3DEAAofSomebodyElse0123456789abcdef",
        "{base}/things/" + TOKEN,
    ],
)
def test_the_token_is_not_in_the_request_that_is_landed(link: str) -> None:
    page = ask(lambda _: {"data": [], "paging": {"next": link}}, link, parameters={})[0].pages[0]
    assert page.request.startswith("GET /things")
    assert "EAA" not in page.request + page.body


@pytest.mark.parametrize("path", ["http://[bad", "{base}/things?after=\ud83d", "{base}/thi\ud83dngs"])
def test_an_address_that_cannot_be_read_is_refused(path: str) -> None:
    answer, asked, _ = ask(lambda _: {"data": []}, path, parameters={})
    assert isinstance(answer.error, Refused)
    assert asked == []


def test_a_redirect_to_an_address_that_cannot_be_read_is_refused() -> None:
    answer, asked, _ = ask(lambda _: Reply({}, status=302, headers={"Location": "http://[bad"}))
    assert isinstance(answer.error, Refused)
    assert len(asked) == 1


@pytest.mark.parametrize(
    "value", ["Mon, 02 Nov 2026 21:00:04 +99999999999999", "Fri, 31 Dec 9999 23:59:59 -2300", "Fri, 31 Dec 9999 23:59:59 GMT"]
)
def test_a_date_beyond_all_dates_is_an_outage(value: str) -> None:
    answer, _, _ = ask(lambda _: Reply({"data": []}, date=value), tries=1)
    assert isinstance(answer.error, Outage)
    assert "Date header cannot be read" in str(answer.error)


@pytest.mark.parametrize("value", ["\u00b2", "-5", "soon", "Fri, 31 Dec 9999 23:59:59 -2300", "9" * 400])
def test_a_retry_after_that_is_no_number_of_seconds_ends_nothing(value: str) -> None:
    answer, _, slept = ask(lambda _: Reply({}, status=429, headers={"Retry-After": value}), tries=2)
    assert isinstance(answer.error, Throttled)
    assert answer.error.reset_seconds is None or 0 <= answer.error.reset_seconds <= 24 * 3600
    assert sum(slept) <= 120
