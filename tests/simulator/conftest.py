"""One simulator for most tests of this folder: it is put back to its start before each of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from include.simulator.clock import START
from include.simulator.process import SimulatorProcess
from include.simulator.register import SEEDS

SEED = 4711
FORCES = ("gwent", "devon-and-cornwall", "city-of-london", "kent", "hampshire", "metropolitan")
GWENT, CITY, MET = "100000016000048", "100000005000015", "100000025000075"


class Asking:
    """Requests to a simulated Graph API with a force's token, over one kept connection."""

    def __init__(self, simulator: SimulatorProcess, platform: str = "facebook") -> None:
        self.simulator, self.platform = simulator, platform
        self.tokens = simulator.tokens(platform)
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, force: str | None = "gwent", version: str = "v26.0", **parameters: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.tokens[force]}"} if force and self.tokens else {}
        if force and self.platform == "youtube":
            headers = {"X-goog-api-key": self.tokens[force]}
        url = f"{self.simulator.base_url(self.platform)}/{version}/{path}"
        return self.session.get(url, params=parameters, headers=headers, timeout=30)

    def json(self, path: str, force: str | None = "gwent", **parameters: Any) -> Any:
        answer = self.get(path, force, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def error(self, path: str, force: str | None = "gwent", **parameters: Any) -> tuple[int, int | None]:
        """Code and subcode of the error that this request must bring."""
        answer = self.get(path, force, **parameters)
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        assert error["message"]
        assert error["type"] in ("OAuthException", "GraphMethodException")
        assert error["fbtrace_id"]
        return error["code"], error.get("error_subcode")

    def follow(self, url: str) -> Any:
        answer = self.session.get(url, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(SEED, forces=FORCES) as process:
        yield process


def fresh(simulator: SimulatorProcess, platform: str) -> Asking:
    """The simulator as it was at its start."""
    simulator.set_clock(START)
    simulator.plant([])
    return Asking(simulator, platform)


def _asking(platform: str) -> Any:
    """The fixture of a platform's name: requests to it, before anything was planted."""

    @pytest.fixture(name=platform)
    def asking(simulator: SimulatorProcess) -> Asking:
        return fresh(simulator, platform)

    return asking


facebook, instagram, threads = _asking("facebook"), _asking("instagram"), _asking("threads")
x, youtube = _asking("x"), _asking("youtube")
bluesky, mastodon = _asking("bluesky"), _asking("mastodon")


def account_id(platform: str, force_id: str, handle: str | None = None) -> str:
    """The account of a force that is open for good, or the one of a handle, from the seeds."""
    with (SEEDS / "accounts.csv").open(newline="", encoding="utf-8") as handle_of_file:
        return next(
            row["account_id"]
            for row in csv.DictReader(handle_of_file)
            if (row["platform"], row["force_id"]) == (platform, force_id) and handle in (row["handle"], None)
        )


def without_secrets(simulator: SimulatorProcess, text: str) -> str:
    """An answer without tokens, port and trace id: what must be the same in every process."""
    for token in simulator.tokens("facebook").values():
        text = text.replace(token, "TOKEN")
    value = json.loads(text.replace(simulator.root_url, "ROOT"))
    if "error" in value:
        value["error"].pop("fbtrace_id")
    return json.dumps(value)
