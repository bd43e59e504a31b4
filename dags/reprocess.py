"""Builds the records of a source from landing again, for the run dates from `first` to `last`, and asks nothing of any source.

For a parser or a registry that was mended. **run_dates** finds what was landed; **again** reads each run date, one at a time, and
puts it through the gate: an ingest's new rows take the place of its old ones. **accepted** tells the warehouse. Where nothing was
mended, nothing changes. Holes stay holes.

*When it is red:* the log of `again` names the landed file that could not be read (restore it from the backup), a batch that was
stopped, or a field that is unknown. What had been accepted of a file that cannot be read stands. Clearing is safe.
"""

from airflow.sdk import AssetAlias, Param, dag, get_current_context, task

from extractors import SOURCES
from include import dag_defaults

REPROCESSED = AssetAlias("reprocessed")
"""Which source's accepted rows were swapped is known when it runs."""


@dag(
    dag_id="reprocess",
    dag_display_name="Reprocess landed answers",
    description="Landing → records → accepted again for a source and run dates, without a call to any API",
    doc_md=f"# Reprocess\n{__doc__}",
    schedule=None,
    start_date=dag_defaults.START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=dag_defaults.DEFAULT_ARGS,
    params={
        "source": Param(SOURCES[0].name, type="string", enum=[source.name for source in SOURCES], description="Whose answers"),
        "first": Param("2026-01-01", type="string", format="date", description="First run date, YYYY-MM-DD"),
        "last": Param("2026-01-01", type="string", format="date", description="Last run date, YYYY-MM-DD"),
    },
    tags=["ingest", "reprocess", "impact:medium"],
)
def reprocess_landed() -> None:
    @task
    def run_dates() -> list[str]:
        return dag_defaults.landed_days(get_current_context())

    @task(map_index_template="{{ run_date }}", max_active_tis_per_dagrun=1)
    def again(day: str) -> int:
        context = get_current_context()
        context["run_date"] = day  # type: ignore[typeddict-unknown-key]  # for the template
        return dag_defaults.reprocessed(day, context)

    @task(outlets=[REPROCESSED], trigger_rule="all_done")
    def accepted(rows: list[int] | None) -> None:
        context = get_current_context()
        dag_defaults.tell_of_reprocessed(sum(rows or ()), context["outlet_events"][REPROCESSED], context)

    @task(trigger_rule="all_done")
    def all_reprocessed() -> None:
        dag_defaults.require_all(None, get_current_context())

    accepted(again.expand(day=run_dates())) >> all_reprocessed()


reprocess_landed()
