{%- set of_a_month = [
    'force_id', 'platform', 'month', 'metric', 'metric_version', 'numerator', 'denominator', 'base_n', 'expected_days', 'seen_days',
    'expected_n', 'observed_n', 'missing_n', 'provisional_n', 'is_applicable', 'is_simulated'
] -%}
with frame as (

    select * from {{ ref('int_month_frame') }}

),

-- sums over what was posted or said in the month
posts as (

    select {{ of_a_month | join(', ') }} from {{ ref('int_month_posts') }}
    union all
    select {{ of_a_month | join(', ') }} from {{ ref('int_month_contacts') }}

),

accounts as (

    select * from {{ ref('int_month_accounts') }}

),

causes as (

    select * from {{ ref('int_month_gap_causes') }}

),

by_platform as (

    select
        frame.force_id,
        frame.platform,
        frame.month,
        frame.is_open,
        frame.metric,
        frame.metric_version,
        frame.additivity,
        frame.is_available and coalesce(posts.is_applicable, accounts.is_applicable, true) as is_applicable,
        coalesce(posts.numerator, accounts.numerator) as numerator,
        coalesce(posts.denominator, accounts.denominator) as denominator,
        coalesce(posts.base_n, accounts.base_n) as base_n,
        posts.expected_days,
        posts.seen_days,
        coalesce(posts.expected_n, accounts.expected_n) as expected_n,
        coalesce(posts.observed_n, accounts.observed_n) as observed_n,
        coalesce(posts.missing_n, accounts.missing_n) as missing_n,
        -- a count of posts: what rests on accounts has none that are provisional
        coalesce(posts.provisional_n, 0) as provisional_n,
        causes.gap_cause,
        frame.is_new_version,
        frame.is_simulated or coalesce(posts.is_simulated, false) as is_simulated
    from frame
    left join posts
        on
            frame.force_id = posts.force_id
            and frame.platform = posts.platform
            and frame.month = posts.month
            and frame.metric = posts.metric
            and frame.metric_version = posts.metric_version
    left join accounts
        on
            frame.force_id = accounts.force_id
            and frame.platform = accounts.platform
            and frame.month = accounts.month
            and frame.metric = accounts.metric
    left join causes
        on
            frame.force_id = causes.force_id
            and frame.platform = causes.platform
            and frame.month = causes.month
            and frame.metric = causes.metric

),

applicable as (

    select
        *,
        is_applicable and additivity in ('additive', 'additive_ratio') as is_summed
    from by_platform

),

-- all platforms together: only what may be added over platforms; a platform without its value is missing in the sum, unless
-- the value is only not there yet
together as (

    select
        force_id,
        'all' as platform,
        month,
        is_open,
        metric,
        metric_version,
        additivity,
        bool_or(is_summed) as is_applicable,
        sum(numerator) filter (where is_summed) as numerator,
        sum(denominator) filter (where is_summed) as denominator,
        sum(base_n) filter (where is_summed) as base_n,
        sum(expected_days) filter (where is_summed) as expected_days,
        sum(seen_days) filter (where is_summed) as seen_days,
        -- of one platform unknown, together unknown
        case
            when count(expected_n) filter (where is_summed) = count(*) filter (where is_summed)
                then sum(expected_n) filter (where is_summed)
        end as expected_n,
        sum(observed_n) filter (where is_summed) as observed_n,
        sum(missing_n) filter (where is_summed)
        + count(*) filter (where is_summed and numerator is null and (missing_n > 0 or provisional_n = 0)) as missing_n,
        sum(provisional_n) filter (where is_summed) as provisional_n,
        {{ leading_cause('case when is_summed then gap_cause end', 'month') }} as gap_cause,
        bool_or(is_new_version) as is_new_version,
        bool_or(is_simulated) as is_simulated
    from applicable
    group by force_id, month, is_open, metric, metric_version, additivity

)

select * from by_platform
union all
select * from together
