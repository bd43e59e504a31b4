select
    wave,
    count(*) as respondents,
    cast(count_if(is_in_want_base) as bigint) as in_want_base,
    cast(count_if(not has_answered_want) as bigint) as skipped_want,
    cast(count_if(has_answered_want and force_id is null) as bigint) as without_force,
    cast(count_if(has_answered_want and force_id is not null and age_band is null) as bigint) as with_force_without_age,
    bool_or(is_simulated) as is_simulated
from {{ ref('int_survey_respondents') }}
group by wave
