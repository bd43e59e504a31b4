select
    wave,
    respondent_key
from {{ ref('int_survey_respondents') }}
group by wave, respondent_key
having count(*) > 1
