with source as (

    select * from {{ source('accepted', 'collection') }}
    where
        run_date <= {{ as_of_date() }}
        -- of a force's account, or of an open series, which belongs to none
        and (account_id is not null or platform is null)

),

-- an attempt without any answer has no instant of its own: it counts as of the run's plan, before the run's first answer
timed as (

    select
        *,
        coalesce(
            observed_at,
            least({{ run_instant('run_date') }}, min(observed_at) over (partition by source, platform, account_id, run_date))
        ) as seen_at
    from source

)

select distinct
    source,
    platform,
    force_id,
    account_id,
    object_type,
    object_id,
    run_date,
    ingest_id,
    subject,
    outcome,
    cause,
    detail,
    published_at,
    list_from,
    list_to,
    seen_at,
    recorded_at,
    is_simulated
from timed
where seen_at < {{ known_until() }}
