"""Pseudonyms: steady under one key, and the key is a private file of its own."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from include import pseudonyms
from include.settings import PROJECT_ROOT


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INSIGHT_SECRETS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def test_the_same_person_has_the_same_pseudonym_and_another_has_not(secrets: Path) -> None:
    first = pseudonyms.pseudonym("118000000001")
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert pseudonyms.pseudonym("118000000001") == first
    assert pseudonyms.pseudonym("118000000002") != first


def test_the_key_is_a_private_file_made_once(secrets: Path) -> None:
    pseudonyms.pseudonym("x")
    (key,) = secrets.iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    before = key.read_bytes()
    pseudonyms._key.cache_clear()
    pseudonyms.pseudonym("y")
    assert key.read_bytes() == before


def test_another_key_gives_other_pseudonyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for name in "ab":
        monkeypatch.setenv("INSIGHT_SECRETS", str(tmp_path / name))
        found.add(pseudonyms.pseudonym("118000000001"))
    assert len(found) == 2


def test_a_broken_key_is_never_replaced(secrets: Path) -> None:
    secrets.mkdir()
    (secrets / pseudonyms.KEY_FILE).write_bytes(b"short")
    with pytest.raises(pseudonyms.PseudonymKeyBroken, match="restore it"):
        pseudonyms.pseudonym("x")
    assert (secrets / pseudonyms.KEY_FILE).read_bytes() == b"short"


def test_processes_that_start_together_agree_on_one_key(secrets: Path) -> None:
    code = "from include.pseudonyms import pseudonym; print(pseudonym('x'))"
    started = [subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT_ROOT, stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate()[0] for process in started}) == 1
    assert [path.name for path in secrets.iterdir()] == [pseudonyms.KEY_FILE]
