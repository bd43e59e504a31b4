with posts as (

    select * from {{ ref('int_posts') }}

),

readings as (

    select * from {{ ref('int_post_readings') }}

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
    {{ all_but('posts', ['is_simulated']) }},
    {{ all_but('readings', ['platform', 'post_id', 'is_simulated']) }},
    -- null as soon as one part is: a post with a part missing has no interactions, not fewer
    readings.reactions + readings.comments + readings.shares as interactions,
    readings.latest_reactions + readings.latest_comments + readings.latest_shares as latest_interactions,
    {{ hours_between('posts.published_at', 'readings.reading_observed_at') }} as reading_age_hours,
    case
        when readings.has_provisional then 'provisional'
        when readings.reading_observed_at is not null then 'ok'
        when posts.is_young then 'provisional'
        else 'missing'
    end as reading_status,
    posts.is_simulated or coalesce(readings.is_simulated, false) as is_simulated
from with_followers as posts
left join readings
    on
        posts.platform = readings.platform
        and posts.post_id = readings.post_id
