-- written out where it is read, and not named as one of the parts below: so what a reader of this view leaves out is never read
{% set known = 'run_date <= ' ~ as_of_date() ~ ' and observed_at < ' ~ known_until() %}
{% set accepted = '(select * from ' ~ source('accepted', 'post') ~ ' where ' ~ known ~ ')' %}

-- within an ingest a post comes once; only what two of them saw at one instant can be there twice
with clashes as (

    select
        platform,
        post_id,
        observed_at
    from {{ accepted }} as source
    group by platform, post_id, observed_at
    having min(ingest_id) <> max(ingest_id) or min(run_date) <> max(run_date)

),

ranked as (

    select
        source.platform,
        source.post_id,
        source.observed_at,
        source.run_date,
        source.ingest_id,
        rank() over (
            partition by
                source.platform,
                source.post_id,
                source.observed_at
            order by source.run_date desc, source.ingest_id desc
        ) as recency
    from {{ accepted }} as source
    inner join clashes
        on
            source.platform = clashes.platform
            and source.post_id = clashes.post_id
            and source.observed_at = clashes.observed_at

),

-- the same answer can be accepted under two ingests: one version per post and instant
superseded as (

    select * from ranked
    where recency > 1

)

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
from {{ accepted }} as source
left join superseded
    on
        source.platform = superseded.platform
        and source.post_id = superseded.post_id
        and source.observed_at = superseded.observed_at
        and source.run_date = superseded.run_date
        and source.ingest_id = superseded.ingest_id
where superseded.ingest_id is null
