-- sums over the posts of a London day; one that no list has seen as a whole may have had more
with posts as (

    select * from {{ ref('int_post_outcomes') }}

),

summed as (

    select
        posts.platform,
        posts.force_id,
        posts.account_id,
        posts.metric,
        posts.metric_version,
        posts.published_date,
        sum(posts.numerator) as value,
        count(*) filter (where posts.is_missing or list_days.state = 'lost') as missing_n,
        count(*) filter (where posts.is_provisional or list_days.state = 'pending') as provisional_n,
        coalesce({{ leading_cause('posts.gap_cause', 'posts.published_date') }}, max(lost_days.gap_cause)) as gap_cause,
        bool_or(posts.is_simulated) as is_simulated
    from posts
    left join {{ ref('int_account_list_days') }} as list_days
        on
            posts.platform = list_days.platform
            and posts.account_id = list_days.account_id
            and posts.published_date = list_days.day
    left join {{ ref('int_lost_days') }} as lost_days
        on
            posts.platform = lost_days.platform
            and posts.account_id = lost_days.account_id
            and posts.published_date = lost_days.day
    group by posts.platform, posts.force_id, posts.account_id, posts.metric, posts.metric_version, posts.published_date
    having bool_or(posts.has_value or posts.is_expected)

),

with_status as (

    select
        *,
        {{ sum_status('value', 'missing_n', 'provisional_n', 'false') }} as status
    from summed

)

select
    platform,
    force_id,
    account_id,
    metric,
    metric_version,
    published_date,
    value,
    missing_n,
    provisional_n,
    status,
    case when status in ('missing', 'partial') then gap_cause end as gap_cause,
    is_simulated
from with_status
