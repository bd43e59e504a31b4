with source as (

    select * from {{ source('accepted', 'plan') }}
    where run_date <= {{ as_of_date() }}

)

select
    platform,
    account_id,
    run_date,
    min(source) as source,
    min(force_id) as force_id,
    min(planned_at) as planned_at,
    bool_or(is_simulated) as is_simulated
from source
group by platform, account_id, run_date
