-- accepted numbers whose name the map did not have on the day of asking: they feed nothing, and are not forgotten
with observations as (

    select
        *,
        {{ asked_on('observed_at', 'run_date') }} as asked_on
    from {{ ref('stg_observations') }}

)

select observations.*
from observations
left join {{ ref('platform_metric_map') }} as metric_map
    on
        observations.platform = metric_map.platform
        and observations.object_type = metric_map.object_type
        and observations.source_field = metric_map.source_field
        and observations.period = metric_map.period
        and coalesce(observations.breakdown, '') = coalesce(metric_map.breakdown, '')
        and coalesce(observations.breakdown_value, '') = coalesce(metric_map.breakdown_value, '')
        and observations.asked_on between metric_map.valid_from and {{ or_forever('metric_map.valid_to') }}
where metric_map.platform is null
