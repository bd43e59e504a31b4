{{ config(tags=['feeds_statistics']) }}

with respondents as (

    select
        wave,
        respondent_key,
        max(force_id) as force_id,
        max(case
            when question_code = 'age_band' and chosen and option_code not in ('not_said', 'no_answer') then option_code
        end) as age_band,
        -- a block of which no option was shown, or that was skipped as a whole, is not an answer of "none of these"
        bool_or(question_code = 'want' and option_code != 'no_answer') as has_answered_want,
        bool_or(is_simulated) as is_simulated
    from {{ ref('stg_survey_answers') }}
    group by wave, respondent_key

)

select
    wave,
    respondent_key,
    force_id,
    age_band,
    has_answered_want,
    has_answered_want and force_id is not null and age_band is not null as is_in_want_base,
    is_simulated
from respondents
