"""data.police.uk: both shapes as recorded, addresses as forces write them, and the comparison with the register."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from extractors import police_uk
from extractors.base import Access, Gap, Page
from extractors.http import HttpClient
from extractors.police_uk import Listed, normalise
from include.discover import RegisterAccount, compare
from tests.extractors.loopback import Asked, Reply, Script, serving

RUN_DATE = date(2026, 11, 2)
MOMENT = datetime(2026, 11, 2, 4, tzinfo=UTC)

LEICESTERSHIRE = json.loads(
    r"""{"description":null,"url":"http:\/\/www.leics.police.uk\/","engagement_methods":[
 {"url":"http:\/\/www.facebook.com\/leicspolice","type":"facebook","description":null,"title":"facebook"},
 {"url":"http:\/\/www.twitter.com\/leicspolice","type":"twitter","description":null,"title":"twitter"},
 {"url":"http:\/\/www.youtube.com\/leicspolice","type":"youtube","description":null,"title":"youtube"},
 {"url":"https:\/\/www.leics.police.uk\/news\/leicestershire\/news\/GetNewsRss\/","type":"rss","description":null,"title":"rss"},
 {"url":"","type":"telephone","description":null,"title":"telephone"}],
 "telephone":"101","id":"leicestershire","name":"Leicestershire Police"}"""
)
"""The present shape, as recorded."""

OLDER = {
    "description": "<p>Call <b>0116 222 2222</b></p>",
    "url": "http://www.leics.police.uk/",
    "engagement_methods": [
        {"url": "http://www.facebook.com/leicspolice", "description": "<p>Become friends</p>", "title": "Facebook"},
        {"url": "http://www.twitter.com/leicspolice", "description": "<p>Follow us</p>", "title": "Twitter"},
        {"url": "http://www.youtube.com/leicspolice", "description": None, "title": "YouTube"},
        {"url": "", "description": "Call us", "title": "Telephone"},
    ],
    "telephone": "0116 222 2222",
    "id": "leicestershire",
    "name": "Leicestershire Constabulary",
}
"""The shape of the documentation: a title for people, no type."""


def page(body: Any, force_id: str = "leicestershire") -> Page:
    text = json.dumps(police_uk.only_needed(body))
    return Page("force", None, "GET", 200, MOMENT, text, True, RUN_DATE, {"force_id": force_id})


@pytest.mark.parametrize("body", [LEICESTERSHIRE, OLDER], ids=["present", "older"])
def test_both_shapes_give_the_same_accounts(body: dict[str, Any]) -> None:
    found = list(police_uk.parse(page(body)))
    assert [(each.platform, each.handle) for each in found] == [
        ("facebook", "leicspolice"), ("x", "leicspolice"), ("youtube", "leicspolice"),
    ]  # fmt: skip
    assert {each.force_id for each in found} == {"leicestershire"}
    assert len({each.sha256 for each in found}) == 1


@pytest.mark.parametrize("body", [LEICESTERSHIRE, OLDER], ids=["present", "older"])
def test_descriptions_and_telephones_are_not_landed(body: dict[str, Any]) -> None:
    landed = json.dumps(police_uk.only_needed(body))
    assert "telephone" not in landed.casefold()
    assert "description" not in landed
    assert "222" not in landed
    assert "leicspolice" in landed


@pytest.mark.parametrize("body", [[], {}, {"engagement_methods": None}, {"engagement_methods": [None, 3, {"url": None}, {}]}, 7])
def test_a_page_without_accounts_is_no_error(body: Any) -> None:
    assert list(police_uk.parse(page(body))) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://www.facebook.com/leicspolice", ("facebook", "leicspolice")),
        ("https://m.facebook.com/LeicsPolice/?ref=ts", ("facebook", "leicspolice")),
        ("https://en-gb.facebook.com/leicspolice", ("facebook", "leicspolice")),
        ("https://www.facebook.com/pages/Gwent-Police/123456789", ("facebook", "123456789")),
        ("https://www.facebook.com/profile.php?id=100064", ("facebook", "100064")),
        ("https://fb.com/leicspolice", ("facebook", "leicspolice")),
        ("http://www.twitter.com/leicspolice", ("x", "leicspolice")),
        ("https://twitter.com/#!/leicspolice", ("x", "leicspolice")),
        ("https://mobile.twitter.com/LeicsPolice?lang=en", ("x", "leicspolice")),
        ("https://x.com/Metpoliceuk", ("x", "metpoliceuk")),
        ("http://www.youtube.com/leicspolice", ("youtube", "leicspolice")),
        ("http://www.youtube.com/user/leicspolice", ("youtube", "leicspolice")),
        ("https://www.youtube.com/c/leicspolice", ("youtube", "leicspolice")),
        ("https://www.youtube.com/@leicspolice", ("youtube", "leicspolice")),
        ("https://www.youtube.com/channel/UCabc", ("youtube", "ucabc")),
        ("https://www.instagram.com/leicspolice/", ("instagram", "leicspolice")),
        ("http://www.flickr.com/photos/leicspolice/", ("flickr", "leicspolice")),
        ("www.facebook.com/leicspolice", ("facebook", "leicspolice")),
        ("  http://www.facebook.com/leicspolice\n", ("facebook", "leicspolice")),
        ("https://www.linkedin.com/company/leicspolice/about", ("linkedin", "leicspolice")),
        ("https://www.tiktok.com/@leicspolice", ("tiktok", "leicspolice")),
        ("", None),
        ("   ", None),
        ("https://www.leics.police.uk/news/GetNewsRss/", None),
        ("http://www.facebook.com/", None),
        ("http://www.facebook.com/groups/1234", None),
        ("https://twitter.com/search?q=police", None),
        ("https://notfacebook.com/leicspolice", None),
        ("http://[broken", None),
        ("mailto:someone@leics.police.uk", None),
        ("101", None),
    ],
)
def test_addresses_as_forces_write_them(url: str, expected: tuple[str, str] | None) -> None:
    assert normalise(url) == expected


def test_a_bare_handle_goes_by_its_type() -> None:
    assert normalise("@LeicsPolice", "twitter") == ("x", "leicspolice")
    assert normalise("leicspolice", "facebook") == ("facebook", "leicspolice")
    assert normalise("leicspolice", "rss") is None


# --- asking ---

FORCES = [{"id": "gwent", "name": "Gwent Police"}, {"id": "leicestershire", "name": "Leicestershire Police"},
          {"id": "northern-ireland", "name": "Police Service of Northern Ireland"}, {"name": "no id"}, None]  # fmt: skip


def ask(script: Script, wanted: list[str]) -> tuple[list[Page | Gap], list[str], list[float]]:
    """What comes of asking, the paths asked, and the waits."""
    waits: list[float] = []
    with serving(script) as server:
        client = HttpClient(
            Access(server.base_url), run_date=RUN_DATE, classify=police_uk.classify, redact_more=police_uk.only_needed,
            own_items=police_uk.OWN_ITEMS, sleep=waits.append,
        )  # fmt: skip
        items = list(police_uk.fetch(client, wanted, waits.append))
        client.close()
    return items, [request.path for request in server.asked], waits


def test_every_wanted_force_is_asked_and_nobody_else() -> None:
    def script(asked: Asked) -> Any:
        return FORCES if asked.path == "/api/forces" else LEICESTERSHIRE

    items, paths, _ = ask(script, ["gwent", "leicestershire", "ruritania"])
    assert paths == ["/api/forces", "/api/forces/gwent", "/api/forces/leicestershire"]
    gaps = [each for each in items if isinstance(each, Gap)]
    assert [(gap.subject, gap.cause) for gap in gaps] == [("ruritania", "not_reported")]
    listed = [each for item in items if isinstance(item, Page) for each in police_uk.parse(item)]
    assert {(each.force_id, each.platform) for each in listed if each.handle == "leicspolice"} == {
        (force, platform) for force in ("gwent", "leicestershire") for platform in ("facebook", "x", "youtube")
    }
    assert all("telephone" not in item.body for item in items if isinstance(item, Page))


def test_a_force_that_is_not_there_and_one_behind_an_error_cost_no_other() -> None:
    def script(asked: Asked) -> Any:
        if asked.path == "/api/forces":
            return FORCES
        if asked.path.endswith("gwent"):
            return Reply(b"Not Found", 404, {"Content-Type": "text/plain"})
        return LEICESTERSHIRE

    items, paths, _ = ask(script, ["gwent", "leicestershire"])
    assert paths.count("/api/forces/gwent") == 1, "asked again, it would be the same"
    assert [(each.subject, each.cause) for each in items if isinstance(each, Gap)] == [("gwent", "not_reported")]
    assert [len(list(police_uk.parse(each))) for each in items if isinstance(each, Page)] == [0, 0, 3]


def test_a_throttle_is_waited_for() -> None:
    answers = iter([Reply(b"Too Many Requests", 429, {"Content-Type": "text/plain"}), Reply(FORCES), Reply(LEICESTERSHIRE)])
    items, _, waits = ask(lambda asked: next(answers), ["gwent"])
    assert not [each for each in items if isinstance(each, Gap)]
    assert len(waits) == 1


def test_more_than_the_burst_is_paced() -> None:
    names = [f"force-{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(43)]

    def script(asked: Asked) -> Any:
        return [{"id": name, "name": name} for name in names] if asked.path == "/api/forces" else LEICESTERSHIRE

    _, paths, waits = ask(script, names)
    assert len(paths) == 44
    assert waits == [police_uk.SECONDS_BETWEEN] * (43 - police_uk.BURST)
    assert police_uk.BURST < 30
    assert 1 / police_uk.SECONDS_BETWEEN < 15


def test_without_the_list_of_forces_there_is_one_hole() -> None:
    items, _, _ = ask(lambda asked: Reply(b"<html>", 200, {"Content-Type": "text/html"}), ["gwent"])
    assert [each.subject for each in items if isinstance(each, Gap)] == ["*"]


# --- comparison ---


def account(handle: str, platform: str = "facebook", force_id: str = "gwent", is_open: bool = True, **more: str) -> RegisterAccount:
    row = {
        "platform": platform, "account_id": f"id-{handle}", "force_id": force_id, "handle": handle, "url": "",
        "valid_from": "2015-01-01", "valid_to": "" if is_open else "2026-09-30", **more,
    }  # fmt: skip
    return RegisterAccount.of(row, RUN_DATE)


def listed(handle: str, platform: str = "facebook", force_id: str = "gwent") -> Listed:
    return Listed(force_id, platform, handle, f"https://{platform}.example/{handle}", "0" * 64, MOMENT, True)


def proposed(register: list[RegisterAccount], there: list[Listed], **more: Any) -> list[tuple[str, str, str | None]]:
    found = compare(register, there, more.pop("answered", ["gwent"]), more.pop("before", ()))
    return [(each.change, each.handle, each.current_handle) for each in found]


def test_what_agrees_proposes_nothing() -> None:
    assert proposed([account("GwentPolice")], [listed("gwentpolice")]) == []
    by_id = account("gwent.police", account_id="123456789")
    assert proposed([by_id], [listed("123456789")]) == [], "an address of the older kind has the id"
    by_address = account("Gwent Police", url="https://www.facebook.com/gwentpolice")
    assert proposed([by_address], [listed("gwentpolice")]) == []


def test_an_unknown_account_is_new() -> None:
    assert proposed([account("gwentpolice")], [listed("gwentpolice"), listed("newport")]) == [("new", "newport", None)]
    assert proposed([], [listed("gwentpolice")]) == [("new", "gwentpolice", None)]


def test_another_forces_account_says_whose_it_is() -> None:
    (proposal,) = compare([account("kentpolice", force_id="kent")], [listed("kentpolice")], ["gwent"])
    assert (proposal.change, proposal.detail) == ("new", "the register has it as kent's")


def test_the_only_account_under_another_name_has_changed() -> None:
    assert proposed([account("gwentpolice")], [listed("heddlugwent")]) == [("changed", "heddlugwent", "gwentpolice")]


def test_with_several_accounts_nothing_says_which_has_changed() -> None:
    register = [account("gwentpolice"), account("newport")]
    assert proposed(register, [listed("newport"), listed("heddlugwent")]) == [("new", "heddlugwent", None)]


def test_gone_is_what_was_listed_and_is_no_more() -> None:
    register = [account("gwentpolice"), account("gwent", platform="x")]
    assert proposed(register, [listed("gwent", "x")]) == [], "never listed, never gone"
    before = [("gwent", "facebook", "gwentpolice")]
    assert proposed(register, [listed("gwent", "x")], before=before) == [("gone", "gwentpolice", "gwentpolice")]
    assert proposed(register, [], before=before, answered=[]) == [], "a page that could not be had says nothing"


def test_a_listed_account_that_has_ended_is_stale_and_not_new() -> None:
    register = [account("gwentpolice"), account("oldgwent", is_open=False)]
    assert proposed(register, [listed("gwentpolice"), listed("oldgwent")]) == [("stale", "oldgwent", "oldgwent")]


def test_a_rename_leaves_its_old_name_stale_and_nothing_else() -> None:
    before, after = (
        account("oldgwent", is_open=False, account_id="7"),
        account("gwentpolice", account_id="7", valid_from="2026-10-01"),
    )
    assert proposed([before, after], [listed("oldgwent")]) == [("stale", "oldgwent", "oldgwent")]
