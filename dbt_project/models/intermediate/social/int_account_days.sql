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

numbers as (

    select
        *,
        {{ is_settled('observed_at', 'metric_date', 'day_tz', 'reporting_lag_hours') }} as is_settled
    from dated

),

-- of every day what was seen last
latest as (

    select
        platform,
        account_id,
        metric,
        metric_version,
        metric_date,
        {{ last_row_by(
            ['force_id', 'day_tz', 'reporting_lag_hours', 'value', 'source_field', 'observed_at', 'is_settled', 'is_simulated'],
            'observed_at'
        ) }} as seen,
        min(value) filter (where is_settled) as smallest_settled,
        max(value) filter (where is_settled) as greatest_settled
    from numbers
    group by platform, account_id, metric, metric_version, metric_date

),

unpacked as (

    select
        {{ all_but('latest', ['seen']) }},
        {{ columns_of('seen') }}
    from latest

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
    {{ settled_from('metric_date', 'day_tz', 'reporting_lag_hours') }} as settled_from,
    not is_settled as is_provisional,
    coalesce(smallest_settled <> value or greatest_settled <> value, false) as is_revised,
    is_simulated
from unpacked
