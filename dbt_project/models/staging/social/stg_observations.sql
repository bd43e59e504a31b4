-- the same answer can be accepted under two ingests: one number per thing asked and instant
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
from {{ known('observation') }} as source
left join {{ ref('stg_superseded_observations') }} as superseded
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
