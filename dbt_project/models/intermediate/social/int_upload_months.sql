-- what is expected of an account whose figures people upload: by some days after its end, each month's followers and all its posts
with uploaded as (

    select platform from {{ ref('platforms') }}
    where collected_by = 'upload'

),

-- a renamed account has two rows in the register and is one account
expected as (

    select
        accounts.platform,
        accounts.account_id,
        accounts.force_id,
        months.month,
        months.last_day,
        {{ plus_days('months.last_day', 7) }} <= {{ as_of_date() }} as is_due,
        bool_or(accounts.is_simulated) as is_simulated
    from {{ ref('accounts') }} as accounts
    inner join uploaded on accounts.platform = uploaded.platform
    inner join {{ ref('int_months') }} as months
        on
            accounts.valid_from <= months.last_known_day
            and {{ or_forever('accounts.valid_to') }} >= months.month
    where not months.is_open
    group by accounts.platform, accounts.account_id, accounts.force_id, months.month, months.last_day

),

counted as (

    select distinct
        platform,
        account_id,
        cast(date_trunc('month', metric_date) as date) as month
    from {{ ref('int_account_snapshots') }}
    where metric = 'followers_end'

),

listed as (

    select
        platform,
        account_id,
        cast(date_trunc('month', day) as date) as month
    from {{ ref('int_account_list_days') }}
    group by platform, account_id, cast(date_trunc('month', day) as date)
    having count(*) = count(*) filter (where state = 'seen')

),

combined as (

    select
        expected.platform,
        expected.account_id,
        expected.force_id,
        expected.month,
        expected.last_day as run_date,
        expected.is_due,
        counted.account_id is not null as has_snapshots,
        listed.account_id is not null as has_posts_list,
        expected.is_simulated
    from expected
    left join counted
        on
            expected.platform = counted.platform
            and expected.account_id = counted.account_id
            and expected.month = counted.month
    left join listed
        on
            expected.platform = listed.platform
            and expected.account_id = listed.account_id
            and expected.month = listed.month

)

select
    *,
    has_snapshots and has_posts_list as is_collected
from combined
where is_due or (has_snapshots and has_posts_list)
