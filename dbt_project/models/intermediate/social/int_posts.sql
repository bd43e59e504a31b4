with versions as (

    select
        *,
        row_number() over (partition by platform, post_id order by observed_at desc) as recency,
        min(observed_at) over (partition by platform, post_id) as first_seen_at,
        max(observed_at) over (partition by platform, post_id) as last_seen_at
    from {{ ref('stg_posts') }}

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
    first_seen_at,
    last_seen_at,
    is_simulated
from versions
where recency = 1
