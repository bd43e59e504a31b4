with metrics as (

    select * from {{ ref('metrics') }}

)

-- without holes: the first version reaches back, each one up to the next, so that a period without a value finds its version too
select
    metric,
    metric_version,
    additivity,
    grains,
    valid_from,
    case
        when row_number() over (partition by metric order by valid_from) = 1 then cast('0001-01-01' as date)
        else valid_from
    end as used_from,
    {{ or_forever(plus_days('lead(valid_from) over (partition by metric order by valid_from)', -1)) }} as used_to
from metrics
