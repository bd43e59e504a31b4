select
    scan_date,
    channel,
    series
from {{ ref('horizon_trends') }}
group by scan_date, channel, series
having count(*) > 1
