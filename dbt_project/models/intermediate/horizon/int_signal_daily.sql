{{ config(tags=['feeds_statistics']) }}

select
    channel,
    series,
    period_start as signal_date,
    cast(date_trunc('week', period_start) as date) as week_start,
    value,
    is_stock,
    is_simulated
from {{ ref('stg_signals') }}
where
    period = 'day'
    and value is not null
