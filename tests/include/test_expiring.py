"""What is about to be lost is said by name, the most urgent first."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from include.expiring import DataExpires, lines, require_nothing_expires
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
                ('gwent', 'instagram', 'g1', 'reach of the account', date '2026-08-06', 3, 'expiring'),
                ('kent', 'x', 'k1', 'readings of posts', null, 1, 'expiring'),
                ('kent', 'x', 'k1', 'private metrics of posts', null, null, 'not_collected'),
                ('kent', 'facebook', 'k2', 'readings of posts', date '2026-10-01', -4, 'lost'),
                ('gwent', 'facebook', 'g2', 'readings of posts', date '2026-11-02', 7, 'ok')
            ) t(force_id, platform, account_id, what, last_collected_on, days_left, status)
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
