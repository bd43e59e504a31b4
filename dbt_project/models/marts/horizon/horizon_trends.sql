with watched as (

    select
        channel,
        series,
        source,
        unit,
        is_stock
    from {{ ref('horizon_watchlist') }}

),

trends as (

    select * from {{ ref('stg_horizon_statistics') }}

)

select
    {{ as_of_date() }} as scan_date,
    coalesce(watched.channel, trends.channel) as channel,
    coalesce(watched.series, trends.series) as series,
    watched.source,
    watched.unit,
    coalesce(trends.is_stock, watched.is_stock) as is_stock,
    -- a count of weeks, not a reported measure: no row is no week
    coalesce(trends.n_periods, 0) as n_periods,
    trends.first_period_start,
    trends.last_period_start,
    trends.step_date,
    trends.step_size,
    trends.sens_slope_per_week,
    trends.growth_ratio,
    trends.direction,
    cast(null as double) as slope_ci_low,
    cast(null as double) as slope_ci_high,
    cast(null as double) as trend_p_value,
    cast(null as double) as trend_q_value,
    cast(null as double) as acceleration,
    cast(null as varchar) as stage,
    cast(null as varchar) as stage_rule,
    coalesce(trends.not_computed_reason, 'too_short') as not_computed_reason,
    coalesce(trends.status, 'missing') as status,
    coalesce(trends.is_simulated, false) as is_simulated
from watched
full outer join trends
    on
        watched.channel = trends.channel
        and watched.series = trends.series
