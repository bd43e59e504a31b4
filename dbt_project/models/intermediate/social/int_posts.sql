with sightings as (

    select
        platform,
        post_id,
        min(observed_at) as first_seen_at,
        max(observed_at) as last_seen_at
    from {{ ref('stg_posts') }}
    group by platform, post_id

),

-- a post as it was seen last
versions as (

    select
        posts.*,
        sightings.first_seen_at,
        sightings.last_seen_at
    from {{ ref('stg_posts') }} as posts
    inner join sightings
        on
            posts.platform = sightings.platform
            and posts.post_id = sightings.post_id
            and posts.observed_at = sightings.last_seen_at

)

select
    platform,
    post_id,
    force_id,
    account_id,
    published_at,
    {{ london_date('published_at') }} as published_date,
    {{ london_month('published_at') }} as published_month,
    kind,
    kind in ('original', 'video', 'reel') as is_original,
    {{ reading_ends_at('published_at') }} > {{ as_of_instant() }} as is_young,
    permalink,
    text,
    language,
    media_count,
    media_with_alt_text,
    objective,
    campaign,
    deleted_at,
    first_seen_at,
    last_seen_at,
    run_date as last_seen_run_date,
    is_simulated
from versions
