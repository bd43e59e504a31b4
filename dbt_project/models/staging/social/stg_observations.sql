-- not materialized: what a reader leaves out is never read
with source as not materialized (

    select * from {{ source('accepted', 'observation') }}
    where run_date <= {{ as_of_date() }}

),

-- within an ingest a thing is asked once; only what two of them answered for at one instant can be there twice
clashes as not materialized (

    select
        platform,
        object_type,
        object_id,
        observed_at
    from source
    group by platform, object_type, object_id, observed_at
    having min(ingest_id) <> max(ingest_id) or min(run_date) <> max(run_date)

),

-- the same answer can be accepted under two ingests: one number per thing asked and instant
ranked as (

    select
        source.*,
        row_number() over (
            partition by
                source.platform,
                source.object_type,
                source.object_id,
                source.source_field,
                source.period,
                source.breakdown,
                source.breakdown_value,
                source.metric_date,
                source.observed_at
            order by source.run_date desc, source.ingest_id desc
        ) as recency
    from source
    inner join clashes
        on
            source.platform = clashes.platform
            and source.object_type = clashes.object_type
            and source.object_id = clashes.object_id
            and source.observed_at = clashes.observed_at

),

single as (

    select
        source.*,
        1 as recency
    from source
    left join clashes
        on
            source.platform = clashes.platform
            and source.object_type = clashes.object_type
            and source.object_id = clashes.object_id
            and source.observed_at = clashes.observed_at
    where clashes.platform is null

),

numbers as (

    select * from single
    union all
    select * from ranked
    where recency = 1

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
from numbers
