with source as (

    select * from {{ source('accepted', 'observation') }}
    where
        run_date <= {{ as_of_date() }}
        and observed_at < {{ known_until() }}

),

-- the same answer can be accepted under two ingests: one number per thing asked and instant
ranked as (

    select
        *,
        row_number() over (
            partition by
                platform,
                object_type,
                object_id,
                source_field,
                period,
                breakdown,
                breakdown_value,
                metric_date,
                observed_at
            order by run_date desc, ingest_id desc
        ) as recency
    from source

)

select
    platform,
    object_type,
    object_id,
    source_field,
    period,
    breakdown,
    breakdown_value,
    metric_date,
    observed_at,
    force_id,
    account_id,
    run_date,
    ingest_id,
    day_tz,
    value,
    origin,
    is_simulated
from ranked
where recency = 1
