with forces as (

    select * from {{ ref('forces') }}

),

populations as (

    select * from {{ ref('int_force_population') }}

)

select
    forces.force_id,
    forces.official_name,
    forces.other_name,
    forces.pfa_code,
    forces.pfa_name,
    forces.region,
    forces.country,
    forces.website,
    populations.population_all_ages,
    populations.population_16_plus,
    populations.population_year,
    forces.per_head_is_meaningful,
    forces.per_head_note,
    false as is_simulated
from forces
left join populations on forces.force_id = populations.force_id
