-- one pass over all accepted numbers, for those who only want to know of which there are any
with observations as (

    select
        *,
        {{ asked_on('observed_at', 'run_date') }} as asked_on
    from {{ ref('stg_observations') }}

),

counted as (

    select
        platform,
        force_id,
        run_date,
        object_type,
        source_field,
        period,
        breakdown,
        breakdown_value,
        asked_on,
        count(*) as numbers_n,
        min(observed_at) as first_observed_at
    from observations
    group by platform, force_id, run_date, object_type, source_field, period, breakdown, breakdown_value, asked_on

)

select
    counted.*,
    -- the map had the name on the day of asking
    exists(
        select 1
        from {{ ref('platform_metric_map') }} as metric_map
        where
            counted.platform = metric_map.platform
            and counted.object_type = metric_map.object_type
            and counted.source_field = metric_map.source_field
            and counted.period = metric_map.period
            and coalesce(counted.breakdown, '') = coalesce(metric_map.breakdown, '')
            and coalesce(counted.breakdown_value, '') = coalesce(metric_map.breakdown_value, '')
            and counted.asked_on between metric_map.valid_from and {{ or_forever('metric_map.valid_to') }}
    ) as is_mapped
from counted
