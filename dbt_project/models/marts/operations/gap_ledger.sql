with gaps as (

    select * from {{ ref('int_gaps') }}

),

-- one metric for a name: the preferred one, the organic part first
named as (

    select
        platform,
        source_field,
        metric,
        row_number() over (
            partition by platform, source_field
            order by preferred desc, breakdown_value nulls first, valid_from desc
        ) as choice
    from {{ ref('platform_metric_map') }}
    where metric is not null

)

select
    gaps.source,
    gaps.platform,
    gaps.force_id,
    gaps.account_id,
    gaps.object_id,
    gaps.run_date,
    gaps.subject,
    named.metric,
    gaps.cause,
    gaps.detail,
    gaps.first_seen_at,
    gaps.last_seen_at,
    gaps.is_open,
    gaps.closed_at,
    gaps.is_simulated
from gaps
left join named
    on
        gaps.platform = named.platform
        and gaps.subject = named.source_field
        and named.choice = 1
