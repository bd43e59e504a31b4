"""Credentials: the connection from the environment, without Airflow and with it, and what is said where it lacks something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include import credentials
from include.credentials import CredentialsMissing
from include.settings import PROJECT_ROOT

TOKEN = "EAAplantedTokenThatMustNeverBeSeen"


def connect(monkeypatch: pytest.MonkeyPatch, **connection: Any) -> credentials.SourceAccess:
    monkeypatch.setenv("AIRFLOW_CONN_FACEBOOK", json.dumps({"conn_type": "http", **connection}))
    return credentials.access("facebook")


@pytest.mark.parametrize("as_text", [True, False])
def test_each_force_has_its_own_token(monkeypatch: pytest.MonkeyPatch, as_text: bool) -> None:
    extra = {"tokens": {"gwent": TOKEN, "kent": "other"}}
    found = connect(monkeypatch, host="https://graph.facebook.com/", extra=json.dumps(extra) if as_text else extra)
    access = found.for_force("gwent")
    assert access.base_url == "https://graph.facebook.com"
    assert access.token is not None
    assert access.token.reveal() == TOKEN
    assert TOKEN not in f"{found!r} {access!r} {found} {access}"


def test_the_password_is_the_token_of_all_that_have_none_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = connect(monkeypatch, host="http://127.0.0.1:8080/facebook", password="all", extra={"tokens": {"kent": "own"}})
    tokens = [found.for_force(force).token for force in ("gwent", "kent")]
    assert [token.reveal() for token in tokens if token] == ["all", "own"]


def test_a_host_without_a_scheme_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect(monkeypatch, host="graph.facebook.com", password="x").base_url == "https://graph.facebook.com"
    assert connect(monkeypatch, host="h", schema="http", port=81, password="x").base_url == "http://h:81"


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        ({"password": TOKEN}, "'facebook' has no host"),
        ({"host": "https://x"}, "no token for gwent: set extra.tokens.gwent"),
        ({"host": "https://x", "extra": "{broken"}, "extra must be JSON"),
        ({"host": "https://x", "extra": [TOKEN]}, "extra must be JSON"),
        ({"host": "https://x", "extra": {"tokens": {"gwent": ""}}}, "no token for gwent"),
    ],
)
def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any], said: str) -> None:
    with pytest.raises(CredentialsMissing, match=said) as raised:
        connect(monkeypatch, **connection).for_force("gwent")
    assert TOKEN not in str(raised.value)


def test_broken_json_is_said_without_quoting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FACEBOOK", '{"password": "' + TOKEN)
    with pytest.raises(CredentialsMissing, match="AIRFLOW_CONN_FACEBOOK is not readable JSON") as raised:
        credentials.access("facebook")
    assert TOKEN not in str(raised.value)


@pytest.mark.airflow
def test_airflow_finds_what_the_light_way_does_not_and_says_what_to_set(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from include import credentials\n"
        "assert credentials.access('facebook').for_force('gwent').token.reveal() == 'secret-of-all'\n"
        "try: credentials.access('murmur')\n"
        "except credentials.CredentialsMissing as error: print(error)\n"
    )
    environment = {
        "PATH": "/usr/bin:/bin",
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_CONN_FACEBOOK": "http://:secret-of-all@graph.example.org:8443",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "no connection 'murmur'" in done.stdout
    assert "AIRFLOW_CONN_MURMUR" in done.stdout
    assert "secret-of-all" not in done.stdout + done.stderr


def test_an_open_source_asks_elsewhere_by_its_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's SDK says of an API server that is away that there is no connection: it is not asked whether there is one."""
    asked: list[str] = []
    monkeypatch.setattr("airflow.sdk.BaseHook.get_connection", asked.append)
    monkeypatch.delenv("AIRFLOW_CONN_SIGNALS_WIKIMEDIA", raising=False)
    assert credentials.other_host("signals_wikimedia") is None
    assert asked == []
    monkeypatch.setenv("AIRFLOW_CONN_SIGNALS_WIKIMEDIA", '{"host": "http://127.0.0.1:9/wikimedia"}')
    assert credentials.other_host("signals_wikimedia") == "http://127.0.0.1:9/wikimedia"


@pytest.mark.parametrize("around", ["{}\n", "\r\n {}\t", "{}"])
def test_what_was_pasted_around_a_token_does_not_reach_the_header(monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    found = connect(monkeypatch, host="https://x", password=around.format(TOKEN))
    token = found.for_force("gwent").token
    assert token is not None
    assert token.reveal() == TOKEN


@pytest.mark.parametrize(
    "odd", [f"{TOKEN}\n{TOKEN}", f"{TOKEN} {TOKEN}", f"\u2019{TOKEN}\u2019", f"{TOKEN}\u00e9", " ", 7, [TOKEN]]
)
def test_a_token_that_no_header_can_carry_is_refused_unseen_and_only_for_its_force(
    monkeypatch: pytest.MonkeyPatch, odd: Any
) -> None:
    found = connect(monkeypatch, host="https://x", extra={"tokens": {"gwent": odd, "kent": "own"}})
    assert found.for_force("kent").token is not None
    with pytest.raises(CredentialsMissing, match=r"extra\.tokens\.gwent is no token.*copy it again") as raised:
        found.for_force("gwent")
    assert TOKEN not in str(raised.value)


@pytest.mark.airflow
def test_a_token_from_the_environment_is_hidden_in_airflows_logs() -> None:
    code = (
        "import os, json, airflow.sdk\n"
        "os.environ['AIRFLOW_CONN_FACEBOOK'] = json.dumps({'host': 'https://x', 'password': 'EAAplanted-in-the-environment\\n'})\n"
        "from include import credentials\n"
        "credentials.access('facebook')\n"
        "from airflow.sdk.log import redact\n"
        "print(redact('header Bearer EAAplanted-in-the-environment!'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "header Bearer ***!" in done.stdout
