-- Numbers of posts are many. They are brought together under their own names first, and what a name means is looked up afterwards:
-- between two changes of the map it means one thing.
with metric_map as (

    select * from {{ ref('platform_metric_map') }}

),

changes as (

    select valid_from as changed_on from metric_map
    union
    select {{ plus_days('valid_to', 1) }} as changed_on from metric_map
    where valid_to is not null

),

-- every day of asking that the map can have, with the last change up to it
days as (

    select {{ days_between('min(changed_on)', plus_days(as_of_date(), 1)) }} as day
    from changes

),

spans as (

    select
        days.day,
        max(changes.changed_on) as map_since
    from days
    inner join changes on days.day >= changes.changed_on
    group by days.day

),

observations as (

    select
        *,
        {{ asked_on('observed_at', 'run_date') }} as asked_on
    from {{ ref('stg_observations') }}
    where object_type = 'post' and value is not null

),

posts as (

    select
        platform,
        post_id,
        {{ reading_starts_at('published_at') }} as reading_starts_at,
        {{ reading_ends_at('published_at') }} as reading_ends_at
    from {{ ref('int_posts') }}

),

aged as (

    select
        observations.*,
        spans.map_since,
        observations.observed_at between posts.reading_starts_at and posts.reading_ends_at as is_in_span
    from observations
    inner join posts
        on
            observations.platform = posts.platform
            and observations.object_id = posts.post_id
    inner join spans on observations.asked_on = spans.day

),

numbers as (

    select
        platform,
        object_id as post_id,
        source_field,
        period,
        breakdown,
        breakdown_value,
        map_since,
        {{ first_value_by('value', 'observed_at') }} filter (where is_in_span) as reading_value,
        {{ last_value_by('value', 'observed_at') }} as latest_value,
        min(observed_at) filter (where is_in_span) as reading_observed_at,
        max(observed_at) as latest_observed_at,
        bool_or(is_simulated) as is_simulated
    from aged
    group by platform, object_id, source_field, period, breakdown, breakdown_value, map_since

)

select
    numbers.platform,
    numbers.post_id,
    metric_map.metric,
    {% for moment, choose in [('reading', first_value_by), ('latest', last_value_by)] -%}
        {% set instant = 'numbers.' ~ moment ~ '_observed_at' -%}
        {{ choose('numbers.' ~ moment ~ '_value', instant) }} as {{ moment }}_value,
        {{ choose('metric_map.metric_version', instant) }} as {{ moment }}_metric_version,
        {{ choose('numbers.source_field', instant) }} as {{ moment }}_source_field,
    {% endfor -%}
    min(numbers.reading_observed_at) as reading_observed_at,
    max(numbers.latest_observed_at) as latest_observed_at,
    bool_or(numbers.is_simulated) as is_simulated
from numbers
inner join metric_map
    on
        numbers.platform = metric_map.platform
        and numbers.source_field = metric_map.source_field
        and numbers.period = metric_map.period
        and coalesce(numbers.breakdown, '') = coalesce(metric_map.breakdown, '')
        and coalesce(numbers.breakdown_value, '') = coalesce(metric_map.breakdown_value, '')
        and numbers.map_since between metric_map.valid_from and {{ or_forever('metric_map.valid_to') }}
where metric_map.object_type = 'post' and metric_map.preferred
group by numbers.platform, numbers.post_id, metric_map.metric
