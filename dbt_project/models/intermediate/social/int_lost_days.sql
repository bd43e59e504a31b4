-- days of which no list of posts holds the whole, and why
with days as (

    select
        days.*,
        platforms.list_window_days,
        platforms.collected_by
    from {{ ref('int_account_list_days') }} as days
    inner join {{ ref('platforms') }} as platforms on days.platform = platforms.platform
    where days.state = 'lost'

),

-- holes of the runs whose list would have held the day
failed as (

    select
        days.platform,
        days.account_id,
        days.day,
        {{ leading_cause('gaps.cause', 'gaps.run_date') }} as gap_cause
    from days
    inner join {{ ref('stg_plan') }} as plan
        on
            days.platform = plan.platform
            and days.account_id = plan.account_id
            and days.day_ends_at <= plan.planned_at
            and {{ list_starts_at('plan.run_date', 'days.list_window_days') }} <= days.day_starts_at
    inner join {{ ref('int_gaps') }} as gaps
        on
            plan.platform = gaps.platform
            and plan.account_id = gaps.account_id
            and plan.run_date = gaps.run_date
            and gaps.subject in ('*', 'posts')
            and gaps.object_id is null
            and gaps.is_open
    group by days.platform, days.account_id, days.day

)

select
    days.platform,
    days.account_id,
    days.force_id,
    days.day,
    case
        when failed.gap_cause is not null then failed.gap_cause
        when days.collected_by = 'upload' then 'not_uploaded'
        when ends.ended_on is not null then 'account_closed'
        else 'not_collected'
    end as gap_cause
from days
left join failed
    on
        days.platform = failed.platform
        and days.account_id = failed.account_id
        and days.day = failed.day
left join {{ ref('int_account_ends') }} as ends
    on
        days.platform = ends.platform
        and days.account_id = ends.account_id
