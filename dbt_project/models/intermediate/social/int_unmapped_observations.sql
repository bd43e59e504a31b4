-- accepted numbers whose name the map did not have on the day of asking: they feed nothing, and are not forgotten
{{ config(materialized='view') }}

with observations as (

    select
        *,
        {{ asked_on('observed_at', 'run_date') }} as asked_on
    from {{ ref('stg_observations') }}

),

unmapped as (

    select distinct
        platform,
        object_type,
        source_field,
        period,
        coalesce(breakdown, '') as breakdown,
        coalesce(breakdown_value, '') as breakdown_value,
        asked_on
    from {{ ref('int_observation_counts') }}
    where not is_mapped

)

select observations.*
from observations
inner join unmapped
    on
        observations.platform = unmapped.platform
        and observations.object_type = unmapped.object_type
        and observations.source_field = unmapped.source_field
        and observations.period = unmapped.period
        and coalesce(observations.breakdown, '') = unmapped.breakdown
        and coalesce(observations.breakdown_value, '') = unmapped.breakdown_value
        and observations.asked_on = unmapped.asked_on
