with definitions as (

    select * from (
        values
        {{ metric_input_rows(post_metrics(), account_metrics(), contact_metrics()) }}
    ) as rows_of_definitions (metric, basis, input, is_part, inputs_n, parts_n)

)

select
    metric,
    basis,
    cast(input as varchar) as input,
    is_part,
    inputs_n,
    parts_n
from definitions
