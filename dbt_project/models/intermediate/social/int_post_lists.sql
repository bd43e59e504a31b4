-- the span of publication that a list of posts has seen: from its window to the moment of asking, or to the end of its run date;
-- an uploaded list says its own
select
    attempts.platform,
    attempts.account_id,
    attempts.run_date,
    attempts.seen_at,
    coalesce(attempts.list_from, {{ list_starts_at('attempts.run_date', 'platforms.list_window_days') }}) as seen_from,
    least(attempts.seen_at, coalesce(attempts.list_to, {{ list_ends_at('attempts.run_date') }})) as seen_to
from {{ ref('int_attempts') }} as attempts
inner join {{ ref('platforms') }} as platforms on attempts.platform = platforms.platform
where
    attempts.subject = 'posts'
    and attempts.object_id is null
    and attempts.is_collected
