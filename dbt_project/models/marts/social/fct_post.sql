with posts as (

    select * from {{ ref('int_posts_read') }}

)

select
    post_id,
    platform,
    force_id,
    account_id,
    published_at,
    published_date,
    published_month,
    kind,
    is_original,
    permalink,
    text,
    language,
    media_count,
    media_with_alt_text,
    objective,
    campaign,
    cast(null as varchar) as category_code,
    reading_observed_at,
    reading_age_hours,
    reading_status,
    reactions,
    comments,
    shares,
    interactions,
    views,
    impressions_legacy,
    reach_unique,
    reach_unique_source_field as reach_source_field,
    cast(reach_unique_metric_version as integer) as reach_metric_version,
    followers_at_posting,
    interactions / nullif(followers_at_posting, 0) as engagement_rate_by_followers,
    latest_observed_at,
    latest_interactions,
    latest_views,
    latest_impressions_legacy,
    latest_reach_unique,
    first_seen_at,
    last_seen_at,
    is_simulated
from posts
