"""Apache Superset reads a whole world's marts as `bi_reader` and draws a chart."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from include import bi, contract
from include.bi.connection import PUBLISHER, READER
from include.publish import current_version, publish
from include.settings import DEFAULT_AS_OF, history_dates
from tests import bi_world
from tests.full import superset
from tests.full.superset import FOLLOWERS
from tests.integration.worlds import run_world

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]


def test_superset_lists_the_views_with_comments_and_draws_a_chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_folder = superset.environment(superset.cache_folder())
    screenshot = superset.cache_folder().with_name("superset.png")
    world = run_world(tmp_path, [*history_dates(DEFAULT_AS_OF, 2), DEFAULT_AS_OF], platforms=("facebook",), with_publication=False)
    with bi_world.postgres() as server:
        monkeypatch.setenv("INSIGHT_BI_POSTGRES", bi_world.address(server, PUBLISHER))
        publish(world.as_of, world.home)
        assert bi.shown() == current_version(world.home).name  # type: ignore[union-attr]
        password = server.target(READER).parameters["password"]
        address = f"postgresql+psycopg2://{READER}:{password}@127.0.0.1:{server.port}/insight"
        drawn = superset.draw(address, FOLLOWERS, bin_folder, screenshot)
    with duckdb.connect(str(world.home.published / "warehouse.duckdb"), read_only=True) as file:
        query = f"select {FOLLOWERS.x}, {FOLLOWERS.value} from marts.{FOLLOWERS.table} where {FOLLOWERS.where}"
        values = dict(file.execute(query).fetchall())
        named = f"schema_name = 'marts' and table_name = '{FOLLOWERS.table}'"
        (comment,) = file.execute(f"select comment from duckdb_tables() where {named}").fetchall()[0]
        comments = dict(file.execute(f"select column_name, comment from duckdb_columns() where {named}").fetchall())
    assert drawn.views == tuple(sorted(contract.published_tables()))
    assert comment
    assert drawn.table_comment == comment
    assert all(comments.values())
    assert drawn.column_comments == comments
    assert len(values) == 43
    assert drawn.values == {force: pytest.approx(value) for force, value in values.items()}
    assert drawn.values["city-of-london"] is None, "no residents to speak of: no figure, and not 0"
    assert drawn.bar_pixels > 43 * 100, "no bars in the picture"
    print(f"screenshot: {screenshot}")
