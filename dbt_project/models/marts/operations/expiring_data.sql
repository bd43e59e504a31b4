with declared as (

    select
        platform,
        what,
        subject,
        object_type,
        kept_days,
        warn_days
    from {{ ref('expiring_data_kinds') }}

    union all

    -- every post is to be read at an age of 7 to 14 days: one that was younger at the last run is too old a week after it
    select
        platform,
        'readings of posts' as what,
        'posts' as subject,
        cast(null as varchar) as object_type,
        7 as kept_days,
        3 as warn_days
    from {{ ref('platforms') }}
    where collected_by = 'api'

),

open_accounts as (

    select
        platform,
        account_id,
        force_id,
        is_simulated
    from {{ ref('accounts') }}
    where valid_from <= {{ as_of_date() }} and {{ as_of_date() }} <= {{ or_forever('valid_to') }}

),

-- a platform that nobody has collected yet loses nothing that anybody counts on
begun as (

    select
        platform,
        account_id,
        min(run_date) as first_run_date
    from {{ ref('stg_plan') }}
    group by platform, account_id

),

last_collected as (

    select
        declared.platform,
        declared.what,
        attempts.account_id,
        max(attempts.run_date) as run_date
    from declared
    inner join {{ ref('int_attempts') }} as attempts
        on
            declared.platform = attempts.platform
            and declared.subject = attempts.subject
            and coalesce(declared.object_type, '') = coalesce(attempts.object_type, '')
    where attempts.is_collected and attempts.object_id is null
    group by declared.platform, declared.what, attempts.account_id

),

combined as (

    select
        open_accounts.platform,
        open_accounts.force_id,
        open_accounts.account_id,
        declared.what,
        declared.kept_days,
        declared.warn_days,
        declared.subject is not null as is_collected,
        last_collected.run_date as last_collected_on,
        -- what nobody collects: what is there today is lost then
        case
            when declared.subject is null then {{ plus_days(as_of_date(), 'declared.kept_days') }}
            else {{ plus_days('coalesce(last_collected.run_date, begun.first_run_date)', 'declared.kept_days') }}
        end as lost_on,
        open_accounts.is_simulated
    from declared
    inner join open_accounts on declared.platform = open_accounts.platform
    inner join begun
        on
            open_accounts.platform = begun.platform
            and open_accounts.account_id = begun.account_id
    left join last_collected
        on
            declared.platform = last_collected.platform
            and declared.what = last_collected.what
            and open_accounts.account_id = last_collected.account_id

)

select
    platform,
    force_id,
    account_id,
    what,
    kept_days,
    last_collected_on,
    lost_on,
    lost_on - {{ as_of_date() }} as days_left,
    case
        when not is_collected then 'not_collected'
        when lost_on <= {{ as_of_date() }} then 'lost'
        when lost_on <= {{ plus_days(as_of_date(), 'warn_days') }} then 'expiring'
        else 'ok'
    end as status,
    is_simulated
from combined
