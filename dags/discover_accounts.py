"""Reads once a week which accounts the forces list on data.police.uk, and proposes changes to the account register.

**discover** asks for every force of the register, lands the answers, and compares: *new* (listed, not in the register), *changed*
(another handle), *gone* (no longer listed), *stale* (listed, though the register has ended it). The site is old and unmaintained:
verify each by hand, then edit `dbt_project/seeds/accounts.csv`. Nothing is changed by itself; a proposal that the seed satisfies
is closed in `marts.account_proposals`. The list to work through is `var/account_proposals/<date>.csv`.

*When it is red:* the log names the force whose page could not be had; the others' proposals are there. Clearing is safe.
"""

from airflow.sdk import dag, get_current_context, task

from include import dag_defaults


@dag(
    dag_id="discover_accounts",
    dag_display_name="Discover accounts",
    description="data.police.uk engagement methods → proposed changes to the account register",
    doc_md=f"# Discover accounts\n{__doc__}\nThe source: `docs/sources/police_uk.md`",
    schedule="0 4 * * 1",
    start_date=dag_defaults.START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=dag_defaults.DEFAULT_ARGS,
    params=dag_defaults.RUN_PARAMS,
    tags=["register", "impact:low"],
)
def discover_accounts() -> None:
    @task
    def discover() -> None:
        from include.discover import discover

        found = discover(dag_defaults.run_date_of(get_current_context()))
        print(f"{found.forces} forces, {found.listed} accounts listed, {len(found.proposals)} proposals: {found.report}")
        print(f"Out of scope: {', '.join(found.out_of_scope) or 'none'}")

    discover()


discover_accounts()
