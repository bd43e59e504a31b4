-- every number of an account and day: snapshots, their holes, the platform's daily totals, sums over posts
with snapshots as (

    select * from {{ ref('int_account_snapshots') }}

),

snapshot_gaps as (

    select * from {{ ref('int_account_snapshot_gaps') }}

),

account_days as (

    select * from {{ ref('int_account_days') }}

),

post_days as (

    select
        platform,
        force_id,
        account_id,
        metric,
        metric_version,
        published_date,
        sum(numerator) as value,
        count(*) filter (where is_missing) as missing_n,
        count(*) filter (where is_provisional) as provisional_n,
        bool_or(is_simulated) as is_simulated
    from {{ ref('int_post_measures') }}
    group by platform, force_id, account_id, metric, metric_version, published_date
    having bool_or(has_value or is_expected)

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
    case when is_provisional then 'provisional' else 'ok' end as status,
    cast(null as varchar) as gap_cause,
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
    {{ sum_status('value', 'missing_n', 'provisional_n', 'false') }} as status,
    cast(null as varchar) as gap_cause,
    cast(null as varchar) as source_field,
    cast(null as timestamptz) as observed_at,
    false as is_revised,
    is_simulated
from post_days
