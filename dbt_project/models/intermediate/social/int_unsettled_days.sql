-- daily totals that no run saw filled and none will: their re-reading window is over, or their account
with days as (

    select
        days.platform,
        days.account_id,
        days.metric,
        days.metric_version,
        days.metric_date,
        days.source_field,
        days.settled_from,
        platforms.day_window_days,
        ends.ended_on
    from {{ ref('int_account_days') }} as days
    inner join {{ ref('platforms') }} as platforms on days.platform = platforms.platform
    left join {{ ref('int_account_ends') }} as ends
        on
            days.platform = ends.platform
            and days.account_id = ends.account_id
    where
        days.is_provisional
        and (
            {{ plus_days('days.metric_date', 'platforms.day_window_days') }} <= {{ as_of_date() }}
            or ends.ended_on is not null
        )

),

failed as (

    select
        days.platform,
        days.account_id,
        days.metric,
        days.metric_version,
        days.metric_date,
        {{ leading_cause('gaps.cause', 'gaps.run_date') }} as gap_cause
    from days
    inner join {{ ref('stg_plan') }} as plan
        on
            days.platform = plan.platform
            and days.account_id = plan.account_id
            and days.settled_from <= plan.planned_at
            and plan.run_date <= {{ plus_days('days.metric_date', 'days.day_window_days') }}
    inner join {{ ref('int_gaps') }} as gaps
        on
            plan.platform = gaps.platform
            and plan.account_id = gaps.account_id
            and plan.run_date = gaps.run_date
            and gaps.subject in ('*', days.source_field)
            and {{ is_of_type('gaps.object_type', "'account'") }}
            and gaps.object_id is null
            and gaps.is_open
    group by days.platform, days.account_id, days.metric, days.metric_version, days.metric_date

)

select
    days.platform,
    days.account_id,
    days.metric,
    days.metric_version,
    days.metric_date,
    case
        when failed.gap_cause is not null then failed.gap_cause
        when days.ended_on is not null then 'account_closed'
        else 'not_collected'
    end as gap_cause
from days
left join failed
    on
        days.platform = failed.platform
        and days.account_id = failed.account_id
        and days.metric = failed.metric
        and days.metric_version = failed.metric_version
        and days.metric_date = failed.metric_date
