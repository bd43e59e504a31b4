-- planned days without a snapshot: one row per account, metric and day, with the cause
with planned as (

    select * from {{ ref('stg_plan') }}

),

expected_fields as (

    select * from {{ ref('platform_metric_map') }}
    where object_type = 'account' and period = 'snapshot' and preferred and metric is not null

),

expected as (

    select
        planned.*,
        expected_fields.metric,
        expected_fields.metric_version,
        expected_fields.source_field
    from planned
    inner join expected_fields
        on
            planned.platform = expected_fields.platform
            and planned.run_date between expected_fields.valid_from and {{ or_forever('expected_fields.valid_to') }}

),

snapshots as (

    select * from {{ ref('int_account_snapshots') }}

),

missing as (

    select expected.* from expected
    left join snapshots
        on
            expected.platform = snapshots.platform
            and expected.account_id = snapshots.account_id
            and expected.metric = snapshots.metric
            and expected.metric_version = snapshots.metric_version
            and expected.run_date = snapshots.metric_date
    where snapshots.account_id is null

),

gaps as (

    select * from {{ ref('int_gaps') }}
    where object_id is null

),

-- of what people upload, a count some time in the month
not_uploaded as (

    select
        months.*,
        expected_fields.metric,
        expected_fields.metric_version,
        expected_fields.source_field
    from {{ ref('int_upload_months') }} as months
    inner join expected_fields
        on
            months.platform = expected_fields.platform
            and months.run_date between expected_fields.valid_from and {{ or_forever('expected_fields.valid_to') }}
    where not months.has_snapshots and expected_fields.metric = 'followers_end'

)

select
    platform,
    account_id,
    force_id,
    metric,
    metric_version,
    run_date as metric_date,
    source_field,
    platform as source,
    {{ run_instant('run_date') }} as planned_at,
    'not_uploaded' as gap_cause,
    true as is_in_ledger,
    is_simulated
from not_uploaded

union all

select
    missing.platform,
    missing.account_id,
    missing.force_id,
    missing.metric,
    missing.metric_version,
    missing.run_date as metric_date,
    missing.source_field,
    missing.source,
    missing.planned_at,
    coalesce({{ last_value_by('gaps.cause', 'gaps.last_seen_at') }} filter (where gaps.is_open), 'not_collected') as gap_cause,
    -- the hole stands in the ledger already, under its own name or as a part of everything
    coalesce(bool_or(gaps.is_open or gaps.subject = missing.source_field), false) as is_in_ledger,
    missing.is_simulated
from missing
left join gaps
    on
        missing.platform = gaps.platform
        and missing.account_id = gaps.account_id
        and missing.run_date = gaps.run_date
        and gaps.subject in ('*', missing.source_field)
        and {{ is_of_type('gaps.object_type', "'account'") }}
group by
    missing.platform,
    missing.account_id,
    missing.force_id,
    missing.metric,
    missing.metric_version,
    missing.run_date,
    missing.source_field,
    missing.source,
    missing.planned_at,
    missing.is_simulated
