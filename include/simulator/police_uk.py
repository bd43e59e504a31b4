"""The data.police.uk contract: the list of forces, and what each says about its accounts. As old and untidy as the real one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from include.simulator.clock import Clock
from include.simulator.defects import EVERYONE
from include.simulator.register import Account, Register
from include.simulator.service import Answer, Question, Service, html_page

OUT_OF_SCOPE = {"btp": "British Transport Police", "northern-ireland": "Police Service of Northern Ireland"}

OLD_HOSTS = {"facebook": "http://www.facebook.com/{}", "x": "http://www.twitter.com/{}", "instagram": "https://instagram.com/{}/",
             "youtube": "http://www.youtube.com/user/{}", "bluesky": "https://bsky.app/profile/{}"}  # fmt: skip
"""How the site writes addresses: of the platforms that it lists at all."""

OLDER_HOSTS = {**OLD_HOSTS, "facebook": "https://m.facebook.com/{}?ref=ts", "x": "https://mobile.twitter.com/{}?lang=en"}
TYPE_OF = {"x": "twitter"}

UNKNOWN_PAGE, NEW_HANDLE, WITHOUT_FACEBOOK = "essex", "surrey", "dorset"
GONE_FROM = date(2026, 10, 26)
"""From here on the site does not list the Facebook page of WITHOUT_FACEBOOK."""


class PoliceUk(Service):
    """Answers of the simulated site. It wants no token."""

    platform = "police_uk"

    def __init__(self, register: Register, secret: str, clock: Clock) -> None:
        super().__init__(secret, clock)
        self.register = register

    def answer(self, question: Question) -> Answer:
        parts = question.parts
        endpoint = "force" if len(parts) == 3 else "forces"
        self.by_endpoint[endpoint] += 1
        if self.due("throttle", EVERYONE):
            return Answer(429, "Too Many Requests", media_type="text/plain; charset=utf-8")
        if self.due("server_error", EVERYONE):
            return Answer(503, "Service Unavailable", media_type="text/plain; charset=utf-8")
        if self.due("html_page", EVERYONE):
            return html_page()
        is_cut = self.due("truncated_page", EVERYONE) is not None
        names = {force.force_id: force.name for force in self.register.forces.values()} | OUT_OF_SCOPE
        if parts == ["api", "forces"]:
            return Answer(200, [{"id": each, "name": names[each]} for each in sorted(names)], is_cut=is_cut)
        if parts[:2] == ["api", "forces"] and len(parts) == 3 and parts[2] in names:
            return Answer(200, self._force(parts[2], names[parts[2]]), is_cut=is_cut)
        return Answer(404, "Not Found", media_type="text/plain; charset=utf-8")

    def _force(self, force_id: str, name: str) -> dict[str, Any]:
        number = sorted(self.register.forces).index(force_id) if force_id in self.register.forces else 0
        is_old = number % 4 == 0
        methods = [self._method(platform, handle, is_old) for platform, handle in listed(self.register, force_id, self.clock.today)]
        if not is_old:
            methods.append({"url": "", "type": "telephone", "description": None, "title": "telephone"})
        feed = f"https://www.{force_id}.police.example/news/rss/"
        methods.append({"url": feed, "description": None, "title": "rss", **({} if is_old else {"type": "rss"})})
        if not methods[0]["url"]:
            methods.reverse()
        return {
            "description": '<p>Call 101, or <a href="/">write to us</a>.</p>' if is_old else None,
            "url": f"http://www.{force_id}.police.example/",
            "engagement_methods": methods,
            "telephone": "101",
            "id": force_id,
            "name": name,
        }

    @staticmethod
    def _method(platform: str, handle: str, is_old: bool) -> dict[str, Any]:
        url = (OLDER_HOSTS if is_old else OLD_HOSTS)[platform].format(handle)
        title = TYPE_OF.get(platform, platform)
        if is_old:  # the older shape: no type, a title for people, words with mark-up
            return {"url": url, "description": f"<p>Become friends on <em>{title}</em></p>", "title": title.title()}
        return {"url": url, "type": title, "description": None, "title": title}


def listed(register: Register, force_id: str, today: date) -> list[tuple[str, str]]:
    """Platform and handle of what a force's page lists on a date: its open main accounts, and what is planted.

    Hampshire's page and Kent's have an account that is no more; Essex lists a page that the register does not know, Surrey another
    name on X, and Dorset takes its Facebook page off.
    """
    found = []
    for platform in OLD_HOSTS:
        accounts: Mapping[str, Account] = register.accounts.get(platform, {})
        own = [account for account in accounts.values() if account.force_id == force_id]
        for account in own:
            handle = account.handle(today)
            if account.is_open(today) and account.is_main:
                if (force_id, platform) == (NEW_HANDLE, "x"):
                    handle = "sim_surrey_new"
                if (force_id, platform) != (WITHOUT_FACEBOOK, "facebook") or today < GONE_FROM:
                    found.append((platform, handle))
            if platform == "facebook" and force_id in ("hampshire", "kent"):
                ended = [validity.handle for validity in account.validities if validity.valid_to and validity.valid_to < today]
                found += [(platform, stale) for stale in ended]
    if force_id == UNKNOWN_PAGE:
        found.append(("facebook", "pages/Essex-Rural-Team/100000013999999"))
    return found
