-- everybody is in the base or is counted apart, with one reason
select *
from {{ ref('int_survey_response') }}
where respondents != in_want_base + skipped_want + without_force + with_force_without_age
