-- every planned day without its snapshot has a hole that explains it, under its own name or as a part of everything
with snapshots as (

    select distinct
        platform,
        metric
    from {{ ref('platform_metric_map') }}
    where object_type = 'account' and period = 'snapshot' and preferred and metric is not null

)

select
    days.platform,
    days.account_id,
    days.metric,
    days.metric_date
from {{ ref('fct_metric_daily') }} as days
inner join snapshots
    on
        days.platform = snapshots.platform
        and days.metric = snapshots.metric
left join {{ ref('gap_ledger') }} as holes
    on
        days.platform = holes.platform
        and days.account_id = holes.account_id
        and days.metric_date = holes.run_date
        and (holes.subject = '*' or (days.metric = holes.metric and holes.object_type = 'account'))
where
    days.status = 'missing'
    and holes.account_id is null
