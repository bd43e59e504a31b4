-- the months that are reported: from the first planned run to the as-of date
with planned as (

    select min(run_date) as first_run_date from {{ ref('stg_plan') }}

),

months as (

    {{ months_between('first_run_date', as_of_date()) }}
    from planned
    where first_run_date is not null

)

select
    month,
    {{ last_day_of('month') }} as last_day,
    least({{ last_day_of('month') }}, {{ as_of_date() }}) as last_known_day,
    {{ last_day_of('month') }} >= {{ as_of_date() }} as is_open
from months
