-- the span in which one run has seen what the public said and what was answered: both lists are needed
with lists as (

    select
        platform,
        account_id,
        run_date,
        max(seen_at) filter (where subject = 'messages') as messages_seen_at,
        max(seen_at) filter (where subject = 'posts') as posts_seen_at
    from {{ ref('int_attempts') }}
    where
        subject in ('messages', 'posts')
        and object_id is null
        and is_collected
    group by platform, account_id, run_date

)

select
    lists.platform,
    lists.account_id,
    lists.run_date,
    {{ list_starts_at('lists.run_date', 'contact_platforms.window_days') }} as seen_from,
    least(lists.messages_seen_at, lists.posts_seen_at, {{ list_ends_at('lists.run_date') }}) as seen_to
from lists
inner join {{ ref('contact_platforms') }} as contact_platforms on lists.platform = contact_platforms.platform
where
    contact_platforms.window_days is not null
    and lists.messages_seen_at is not null
    and lists.posts_seen_at is not null
