with national as (

    select
        platform,
        month,
        metric,
        metric_version,
        case when count(denominator) > 0 then sum(numerator) / sum(denominator) else sum(numerator) end as value,
        count(distinct national_value) as values_n,
        min(national_value) as national_value
    from {{ ref('hmicfrs_metrics') }}
    group by platform, month, metric, metric_version

)

select *
from national
where
    values_n > 1
    or (national_value is not null and abs(national_value - value) > 1e-12 * greatest(abs(value), 1))
