with source as (

    select * from {{ source('accepted', 'post') }}
    where
        run_date <= {{ as_of_date() }}
        and observed_at < {{ known_until() }}

),

-- the same answer can be accepted under two ingests: one version per post and instant
ranked as (

    select
        *,
        row_number() over (partition by platform, post_id, observed_at order by run_date desc, ingest_id desc) as recency
    from source

)

select
    platform,
    post_id,
    observed_at,
    force_id,
    account_id,
    run_date,
    ingest_id,
    published_at,
    edited_at,
    deleted_at,
    kind,
    permalink,
    text,
    language,
    media_count,
    media_with_alt_text,
    objective,
    campaign,
    is_simulated
from ranked
where recency = 1
