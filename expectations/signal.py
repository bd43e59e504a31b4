"""The suite of `signal` records: signal × period."""

import pandas as pd

from expectations.rules import Facts, Rule, not_negative, observed, one_of, plausible_time, provenance, required, time_bounds, typed


def prepare(frame: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Adds `_series` (channel/series) and `_series_as` (channel/series/period/stock or flow)."""
    series = frame["channel"] + "/" + frame["series"]
    behaviour = frame["is_stock"].map({True: "stock", False: "flow"}).astype("str")
    return observed(time_bounds(frame), facts).assign(
        _series=series, _series_as=(series + "/" + frame["period"] + "/" + behaviour).where(series.isin(facts.watched))
    )


def rules(facts: Facts) -> list[Rule]:
    return [
        typed(),
        *provenance(),
        *required("channel", "series", "period_start", "period", "value", "is_stock"),
        one_of("series_unknown", "_series", facts.watched, "series {channel}/{series} is not in the seed horizon_watchlist"),
        one_of(
            "series_differs",
            "_series_as",
            facts.watched_as,
            "period or stock/flow is not that of the seed horizon_watchlist: {_series_as}",
        ),
        not_negative("value"),
        *plausible_time("period_start"),
    ]
