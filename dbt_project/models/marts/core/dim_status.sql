with statuses as (

    select * from {{ ref('statuses') }}

)

select
    code,
    code_type,
    label,
    shorthand,
    value_is_shown,
    meaning,
    sort_order,
    false as is_simulated
from statuses
