with categories as (

    select * from {{ ref('content_categories') }}

)

select
    category_code,
    category_name,
    is_named,
    sort_order,
    false as is_simulated
from categories
