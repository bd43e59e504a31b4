-- not materialized: what a reader leaves out is never read
with source as not materialized (

    select * from {{ source('accepted', 'post') }}
    where run_date <= {{ as_of_date() }}

),

-- within an ingest a post comes once; only what two of them saw at one instant can be there twice
clashes as not materialized (

    select
        platform,
        post_id,
        observed_at
    from source
    group by platform, post_id, observed_at
    having min(ingest_id) <> max(ingest_id) or min(run_date) <> max(run_date)

),

-- the same answer can be accepted under two ingests: one version per post and instant
ranked as (

    select
        source.*,
        row_number() over (
            partition by source.platform, source.post_id, source.observed_at
            order by source.run_date desc, source.ingest_id desc
        ) as recency
    from source
    inner join clashes
        on
            source.platform = clashes.platform
            and source.post_id = clashes.post_id
            and source.observed_at = clashes.observed_at

),

single as (

    select
        source.*,
        1 as recency
    from source
    left join clashes
        on
            source.platform = clashes.platform
            and source.post_id = clashes.post_id
            and source.observed_at = clashes.observed_at
    where clashes.platform is null

),

versions as (

    select * from single
    union all
    select * from ranked
    where recency = 1

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
from versions
