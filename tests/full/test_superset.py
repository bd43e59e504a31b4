"""Apache Superset reads the marts as `bi_reader` and draws a chart."""

from __future__ import annotations

from pathlib import Path

import pytest

from include import bi, contract
from include.bi.connection import PUBLISHER, READER
from include.publish import current_version, publish
from tests import bi_world
from tests.full import superset

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800), pytest.mark.xdist_group("bi_postgres")]


def test_superset_lists_the_views_with_comments_and_draws_a_chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_folder = superset.environment(superset.cache_folder())
    home = bi_world.home_of(tmp_path)
    bi_world.build(home, 1, 860)
    with bi_world.postgres() as server:
        monkeypatch.setenv("INSIGHT_BI_POSTGRES", bi_world.address(server, PUBLISHER))
        publish(bi_world.AS_OF, home)
        reader = server.target(READER)
        address = f"postgresql+psycopg2://{READER}:{reader.parameters['password']}@127.0.0.1:{server.port}/insight"
        screenshot = tmp_path / "superset.png"
        drawn = superset.draw(address, "hmicfrs_metrics", "force_id", "national_value", bin_folder, screenshot)
        assert bi.shown() == current_version(home).name  # type: ignore[union-attr]
    assert drawn.views == tuple(sorted(contract.published_tables()))
    assert drawn.table_comment == "Grain: made up. It's hmicfrs_metrics."
    assert drawn.column_comments["force_id"] == "What force_id means."
    assert all(drawn.column_comments.values())
    assert drawn.rows == 43
    assert screenshot.stat().st_size > 20_000, "an empty page is smaller"
    print(f"screenshot: {screenshot}")
