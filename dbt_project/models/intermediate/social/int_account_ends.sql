-- accounts that are no more; a renamed one goes on
select
    platform,
    account_id,
    min(force_id) as force_id,
    max(valid_to) as ended_on,
    bool_or(is_simulated) as is_simulated
from {{ ref('accounts') }}
group by platform, account_id
having max({{ or_forever('valid_to') }}) < {{ as_of_date() }}
