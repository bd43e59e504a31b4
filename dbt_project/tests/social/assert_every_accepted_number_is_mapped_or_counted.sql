-- none is lost, and none counts twice
with counted as (

    select
        coalesce(sum(numbers_n), 0) as accepted_n,
        coalesce(sum(numbers_n) filter (where not is_mapped), 0) as unmapped_n,
        (select count(*) from {{ ref('int_observations') }}) as mapped_n
    from {{ ref('int_observation_counts') }}

)

select *
from counted
where accepted_n <> mapped_n + unmapped_n
