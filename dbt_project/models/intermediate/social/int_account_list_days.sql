-- every London day of an open account, and whether a list of posts has seen the whole of it
with platforms as (

    select
        platforms.platform,
        platforms.list_window_days,
        platforms.collected_by,
        least(
            cast(date_trunc('month', min(plan.run_date)) as date),
            min(
                case
                    when plan.platform = platforms.platform
                        then {{ plus_days('plan.run_date', '-platforms.list_window_days') }}
                end
            )
        ) as first_day
    from {{ ref('platforms') }} as platforms
    cross join {{ ref('stg_plan') }} as plan
    group by platforms.platform, platforms.list_window_days, platforms.collected_by

),

days as (

    select
        accounts.platform,
        accounts.account_id,
        accounts.force_id,
        platforms.list_window_days,
        platforms.collected_by,
        {{ days_between(
            'greatest(accounts.valid_from, platforms.first_day)', 'least(' ~ or_forever('accounts.valid_to') ~ ', ' ~ as_of_date() ~ ')'
        ) }} as day
    from {{ ref('accounts') }} as accounts
    inner join platforms on accounts.platform = platforms.platform

),

bounded as (

    select
        *,
        {{ start_of_day('day', london() | trim) }} as day_starts_at,
        {{ start_of_day(plus_days('day', 1), london() | trim) }} as day_ends_at
    from days

),

-- lists and planned runs by the days that they may hold, so that each day meets only those
lists as (

    select
        *,
        {{ days_between(london_date('seen_from'), london_date('seen_to')) }} as day
    from {{ ref('int_post_lists') }}

),

runs as (

    select
        plan.platform,
        plan.account_id,
        plan.run_date,
        plan.planned_at,
        {{ list_starts_at('plan.run_date', 'platforms.list_window_days') }} as list_starts_at,
        {{ days_between(
            london_date(list_starts_at('plan.run_date', 'platforms.list_window_days')), london_date('plan.planned_at')
        ) }} as day
    from {{ ref('stg_plan') }} as plan
    inner join platforms on plan.platform = platforms.platform

),

listed as (

    select
        bounded.platform,
        bounded.account_id,
        bounded.day,
        bool_or(lists.seen_from <= bounded.day_starts_at and lists.seen_to >= bounded.day_ends_at) as is_seen
    from bounded
    inner join lists
        on
            bounded.platform = lists.platform
            and bounded.account_id = lists.account_id
            and bounded.day = lists.day
            and bounded.day_ends_at > lists.seen_from
            and bounded.day_starts_at < lists.seen_to
    group by bounded.platform, bounded.account_id, bounded.day

),

-- the last planned run whose list would have held the whole day
planned as (

    select
        bounded.platform,
        bounded.account_id,
        bounded.day,
        max(runs.run_date) as last_run_date
    from bounded
    inner join runs
        on
            bounded.platform = runs.platform
            and bounded.account_id = runs.account_id
            and bounded.day = runs.day
            and bounded.day_ends_at <= runs.planned_at
            and bounded.day_starts_at >= runs.list_starts_at
    group by bounded.platform, bounded.account_id, bounded.day

)

select
    bounded.platform,
    bounded.account_id,
    bounded.force_id,
    bounded.day,
    bounded.day_starts_at,
    bounded.day_ends_at,
    listed.account_id is not null as is_touched,
    -- seen; lost where a run should have seen it or none will; else still to come
    case
        when listed.is_seen then 'seen'
        when planned.last_run_date is not null then 'lost'
        -- nobody asks an account that is no more; what it had up to then can still be uploaded
        when ends.ended_on is not null and bounded.collected_by <> 'upload' then 'lost'
        when bounded.day_starts_at < {{ list_starts_at(plus_days(as_of_date(), 1), 'bounded.list_window_days') }} then 'lost'
        else 'pending'
    end as state
from bounded
left join listed
    on
        bounded.platform = listed.platform
        and bounded.account_id = listed.account_id
        and bounded.day = listed.day
left join planned
    on
        bounded.platform = planned.platform
        and bounded.account_id = planned.account_id
        and bounded.day = planned.day
left join {{ ref('int_account_ends') }} as ends
    on
        bounded.platform = ends.platform
        and bounded.account_id = ends.account_id
