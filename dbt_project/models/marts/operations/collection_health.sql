with runs as (

    select
        force_id,
        platform,
        run_date,
        min(source) as source,
        count(*) as planned_accounts,
        count(*) filter (where is_collected) as collected_accounts,
        bool_or(is_simulated) as is_simulated
    from {{ ref('int_account_runs') }}
    group by force_id, platform, run_date

),

conserved as (

    select
        force_id,
        platform,
        run_date,
        min(source) as source,
        cast(sum(landed) as bigint) as landed,
        cast(sum(derived_zero) as bigint) as derived_zero,
        cast(sum(accepted) as bigint) as accepted,
        cast(sum(quarantined) as bigint) as quarantined,
        cast(sum(dropped_duplicate) + sum(dropped_outside_window) as bigint) as dropped,
        bool_or(is_simulated) as is_simulated
    from {{ ref('stg_conservation') }}
    where force_id is not null and platform is not null
    group by force_id, platform, run_date

),

open_gaps as (

    select
        force_id,
        platform,
        run_date,
        count(*) as open_gaps
    from {{ ref('gap_ledger') }}
    where is_open
    group by force_id, platform, run_date

),

seen as (

    select
        force_id,
        platform,
        run_date,
        min(first_observed_at) as first_observed_at
    from {{ ref('int_observation_counts') }}
    where is_mapped
    group by force_id, platform, run_date

),

combined as (

    select
        coalesce(runs.force_id, conserved.force_id) as force_id,
        coalesce(runs.platform, conserved.platform) as platform,
        coalesce(runs.source, conserved.source) as source,
        coalesce(runs.run_date, conserved.run_date) as run_date,
        -- counts of rows of the plan: not planned is none
        coalesce(runs.planned_accounts, 0) as planned_accounts,
        coalesce(runs.collected_accounts, 0) as collected_accounts,
        conserved.landed,
        conserved.derived_zero,
        conserved.accepted,
        conserved.quarantined,
        conserved.dropped,
        coalesce(runs.is_simulated, false) or coalesce(conserved.is_simulated, false) as is_simulated
    from runs
    full outer join conserved
        on
            runs.force_id = conserved.force_id
            and runs.platform = conserved.platform
            and runs.run_date = conserved.run_date

)

select
    combined.force_id,
    combined.platform,
    combined.source,
    combined.run_date,
    combined.planned_accounts,
    combined.collected_accounts,
    combined.landed,
    combined.derived_zero,
    combined.accepted,
    combined.quarantined,
    combined.dropped,
    coalesce(open_gaps.open_gaps, 0) as open_gaps,
    combined.collected_accounts / nullif(combined.planned_accounts, 0) as metric_coverage,
    seen.first_observed_at,
    case
        when combined.collected_accounts = 0 then 'missing'
        when combined.collected_accounts < combined.planned_accounts then 'partial'
        else 'ok'
    end as status,
    combined.is_simulated
from combined
left join open_gaps
    on
        combined.force_id = open_gaps.force_id
        and combined.platform = open_gaps.platform
        and combined.run_date = open_gaps.run_date
left join seen
    on
        combined.force_id = seen.force_id
        and combined.platform = seen.platform
        and combined.run_date = seen.run_date
