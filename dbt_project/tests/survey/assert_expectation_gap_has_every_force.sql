-- one row for each of 44 areas × 10 categories in every wave; a row here is a wave × audience for which that is not so
select
    wave,
    audience,
    count(*) as n_rows,
    count(distinct force_id || ' ' || category_code) as n_keys
from {{ ref('expectation_gap') }}
group by wave, audience
having
    count(*) != 440
    or count(distinct force_id || ' ' || category_code) != 440
    or count(distinct force_id) != 44
