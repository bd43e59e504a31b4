with observations as (

    select * from {{ ref('int_observations') }}
    where object_type = 'post' and is_preferred and value is not null

),

posts as (

    select * from {{ ref('int_posts') }}

),

aged as (

    select
        observations.platform,
        observations.object_id as post_id,
        observations.metric,
        observations.metric_version,
        observations.source_field,
        observations.value,
        observations.observed_at,
        observations.is_simulated,
        observations.observed_at >= {{ reading_starts_at('posts.published_at') }}
        and observations.observed_at <= {{ reading_ends_at('posts.published_at') }} as is_in_span
    from observations
    inner join posts
        on
            observations.platform = posts.platform
            and observations.object_id = posts.post_id

)

select
    platform,
    post_id,
    metric,
    {% for column in ['value', 'metric_version', 'source_field'] -%}
        {{ first_value_by(column, 'observed_at') }} filter (where is_in_span) as reading_{{ column }},
        {{ last_value_by(column, 'observed_at') }} as latest_{{ column }},
    {% endfor -%}
    min(observed_at) filter (where is_in_span) as reading_observed_at,
    max(observed_at) as latest_observed_at,
    bool_or(is_simulated) as is_simulated
from aged
group by platform, post_id, metric
