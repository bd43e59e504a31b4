with accounts as (

    select * from {{ ref('accounts') }}
    where status <> 'open' and valid_to < {{ as_of_date() }}

)

-- the account that ended or changed its name
select
    platform,
    account_id,
    force_id,
    {{ plus_days('valid_to', 1) }} as event_date,
    status as event
from accounts

union

-- the account that took another in: its followers jump
select
    accounts.platform,
    accounts.successor_account_id as account_id,
    successors.force_id,
    {{ plus_days('accounts.valid_to', 1) }} as event_date,
    'took_in' as event
from accounts
inner join {{ ref('accounts') }} as successors
    on
        accounts.platform = successors.platform
        and accounts.successor_account_id = successors.account_id
        and {{ plus_days('accounts.valid_to', 1) }} between successors.valid_from and {{ or_forever('successors.valid_to') }}
