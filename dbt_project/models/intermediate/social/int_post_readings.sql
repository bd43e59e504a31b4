with posts as (

    select
        platform,
        post_id,
        is_young
    from {{ ref('int_posts') }}

),

readings as (

    select * from {{ ref('int_post_readings_by_metric') }}

),

marked as (

    select
        readings.*,
        readings.reading_observed_at is null and posts.is_young as is_provisional
    from readings
    inner join posts
        on
            readings.platform = posts.platform
            and readings.post_id = posts.post_id

),

-- what is shown: the reading; for a young post without one, the latest
shown as (

    select
        *,
        case when is_provisional then latest_value else reading_value end as value,
        case when is_provisional then latest_metric_version else reading_metric_version end as metric_version,
        case when is_provisional then latest_source_field else reading_source_field end as source_field
    from marked

)

select
    platform,
    post_id,
    {% for reading in post_readings() -%}
        max(value) filter (where metric = '{{ reading }}') as {{ reading }},
        {% if reading in named_readings() -%}
            max(metric_version) filter (where metric = '{{ reading }}') as {{ reading }}_metric_version,
            max(source_field) filter (where metric = '{{ reading }}') as {{ reading }}_source_field,
        {% endif -%}
        bool_or(is_provisional) filter (where metric = '{{ reading }}') as {{ reading }}_is_provisional,
        max(latest_value) filter (where metric = '{{ reading }}') as latest_{{ reading }},
    {% endfor -%}
    -- a sum over the parts that are there; whether all are that the platform has is for int_posts_read to say
    sum(value) filter (where metric in ({{ quoted(interaction_parts()) }})) as sum_of_parts,
    sum(latest_value) filter (where metric in ({{ quoted(interaction_parts()) }})) as latest_sum_of_parts,
    min(reading_observed_at) as reading_observed_at,
    max(latest_observed_at) as latest_observed_at,
    bool_or(is_provisional) as has_provisional,
    bool_or(is_simulated) as is_simulated
from shown
where metric in ({{ quoted(post_readings()) }})
group by platform, post_id
