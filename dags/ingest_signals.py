"""Collects the open series that the horizon watchlist has of a source, once a day: one DAG per source, no credentials.

**collect** asks for every series of the source (seed `horizon_watchlist`): one that fails costs no other its data. **validate**
checks all rows of the run: bad rows go to quarantine with rule and reason. **accepted** tells the warehouse. **all_collected** is
red when an answer could not be had, a batch was stopped or a series is unknown, and says which.

*When it is red:* read the log of `all_collected`. A throttle or an outage is tried again by itself; a series that the source no
longer gives is in the gap ledger and turns nothing red: correct its row in the watchlist, or take it out. Clearing is safe.

Run it with the parameter `run_date` to collect what was there up to a day. A connection named like the source asks another host.
"""

from airflow.sdk import DAG, dag, get_current_context, task

from extractors import SOURCES
from extractors.base import SignalSource
from include import dag_defaults


def ingest(source: SignalSource) -> DAG:
    @dag(
        dag_id=f"ingest_{source.name}",
        dag_display_name=f"Ingest: {source.title}",
        description=f"{source.title}: collect the watched series, validate, accept",
        doc_md=f"# {source.title}\n{__doc__}\nThe source: `{source.documentation}`",
        schedule="30 5 * * *",
        start_date=dag_defaults.START_DATE,
        catchup=False,
        max_active_runs=1,
        default_args=dag_defaults.DEFAULT_ARGS,
        params=dag_defaults.RUN_PARAMS,
        tags=["ingest", "signals", "impact:low"],
    )
    def ingest_signals() -> None:
        @task
        def collect() -> None:
            from include.collect import collect_signals

            print(collect_signals(source.name, dag_defaults.run_date_of(get_current_context())))

        dag_defaults.accept(source, collect())

    return ingest_signals()


for signals in (each for each in SOURCES if isinstance(each, SignalSource)):
    ingest(signals)
