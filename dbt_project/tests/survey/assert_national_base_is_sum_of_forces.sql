select
    wave,
    audience,
    category_code
from {{ ref('expectation_gap') }}
group by wave, audience, category_code
having
    sum(case when force_id = 'national' then want_base_n else -want_base_n end) != 0
    or sum(case when force_id = 'national' then want_positive_n else -want_positive_n end) != 0
