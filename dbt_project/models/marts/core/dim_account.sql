with accounts as (

    select * from {{ ref('accounts') }}

)

select
    platform || ':' || account_id || ':' || cast(valid_from as varchar) as account_key,
    platform,
    account_id,
    force_id,
    handle,
    display_name,
    url,
    account_type,
    valid_from,
    valid_to,
    status,
    successor_account_id,
    provenance,
    is_simulated
from accounts
