-- no hole in the grid: every force × platform (and all) × month of the report × metric of the seed that is given by month
with metrics as (

    select distinct metric from {{ ref('dim_metric') }}
    where {{ has_grain('grains', 'force_platform_month') }}

),

platforms as (

    select platform from {{ ref('platforms') }}
    union all
    select 'all' as platform

),

grid as (

    select
        forces.force_id,
        platforms.platform,
        months.month,
        metrics.metric
    from {{ ref('dim_force') }} as forces
    cross join platforms
    cross join {{ ref('int_months') }} as months
    cross join metrics

),

found as (

    select distinct
        force_id,
        platform,
        month,
        metric
    from {{ ref('hmicfrs_metrics') }}

)

(
    select * from grid
    except
    select * from found
)
union all
(
    select * from found
    except
    select * from grid
)
