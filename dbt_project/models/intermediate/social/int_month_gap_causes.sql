-- why a sum over posts lacks something: the cause of the latest hole that bears on it
with months as (

    select * from {{ ref('int_months') }}

),

sources_of_metrics as (

    {% for definition in post_metrics() -%}
    {% for subject in ['*', 'posts'] -%}
    select '{{ definition.metric }}' as metric, '{{ subject }}' as subject
    union all
    {% endfor -%}
    {% for input in definition.inputs -%}
    select '{{ definition.metric }}' as metric, source_field as subject
    from {{ ref('platform_metric_map') }}
    where metric = '{{ input }}' and preferred
    union all
    {% endfor -%}
    {% endfor -%}
    {% for subject in ['*', 'posts'] -%}
    select 'metric_coverage' as metric, '{{ subject }}' as subject
    {{ 'union all' if not loop.last }}
    {% endfor %}
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
    sources_of_metrics.metric,
    {{ last_value_by('gaps.cause', 'gaps.run_date') }} as gap_cause
from gaps
inner join (select distinct metric, subject from sources_of_metrics) as sources_of_metrics
    on gaps.subject = sources_of_metrics.subject
inner join months on gaps.run_date between months.month and {{ plus_days('months.last_day', 14) }}
group by gaps.platform, gaps.force_id, months.month, sources_of_metrics.metric

union all

select
    platform,
    force_id,
    month,
    metric,
    {{ last_value_by('followers_gap_cause', 'account_id') }} as gap_cause
from {{ ref('int_month_account_states') }}
cross join (
    {% for definition in account_metrics() if 'followers_end' in definition.inputs -%}
    {{ 'union all ' if not loop.first }}select '{{ definition.metric }}' as metric
    {% endfor -%}
) as metrics_of_followers
where is_open_at_end and followers_gap_cause is not null
group by platform, force_id, month, metric
