-- no hole in the grid: each force has as many rows per platform as any other, and none is short of a month or a metric
with counted as (

    select
        forces.force_id,
        platforms.platform,
        count(metrics.month) as rows_n,
        count(distinct metrics.month) * count(distinct metrics.metric || metrics.metric_version) as grid_n
    from {{ ref('dim_force') }} as forces
    cross join (
        select platform from {{ ref('platforms') }}
        union all
        select 'all' as platform
    ) as platforms
    left join {{ ref('hmicfrs_metrics') }} as metrics
        on
            forces.force_id = metrics.force_id
            and platforms.platform = metrics.platform
    group by forces.force_id, platforms.platform

),

compared as (

    select
        *,
        max(rows_n) over () as most_rows_n
    from counted

)

select *
from compared
where
    rows_n <> most_rows_n
    or rows_n > grid_n
