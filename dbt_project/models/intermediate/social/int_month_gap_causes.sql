-- why a month lacks something: the leading cause of what is missing in it (macros/causes.sql)
with definitions as (

    select distinct
        metric,
        basis,
        input is not null as has_input
    from {{ ref('int_metric_inputs') }}

),

states as (

    select * from {{ ref('int_month_account_states') }}

),

lost_days as (

    select
        platform,
        force_id,
        cast(date_trunc('month', day) as date) as month,
        day,
        gap_cause
    from {{ ref('int_lost_days') }}

    union all

    -- an account of which no list has shown anything yet, though one may still come
    select
        platform,
        force_id,
        month,
        month as day,
        case when posts_list_state = 'awaited' then 'not_yet_counted' else 'not_collected' end as gap_cause
    from states
    where posts_list_state in ('unseen', 'awaited')

),

runs as (

    select distinct
        platform,
        force_id,
        cast(date_trunc('month', run_date) as date) as month
    from {{ ref('int_account_runs') }}

),

found as (

    select
        platform,
        force_id,
        published_month as month,
        metric,
        published_date as day,
        gap_cause
    from {{ ref('int_post_outcomes') }}
    where not has_value

    union all

    select
        lost_days.platform,
        lost_days.force_id,
        lost_days.month,
        definitions.metric,
        lost_days.day,
        lost_days.gap_cause
    from lost_days
    inner join definitions on definitions.basis = 'posts'

    union all

    select
        days.platform,
        days.force_id,
        cast(date_trunc('month', days.day) as date) as month,
        definitions.metric,
        days.day,
        days.gap_cause
    from {{ ref('int_unseen_contact_days') }} as days
    inner join definitions on definitions.basis = 'contacts'

    union all

    -- messages whose seven days no run has seen from end to end
    select
        responses.platform,
        responses.force_id,
        responses.created_month as month,
        definitions.metric,
        responses.created_date as day,
        'not_collected' as gap_cause
    from {{ ref('int_responses') }} as responses
    inner join definitions on definitions.basis = 'contacts'
    where responses.status = 'missing' and responses.is_export_only is not true

    union all

    -- the count of followers: of an account that has none
    select
        states.platform,
        states.force_id,
        states.month,
        definitions.metric,
        states.month as day,
        states.followers_gap_cause as gap_cause
    from states
    inner join definitions on definitions.basis = 'accounts' and definitions.has_input
    where states.is_open_at_end and states.followers_gap_cause is not null

    union all

    -- the share of runs: a month in which none was planned
    select
        states.platform,
        states.force_id,
        states.month,
        definitions.metric,
        states.month as day,
        'not_collected' as gap_cause
    from states
    inner join definitions on definitions.basis = 'accounts' and not definitions.has_input
    left join runs
        on
            states.platform = runs.platform
            and states.force_id = runs.force_id
            and states.month = runs.month
    where runs.month is null and not states.is_uploaded

)

select
    platform,
    force_id,
    month,
    metric,
    {{ leading_cause('gap_cause', 'day') }} as gap_cause
from found
group by platform, force_id, month, metric
