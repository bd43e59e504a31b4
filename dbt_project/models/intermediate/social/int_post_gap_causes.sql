-- why a post has no number: the hole that bore on it while it could be read
with measures as (

    select
        measures.platform,
        measures.account_id,
        measures.post_id,
        measures.published_date,
        measures.metric,
        measures.is_expected,
        -- an old post lacks its reading, a young one any number at all
        case
            when measures.is_missing then {{ reading_starts_at('posts.published_at') }} else posts.published_at
        end as span_starts_at,
        {{ reading_ends_at('posts.published_at') }} as span_ends_at,
        posts.is_young
    from {{ ref('int_post_measures') }} as measures
    inner join {{ ref('int_posts') }} as posts
        on
            measures.platform = posts.platform
            and measures.post_id = posts.post_id
    where not measures.has_value

),

-- the inputs it lacks
lacking as (

    select
        measures.*,
        metric_map.object_type,
        metric_map.source_field
    from measures
    inner join {{ ref('int_metric_inputs') }} as definitions on measures.metric = definitions.metric
    inner join {{ ref('platform_metric_map') }} as metric_map
        on
            measures.platform = metric_map.platform
            and definitions.input = metric_map.metric
            and metric_map.preferred
    left join {{ ref('int_post_readings_by_metric') }} as readings
        on
            measures.platform = readings.platform
            and measures.post_id = readings.post_id
            and definitions.input = readings.metric
    where coalesce(readings.reading_value, case when measures.is_young then readings.latest_value end) is null

),

-- holes about the post itself, about the field, about the account; as they stood when the span ended
found as (

    select
        lacking.platform,
        lacking.post_id,
        lacking.metric,
        gaps.cause,
        gaps.last_seen_at,
        case
            when gaps.object_id is not null then 4
            when gaps.subject = lacking.source_field then 3
            when gaps.subject = 'posts' then 2
            else 1
        end as closeness
    from lacking
    inner join {{ ref('int_gaps') }} as gaps
        on
            lacking.platform = gaps.platform
            and lacking.account_id = gaps.account_id
            and gaps.last_seen_at between lacking.span_starts_at and lacking.span_ends_at
            and (gaps.closed_at is null or lacking.span_ends_at < gaps.closed_at)
    where
        lacking.object_type = 'post'
        and (
            (
                gaps.subject = lacking.source_field
                and {{ is_of_type('gaps.object_type', 'lacking.object_type') }}
                and (gaps.object_id is null or gaps.object_id = lacking.post_id)
            )
            or (gaps.subject in ('*', 'posts') and gaps.object_id is null)
        )

    union all

    -- the post was gone before it could be read
    select
        lacking.platform,
        lacking.post_id,
        lacking.metric,
        'post_removed' as cause,
        deletions.deleted_at as last_seen_at,
        4 as closeness
    from lacking
    inner join {{ ref('int_post_deletions') }} as deletions
        on
            lacking.platform = deletions.platform
            and lacking.post_id = deletions.post_id
            and lacking.span_ends_at >= deletions.deleted_at
    where lacking.object_type = 'post'

    union all

    -- the count of followers at posting: the last day before it that has none
    select
        lacking.platform,
        lacking.post_id,
        lacking.metric,
        gaps.gap_cause as cause,
        gaps.planned_at as last_seen_at,
        0 as closeness
    from lacking
    inner join {{ ref('int_account_snapshot_gaps') }} as gaps
        on
            lacking.platform = gaps.platform
            and lacking.account_id = gaps.account_id
            and lacking.source_field = gaps.source_field
            and lacking.published_date >= gaps.metric_date
    where lacking.object_type = 'account'

),

ranked as (

    select
        *,
        row_number() over (partition by platform, post_id, metric order by closeness desc, last_seen_at desc, cause asc) as choice
    from found

)

select
    measures.platform,
    measures.post_id,
    measures.metric,
    case
        when ranked.cause is not null then ranked.cause
        when {{ london_date('measures.span_ends_at') }} > ends.ended_on then 'account_closed'
        when not measures.is_expected then 'retired_metric'
        when measures.is_young then 'not_yet_counted'
        else 'not_collected'
    end as gap_cause
from measures
left join ranked
    on
        measures.platform = ranked.platform
        and measures.post_id = ranked.post_id
        and measures.metric = ranked.metric
        and ranked.choice = 1
left join {{ ref('int_account_ends') }} as ends
    on
        measures.platform = ends.platform
        and measures.account_id = ends.account_id
