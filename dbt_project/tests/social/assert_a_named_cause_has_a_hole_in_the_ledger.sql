-- a day that says why it is missing or partial says what the ledger says of that account; `not_collected` is what no attempt
-- has named, `not_yet_counted` is no hole yet, and `retired_metric` can be known from the map alone
select
    days.platform,
    days.account_id,
    days.metric,
    days.metric_date,
    days.gap_cause
from {{ ref('fct_metric_daily') }} as days
left join {{ ref('gap_ledger') }} as holes
    on
        days.platform = holes.platform
        and days.account_id = holes.account_id
        and days.gap_cause = holes.cause
where
    days.status in ('missing', 'partial')
    and days.gap_cause not in ('not_collected', 'not_yet_counted', 'retired_metric', 'account_closed')
    and holes.account_id is null
