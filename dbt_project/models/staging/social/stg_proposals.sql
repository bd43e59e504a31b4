with source as (

    select * from {{ known('proposal') }}

)

select
    force_id,
    platform,
    handle,
    change,
    run_date,
    current_handle,
    account_id,
    url,
    detail,
    raw_sha256,
    observed_at,
    is_simulated
from source
