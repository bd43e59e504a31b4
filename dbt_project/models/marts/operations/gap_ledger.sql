with gaps as (

    select
        source,
        platform,
        force_id,
        account_id,
        object_id,
        run_date,
        subject,
        cause,
        detail,
        first_seen_at,
        last_seen_at,
        is_open,
        closed_at,
        is_simulated
    from {{ ref('int_gaps') }}

    union all

    -- an answer came, and no snapshot that counts for the day: too late, or stopped at the gate
    select
        source,
        platform,
        force_id,
        account_id,
        cast(null as varchar) as object_id,
        metric_date as run_date,
        source_field as subject,
        gap_cause as cause,
        'no snapshot that counts for the day was accepted' as detail,
        planned_at as first_seen_at,
        planned_at as last_seen_at,
        true as is_open,
        cast(null as timestamptz) as closed_at,
        is_simulated
    from {{ ref('int_account_snapshot_gaps') }}
    where not is_in_ledger

),

-- one metric for a name: the preferred one, the organic part first
named as (

    select
        platform,
        source_field,
        metric,
        row_number() over (
            partition by platform, source_field
            order by preferred desc, breakdown_value asc nulls first, valid_from desc
        ) as choice
    from {{ ref('platform_metric_map') }}
    where metric is not null

)

select
    gaps.source,
    gaps.platform,
    gaps.force_id,
    gaps.account_id,
    gaps.object_id,
    gaps.run_date,
    gaps.subject,
    named.metric,
    gaps.cause,
    gaps.detail,
    gaps.first_seen_at,
    gaps.last_seen_at,
    gaps.is_open,
    gaps.closed_at,
    gaps.is_simulated
from gaps
left join named
    on
        gaps.platform = named.platform
        and gaps.subject = named.source_field
        and named.choice = 1
