"""The first page of the Data Docs works without internet: no script, every link leads to a file, what broke is named."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from include.settings import Home
from include.validation import validate_run
from tests.record_folders import RUN_DATE, good_row, write_ingest


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Home(tmp_path_factory.mktemp("docs"))
    rows = [good_row("observation", number) for number in range(30)]
    rows[3] = {**rows[3], "value": -5.0}
    write_ingest(home, {"observation": rows})
    return Path(str(validate_run("facebook", RUN_DATE, data_docs=True, home=home).data_docs))


def test_it_needs_nothing_from_outside(page: Path) -> None:
    text = page.read_text()
    assert "<script" not in text
    assert "http" not in text


def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r'href="([^"]+)"', page.read_text())
    assert len(links) >= 3
    for link in links:
        assert (page.parent / unquote(link)).is_file(), link


def test_what_broke_is_named_with_its_count(page: Path) -> None:
    text = page.read_text()
    assert "value_below_zero (value): 1" in text
    assert text.count("broken</td>") == 1
    assert "facebook_batch" in text
