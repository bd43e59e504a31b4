-- days that no run has seen whole, and why
with days as (

    select
        days.*,
        contact_platforms.window_days,
        ends.ended_on
    from {{ ref('int_contact_days') }} as days
    left join {{ ref('contact_platforms') }} as contact_platforms on days.platform = contact_platforms.platform
    left join {{ ref('int_account_ends') }} as ends
        on
            days.platform = ends.platform
            and days.account_id = ends.account_id
    where days.state <> 'seen'

),

-- holes of the runs that would have listed the day
failed as (

    select
        days.platform,
        days.account_id,
        days.day,
        {{ leading_cause('gaps.cause', 'gaps.run_date') }} as gap_cause
    from days
    inner join {{ ref('int_gaps') }} as gaps
        on
            days.platform = gaps.platform
            and days.account_id = gaps.account_id
            and days.day < gaps.run_date
            and gaps.run_date < {{ plus_days('days.day', 'days.window_days') }}
    where
        gaps.subject in ('*', 'posts', 'messages')
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
        when days.ended_on is not null and days.window_days is not null then 'account_closed'
        else 'not_collected'
    end as gap_cause
from days
left join failed
    on
        days.platform = failed.platform
        and days.account_id = failed.account_id
        and days.day = failed.day
