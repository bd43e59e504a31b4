-- for every metric that may be added and has days: the month of a force is the sum of its accounts' days
with days as (

    select
        force_id,
        platform,
        cast(date_trunc('month', metric_date) as date) as month,
        metric,
        metric_version,
        sum(value) as value
    from {{ ref('fct_metric_daily') }}
    group by force_id, platform, cast(date_trunc('month', metric_date) as date), metric, metric_version

),

months as (

    select metrics.* from {{ ref('hmicfrs_metrics') }} as metrics
    inner join {{ ref('dim_metric') }} as definitions
        on
            metrics.metric = definitions.metric
            and metrics.metric_version = definitions.metric_version
            and definitions.additivity = 'additive'
            and {{ has_grain('definitions.grains', 'account_day') }}
    where metrics.platform <> 'all' and metrics.status not in ('missing', 'not_applicable')

)

select
    months.force_id,
    months.platform,
    months.month,
    months.metric,
    months.value,
    days.value as sum_of_days
from months
left join days
    on
        months.force_id = days.force_id
        and months.platform = days.platform
        and months.month = days.month
        and months.metric = days.metric
        and months.metric_version = days.metric_version
-- a month without a post has no days
where months.value <> days.value or (months.value <> 0 and days.value is null)
