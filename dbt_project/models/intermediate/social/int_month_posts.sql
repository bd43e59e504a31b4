-- sums over the posts published in the month
with lists as (

    select
        platform,
        force_id,
        month,
        count(*) as accounts_n,
        count(*) filter (where posts_list_state in ('unseen', 'awaited')) as unseen_n,
        count(*) filter (where posts_list_state = 'awaited') as awaited_n,
        count(*) filter (where posts_list_state = 'behind') as behind_n,
        count(*) filter (where posts_list_state = 'seen_so_far') as seen_so_far_n,
        cast(sum(expected_days) as bigint) as expected_days,
        cast(sum(seen_days) as bigint) as seen_days
    from {{ ref('int_month_account_states') }}
    group by platform, force_id, month

),

frame as (

    select * from {{ ref('int_month_frame') }}
    where basis = 'posts'

),

sums as (

    select
        platform,
        force_id,
        published_month as month,
        metric,
        metric_version,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        count(*) as posts_n,
        count(*) filter (where has_value) as valued_n,
        count(*) filter (where is_missing) as missing_n,
        count(*) filter (where is_provisional) as provisional_n,
        bool_or(is_simulated) as is_simulated
    from {{ ref('int_post_outcomes') }}
    group by platform, force_id, published_month, metric, metric_version

),

combined as (

    select
        frame.force_id,
        frame.platform,
        frame.month,
        frame.metric,
        frame.metric_version,
        frame.additivity = 'additive' as is_sum,
        lists.accounts_n,
        lists.unseen_n,
        lists.awaited_n,
        lists.behind_n,
        lists.seen_so_far_n,
        lists.expected_days,
        lists.seen_days,
        sums.numerator,
        sums.denominator,
        sums.is_simulated,
        -- counts of rows: where a force has no posts there are none
        coalesce(sums.posts_n, 0) as posts_n,
        coalesce(sums.valued_n, 0) as valued_n,
        coalesce(sums.missing_n, 0) as missing_n,
        coalesce(sums.provisional_n, 0) as provisional_n
    from frame
    inner join lists
        on
            frame.platform = lists.platform
            and frame.force_id = lists.force_id
            and frame.month = lists.month
    left join sums
        on
            frame.platform = sums.platform
            and frame.force_id = sums.force_id
            and frame.month = sums.month
            and frame.metric = sums.metric
            and frame.metric_version = sums.metric_version

)

select
    force_id,
    platform,
    month,
    metric,
    metric_version,
    -- the lists were read and held no post: the sum over no posts is 0, a rate over none does not exist
    case when posts_n = 0 and unseen_n < accounts_n and is_sum then 0 else numerator end as numerator,
    denominator,
    valued_n as base_n,
    expected_days,
    seen_days,
    posts_n as expected_n,
    valued_n as observed_n,
    missing_n + unseen_n - awaited_n + behind_n as missing_n,
    provisional_n + seen_so_far_n + awaited_n as provisional_n,
    is_sum or posts_n > 0 or unseen_n > 0 as is_applicable,
    coalesce(is_simulated, false) as is_simulated
from combined
