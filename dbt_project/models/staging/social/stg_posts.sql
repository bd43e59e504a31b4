-- the same answer can be accepted under two ingests: one version per post and instant
select
    source.platform,
    source.post_id,
    source.observed_at,
    source.force_id,
    source.account_id,
    source.run_date,
    source.ingest_id,
    source.published_at,
    source.edited_at,
    source.deleted_at,
    source.kind,
    source.permalink,
    source.text,
    source.language,
    source.media_count,
    source.media_with_alt_text,
    source.objective,
    source.campaign,
    source.is_simulated
from {{ known('post') }} as source
left join {{ ref('stg_superseded_posts') }} as superseded
    on
        source.platform = superseded.platform
        and source.post_id = superseded.post_id
        and source.observed_at = superseded.observed_at
        and source.run_date = superseded.run_date
        and source.ingest_id = superseded.ingest_id
where superseded.ingest_id is null
