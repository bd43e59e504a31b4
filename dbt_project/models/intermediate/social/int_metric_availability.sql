with metric_map as (

    select * from {{ ref('platform_metric_map') }}
    where preferred and metric is not null

),

platforms as (

    select * from {{ ref('platforms') }}

),

inputs as (

    {% for definition in post_metrics() + account_metrics() -%}
    {% for input in definition.inputs -%}
    select '{{ definition.metric }}' as metric, '{{ input }}' as input, {{ definition.inputs | length }} as inputs_n
    union all
    {% endfor -%}
    {% endfor -%}
    -- a metric that is mapped as it is has itself as its input
    select distinct metric, metric as input, 1 as inputs_n
    from metric_map
    where metric not in (
        {%- for definition in post_metrics() + account_metrics() %}'{{ definition.metric }}'{{ ', ' if not loop.last }}{% endfor -%}
    )

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
        counted.metric,
        cast('0001-01-01' as date) as available_from,
        {{ or_forever('null') }} as available_to
    from platforms
    cross join (
        {% for definition in post_metrics() + account_metrics() if not definition.inputs -%}
        {{ 'union all ' if not loop.first }}select '{{ definition.metric }}' as metric
        {% endfor -%}
    ) as counted

)

select * from computed
union all
select * from always
