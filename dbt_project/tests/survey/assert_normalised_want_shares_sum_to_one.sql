-- over the nine named categories; other has none
select
    wave,
    force_id,
    audience,
    sum(want_share_normalised) as total
from {{ ref('expectation_gap') }}
group by wave, force_id, audience
having
    abs(sum(want_share_normalised) - 1) > 1e-12
    or count_if(category_code = 'other' and want_share_normalised is not null) > 0
