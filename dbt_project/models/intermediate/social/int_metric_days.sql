{{ config(materialized='view') }}

-- every number of an account and day: snapshots, their holes, the platform's daily totals, sums over posts
with snapshots as (

    select * from {{ ref('int_account_snapshots') }}

),

snapshot_gaps as (

    select * from {{ ref('int_account_snapshot_gaps') }}

),

account_days as (

    select
        account_days.*,
        unsettled.gap_cause
    from {{ ref('int_account_days') }} as account_days
    left join {{ ref('int_unsettled_days') }} as unsettled
        on
            account_days.platform = unsettled.platform
            and account_days.account_id = unsettled.account_id
            and account_days.metric = unsettled.metric
            and account_days.metric_version = unsettled.metric_version
            and account_days.metric_date = unsettled.metric_date

),

post_days as (

    select * from {{ ref('int_post_days') }}

)

select
    force_id,
    platform,
    account_id,
    metric,
    metric_version,
    metric_date,
    {{ london() }} as day_tz,
    value,
    'ok' as status,
    cast(null as varchar) as gap_cause,
    source_field,
    observed_at,
    false as is_revised,
    is_simulated
from snapshots

union all

select
    force_id,
    platform,
    account_id,
    metric,
    metric_version,
    metric_date,
    {{ london() }} as day_tz,
    cast(null as double) as value,
    'missing' as status,
    gap_cause,
    cast(null as varchar) as source_field,
    cast(null as timestamptz) as observed_at,
    false as is_revised,
    is_simulated
from snapshot_gaps

union all

select
    force_id,
    platform,
    account_id,
    metric,
    metric_version,
    metric_date,
    day_tz,
    value,
    case
        when gap_cause is not null then 'partial'
        when is_provisional then 'provisional'
        else 'ok'
    end as status,
    gap_cause,
    source_field,
    observed_at,
    is_revised,
    is_simulated
from account_days

union all

select
    force_id,
    platform,
    account_id,
    metric,
    metric_version,
    published_date as metric_date,
    {{ london() }} as day_tz,
    value,
    status,
    gap_cause,
    cast(null as varchar) as source_field,
    cast(null as timestamptz) as observed_at,
    false as is_revised,
    is_simulated
from post_days
