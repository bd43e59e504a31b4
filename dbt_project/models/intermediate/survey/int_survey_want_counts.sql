select
    respondents.wave,
    respondents.force_id,
    respondents.age_band,
    options.category_code,
    count(*) as base_n,
    cast(count_if(answers.chosen) as bigint) as positive_n
from {{ ref('stg_survey_answers') }} as answers
inner join {{ ref('int_survey_respondents') }} as respondents
    on
        answers.wave = respondents.wave
        and answers.respondent_key = respondents.respondent_key
inner join {{ ref('survey_options') }} as options
    on
        answers.question_code = options.question_code
        and answers.option_code = options.option_code
where
    answers.question_code = 'want'
    and options.category_code is not null
    and respondents.is_in_want_base
group by respondents.wave, respondents.force_id, respondents.age_band, options.category_code
