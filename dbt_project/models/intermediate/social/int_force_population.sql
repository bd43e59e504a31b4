with ranked as (

    select
        force_id,
        year as population_year,
        population_all_ages,
        population_16_plus,
        row_number() over (
            partition by force_id
            order by
                {{ year_choice('year', as_of_date()) }}
        ) as choice
    from {{ ref('force_population') }}

)

select
    force_id,
    population_year,
    population_all_ages,
    population_16_plus
from ranked
where choice = 1
