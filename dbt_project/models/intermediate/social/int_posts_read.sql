with posts as (

    select * from {{ ref('int_posts') }}

),

readings as (

    select * from {{ ref('int_post_readings') }}

),

metric_map as (

    select * from {{ ref('platform_metric_map') }}
    where object_type = 'post' and preferred and metric in ({{ quoted(interaction_parts()) }})

),

-- the parts of interactions that the platform had when the post was read
parts as (

    select
        readings.platform,
        readings.post_id,
        {{ has_parts('metric_map.metric') }}
    from readings
    inner join metric_map
        on
            readings.platform = metric_map.platform
            and {{ london_date('coalesce(readings.reading_observed_at, readings.latest_observed_at)') }}
            between metric_map.valid_from and {{ or_forever('metric_map.valid_to') }}
    group by readings.platform, readings.post_id

),

follower_counts as (

    select
        platform,
        account_id,
        observed_at,
        value
    from {{ ref('int_account_snapshots') }}
    where metric = 'followers_end'

),

with_followers as (

    select
        posts.*,
        follower_counts.value as followers_at_posting
    from posts
    {{ join_last_at_or_before(
        'posts', 'follower_counts', 'follower_counts', ['platform', 'account_id'], 'published_at', 'observed_at'
    ) }}

)

select
    {{ all_but('posts', ['is_simulated', 'deleted_at', 'last_seen_run_date']) }},
    {{ all_but('readings', ['platform', 'post_id', 'sum_of_parts', 'latest_sum_of_parts', 'is_simulated']) }},
    -- null as soon as a part is that the platform has: a post with a part missing has no interactions, not fewer
    case when {{ every_part('parts', 'readings', '') }} then readings.sum_of_parts end as interactions,
    case when {{ every_part('parts', 'readings', 'latest_') }} then readings.latest_sum_of_parts end as latest_interactions,
    {{ hours_between('posts.published_at', 'readings.reading_observed_at') }} as reading_age_hours,
    deletions.deleted_at,
    case
        when readings.has_provisional then 'provisional'
        when readings.reading_observed_at is not null then 'ok'
        -- a repost of which the platform gives no numbers: those that it shows are the original's
        when posts.kind = 'repost' and readings.post_id is null then 'not_applicable'
        when posts.is_young then 'provisional'
        else 'missing'
    end as reading_status,
    posts.is_simulated or coalesce(readings.is_simulated, false) as is_simulated
from with_followers as posts
left join readings
    on
        posts.platform = readings.platform
        and posts.post_id = readings.post_id
left join parts
    on
        posts.platform = parts.platform
        and posts.post_id = parts.post_id
left join {{ ref('int_post_deletions') }} as deletions
    on
        posts.platform = deletions.platform
        and posts.post_id = deletions.post_id
