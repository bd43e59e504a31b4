"""Collects what 43 forces publish on a platform: one DAG per platform, one mapped task per force.

**plan** writes down which accounts are to be collected. **collect** asks the platform, one task per force: a force that fails
costs no other its data, and what it did answer is kept. **validate** checks all rows of the run at once: bad rows go to
quarantine with rule and reason. **accepted** tells the warehouse. **all_collected** is red when a force failed, a batch was
stopped or a field is unknown, and says which.

*When it is red:* read the log of `all_collected` first, it names forces and causes. An expired token or a missing permission is
not retried: renew it, then clear the force's task and everything after it. A throttle waits for the reset the platform named.
Clearing is safe: the same answers change nothing.

Run it with parameters for a day (`run_date`) or for some forces only (`forces`).
"""

from airflow.sdk import DAG, dag, get_current_context, task

from extractors import SOURCES
from extractors.base import ApiSource
from include import dag_defaults, registry


def ingest(source: ApiSource) -> DAG:
    names = {row["force_id"]: row["official_name"] for row in registry.current().tables["forces"]}

    @dag(
        dag_id=f"ingest_{source.name}",
        dag_display_name=f"Ingest: {source.title}",
        description=f"{source.title}: plan, collect per force, validate, accept",
        doc_md=f"# {source.title}\n{__doc__}\nThe source: `{source.documentation}`",
        schedule="0 21 * * *",
        start_date=dag_defaults.START_DATE,
        catchup=False,
        max_active_runs=1,
        default_args=dag_defaults.DEFAULT_ARGS,
        params=dag_defaults.RUN_PARAMS | dag_defaults.FORCES_PARAM,
        tags=["ingest", "platform", "impact:high"],
    )
    def ingest_platform() -> None:
        @task
        def plan() -> list[str]:
            from include.collect import plan

            context = get_current_context()
            return plan(source.name, dag_defaults.run_date_of(context), forces=context["params"]["forces"])

        @task(map_index_template="{{ force_name }}", pool=source.name)
        def collect(force_id: str) -> None:
            from include.collect import collect_force

            context = get_current_context()
            context["force_name"] = names.get(force_id, force_id)  # type: ignore[typeddict-unknown-key]  # for the template
            print(collect_force(source.name, force_id, dag_defaults.run_date_of(context)))

        dag_defaults.accept(source, collect.expand(force_id=plan()))

    return ingest_platform()


for platform in (each for each in SOURCES if isinstance(each, ApiSource)):
    ingest(platform)
