with source as (

    select * from {{ source('accepted', 'collection') }}
    where run_date <= {{ as_of_date() }}

)

select distinct
    source,
    platform,
    force_id,
    account_id,
    object_id,
    run_date,
    ingest_id,
    subject,
    outcome,
    cause,
    detail,
    recorded_at,
    is_simulated
from source
where account_id is not null
