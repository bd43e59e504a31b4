-- a view: its readers each want a small part of many rows
{{ config(materialized='view') }}

with observations as (

    select
        *,
        {{ asked_on('observed_at', 'run_date') }} as asked_on
    from {{ ref('stg_observations') }}

),

metric_map as (

    select * from {{ ref('platform_metric_map') }}

)

select
    observations.platform,
    observations.object_type,
    observations.object_id,
    observations.account_id,
    observations.force_id,
    metric_map.metric,
    metric_map.metric_version,
    metric_map.preferred as is_preferred,
    observations.source_field,
    observations.period,
    case when observations.period = 'snapshot' then observations.asked_on else observations.metric_date end as metric_date,
    observations.day_tz,
    observations.value,
    observations.origin,
    observations.run_date,
    observations.asked_on,
    observations.observed_at,
    observations.ingest_id,
    observations.is_simulated
from observations
inner join metric_map
    on
        observations.platform = metric_map.platform
        and observations.object_type = metric_map.object_type
        and observations.source_field = metric_map.source_field
        and observations.period = metric_map.period
        and coalesce(observations.breakdown, '') = coalesce(metric_map.breakdown, '')
        and coalesce(observations.breakdown_value, '') = coalesce(metric_map.breakdown_value, '')
        and observations.asked_on between metric_map.valid_from and {{ or_forever('metric_map.valid_to') }}
