"""What is about to be lost is said by name, the most urgent first."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from include.expiring import DataExpires, lines, lines_of_not_collected, require_nothing_expires
from include.settings import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.published.mkdir()
    with duckdb.connect(str(home.published / "warehouse.duckdb")) as connection:
        connection.execute(
            """
            create schema marts;
            create table marts.dim_force as
            from (values ('gwent', 'Gwent Police'), ('kent', 'Kent Police')) t(force_id, official_name);
            create table marts.expiring_data as from (values
                ('gwent', 'instagram', 'g1', 'reach of the account', date '2026-08-06', 90, 3, 'expiring'),
                ('kent', 'x', 'k1', 'readings of posts', null, 7, 1, 'expiring'),
                ('kent', 'x', 'k1', 'private metrics of posts', null, 30, 30, 'not_collected'),
                ('kent', 'x', 'k3', 'private metrics of posts', null, 30, 30, 'not_collected'),
                ('gwent', 'x', 'g3', 'private metrics of posts', null, 30, 30, 'not_collected'),
                ('gwent', 'instagram', 'g1', 'stories', null, 1, 1, 'not_collected'),
                ('kent', 'facebook', 'k2', 'readings of posts', date '2026-10-01', 7, -4, 'lost'),
                ('gwent', 'facebook', 'g2', 'readings of posts', date '2026-11-02', 7, 7, 'ok')
            ) t(force_id, platform, account_id, what, last_collected_on, kept_days, days_left, status)
            """
        )
    return home


def test_the_alert_names_force_platform_what_and_the_days_that_are_left(home: Home) -> None:
    assert lines(home) == [
        "Kent Police: x readings of posts lost in 1 day (never collected, account k1)",
        "Gwent Police: instagram reach of the account lost in 3 days (last collected 2026-08-06, account g1)",
    ]
    with pytest.raises(DataExpires, match=r"(?s)run a backfill.*Kent Police.*lost in 1 day .*Gwent Police.*lost in 3 days"):
        require_nothing_expires(home)


def test_it_is_quiet_when_nothing_expires(home: Home) -> None:
    with duckdb.connect(str(home.published / "warehouse.duckdb")) as connection:
        connection.execute("delete from marts.expiring_data where status = 'expiring'")
    require_nothing_expires(home)


def test_what_no_run_asks_for_is_said_once_a_kind_and_turns_nothing_red(home: Home) -> None:
    assert lines_of_not_collected(home) == [
        "instagram stories: not collected, what is there today is lost in 1 day (1 accounts of 1 forces)",
        "x private metrics of posts: not collected, what is there today is lost in 30 days (3 accounts of 2 forces)",
    ]
    with duckdb.connect(str(home.published / "warehouse.duckdb")) as connection:
        connection.execute("delete from marts.expiring_data where status = 'expiring'")
    require_nothing_expires(home)
