-- what counts as an attempt's outcome: what a stopped batch had collected never got through the gate
with attempts as (

    select * from {{ ref('stg_collection') }}

),

stopped as (

    select distinct
        source,
        run_date,
        ingest_id
    from {{ ref('stg_conservation') }}
    where is_stopped

)

select
    attempts.*,
    -- in the order of what was seen; when it was written down only breaks ties
    rank() over (
        partition by attempts.source, attempts.platform, attempts.account_id, attempts.run_date
        order by attempts.seen_at, attempts.recorded_at
    ) as attempt_n,
    attempts.outcome = 'collected' and stopped.ingest_id is null as is_collected,
    stopped.ingest_id is not null as is_stopped
from attempts
left join stopped
    on
        attempts.source = stopped.source
        and attempts.run_date = stopped.run_date
        and attempts.ingest_id = stopped.ingest_id
