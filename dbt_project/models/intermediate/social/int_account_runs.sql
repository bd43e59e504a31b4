with planned as (

    select * from {{ ref('stg_plan') }}

),

attempts as (

    select * from {{ ref('int_attempts') }}
    where subject = 'posts' and object_id is null

),

posts_lists as (

    select
        platform,
        account_id,
        run_date,
        {{ last_value_by('is_collected', 'attempt_n') }} as is_collected
    from attempts
    group by platform, account_id, run_date

),

missing_snapshots as (

    select distinct
        platform,
        account_id,
        metric_date
    from {{ ref('int_account_snapshot_gaps') }}

)

select
    platform,
    account_id,
    run_date,
    -- the source of an upload goes by its platform's name
    platform as source,
    force_id,
    has_posts_list,
    has_snapshots,
    is_collected,
    is_simulated
from {{ ref('int_upload_months') }}

union all

select
    planned.platform,
    planned.account_id,
    planned.run_date,
    planned.source,
    planned.force_id,
    coalesce(posts_lists.is_collected, false) as has_posts_list,
    missing_snapshots.account_id is null as has_snapshots,
    coalesce(posts_lists.is_collected, false) and missing_snapshots.account_id is null as is_collected,
    planned.is_simulated
from planned
left join posts_lists
    on
        planned.platform = posts_lists.platform
        and planned.account_id = posts_lists.account_id
        and planned.run_date = posts_lists.run_date
left join missing_snapshots
    on
        planned.platform = missing_snapshots.platform
        and planned.account_id = missing_snapshots.account_id
        and planned.run_date = missing_snapshots.metric_date
