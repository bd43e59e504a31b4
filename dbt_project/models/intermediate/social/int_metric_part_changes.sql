-- when a sum of parts began to have another part, or lost one: before and after it are not quite the same number
with parts as (

    select
        metric_map.platform,
        inputs.metric,
        inputs.input,
        min(metric_map.valid_from) as valid_from,
        max({{ or_forever('metric_map.valid_to') }}) as valid_to
    from {{ ref('int_metric_inputs') }} as inputs
    inner join {{ ref('platform_metric_map') }} as metric_map
        on
            inputs.input = metric_map.metric
            and metric_map.preferred
            and metric_map.object_type = 'post'
    where inputs.is_part
    group by metric_map.platform, inputs.metric, inputs.input

),

spans as (

    select
        *,
        min(valid_from) over (partition by platform, metric) as first_from,
        max(valid_to) over (partition by platform, metric) as last_to
    from parts

),

changes as (

    select
        platform,
        metric,
        valid_from as changed_on
    from spans
    where valid_from > first_from

    union

    select
        platform,
        metric,
        {{ plus_days('valid_to', 1) }} as changed_on
    from spans
    where valid_to < last_to

)

select
    platform,
    metric,
    changed_on,
    -- posts are read at an age of 7 to 14 days: those published since this day may have been read with it
    {{ plus_days('changed_on', -14) }} as mixed_from
from changes
