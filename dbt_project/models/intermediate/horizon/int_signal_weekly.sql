{{ config(tags=['feeds_statistics']) }}

with days_by_week as (

    select
        channel,
        series,
        week_start,
        is_stock,
        count(*) as days_observed,
        max(signal_date) as last_date,
        max_by(value, signal_date) as last_value,
        {{ ordered_sum('value', 'signal_date') }} as total_value,
        bool_or(is_simulated) as is_simulated
    from {{ ref('int_signal_daily') }}
    group by channel, series, week_start, is_stock

),

-- spans of seven days from any weekday, each in the ISO week that holds most of it; one that was not over when seen is no week
spans as (

    select
        *,
        cast(date_trunc('week', {{ plus_days('period_start', 3) }}) as date) as week_start,
        {{ plus_days('period_start', 6) }} as last_date
    from {{ ref('stg_signals') }}
    where
        period = 'week'
        and value is not null
        and observed_at >= {{ start_of_day(plus_days('period_start', 7), "'UTC'") }}

),

-- of several spans in one ISO week, the one that is nearest to it
ranked as (

    select
        *,
        row_number() over (
            partition by channel, series, week_start
            order by abs(period_start - week_start) asc, observed_at desc, period_start asc
        ) as nearness
    from spans

)

select
    channel,
    series,
    week_start,
    is_stock,
    days_observed,
    last_date,
    case when is_stock then last_value else total_value end as value,
    is_simulated
from days_by_week
-- a flow of which days are missing has no weekly total: that week is missing, not smaller
where is_stock or days_observed = 7

union all

select
    channel,
    series,
    week_start,
    is_stock,
    7 as days_observed,
    last_date,
    value,
    is_simulated
from ranked
where nearness = 1
