-- planned, and nothing is known of the account as a whole: nobody tried, or all that came was stopped at the gate
with planned as (

    select * from {{ ref('stg_plan') }}

),

outcomes as (

    select
        platform,
        account_id,
        run_date,
        bool_or(is_collected) as is_collected,
        bool_or(outcome = 'gap') as has_gap,
        bool_or(outcome = 'gap' and subject = '*') as has_whole_gap,
        bool_or(is_stopped) as is_stopped
    from {{ ref('int_attempts') }}
    group by platform, account_id, run_date

)

select
    planned.*,
    coalesce(outcomes.is_stopped, false) as is_stopped
from planned
left join outcomes
    on
        planned.platform = outcomes.platform
        and planned.account_id = outcomes.account_id
        and planned.run_date = outcomes.run_date
where
    outcomes.account_id is null
    or (not outcomes.is_collected and not outcomes.has_whole_gap and (outcomes.is_stopped or not outcomes.has_gap))
