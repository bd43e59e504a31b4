-- an account that a run planned has its list of posts and its followers of the day, or the ledger says why not: of that which lacks
select
    runs.platform,
    runs.account_id,
    runs.run_date
from {{ ref('int_account_runs') }} as runs
left join {{ ref('gap_ledger') }} as gaps
    on
        runs.platform = gaps.platform
        and runs.account_id = gaps.account_id
        and runs.run_date = gaps.run_date
        and gaps.object_id is null
        and gaps.is_open
where not runs.is_collected
group by runs.platform, runs.account_id, runs.run_date
having
    (not bool_and(runs.has_posts_list) and count(gaps.cause) filter (where gaps.subject in ('*', 'posts')) = 0)
    or (
        not bool_and(runs.has_snapshots)
        and count(gaps.cause) filter (where gaps.subject = '*' or gaps.object_type = 'account') = 0
    )
