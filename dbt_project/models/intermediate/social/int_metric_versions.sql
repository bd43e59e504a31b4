-- which version of a metric a platform has when: by what it served, not by when the definition was written
with metrics as (

    select
        platforms.platform,
        metrics.metric,
        metrics.metric_version,
        metrics.additivity,
        metrics.grains,
        metrics.valid_from,
        row_number() over (partition by platforms.platform, metrics.metric order by metrics.metric_version) as version_n
    from {{ ref('metrics') }} as metrics
    cross join {{ ref('platforms') }} as platforms

),

served as (

    select
        platform,
        metric,
        metric_version,
        min(valid_from) as begins_on,
        true as is_served
    from {{ ref('platform_metric_map') }}
    where preferred and metric is not null
    group by platform, metric, metric_version

),

begun as (

    select
        metrics.*,
        served.is_served is not null as is_served,
        availability.available_from is not null as is_computed,
        bool_or(served.is_served is not null) over (partition by metrics.platform, metrics.metric) as has_served,
        -- a computed metric begins with the last of its inputs, a new version of it with its definition
        case
            when served.is_served then served.begins_on
            when metrics.version_n = 1 then availability.available_from
            else metrics.valid_from
        end as begins_on
    from metrics
    left join served
        on
            metrics.platform = served.platform
            and metrics.metric = served.metric
            and metrics.metric_version = served.metric_version
    left join {{ ref('int_metric_availability') }} as availability
        on
            metrics.platform = availability.platform
            and metrics.metric = availability.metric

),

-- of a metric that the platform does not have, the first version stands for all
kept as (

    select * from begun
    where is_served or (not has_served and (is_computed or version_n = 1))

)

-- without holes: the first version reaches back, each one up to the next, so that a period without a value finds its version too
select
    platform,
    metric,
    metric_version,
    additivity,
    grains,
    begins_on,
    case
        when row_number() over (partition by platform, metric order by metric_version) = 1 then cast('0001-01-01' as date)
        else begins_on
    end as used_from,
    {{ or_forever(plus_days('lead(begins_on) over (partition by platform, metric order by metric_version)', -1)) }} as used_to
from kept
