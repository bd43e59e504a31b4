with ended_unseen as (

    select
        lost_days.platform,
        lost_days.account_id,
        count(distinct lost_days.day) as days_n,
        min(plan.source) as source
    from {{ ref('int_lost_days') }} as lost_days
    inner join {{ ref('stg_plan') }} as plan
        on
            lost_days.platform = plan.platform
            and lost_days.account_id = plan.account_id
    where lost_days.gap_cause = 'account_closed'
    group by lost_days.platform, lost_days.account_id

),

-- posts that were gone before their reading, where the platform has not said so itself
removed_unread as (

    select
        posts.platform,
        posts.post_id,
        posts.account_id,
        posts.force_id,
        posts.last_seen_at,
        posts.is_simulated,
        deletions.deleted_at,
        sources.source
    from {{ ref('int_post_deletions') }} as deletions
    inner join {{ ref('int_posts') }} as posts
        on
            deletions.platform = posts.platform
            and deletions.post_id = posts.post_id
    inner join (
        select distinct
            platform,
            post_id
        from {{ ref('int_post_gap_causes') }}
        where gap_cause = 'post_removed'
    ) as lacking
        on
            deletions.platform = lacking.platform
            and deletions.post_id = lacking.post_id
    inner join (
        select
            platform,
            account_id,
            min(source) as source
        from {{ ref('stg_plan') }}
        group by platform, account_id
    ) as sources
        on
            posts.platform = sources.platform
            and posts.account_id = sources.account_id
    left join {{ ref('int_gaps') }} as told
        on
            deletions.platform = told.platform
            and deletions.post_id = told.object_id
            and told.cause = 'post_removed'
    where told.object_id is null

),

-- days without a snapshot that have a hole under the number's own name
lacking as (

    select distinct
        platform,
        account_id,
        metric_date,
        source_field
    from {{ ref('int_account_snapshot_gaps') }}
    where is_in_ledger

),

gaps as (

    select
        told.source,
        told.platform,
        told.force_id,
        told.account_id,
        told.object_type,
        told.object_id,
        told.run_date,
        told.subject,
        told.cause,
        told.detail,
        told.first_seen_at,
        told.last_seen_at,
        -- what came in the end may have come too late to count for the day: the hole stands
        told.is_open or lacking.source_field is not null as is_open,
        case when lacking.source_field is null then told.closed_at end as closed_at,
        told.is_simulated
    from {{ ref('int_gaps') }} as told
    left join lacking
        on
            told.platform = lacking.platform
            and told.account_id = lacking.account_id
            and told.run_date = lacking.metric_date
            and told.subject = lacking.source_field
            and told.object_type = 'account'
            and told.object_id is null

    union all

    -- an answer came, and no snapshot that counts for the day: too late, or stopped at the gate
    select
        source,
        platform,
        force_id,
        account_id,
        'account' as object_type,
        cast(null as varchar) as object_id,
        metric_date as run_date,
        source_field as subject,
        gap_cause as cause,
        'no snapshot that counts for the day was accepted' as detail,
        planned_at as first_seen_at,
        planned_at as last_seen_at,
        true as is_open,
        cast(null as timestamptz) as closed_at,
        is_simulated
    from {{ ref('int_account_snapshot_gaps') }}
    where not is_in_ledger

    union all

    -- others were collected that day, and nobody had planned this account
    select
        source,
        platform,
        force_id,
        account_id,
        cast(null as varchar) as object_type,
        cast(null as varchar) as object_id,
        run_date,
        '*' as subject,
        'not_collected' as cause,
        'no run that day had the account in its plan' as detail,
        due_at as first_seen_at,
        due_at as last_seen_at,
        true as is_open,
        cast(null as timestamptz) as closed_at,
        is_simulated
    from {{ ref('int_days_without_run') }}

    union all

    -- an account that ended after its last list: no run will ever see those days
    select
        plans.source,
        ends.platform,
        ends.force_id,
        ends.account_id,
        cast(null as varchar) as object_type,
        cast(null as varchar) as object_id,
        {{ plus_days('ends.ended_on', 1) }} as run_date,
        'posts' as subject,
        'account_closed' as cause,
        plans.days_n || ' days up to the end of the account are in no list of posts' as detail,
        {{ start_of_day(plus_days('ends.ended_on', 1), london() | trim) }} as first_seen_at,
        {{ start_of_day(plus_days('ends.ended_on', 1), london() | trim) }} as last_seen_at,
        true as is_open,
        cast(null as timestamptz) as closed_at,
        ends.is_simulated
    from {{ ref('int_account_ends') }} as ends
    inner join ended_unseen as plans
        on
            ends.platform = plans.platform
            and ends.account_id = plans.account_id

    union all

    -- what people upload, and nobody has by some days after the month's end
    select
        platform as source,
        platform,
        force_id,
        account_id,
        cast(null as varchar) as object_type,
        cast(null as varchar) as object_id,
        run_date,
        case when has_snapshots then 'posts' else '*' end as subject,
        'not_uploaded' as cause,
        case
            when has_snapshots then 'no upload holds all posts of the month'
            when has_posts_list then 'no upload holds a count of followers in the month'
            else 'no upload of the month'
        end as detail,
        {{ run_instant('run_date') }} as first_seen_at,
        {{ run_instant('run_date') }} as last_seen_at,
        true as is_open,
        cast(null as timestamptz) as closed_at,
        is_simulated
    from {{ ref('int_upload_months') }}
    where not is_collected

    union all

    select
        source,
        platform,
        force_id,
        account_id,
        'post' as object_type,
        post_id as object_id,
        {{ london_date('deleted_at') }} as run_date,
        'posts' as subject,
        'post_removed' as cause,
        'gone before it was old enough to be read' as detail,
        last_seen_at as first_seen_at,
        deleted_at as last_seen_at,
        true as is_open,
        cast(null as timestamptz) as closed_at,
        is_simulated
    from removed_unread

),

-- one metric for a name: the preferred one, the organic part first
named as (

    select
        platform,
        object_type,
        source_field,
        metric,
        row_number() over (
            partition by platform, object_type, source_field
            order by preferred desc, breakdown_value asc nulls first, valid_from desc
        ) as choice
    from {{ ref('platform_metric_map') }}
    where metric is not null

)

select
    gaps.source,
    gaps.platform,
    gaps.force_id,
    gaps.account_id,
    gaps.object_type,
    gaps.object_id,
    gaps.run_date,
    gaps.subject,
    named.metric,
    gaps.cause,
    gaps.detail,
    gaps.first_seen_at,
    gaps.last_seen_at,
    gaps.is_open,
    gaps.closed_at,
    gaps.is_simulated
from gaps
left join named
    on
        gaps.platform = named.platform
        and gaps.object_type = named.object_type
        and gaps.subject = named.source_field
        and named.choice = 1
