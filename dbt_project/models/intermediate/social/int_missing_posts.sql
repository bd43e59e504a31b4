-- posts that were listed and of which no record has passed the gate
with holes as (

    select
        gaps.*,
        platforms.list_window_days,
        {{ london_date('gaps.published_at') }} as said_date
    from {{ ref('int_gaps') }} as gaps
    inner join {{ ref('platforms') }} as platforms on gaps.platform = platforms.platform
    left join {{ ref('int_posts') }} as posts
        on
            gaps.platform = posts.platform
            and gaps.object_id = posts.post_id
    where
        gaps.subject = 'posts'
        and gaps.object_id is not null
        and gaps.is_open
        and posts.post_id is null

),

-- published when it says, if a list of its run could hold it; else some time up to the run
dated as (

    select
        *,
        case
            when
                said_date between {{ plus_days('run_date', '-list_window_days') }} and {{ plus_days('run_date', 1) }}
                and said_date <= {{ as_of_date() }}
                then said_date
            else run_date
        end as published_date
    from holes

)

select
    platform,
    object_id as post_id,
    min(force_id) as force_id,
    min(account_id) as account_id,
    min(published_date) as published_date,
    cast(date_trunc('month', min(published_date)) as date) as published_month,
    {{ leading_cause('cause', 'run_date') }} as gap_cause,
    bool_or(is_simulated) as is_simulated
from dated
group by platform, object_id
