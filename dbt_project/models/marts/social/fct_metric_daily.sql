with days as (

    select * from {{ ref('int_metric_days') }}

),

versions as (

    select * from {{ ref('int_metric_versions') }}
    where {{ has_grain('grains', 'account_day') }}

),

events as (

    select distinct
        platform,
        account_id,
        event_date
    from {{ ref('int_account_events') }}

),

histories as (

    select
        platform,
        account_id,
        min(run_date) as first_run_date
    from {{ ref('stg_plan') }}
    group by platform, account_id

),

in_order as (

    select
        days.*,
        versions.begins_on,
        lag(days.metric_date) over (
            partition by days.platform, days.account_id, days.metric, days.metric_version
            order by days.metric_date
        ) as previous_date
    from days
    inner join versions
        on
            days.platform = versions.platform
            and days.metric = versions.metric
            and days.metric_version = versions.metric_version

),

with_events as (

    select
        in_order.*,
        events.event_date
    from in_order
    {{ join_last_at_or_before('in_order', 'events', 'events', ['platform', 'account_id'], 'metric_date', 'event_date') }}

),

part_changes as (

    select
        platform,
        metric,
        mixed_from
    from {{ ref('int_metric_part_changes') }}

),

with_changes as (

    select
        with_events.*,
        part_changes.mixed_from
    from with_events
    {{ join_last_at_or_before('with_events', 'part_changes', 'part_changes', ['platform', 'metric'], 'metric_date', 'mixed_from') }}

)

select
    days.force_id,
    days.platform,
    days.account_id,
    days.metric,
    days.metric_version,
    days.metric_date,
    days.day_tz,
    days.value,
    days.status,
    days.gap_cause,
    days.source_field,
    days.observed_at,
    -- the first day of a version that the platform began within the account's history, or after something happened to the account,
    -- or that has another part in its sum
    coalesce(days.previous_date is null and days.begins_on > histories.first_run_date, false)
    or coalesce(days.event_date > days.previous_date, false)
    or coalesce(days.mixed_from > days.previous_date, false) as is_break,
    days.is_revised,
    false as is_estimated,
    days.is_simulated
from with_changes as days
left join histories
    on
        days.platform = histories.platform
        and days.account_id = histories.account_id
