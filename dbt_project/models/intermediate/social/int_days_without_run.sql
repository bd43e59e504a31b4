-- account × day on which other platforms were collected and its own was not, though it had been before: nobody even planned it
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

days as (

    select distinct run_date from plans

),

without_run as (

    select
        begun.*,
        days.run_date
    from begun
    inner join days on begun.first_run_date < days.run_date
    where not exists (
        select 1 from plans
        where plans.platform = begun.platform and plans.run_date = days.run_date
    )

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
