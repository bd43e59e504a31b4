-- account × day on which others were collected and it was not, though it, or another account of its platform while nobody asked the
-- platform at all, had been before: nobody even planned it. A run for some forces only plans nothing for the others.
with plans as (

    select * from {{ ref('stg_plan') }}

),

begun as (

    select
        platform,
        min(run_date) as first_run_date,
        min(source) as source,
        bool_or(is_simulated) as is_simulated
    from plans
    group by platform

),

accounts_begun as (

    select
        platform,
        account_id,
        min(run_date) as first_run_date
    from plans
    group by platform, account_id

),

days as (

    select distinct run_date from plans

),

platform_days as (

    select distinct
        platform,
        run_date
    from plans

),

without_run as (

    select
        begun.*,
        days.run_date,
        platform_days.run_date is not null as is_of_others
    from begun
    inner join days on begun.first_run_date < days.run_date
    left join platform_days
        on
            begun.platform = platform_days.platform
            and days.run_date = platform_days.run_date

)

select
    accounts.platform,
    accounts.account_id,
    accounts.force_id,
    without_run.run_date,
    without_run.source,
    {{ run_instant('without_run.run_date') }} as due_at,
    without_run.is_simulated
from without_run
inner join {{ ref('accounts') }} as accounts
    on
        without_run.platform = accounts.platform
        and without_run.run_date >= accounts.valid_from
        and without_run.run_date <= {{ or_forever('accounts.valid_to') }}
left join accounts_begun
    on
        accounts.platform = accounts_begun.platform
        and accounts.account_id = accounts_begun.account_id
left join plans
    on
        accounts.platform = plans.platform
        and accounts.account_id = plans.account_id
        and without_run.run_date = plans.run_date
where
    plans.account_id is null
    and (not without_run.is_of_others or accounts_begun.first_run_date < without_run.run_date)
