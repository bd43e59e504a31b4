select *
from {{ ref('expectation_gap') }}
where
    want_status != 'missing'
    and (
        want_share is null
        or not want_share between want_ci_low and want_ci_high
        or want_ci_low < 0
        or want_ci_high > 1
        or want_base_effective > want_base_n * (1 + 1e-12)
    )
