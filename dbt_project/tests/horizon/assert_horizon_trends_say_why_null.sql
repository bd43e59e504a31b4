-- a slope is null exactly when the row says that the series is too short, and a step has both its date and its size
select *
from {{ ref('horizon_trends') }}
where
    (sens_slope_per_week is null) != (not_computed_reason = 'too_short')
    or (direction is null) != (sens_slope_per_week is null)
    or (step_date is null) != (step_size is null)
