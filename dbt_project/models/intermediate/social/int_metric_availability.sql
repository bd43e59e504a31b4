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
        inputs_n
    from definitions
    where input is not null

    union all

    -- a metric that is mapped as it is has itself as its input
    select distinct
        metric_map.metric,
        metric_map.metric as input,
        1 as inputs_n
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

computed as (

    select
        served.platform,
        inputs.metric,
        max(served.available_from) as available_from,
        min(served.available_to) as available_to
    from inputs
    inner join served on inputs.input = served.input
    group by served.platform, inputs.metric, inputs.inputs_n
    having count(*) = inputs.inputs_n

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
