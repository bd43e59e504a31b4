select
    channel,
    series,
    is_stock,
    n_periods,
    first_period_start,
    last_period_start,
    n_steps,
    step_date,
    step_size,
    sens_slope_per_week,
    growth_ratio,
    direction,
    not_computed_reason,
    status,
    is_simulated
from {{ source('statistics', 'horizon_statistics') }}
