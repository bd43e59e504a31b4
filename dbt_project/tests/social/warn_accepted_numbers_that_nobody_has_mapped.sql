{{ config(severity='warn') }}

-- one row per name: map it in the seed platform_metric_map, or correct the span of its row
select
    platform,
    object_type,
    source_field,
    period,
    breakdown,
    breakdown_value,
    asked_on,
    sum(numbers_n) as numbers
from {{ ref('int_observation_counts') }}
where not is_mapped
group by all
