with metrics as (

    select * from {{ ref('metrics') }}

)

select
    metric,
    metric_version,
    metric_name,
    metric_type,
    definition,
    formula,
    unit,
    direction,
    denominator,
    grains,
    additivity,
    comparison_family,
    caveat,
    valid_from,
    valid_to,
    source,
    false as is_simulated
from metrics
