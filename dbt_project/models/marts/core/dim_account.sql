-- as the register could be known on the as-of date: what begins or ends later is not in it
with accounts as (

    select
        *,
        coalesce(valid_to > {{ as_of_date() }}, false) as ends_later
    from {{ ref('accounts') }}
    where valid_from <= {{ as_of_date() }}

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
    case when not ends_later then valid_to end as valid_to,
    case when ends_later then 'open' else status end as status,
    case when not ends_later then successor_account_id end as successor_account_id,
    provenance,
    is_simulated
from accounts
