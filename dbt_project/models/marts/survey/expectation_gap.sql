with waves as (

    select
        wave,
        is_simulated
    from {{ ref('int_survey_response') }}
    union all
    -- a wave whose fieldwork has ended is there even when its file has not come
    select
        planned.wave,
        false as is_simulated
    from {{ ref('survey_waves') }} as planned
    left join {{ ref('int_survey_response') }} as response on planned.wave = response.wave
    where
        cast(planned.fieldwork_end as date) <= {{ as_of_date() }}
        and response.wave is null

),

areas as (

    select force_id from {{ ref('forces') }}
    union all
    select 'national' as force_id

),

expected as (

    select
        waves.wave,
        areas.force_id,
        categories.category_code,
        waves.is_simulated
    from waves
    cross join areas
    cross join {{ ref('content_categories') }} as categories

)

select
    expected.wave,
    expected.force_id,
    'all' as audience,
    expected.category_code,
    shares.want_share,
    shares.want_ci_low,
    shares.want_ci_high,
    -- a count of respondents, not a reported measure: no row is nobody
    coalesce(shares.base_n, 0) as want_base_n,
    shares.effective_base as want_base_effective,
    coalesce(shares.positive_n, 0) as want_positive_n,
    {{ want_status('shares.base_n', 'shares.positive_n') }} as want_status,
    -- the activity side needs coded posts
    cast(null as double) as activity_share,
    cast(null as double) as activity_ci_low,
    cast(null as double) as activity_ci_high,
    cast(null as bigint) as activity_base_n,
    'missing' as activity_status,
    shares.want_share_normalised,
    cast(null as double) as activity_share_normalised,
    cast(null as double) as gap,
    cast(null as double) as gap_ci_low,
    cast(null as double) as gap_ci_high,
    'missing' as status,
    expected.is_simulated
from expected
left join {{ ref('int_survey_want_shares') }} as shares
    on
        expected.wave = shares.wave
        and expected.force_id = shares.force_id
        and expected.category_code = shares.category_code
