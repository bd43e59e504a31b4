-- written out where it is read, and not named as one of the parts below: so what a reader of this view leaves out is never read
{% set known = 'run_date <= ' ~ as_of_date() ~ ' and observed_at < ' ~ known_until() %}
{% set accepted = '(select * from ' ~ source('accepted', 'observation') ~ ' where ' ~ known ~ ')' %}

-- within an ingest a thing is asked once; only what two of them answered for at one instant can be there twice
with clashes as (

    select
        platform,
        object_type,
        object_id,
        observed_at
    from {{ accepted }} as source
    group by platform, object_type, object_id, observed_at
    having min(ingest_id) <> max(ingest_id) or min(run_date) <> max(run_date)

),

ranked as (

    select
        source.platform,
        source.object_type,
        source.object_id,
        source.source_field,
        source.period,
        source.breakdown,
        source.breakdown_value,
        source.metric_date,
        source.observed_at,
        source.run_date,
        source.ingest_id,
        rank() over (
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
    from {{ accepted }} as source
    inner join clashes
        on
            source.platform = clashes.platform
            and source.object_type = clashes.object_type
            and source.object_id = clashes.object_id
            and source.observed_at = clashes.observed_at

),

-- the same answer can be accepted under two ingests: one number per thing asked and instant
superseded as (

    select * from ranked
    where recency > 1

)

select
    source.platform,
    source.object_type,
    source.object_id,
    source.source_field,
    source.period,
    source.breakdown,
    source.breakdown_value,
    source.metric_date,
    source.observed_at,
    source.force_id,
    source.account_id,
    source.run_date,
    source.ingest_id,
    source.day_tz,
    source.value,
    source.origin,
    source.is_simulated
from {{ accepted }} as source
left join superseded
    on
        source.platform = superseded.platform
        and source.object_type = superseded.object_type
        and source.object_id = superseded.object_id
        and source.source_field = superseded.source_field
        and source.period = superseded.period
        and source.observed_at = superseded.observed_at
        and source.breakdown is not distinct from superseded.breakdown
        and source.breakdown_value is not distinct from superseded.breakdown_value
        and source.metric_date is not distinct from superseded.metric_date
        and source.run_date = superseded.run_date
        and source.ingest_id = superseded.ingest_id
where superseded.ingest_id is null
