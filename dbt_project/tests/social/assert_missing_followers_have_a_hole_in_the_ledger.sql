-- every day of status missing with a planned snapshot has a hole that explains it
select
    days.platform,
    days.account_id,
    days.metric,
    days.metric_date
from {{ ref('fct_metric_daily') }} as days
left join {{ ref('gap_ledger') }} as holes
    on
        days.platform = holes.platform
        and days.account_id = holes.account_id
        and days.metric_date = holes.run_date
        and (holes.subject = '*' or days.metric = holes.metric)
where
    days.status = 'missing'
    and days.gap_cause is not null
    and holes.account_id is null
