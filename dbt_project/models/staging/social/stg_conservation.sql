with source as (

    select * from {{ source('accepted', 'conservation') }}
    where
        run_date <= {{ as_of_date() }}
        and (observed_at is null or observed_at < {{ known_until() }})

),

ranked as (

    select
        *,
        row_number() over (partition by ingest_id, batch, record_kind order by observed_at desc nulls last) as recency
    from source

)

select
    source,
    platform,
    force_id,
    run_date,
    ingest_id,
    batch,
    record_kind,
    landed,
    derived_zero,
    accepted,
    quarantined,
    dropped_duplicate,
    dropped_outside_window,
    is_stopped,
    reason,
    is_simulated
from ranked
where recency = 1
