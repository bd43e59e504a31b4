with observations as (

    select * from {{ ref('int_observations') }}
    where object_type = 'account' and period = 'day' and is_preferred and value is not null

),

platforms as (

    select * from {{ ref('platforms') }}

),

dated as (

    select
        {{ all_but('observations', ['day_tz']) }},
        coalesce(observations.day_tz, platforms.day_tz) as day_tz,
        platforms.reporting_lag_hours
    from observations
    inner join platforms on observations.platform = platforms.platform

),

with_lag as (

    select
        *,
        {{ settled_from('metric_date', 'day_tz', 'reporting_lag_hours') }} as settled_from
    from dated

),

ranked as (

    select
        *,
        observed_at < settled_from as is_provisional,
        row_number() over cell as recency,
        min(case when observed_at >= settled_from then value end) over whole_cell as smallest_settled,
        max(case when observed_at >= settled_from then value end) over whole_cell as greatest_settled
    from with_lag
    window
        cell as (partition by platform, account_id, metric, metric_version, metric_date order by observed_at desc),
        whole_cell as (partition by platform, account_id, metric, metric_version, metric_date)

)

select
    platform,
    account_id,
    force_id,
    metric,
    metric_version,
    metric_date,
    day_tz,
    value,
    source_field,
    observed_at,
    settled_from,
    is_provisional,
    coalesce(smallest_settled <> value or greatest_settled <> value, false) as is_revised,
    is_simulated
from ranked
where recency = 1
