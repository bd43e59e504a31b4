with metric_map as (

    select * from {{ ref('platform_metric_map') }}
    where preferred and metric is not null

),

platforms as (

    select * from {{ ref('platforms') }}

),

definitions as (

    select * from {{ ref('int_metric_inputs') }}

),

inputs as (

    select
        metric,
        input,
        is_part,
        inputs_n,
        parts_n
    from definitions
    where input is not null

    union all

    -- a metric that is mapped as it is has itself as its input
    select distinct
        metric_map.metric,
        metric_map.metric as input,
        false as is_part,
        1 as inputs_n,
        0 as parts_n
    from metric_map
    left join definitions on metric_map.metric = definitions.metric
    where definitions.metric is null

),

served as (

    select
        platform,
        metric as input,
        min(valid_from) as available_from,
        max({{ or_forever('valid_to') }}) as available_to
    from metric_map
    group by platform, metric

),

spans as (

    select
        served.platform,
        inputs.metric,
        inputs.inputs_n,
        inputs.parts_n,
        count(*) filter (where not inputs.is_part) as served_inputs_n,
        count(*) filter (where inputs.is_part) as served_parts_n,
        max(served.available_from) filter (where not inputs.is_part) as inputs_from,
        min(served.available_to) filter (where not inputs.is_part) as inputs_to,
        min(served.available_from) filter (where inputs.is_part) as parts_from,
        max(served.available_to) filter (where inputs.is_part) as parts_to
    from inputs
    inner join served on inputs.input = served.input
    group by served.platform, inputs.metric, inputs.inputs_n, inputs.parts_n

),

-- while all inputs are served and, of what is a sum of parts, any part
computed as (

    select
        platform,
        metric,
        greatest(coalesce(inputs_from, parts_from), coalesce(parts_from, inputs_from)) as available_from,
        least(coalesce(inputs_to, parts_to), coalesce(parts_to, inputs_to)) as available_to
    from spans
    where
        served_inputs_n = inputs_n
        and (served_parts_n > 0 or parts_n = 0)

),

-- what needs no number of the platform (counts of posts, of runs) exists on every platform
always as (

    select
        platforms.platform,
        definitions.metric,
        cast('0001-01-01' as date) as available_from,
        cast('9999-12-31' as date) as available_to
    from platforms
    cross join definitions
    where definitions.input is null

)

select * from computed
union all
select * from always
