{{ config(tags=['feeds_statistics']) }}

with waves as (

    select distinct respondents.wave from {{ ref('int_survey_respondents') }} as respondents

),

-- one estimate per wave and force: that of the year of the fieldwork, or the newest before it
estimates as (

    select
        waves.wave,
        estimates.*,
        row_number() over (
            partition by waves.wave, estimates.force_id
            order by
                {{ year_choice('estimates.year', 'coalesce(planned.fieldwork_end, ' ~ as_of_date() ~ ')') }}
        ) as choice
    from waves
    cross join {{ ref('force_population') }} as estimates
    left join {{ ref('survey_waves') }} as planned on waves.wave = planned.wave

),

population as (

    {% for band in age_bands() %}
        select
            wave,
            force_id,
            '{{ band }}' as age_band,
            {{ loop.index }} as age_order,
            cast(age_{{ band }} as bigint) as population
        from estimates
        where choice = 1
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

)

select
    population.wave,
    population.force_id,
    population.age_band,
    population.age_order,
    population.population,
    -- a count of rows, not a reported measure: nobody in the band is 0
    coalesce(respondents.respondents, 0) as respondents
from population
left join respondents
    on
        population.wave = respondents.wave
        and population.force_id = respondents.force_id
        and population.age_band = respondents.age_band
