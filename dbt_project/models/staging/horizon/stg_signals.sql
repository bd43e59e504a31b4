with signals as (

    select * from {{ source('accepted', 'signal') }}
    where
        run_date <= {{ as_of_date() }}
        and observed_at < {{ known_until() }}
        and period_start <= {{ as_of_date() }}

),

-- a figure that was seen again, revised or not, counts as it was seen last
ranked as (

    select
        *,
        row_number() over (
            partition by channel, series, period, period_start
            order by observed_at desc, ingest_id desc
        ) as recency
    from signals

)

select
    channel,
    series,
    period,
    period_start,
    value,
    is_stock,
    source,
    run_date,
    observed_at,
    ingest_id,
    is_simulated
from ranked
where recency = 1
