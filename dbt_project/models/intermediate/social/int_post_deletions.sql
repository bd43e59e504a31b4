-- posts that are gone: a list of posts made after the last that showed them should hold them and does not
with failed as (

    -- runs in which more than single posts could not be asked for: what their list lacks may only not have been read
    select distinct
        platform,
        account_id,
        run_date
    from {{ ref('int_attempts') }}
    where
        outcome = 'gap'
        and object_id is null
        and object_type is distinct from 'account'
        and cause in ('outage', 'throttled', 'quarantined')

),

-- what was listed and held back at the gate; a row without a readable id may be of any post
held as (

    select distinct
        platform,
        account_id,
        run_date,
        object_id
    from {{ ref('int_attempts') }}
    where outcome = 'gap' and subject = 'posts' and object_id is not null

),

lists as (

    select lists.*
    from {{ ref('int_post_lists') }} as lists
    left join failed
        on
            lists.platform = failed.platform
            and lists.account_id = failed.account_id
            and lists.run_date = failed.run_date
    where failed.run_date is null

),

absences as (

    select
        posts.platform,
        posts.post_id,
        min(lists.seen_at) as absent_since
    from {{ ref('int_posts') }} as posts
    inner join lists
        on
            posts.platform = lists.platform
            and posts.account_id = lists.account_id
            and posts.last_seen_at < lists.seen_at
            and posts.last_seen_run_date <> lists.run_date
            and posts.published_at >= lists.seen_from
            and posts.published_at < lists.seen_to
    left join held
        on
            posts.platform = held.platform
            and posts.account_id = held.account_id
            and lists.run_date = held.run_date
            and (posts.post_id = held.object_id or held.object_id like 'without id%')
    where held.run_date is null
    group by posts.platform, posts.post_id

)

select
    posts.platform,
    posts.post_id,
    coalesce(posts.deleted_at, absences.absent_since) as deleted_at
from {{ ref('int_posts') }} as posts
left join absences
    on
        posts.platform = absences.platform
        and posts.post_id = absences.post_id
where posts.deleted_at is not null or absences.absent_since is not null
