"""Collection: landing, records, manifest and ledger of one force or file, over a real server."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import extractors
from extractors.base import Access, ApiSource, BadFile, Gap, Outage, PermissionMissing, Secret, SourceField, Throttled, TokenExpired
from include import landing, record_folder, registry
from include.collect import collect_file, collect_force, plan
from include.credentials import CredentialsMissing
from include.record_folder import Collected
from include.settings import Home, run_instant
from tests.extractors.loopback import Asked, Reply, serving

RUN_DATE = date(2026, 11, 2)
TOKEN = "EAAplantedTokenThatMustNeverBeSeen0123456789"
POSTS = ("posts", "reactions.summary.total_count", "comments.summary.total_count", "shares.count")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("INSIGHT_SECRETS", str(tmp_path / "keys"))
    return Home(tmp_path / "var")


def account_ids(force_id: str) -> list[str]:
    return [
        account.account_id for account in registry.current().open_accounts("facebook", RUN_DATE) if account.force_id == force_id
    ]


def graph(asked: Asked) -> Any:
    """A page with one post, every metric answered, people and tokens planted wherever Meta puts them."""
    page_id = asked.path.split("/")[2]
    link = f"http://{asked.headers['host']}/v26.0/{page_id}/insights?access_token={TOKEN}&since=1"
    if "ids" in asked.query and asked.query["fields"].startswith("comments."):
        comment = {"id": "9_9", "message": "call me?", "created_time": "2026-10-30T10:00:00+0000", "from": {"name": "Jane Planted"}}
        return {post_id: {"id": post_id, "comments": {"data": [comment]}} for post_id in asked.query["ids"].split(",")}
    if "ids" in asked.query:
        names = asked.query["fields"].split("metric(")[1].split(")")[0].split(",")
        data = [{"name": name, "period": "lifetime", "values": [{"value": 7, "is_from_ads": "0"}]} for name in names]
        return {post_id: {"id": post_id, "insights": {"data": data}} for post_id in asked.query["ids"].split(",")}
    if asked.path.endswith("/published_posts"):
        people = {"data": [{"message": "call me", "from": {"name": "Jane Planted"}}], "summary": {"total_count": 3}}
        post = {"id": f"{page_id}_1", "created_time": "2026-10-30T09:00:00+0000", "message": "Hello", "reactions": people}
        return {"data": [post | {"comments": people, "from": {"name": "Jane Planted"}}]}
    if asked.path.endswith("/insights"):
        values = [{"value": 5, "end_time": "2026-11-01T07:00:00+0000"}]
        data = [{"name": name, "period": "day", "values": values} for name in asked.query["metric"].split(",")]
        return {"data": data, "paging": {"next": link}}
    return {"id": page_id, "name": "Police", "username": "sim", "followers_count": 48210, "fan_count": 40000, "access_token": TOKEN}


def run(home: Home, script: Callable[[Asked], Any] = graph, force_id: str = "gwent") -> Collected:
    with serving(script) as server:
        return collect_force("facebook", force_id, RUN_DATE, home, Access(server.base_url, Secret(TOKEN)), sleep=lambda _: None)


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def table(folder: Path, kind: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / f"{kind}.parquet").to_pylist()
    return rows


def only_records(home: Home, force_id: str = "gwent") -> Path:
    (folder,) = (home.records / "facebook" / RUN_DATE.isoformat() / force_id).iterdir()
    return folder


def outcomes(folder: Path) -> dict[tuple[str, str | None], str]:
    return {(row["subject"], row["object_id"]): row["cause"] or row["outcome"] for row in table(folder, "collection")}


def test_a_force_is_landed_parsed_and_counted(home: Home) -> None:
    collected = run(home)
    (account_id,) = account_ids("gwent")
    assert collected.records == home.records / "facebook/2026-11-02/gwent" / collected.ingest_id
    assert (home.landing / "facebook/2026-11-02/gwent" / f"{collected.ingest_id}.jsonl.gz").is_file()
    found = manifest(collected.records)
    assert found["landed"] == {"account": 1, "post": 1, "observation": 9, "message": 1}
    assert found["derived_zero"] == {"observation": 1}, "shares were absent"
    assert found["rows"] == {"account": 1, "post": 1, "observation": 10, "message": 1}
    assert (found["source"], found["platform"], found["batch"], found["gaps"], found["dropped"]) == (
        "facebook",
        "facebook",
        "gwent",
        0,
        {},
    )
    assert (found["requests"], found["is_simulated"], found["redaction_version"]) == (7, True, 2)
    assert found["first_observed_at"] == found["last_observed_at"] == "2026-11-02T21:00:04+00:00"
    followers = next(row for row in table(collected.records, "observation") if row["source_field"] == "followers_count")
    assert (followers["value"], followers["force_id"], followers["account_id"]) == (48210.0, "gwent", account_id)
    assert (followers["ingest_id"], followers["run_date"], followers["is_simulated"]) == (collected.ingest_id, RUN_DATE, True)
    assert followers["observed_at"] == datetime(2026, 11, 2, 21, 0, 4, tzinfo=UTC)


def test_the_ledger_says_what_was_collected(home: Home) -> None:
    found = outcomes(run(home).records)
    assert set(found.values()) == {"collected"}
    assert {subject for subject, _ in found} == {
        "*", *POSTS, "followers_count", "fan_count", "page_follows", "page_media_view", "page_total_media_view_unique",
        "post_media_view", "post_total_media_view_unique", "messages",
    }  # fmt: skip


def test_a_second_attempt_with_the_same_answers_changes_nothing(home: Home) -> None:
    first = run(home)
    file = next((home.landing / "facebook").rglob("*.gz"))
    before = file.read_bytes()
    second = run(home)  # another port, another time
    assert second.ingest_id == first.ingest_id
    assert [path.read_bytes() for path in (home.landing / "facebook").rglob("*") if path.is_file()] == [before]
    assert only_records(home) == first.records


def one_more(asked: Asked) -> Any:
    body = graph(asked)
    return body | {"followers_count": 48211} if "followers_count" in body else body


def test_a_changed_answer_is_a_new_ingest_beside_the_old(home: Home) -> None:
    assert run(home, one_more).ingest_id != run(home).ingest_id
    assert len(list((home.landing / "facebook").rglob("*.gz"))) == 2
    assert len(list((home.records / "facebook/2026-11-02/gwent").iterdir())) == 2


def test_records_come_from_the_landed_file_and_from_nothing_else(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed_from: list[Path] = []
    read = landing.read

    def spying(path: Path) -> Iterator[Any]:
        parsed_from.append(path)
        return read(path)

    monkeypatch.setattr(landing, "read", spying)
    collected = run(home)
    assert [path.name for path in parsed_from] == [f"{collected.ingest_id}.jsonl.gz"]


def expired(asked: Asked) -> Any:
    return Reply({"error": {"message": f"Error validating access token {TOKEN}: expired", "code": 190, "error_subcode": 463}}, 401)


def test_an_expired_token_is_recorded_and_then_raised(home: Home) -> None:
    with pytest.raises(TokenExpired, match="expired"):
        run(home, expired)
    assert outcomes(only_records(home)) == {("*", None): "expired_token"}
    assert manifest(only_records(home))["rows"] == {"account": 0, "post": 0, "observation": 0, "message": 0}


def test_what_was_had_before_the_token_expired_is_kept(home: Home) -> None:
    with pytest.raises(TokenExpired):
        run(home, lambda asked: expired(asked) if asked.path.endswith("/insights") else graph(asked))
    found = outcomes(only_records(home))
    assert found["*", None] == "expired_token"
    assert found["followers_count", None] == found["posts", None] == "collected"
    assert ("page_follows", None) not in found


def test_the_error_that_no_retry_mends_is_raised_first(home: Home) -> None:
    def script(asked: Asked) -> Any:
        if asked.path.endswith("/published_posts"):
            return Reply(b"<html>", headers={"Content-Type": "text/html"})
        return expired(asked) if account_ids("west-midlands")[1] in asked.path else graph(asked)

    with pytest.raises(TokenExpired):
        run(home, script, "west-midlands")


def test_an_unreadable_list_costs_only_the_posts_and_asks_for_a_retry(home: Home) -> None:
    with pytest.raises(Outage, match="posts: answer 200 is not readable JSON"):
        run(home, lambda asked: Reply(b'{"data":[{"id"') if asked.path.endswith("/published_posts") else graph(asked))
    found = outcomes(only_records(home))
    assert (found["posts", None], found["followers_count", None], found["page_follows", None]) == (
        "outage",
        "collected",
        "collected",
    )


def test_a_lost_permission_for_insights_is_recorded_and_fails_nothing(home: Home) -> None:
    collected = run(home, lambda asked: {"data": []} if asked.path.endswith("/insights") else graph(asked))
    found = outcomes(collected.records)
    assert (found["page_follows", None], found["page_media_view", None], found["posts", None]) == (
        "permission",
        "permission",
        "collected",
    )


def test_a_gap_of_one_post_is_recorded_with_the_post(home: Home) -> None:
    def script(asked: Asked) -> Any:
        refused = Reply({"error": {"message": "(#200)", "code": 200, "error_subcode": 1504029}}, 400)
        return refused if "unique" in asked.query.get("fields", "") else graph(asked)

    found = outcomes(run(home, script).records)
    (post_id,) = [post for subject, post in found if post]
    assert found["post_total_media_view_unique", post_id] == "too_few_viewers"


def test_a_source_that_lets_an_error_through_still_leaves_its_pages_and_a_reason(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Careless(type(extractors.source("facebook"))):  # type: ignore[misc]
        def fetch(self, client: Any, order: Any) -> Iterator[Any]:
            answer = client.get("account", f"v26.0/{order.accounts[0].account_id}", account_id=order.accounts[0].account_id)
            yield from answer.pages
            raise PermissionMissing("no way")

    monkeypatch.setattr(extractors, "SOURCES", (Careless(),))
    with pytest.raises(PermissionMissing, match="no way"):
        run(home)
    assert outcomes(only_records(home))["*", None] == "permission"
    assert manifest(only_records(home))["rows"]["account"] == 1


def test_one_name_of_a_number_of_accounts_and_of_posts_is_two_subjects(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's views are refused, the posts' come: neither speaks for the other, and the landed file keeps them apart."""

    class Views(type(extractors.source("facebook"))):  # type: ignore[misc]
        def fetch(self, client: Any, order: Any) -> Iterator[Any]:
            account_id, whose = order.accounts[0].account_id, {"object_type": "post"}
            context = {"subjects": "posts,views", **whose}
            answer = client.get("account", f"v26.0/{account_id}", account_id=account_id, context=context)
            yield from answer.pages
            yield Gap(account_id, "views", "permission", "not allowed", object_type="account")
            yield Gap(account_id, "reach", "permission", "not allowed")

        def parse(self, page: Any) -> Iterator[Any]:
            yield from ()

    asked = (("account", "views", "day"), ("post", "views", "lifetime"), ("post", "reach", "lifetime"))
    monkeypatch.setattr(registry.Registry, "source_fields", lambda *_: tuple(SourceField(*each, None) for each in asked))
    monkeypatch.setattr(extractors, "SOURCES", (Views(),))
    rows = pq.read_table(run(home).records / "collection.parquet").to_pylist()
    assert {(row["object_type"], row["subject"], row["cause"]) for row in rows} == {
        (None, "*", None),
        (None, "posts", None),
        ("post", "views", None),
        ("account", "views", "permission"),
        ("post", "reach", "permission"),
    }


def test_an_unexpected_error_in_a_source_keeps_what_came_and_names_force_page_and_endpoint(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(type(extractors.source("facebook"))):  # type: ignore[misc]
        def fetch(self, client: Any, order: Any) -> Iterator[Any]:
            answer = client.get("account", f"v26.0/{order.accounts[0].account_id}", account_id=order.accounts[0].account_id)
            yield from answer.pages
            raise OverflowError(f"http://x?access_token={TOKEN}")

    monkeypatch.setattr(extractors, "SOURCES", (Broken(),))
    with pytest.raises(Outage, match=r"gwent: after page 1 \(account\): unexpected OverflowError in test_collect\.py") as raised:
        run(home)
    assert outcomes(only_records(home))["*", None] == "outage"
    assert manifest(only_records(home))["rows"]["account"] == 1
    assert "raise OverflowError" in caplog.text, "the frames are in the log"
    assert TOKEN not in caplog.text.replace("{TOKEN}", "") + str(raised.value)


def test_a_page_that_cannot_be_parsed_costs_only_itself(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(type(extractors.source("facebook"))):  # type: ignore[misc]
        def parse(self, page: Any) -> Iterator[Any]:
            for number, row in enumerate(super().parse(page)):
                if page.endpoint == "published_posts" and number == 1:
                    raise RecursionError
                yield row

    monkeypatch.setattr(extractors, "SOURCES", (Broken(),))
    with pytest.raises(Outage, match=r"posts: gwent: page 2 \(published_posts\): unexpected RecursionError"):
        run(home)
    found = outcomes(only_records(home))
    assert (found["posts", None], found["followers_count", None], found["page_follows", None]) == (
        "outage",
        "collected",
        "collected",
    )
    counted = manifest(only_records(home))
    assert counted["rows"]["post"] == counted["landed"]["post"] == 0
    assert counted["rows"]["observation"] == counted["landed"]["observation"] > 0


def odd(asked: Asked, endpoint: str, **more: Any) -> Any:
    body = graph(asked)
    if endpoint == "posts" and asked.path.endswith("/published_posts"):
        return {"data": [{**body["data"][0], **more.get("post", {})}], **more.get("body", {})}
    if endpoint == "insights" and asked.path.endswith("/insights"):
        return {"data": [{"name": "page_follows", "period": "day", "values": [{"value": 1, **more}]}]}
    return body


@pytest.mark.parametrize(
    ("script", "subject"),
    [
        pytest.param(lambda asked: odd(asked, "posts", body={"paging": {"next": "http://[bad"}}), "posts", id="next link"),
        pytest.param(lambda asked: odd(asked, "posts", body={"paging": {"next": "/x?after=\ud83d"}}), "posts", id="surrogate"),
        pytest.param(lambda asked: odd(asked, "posts", body={"paging": {"next": "/x\ud83d"}}), "posts", id="surrogate in path"),
        pytest.param(
            lambda asked: Reply({"error": {"code": {}}}, 400) if asked.path.endswith("/published_posts") else graph(asked),
            "posts",
            id="error code",
        ),
        pytest.param(
            lambda asked: (
                Reply({}, date="Fri, 31 Dec 9999 23:59:59 -2300") if asked.path.endswith("/published_posts") else graph(asked)
            ),
            "posts",
            id="date",
        ),
        pytest.param(lambda asked: odd(asked, "posts", post={"created_time": "9999-12-31T23:59:59-0800"}), None, id="created"),
        pytest.param(lambda asked: odd(asked, "insights", end_time="0001-01-01T00:00:00+0000"), None, id="end time"),
    ],
)
def test_an_odd_value_costs_no_more_than_its_part(home: Home, script: Callable[[Asked], Any], subject: str | None) -> None:
    if subject:
        with pytest.raises(Outage, match=f", {subject}: "):
            run(home, script)
    else:
        run(home, script)
    found = outcomes(only_records(home))
    assert found["followers_count", None] == "collected"
    assert [gap for (gap, _), outcome in found.items() if gap == subject] == [subject] * (subject is not None)
    followers = [row["value"] for row in table(only_records(home), "observation") if row["source_field"] == "followers_count"]
    assert followers == [48210.0]


def test_a_throttle_carries_the_reset_that_was_named_and_the_tokens_other_account_is_not_asked(home: Home) -> None:
    first, second = account_ids("west-midlands")
    asked_for = []

    def script(asked: Asked) -> Any:
        asked_for.append(asked.path.split("/")[2])
        usage = {"1": [{"estimated_time_to_regain_access": 30}]}
        body = {"error": {"message": "(#32) limit", "code": 32}}
        return Reply(body, 403, headers={"X-Business-Use-Case-Usage": json.dumps(usage)})

    with pytest.raises(Throttled) as raised:
        run(home, script, "west-midlands")
    assert raised.value.reset_seconds == pytest.approx(30 * 60, abs=5)
    assert asked_for == [first]
    assert outcomes(only_records(home, "west-midlands"))["*", None] == "throttled", second


def test_an_endless_reset_is_a_day_and_a_retry_can_be_planned(home: Home) -> None:
    from include.dag_defaults import LONGEST_DELAY, RETRY_POLICY

    usage = '{"1":[{"estimated_time_to_regain_access":Infinity}]}'
    answer = Reply({"error": {"code": 4}}, 403, headers={"X-Business-Use-Case-Usage": usage})
    with pytest.raises(Throttled) as raised:
        run(home, lambda _: answer)
    assert raised.value.reset_seconds == 24 * 3600
    assert RETRY_POLICY.evaluate(raised.value, 1, 3).retry_delay == LONGEST_DELAY


def test_a_throttle_is_waited_for_before_an_outage_is_tried_again(home: Home) -> None:
    first, _ = account_ids("west-midlands")

    def script(asked: Asked) -> Any:
        if first in asked.path or first in asked.query.get("ids", ""):
            return Reply(b"<html>") if asked.path.endswith("/published_posts") else graph(asked)
        return Reply({"error": {"code": 4}}, 403, headers={"Retry-After": "900"})

    with pytest.raises(Throttled) as raised:
        run(home, script, "west-midlands")
    assert raised.value.reset_seconds == 900


def test_a_date_of_2099_is_not_the_time_of_the_ingest(home: Home) -> None:
    def script(asked: Asked) -> Any:
        body = graph(asked)
        return Reply(body, date="Fri, 02 Jan 2099 21:00:04 GMT") if asked.path.endswith("/published_posts") else body

    folder = run(home, script).records
    assert manifest(folder)["last_observed_at"] == "2026-11-02T21:00:04+00:00"
    assert {row["observed_at"] for row in table(folder, "collection")} == {datetime(2026, 11, 2, 21, 0, 4, tzinfo=UTC)}


def test_an_account_without_answer_and_reason_is_not_collected(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(type(extractors.source("facebook"))):  # type: ignore[misc]
        def fetch(self, client: Any, order: Any) -> Iterator[Gap]:
            yield from ()

    monkeypatch.setattr(extractors, "SOURCES", (Silent(),))
    assert outcomes(run(home).records) == {("*", None): "not_collected"}


def test_a_crash_leaves_no_landing_and_no_records(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(record_folder.pq, "write_table", killed)
        with pytest.raises(KeyboardInterrupt):
            run(home)
    folder = home.records / "facebook/2026-11-02/gwent"
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == []
    collected = run(home)
    assert list(folder.iterdir()) == [collected.records], "the leftover of the crash is gone"


def test_no_secret_and_no_person_is_written_or_logged(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        run(home)
        with pytest.raises(TokenExpired) as raised:
            run(home, expired, "kent")
    written = ""
    for path in home.path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            written += (gzip.decompress(content) if path.suffix == ".gz" else content).decode("latin-1")
    for planted in (TOKEN, "Jane Planted", "call me"):
        assert planted not in written
        assert planted not in caplog.text + str(raised.value)
    assert "48210" in written
    assert "facebook gwent: 1 accounts, 7 pages" in caplog.text


def test_a_force_without_an_open_account_or_token_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError, match="no open account on facebook on 2026-11-02: narnia"):
        collect_force("facebook", "narnia", RUN_DATE, home)
    monkeypatch.setenv("AIRFLOW_CONN_FACEBOOK", '{"host": "http://127.0.0.1:9"}')
    with pytest.raises(CredentialsMissing, match="gwent"):
        collect_force("facebook", "gwent", RUN_DATE, home)
    with pytest.raises(KeyError, match="known are facebook, instagram, x, "):
        collect_force("murmur", "gwent", RUN_DATE, home)
    with pytest.raises(TypeError, match="no accounts of forces"):
        collect_force("survey", "gwent", RUN_DATE, home)


def test_the_plan_names_every_open_account_before_anything_is_asked(home: Home) -> None:
    forces = plan("facebook", RUN_DATE, home=home)
    assert len(forces) == 43
    (folder,) = (home.records / "facebook/2026-11-02/_plan").iterdir()
    rows = table(folder, "plan")
    assert {row["account_id"] for row in rows} == {row.account_id for row in registry.current().open_accounts("facebook", RUN_DATE)}
    assert {row["planned_at"] for row in rows} == {run_instant(RUN_DATE)}
    assert manifest(folder)["rows"] == {"plan": len(rows)}
    assert plan("facebook", RUN_DATE, ["kent", "gwent", "kent"], home) == ["gwent", "kent"]
    assert len(list(folder.parent.iterdir())) == 2
    with pytest.raises(KeyError, match="narnia"):
        plan("facebook", RUN_DATE, ["gwent", "narnia"], home)


def test_planning_again_changes_nothing(home: Home) -> None:
    plan("facebook", RUN_DATE, home=home)
    (file,) = (home.records / "facebook/2026-11-02/_plan").rglob("plan.parquet")
    before = file.read_bytes()
    plan("facebook", RUN_DATE, home=home)
    assert file.read_bytes() == before


def survey_file(folder: Path, respondents: int) -> Path:
    """A small export, its header from the registry."""
    tables = registry.current().tables
    first, second = ["Respondent ID", "Email Address", "Custom Data 1", "Start Date"], [""] * 4
    row = ["", "jane@example.org", "SIMULATED", "09/14/2026 09:14:03"]
    for question in tables["survey_questions"]:
        labels = [each["option_label"] for each in tables["survey_options"] if each["question_code"] == question["question_code"]]
        if question["question_type"] == "multiple":
            first += [question["question_text"], *[""] * (len(labels) - 1)]
            second += labels
            row += [labels[0], *[""] * (len(labels) - 1)]
        else:
            first.append(question["question_text"])
            second.append("Response")
            row.append(labels[0])
    out = io.StringIO()
    csv.writer(out).writerows([first, second, *([str(number), *row[1:]] for number in range(respondents))])
    path = folder / "survey_2026-autumn.csv"
    path.write_text(out.getvalue())
    return path


def test_a_survey_file_is_landed_without_its_people_and_counted(home: Home, tmp_path: Path) -> None:
    collected = collect_file("survey", survey_file(tmp_path, 40), RUN_DATE, home)
    found = manifest(collected.records)
    rows = table(collected.records, "survey_answer")
    assert found["file"] == found["batch"] == "survey_2026-autumn.csv"
    assert found["landed"] == found["rows"] == {"survey_answer": 40 * 15}
    assert len({row["respondent_key"] for row in rows}) == 40
    assert {(row["force_id"], row["is_simulated"], row["platform"]) for row in rows} == {("avon-and-somerset", True, None)}
    assert {row["observed_at"] for row in rows} == {run_instant(RUN_DATE)}
    landed = gzip.decompress(next(home.landing.rglob("*.gz")).read_bytes()).decode()
    assert "jane" not in landed
    assert collect_file("survey", survey_file(tmp_path, 40), RUN_DATE, home).ingest_id == collected.ingest_id


def test_a_bad_file_leaves_nothing_behind(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "survey_2026-autumn.csv"
    path.write_text("")
    with pytest.raises(BadFile, match=r"survey_2026-autumn\.csv: the file is empty"):
        collect_file("survey", path, RUN_DATE, home)
    assert [each for each in home.path.rglob("*") if each.is_file() and each.suffix != ".lock"] == []


def test_the_shipped_series_is_collected_like_any_file(home: Home) -> None:
    source = extractors.source("signals_fediverse")
    collected = collect_file(source.name, getattr(source, "shipped"), RUN_DATE, home)  # noqa: B009
    assert collected.rows == manifest(collected.records)["landed"] == {"signal": 1748}
    assert {(row["is_simulated"], row["force_id"]) for row in table(collected.records, "signal")} == {(False, None)}
    assert not isinstance(source, ApiSource)
