"""The registry: the project's own seeds are right, and each kind of wrong row fails by file, line and name."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from extractors.meta_reading import INSIGHT_DAYS
from extractors.post_window import POST_WINDOW_DAYS
from include import registry
from include.settings import SEEDS


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    folder = tmp_path / "seeds"
    shutil.copytree(SEEDS, folder)
    return folder


def append(folder: Path, table: str, **values: str) -> None:
    """Append a row that copies the first one but for the values given."""
    path = folder / f"{table}.csv"
    with path.open(newline="") as handle:
        reader = csv.DictReader(handle)
        first = next(iter(reader))
        names = reader.fieldnames or []
    with path.open("a", newline="") as handle:
        csv.DictWriter(handle, names, lineterminator="\n").writerow({**first, **values})


def problems(folder: Path) -> str:
    with pytest.raises(registry.RegistryError) as caught:
        registry.load(folder)
    return str(caught.value)


def test_the_projects_own_registry() -> None:
    loaded = registry.load()
    assert len(loaded.force_ids) == 43
    residents = sum(int(row["population_all_ages"]) for row in loaded.tables["force_population"])
    assert residents == 61_806_682, "the ONS mid-2024 total of England and Wales"
    assert len({row["pfa_code"] for row in loaded.tables["forces"]}) == 43
    codes = {row["force_id"]: row["pfa_code"] for row in loaded.tables["forces"]}
    assert codes == {row["force_id"]: row["pfa_code"] for row in loaded.tables["force_population"]}
    assert len([row for row in loaded.tables["content_categories"] if row["is_named"] == "true"]) == 9


def test_age_bands_sum_to_the_residents_of_each_force() -> None:
    for row in registry.load().tables["force_population"]:
        adults = sum(int(row[f"age_{band}"]) for band in ("16_24", "25_34", "35_44", "45_54", "55_64", "65_74", "75_plus"))
        assert adults == int(row["population_16_plus"]), row["force_id"]
        assert adults + int(row["age_0_15"]) == int(row["population_all_ages"]), row["force_id"]


def test_every_force_has_an_open_account_on_each_platform() -> None:
    loaded = registry.load()
    for platform in loaded.platforms:
        if loaded.is_uploaded(platform):
            assert loaded.forces_with_accounts(platform, date(2026, 11, 2)), platform
            continue
        assert loaded.forces_with_accounts(platform, date(2026, 11, 2)) == tuple(sorted(loaded.force_ids))


def test_a_merged_account_is_open_until_its_last_day() -> None:
    loaded = registry.load()
    merged = next(row for row in loaded.accounts if row.status == "merged")
    assert merged.valid_to is not None
    ids = {account.account_id for account in loaded.open_accounts(merged.platform, merged.valid_to)}
    assert merged.account_id in ids
    later = {account.account_id for account in loaded.open_accounts(merged.platform, date(2026, 11, 2))}
    assert merged.account_id not in later
    assert merged.account_id in loaded.known_account_ids(merged.platform)


def test_how_far_lists_and_daily_totals_reach_is_what_the_extractor_asks() -> None:
    windows = {row["platform"]: (row["list_window_days"], row["day_window_days"]) for row in registry.load().tables["platforms"]}
    meta = (str(POST_WINDOW_DAYS), str(INSIGHT_DAYS))
    windows = {platform: days for platform, days in windows.items() if not registry.load().is_uploaded(platform)}
    public = (str(POST_WINDOW_DAYS), "")
    assert windows == {
        "facebook": meta,
        "instagram": meta,
        "x": public,
        "bluesky": public,
        "mastodon": public,
        "youtube": public,
        "threads": meta,
    }


@pytest.mark.parametrize("collected_by", ["fax", ""])
def test_a_platform_is_asked_or_uploaded(seeds: Path, collected_by: str) -> None:
    path = seeds / "platforms.csv"
    path.write_text(path.read_text().replace(",api,", f",{collected_by},", 1))
    assert "platforms.csv line 2: " in problems(seeds)
    assert "collected_by" in problems(seeds)


@pytest.mark.parametrize("days", ["0", "-3", "a month", ""])
def test_a_list_of_posts_reaches_back_some_days(seeds: Path, days: str) -> None:
    path = seeds / "platforms.csv"
    path.write_text(path.read_text().replace(",48,30,14,", f",48,{days},14,"))
    assert "platforms.csv line 2: " in problems(seeds)
    assert "list_window_days" in problems(seeds)


def test_every_platform_says_whether_the_public_can_turn_to_a_force_there() -> None:
    """What is not collected is missing; only where nobody can write do response metrics not apply."""
    loaded = registry.load()
    rows = {row["platform"]: row for row in loaded.tables["contact_platforms"]}
    assert set(rows) == {row["platform"] for row in loaded.tables["platforms"]}
    assert {platform for platform, row in rows.items() if row["has_contacts"] == "false"} == {"whatsapp"}
    asked = {platform for platform, row in rows.items() if row["window_days"]}
    assert asked == {"facebook", "instagram", "x", "bluesky"}


@pytest.mark.parametrize(("platform", "wrong"), [("x,Mentions of the account,true", "maybe"), ("whatsapp,None,false,", "30")])
def test_what_is_no_contact_is_not_collected(seeds: Path, platform: str, wrong: str) -> None:
    path = seeds / "contact_platforms.csv"
    path.write_text(path.read_text().replace(platform, platform.replace("true", wrong) if "true" in platform else platform + wrong))
    assert "contact_platforms.csv line " in problems(seeds)
    assert ("has_contacts" if "x," in platform[:2] else "window_days") in problems(seeds)


def test_fields_to_ask_follow_the_platforms_breaks() -> None:
    loaded = registry.load()

    def names(on: date) -> set[str]:
        return {field.source_field for field in loaded.source_fields("facebook", on)}

    assert {"post_impressions_organic", "post_impressions_unique"} <= names(date(2025, 11, 14))
    assert "post_media_view" not in names(date(2025, 11, 14))
    assert {"post_media_view", "post_impressions_unique"} <= names(date(2025, 11, 15))
    assert "post_impressions_organic" not in names(date(2025, 11, 15))
    assert "post_impressions_unique" not in names(date(2026, 6, 15))
    assert "post_total_media_view_unique" in names(date(2026, 6, 15))


@pytest.mark.parametrize(
    ("table", "values", "expected"),
    [
        ("accounts", {"force_id": "ruritania", "account_id": "1", "handle": "x"}, "unknown force_id 'ruritania'"),
        ("accounts", {"platform": "myspace", "account_id": "1", "handle": "x"}, "unknown platform 'myspace'"),
        ("accounts", {"handle": "another"}, "the validity of account facebook 100000001000003 overlaps"),
        ("accounts", {"account_id": "1", "handle": "SIM.Avon-and-Somerset"}, "duplicate handle"),
        ("accounts", {"account_id": "1", "handle": "x", "valid_from": "2026-13-01"}, "valid_from '2026-13-01' is not right"),
        ("accounts", {"account_id": "1", "handle": "x", "valid_to": "2014-01-01", "status": "closed"}, "before it begins"),
        ("accounts", {"account_id": "1", "handle": "x", "status": "open", "valid_to": "2026-01-01"}, "open means no valid_to"),
        ("accounts", {"account_id": "1", "handle": "x", "status": "asleep"}, "status 'asleep' is none of"),
        ("accounts", {"account_id": "1", "handle": "x", "is_simulated": "yes"}, "write true or false"),
        ("forces", {}, "avon-and-somerset stands already in line 2"),
        ("force_population", {"force_id": "ruritania"}, "unknown force_id 'ruritania'"),
        ("force_population", {"year": "2025", "population_all_ages": "many"}, "population_all_ages 'many' is not right"),
        ("platform_metric_map", {}, "the validity of field facebook account followers_count snapshot overlaps"),
        ("platform_metric_map", {"source_field": "likes_of_page"}, "a second preferred field of metric"),
        ("platform_metric_map", {"source_field": "x", "metric": "fame"}, "unknown metric 'fame'"),
        ("platform_metric_map", {"source_field": "x", "metric_version": "9"}, "metrics.csv has no version '9' of followers_end"),
        ("accounts", {"account_id": "1", "handle": "x", "force_id": ""}, "force_id is empty"),
        ("accounts", {"account_id": "", "handle": "x"}, "account_id is empty"),
        ("accounts", {"account_id": "1", "handle": "x", "platform": ""}, "platform is empty"),
        ("accounts", {"account_id": "1.00000001E+14", "handle": "x"}, "'1.00000001E+14' is no account id"),
        ("accounts", {"account_id": "100/../me", "handle": "x"}, "'100/../me' is no account id"),
        ("accounts", {"account_id": " 1", "handle": "x"}, "account_id ' 1' has a space"),
        ("force_population", {"year": "2025", "population_all_ages": "0"}, "0 is not a number of residents"),
        ("metrics", {}, "followers_end 1 stands already"),
        ("survey_options", {"question_code": "mood"}, "unknown question_code 'mood'"),
    ],
)
def test_a_wrong_row_fails_by_name(seeds: Path, table: str, values: dict[str, str], expected: str) -> None:
    append(seeds, table, **values)
    message = problems(seeds)
    assert expected in message
    assert f"{table}.csv line " in message


def test_a_row_with_a_column_too_many_fails(seeds: Path) -> None:
    lines = len((seeds / "gap_causes.csv").read_text().splitlines())
    with (seeds / "gap_causes.csv").open("a") as handle:
        handle.write("a,b,true,d,e\n")
    assert f"gap_causes.csv line {lines + 1}: has not the 4 columns of the header" in problems(seeds)


def test_a_missing_file_fails(seeds: Path) -> None:
    (seeds / "statuses.csv").unlink()
    assert "statuses.csv: the file is missing" in problems(seeds)


def test_a_force_without_population_fails(seeds: Path) -> None:
    lines = (seeds / "force_population.csv").read_text().splitlines(keepends=True)
    (seeds / "force_population.csv").write_text("".join(line for line in lines if not line.startswith("kent,")))
    assert "force kent has no row" in problems(seeds)


def test_all_problems_are_told_at_once(seeds: Path) -> None:
    append(seeds, "accounts", force_id="ruritania", account_id="1", handle="x")
    append(seeds, "metrics")
    with pytest.raises(registry.RegistryError) as caught:
        registry.load(seeds)
    assert len(caught.value.problems) == 2


def test_a_file_from_a_spreadsheet_may_begin_with_a_byte_order_mark(seeds: Path) -> None:
    path = seeds / "accounts.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(registry.load(seeds).accounts) > 43


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text.replace(",", ";"), "accounts.csv line 1: no column platform"),
        (lambda text: text.replace("status", "state", 1), "accounts.csv line 1: no column status"),
        (lambda text: "", "accounts.csv line 1: no column platform"),
    ],
)
def test_another_separator_or_header_is_named(seeds: Path, change: Callable[[str], str], expected: str) -> None:
    path = seeds / "accounts.csv"
    path.write_text(change(path.read_text()))
    assert expected in problems(seeds)


def test_another_encoding_is_named(seeds: Path) -> None:
    path = seeds / "forces.csv"
    path.write_bytes(path.read_bytes().replace(b"Gwent Police", b"Heddlu Gw\xeant"))
    assert "forces.csv: byte" in problems(seeds)
