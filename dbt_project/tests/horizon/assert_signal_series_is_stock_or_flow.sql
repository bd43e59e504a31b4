-- a series that is a level in some rows and a flow in others has no trend
select
    channel,
    series
from {{ ref('int_signal_daily') }}
group by channel, series
having count(distinct is_stock) > 1
