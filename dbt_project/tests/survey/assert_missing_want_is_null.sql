-- nobody asked is null, never 0
select *
from {{ ref('expectation_gap') }}
where
    (want_base_n = 0) != (want_status = 'missing')
    or (want_base_n = 0 and coalesce(want_share, want_ci_low, want_ci_high, want_base_effective) is not null)
