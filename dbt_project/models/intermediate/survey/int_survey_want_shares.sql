with weighted as (

    select
        counts.wave,
        counts.force_id,
        counts.age_band,
        counts.category_code,
        counts.base_n,
        counts.positive_n,
        weights.weight
    from {{ ref('int_survey_want_counts') }} as counts
    inner join {{ ref('stg_survey_weights') }} as weights
        on
            counts.wave = weights.wave
            and counts.force_id = weights.force_id
            and counts.age_band = weights.age_band

),

-- every respondent once for the force, once for the nation: the nation is all cells at their own weights, not a mean of forces
by_area as (

    select
        *,
        force_id as area
    from weighted
    union all
    select
        *,
        'national' as area
    from weighted

),

sums as (

    select
        wave,
        area as force_id,
        category_code,
        cast(sum(base_n) as bigint) as base_n,
        cast(sum(positive_n) as bigint) as positive_n,
        {{ ordered_sum('weight * positive_n', 'force_id, age_band') }} as weighted_positives,
        {{ ordered_sum('weight * base_n', 'force_id, age_band') }} as weighted_base,
        {{ ordered_sum('weight * weight * base_n', 'force_id, age_band') }} as squared_weights
    from by_area
    group by wave, area, category_code

),

shares as (

    select
        wave,
        force_id,
        category_code,
        base_n,
        positive_n,
        weighted_base,
        case when positive_n = base_n then 1.0 else weighted_positives / weighted_base end as want_share,
        {{ kish_effective_base('weighted_base', 'squared_weights') }} as effective_base
    from sums

)

select
    shares.wave,
    shares.force_id,
    'all' as audience,
    shares.category_code,
    shares.base_n,
    shares.positive_n,
    shares.weighted_base,
    shares.effective_base,
    shares.want_share,
    {{ wilson_interval('shares.want_share', 'shares.effective_base', 'low') }} as want_ci_low,
    {{ wilson_interval('shares.want_share', 'shares.effective_base', 'high') }} as want_ci_high,
    -- scaled to 1 over the named categories, so that it can stand beside a share of posts; 'other' is in neither
    case
        when categories.is_named
            then shares.want_share / nullif(sum(case when categories.is_named then shares.want_share end) over (
                partition by shares.wave, shares.force_id
                order by categories.sort_order
                rows between unbounded preceding and unbounded following
            ), 0)
    end as want_share_normalised
from shares
inner join {{ ref('content_categories') }} as categories on shares.category_code = categories.category_code
