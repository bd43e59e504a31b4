{{ config(tags=['feeds_statistics']) }}

with weeks as (

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
from weeks
-- a flow of which days are missing has no weekly total: that week is missing, not smaller
where is_stock or days_observed = 7
