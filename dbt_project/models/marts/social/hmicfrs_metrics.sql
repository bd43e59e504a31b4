with month_values as (

    select * from {{ ref('int_month_values') }}

),

breaks as (

    select * from {{ ref('int_month_breaks') }}

),

valued as (

    select
        *,
        additivity in ('ratio', 'additive_ratio') as is_ratio,
        case
            when not is_applicable then null
            when additivity in ('ratio', 'additive_ratio') then numerator / nullif(denominator, 0)
            else numerator
        end as value
    from month_values

),

with_status as (

    select
        *,
        case
            when not is_applicable then 'not_applicable'
            else {{ sum_status('value', 'missing_n', 'provisional_n', 'is_open') }}
        end as status
    from valued

),

-- what cannot be shown leaves nothing behind that could be added up elsewhere
shown as (

    select
        * replace (
            case when value is not null then numerator end as numerator,
            case when value is not null then denominator end as denominator,
            case when is_applicable then base_n end as base_n
        )
    from with_status

)

select
    shown.force_id,
    shown.platform,
    shown.month,
    shown.metric,
    shown.metric_version,
    shown.value,
    shown.numerator,
    shown.denominator,
    cast(shown.base_n as bigint) as base_n,
    cast(null as double) as ci_low,
    cast(null as double) as ci_high,
    case
        when shown.is_applicable
            then {{ coverage('shown.seen_days', 'shown.expected_days', 'shown.observed_n', 'shown.expected_n') }}
    end as coverage,
    shown.status,
    case when shown.status in ('missing', 'partial') then shown.gap_cause end as gap_cause,
    shown.is_new_version or breaks.force_id is not null as is_break,
    -- a revision is a difference from an earlier release: there is none yet
    cast(null as boolean) as is_revised,
    false as is_estimated,
    shown.is_simulated,
    case
        when shown.is_ratio then sum(shown.numerator) over nation / nullif(sum(shown.denominator) over nation, 0)
        when shown.additivity = 'additive' then sum(shown.numerator) over nation
    end as national_value,
    case when shown.is_ratio or shown.additivity = 'additive' then count(shown.value) over nation end as national_forces_n,
    cast(null as double) as peer_value,
    cast(null as double) as z_score,
    cast(null as double) as q_value,
    cast(null as varchar) as band,
    'not_yet_computed' as comparison_reason
from shown
left join breaks
    on
        shown.force_id = breaks.force_id
        and shown.platform = breaks.platform
        and shown.month = breaks.month
window nation as (partition by shown.platform, shown.month, shown.metric, shown.metric_version)
