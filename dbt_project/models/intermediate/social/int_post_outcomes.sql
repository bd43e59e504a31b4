{{ config(materialized='view') }}

-- what became of every post and metric, with the cause where there is no number; posts that the gate held back among them
with measures as (

    select
        measures.*,
        causes.gap_cause
    from {{ ref('int_post_measures') }} as measures
    left join {{ ref('int_post_gap_causes') }} as causes
        on
            measures.platform = causes.platform
            and measures.post_id = causes.post_id
            and measures.metric = causes.metric

),

definitions as (

    select distinct metric from {{ ref('int_metric_inputs') }}
    where basis = 'posts'

)

select * from measures

union all

select
    posts.platform,
    posts.force_id,
    posts.account_id,
    posts.post_id,
    posts.published_date,
    posts.published_month,
    definitions.metric,
    versions.metric_version,
    cast(null as double) as numerator,
    cast(null as double) as denominator,
    false as has_value,
    false as is_provisional,
    true as is_missing,
    coalesce(
        {{ plus_days('posts.published_date', 7) }} between availability.available_from and availability.available_to, false
    ) as is_expected,
    posts.is_simulated,
    posts.gap_cause
from {{ ref('int_missing_posts') }} as posts
cross join definitions
inner join {{ ref('int_metric_versions') }} as versions
    on
        posts.platform = versions.platform
        and definitions.metric = versions.metric
        and {{ plus_days('posts.published_date', 7) }} between versions.used_from and versions.used_to
left join {{ ref('int_metric_availability') }} as availability
    on
        posts.platform = availability.platform
        and definitions.metric = availability.metric
