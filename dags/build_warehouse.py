"""Builds the marts from accepted data and publishes them, when any source has new accepted rows, and once a day at the latest.

**build** runs dbt, the statistics, and dbt again, in one process, on a fresh build file that no reader sees. **publish** checks the
result against the contract and the publication before (row counts, empty columns, forces, freshness), writes a new version and
switches to it with one rename. A bad build leaves yesterday's publication standing.

One run at a time: events that arrive during a build become one more build, not many.

*When it is red:* `build` names the dbt model or test that failed with its compiled SQL. `publish` names gate, table, column and
figures. Neither needs repair by hand: correct the cause and run again. The as-of date is a parameter (`as_of`); one before that
of the publication that stands is refused unless `allow_older` says so. `nothing_expires` is red after a publication that is in
order: it names the data that its platform will delete in some days and that nobody has collected lately. Mend the collection, or
run a backfill. What no run asks for at all is in its log every day and turns nothing red.
"""

from datetime import timedelta

from airflow.sdk import AssetAny, AssetOrTimeSchedule, CronTriggerTimetable, dag, get_current_context, task

from extractors import SOURCES
from include import dag_defaults

LONGEST = timedelta(hours=2)
"""Many times what a build takes. One that hangs would hold up every later one: there is one run at a time."""


@dag(
    dag_id="build_warehouse",
    dag_display_name="Build and publish the warehouse",
    description="dbt, statistics, dbt; publish gates; switch to the new version",
    doc_md=f"# Build and publish the warehouse\n{__doc__}",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 6 * * *", timezone="UTC"),
        assets=AssetAny(*(dag_defaults.accepted_asset(source) for source in SOURCES)),
    ),
    start_date=dag_defaults.START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=dag_defaults.DEFAULT_ARGS,
    params=dag_defaults.BUILD_PARAMS,
    tags=["warehouse", "dbt", "publish", "impact:critical"],
)
def build_warehouse() -> None:
    @task(execution_timeout=LONGEST)
    def build() -> str:
        from include.warehouse import build

        as_of = dag_defaults.as_of_date(get_current_context())
        print("\n".join(build(as_of, progress=print).summary_lines()))
        return as_of.isoformat()

    @task(execution_timeout=LONGEST)
    def publish(as_of: str) -> str:
        from datetime import date

        from include.publish import publish

        allow_older = bool(get_current_context()["params"].get("allow_older"))
        publication = publish(date.fromisoformat(as_of), allow_older=allow_older)
        print(publication)
        return publication.publication_id

    @task
    def nothing_expires(publication_id: str) -> None:
        from include.expiring import lines_of_not_collected, require_nothing_expires

        print("\n".join(lines_of_not_collected()))
        require_nothing_expires()

    nothing_expires(publish(build()))


build_warehouse()
