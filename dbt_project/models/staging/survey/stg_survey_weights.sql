select
    wave,
    force_id,
    age_band,
    respondents,
    population,
    weighting_cell,
    cell_respondents,
    cell_population,
    weight,
    is_collapsed
from {{ source('statistics', 'survey_weights') }}
