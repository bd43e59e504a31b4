-- why a sum over posts lacks something: the cause of the latest hole that bears on it
with months as (

    select * from {{ ref('int_months') }}

),

definitions as (

    select * from {{ ref('int_metric_inputs') }}

),

-- what a hole must be about to bear on the metric
subjects as (

    select
        definitions.metric,
        cast(null as varchar) as platform,
        whole.subject
    from definitions
    cross join (values ('*'), ('posts')) as whole (subject)
    where definitions.basis = 'posts' or definitions.input is null

    union

    select
        definitions.metric,
        metric_map.platform,
        metric_map.source_field as subject
    from definitions
    inner join {{ ref('platform_metric_map') }} as metric_map
        on
            definitions.input = metric_map.metric
            and metric_map.preferred
    where definitions.basis = 'posts'

),

gaps as (

    select
        platform,
        force_id,
        run_date,
        subject,
        {{ last_value_by('cause', 'last_seen_at') }} as cause
    from {{ ref('int_gaps') }}
    group by platform, force_id, run_date, subject

)

select
    gaps.platform,
    gaps.force_id,
    months.month,
    subjects.metric,
    {{ last_value_by('gaps.cause', 'gaps.run_date') }} as gap_cause
from gaps
inner join subjects
    on
        gaps.subject = subjects.subject
        and gaps.platform = coalesce(subjects.platform, gaps.platform)
inner join months on gaps.run_date between months.month and {{ plus_days('months.last_day', 14) }}
group by gaps.platform, gaps.force_id, months.month, subjects.metric

union all

-- the count of followers: of an account that has none
select
    states.platform,
    states.force_id,
    states.month,
    definitions.metric,
    {{ last_value_by('states.followers_gap_cause', 'states.account_id') }} as gap_cause
from {{ ref('int_month_account_states') }} as states
cross join definitions
where
    states.is_open_at_end
    and states.followers_gap_cause is not null
    and definitions.basis = 'accounts'
    and definitions.input is not null
group by states.platform, states.force_id, states.month, definitions.metric
