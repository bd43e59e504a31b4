-- the weights of a force's respondents add up to its residents aged 16 and over
with weighted as (

    select
        wave,
        force_id,
        sum(weight * respondents) as residents
    from {{ ref('stg_survey_weights') }}
    group by wave, force_id

)

select weighted.*
from weighted
left join {{ ref('force_population') }} as population on weighted.force_id = population.force_id
where
    population.population_16_plus is null
    or abs(weighted.residents / population.population_16_plus - 1) > 1e-9
