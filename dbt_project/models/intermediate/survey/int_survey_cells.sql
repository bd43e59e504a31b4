{{ config(tags=['feeds_statistics']) }}

with population as (

    {% for band in age_bands() %}
        select
            force_id,
            '{{ band }}' as age_band,
            {{ loop.index }} as age_order,
            cast(age_{{ band }} as bigint) as population
        from {{ ref('force_population') }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

respondents as (

    select
        wave,
        force_id,
        age_band,
        count(*) as respondents
    from {{ ref('int_survey_respondents') }}
    where is_in_want_base
    group by wave, force_id, age_band

),

waves as (

    select distinct wave from {{ ref('int_survey_respondents') }}

)

select
    waves.wave,
    population.force_id,
    population.age_band,
    population.age_order,
    population.population,
    -- a count of rows, not a reported measure: nobody in the band is 0
    coalesce(respondents.respondents, 0) as respondents
from waves
cross join population
left join respondents
    on
        waves.wave = respondents.wave
        and population.force_id = respondents.force_id
        and population.age_band = respondents.age_band
