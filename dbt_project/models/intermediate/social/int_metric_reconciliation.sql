-- numbers that could have fed a metric of an account and do not, beside the one that does
with others as (

    select * from {{ ref('int_observations') }}
    where object_type = 'account' and not is_preferred and metric is not null and value is not null

),

ranked as (

    select
        *,
        row_number() over (
            partition by platform, account_id, source_field, metric, metric_version, metric_date
            order by observed_at desc
        ) as recency
    from others

),

preferred as (

    select
        platform,
        account_id,
        metric,
        metric_version,
        metric_date,
        value
    from {{ ref('int_account_snapshots') }}

    union all

    select
        platform,
        account_id,
        metric,
        metric_version,
        metric_date,
        value
    from {{ ref('int_account_days') }}

)

select
    ranked.platform,
    ranked.force_id,
    ranked.account_id,
    ranked.metric,
    ranked.metric_version,
    ranked.metric_date,
    ranked.source_field,
    ranked.value,
    preferred.value as preferred_value,
    ranked.value - preferred.value as difference,
    ranked.observed_at
from ranked
left join preferred
    on
        ranked.platform = preferred.platform
        and ranked.account_id = preferred.account_id
        and ranked.metric = preferred.metric
        and ranked.metric_version = preferred.metric_version
        and ranked.metric_date = preferred.metric_date
where ranked.recency = 1
