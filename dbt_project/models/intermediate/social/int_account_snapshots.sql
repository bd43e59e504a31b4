-- one number per account, metric and day: the last one seen for that day
with observations as (

    select * from {{ ref('int_observations') }}
    where object_type = 'account' and period = 'snapshot' and is_preferred and value is not null

),

ranked as (

    select
        *,
        row_number() over (
            partition by platform, account_id, metric, metric_version, metric_date
            order by observed_at desc
        ) as recency
    from observations

)

select
    platform,
    account_id,
    force_id,
    metric,
    metric_version,
    metric_date,
    value,
    source_field,
    observed_at,
    is_simulated
from ranked
where recency = 1
