-- none is lost, and none counts twice
with counted as (

    select
        (select count(*) from {{ ref('stg_observations') }}) as accepted_n,
        (select count(*) from {{ ref('int_observations') }}) as mapped_n,
        (select count(*) from {{ ref('int_unmapped_observations') }}) as unmapped_n

)

select *
from counted
where accepted_n <> mapped_n + unmapped_n
