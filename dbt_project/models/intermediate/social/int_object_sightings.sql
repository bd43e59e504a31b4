{{ config(materialized='view') }}

-- what was accepted of single posts, by the name under which a hole would be about it
select
    platform,
    object_type,
    object_id,
    source_field as subject,
    observed_at
from {{ ref('stg_observations') }}
where object_type <> 'account' and value is not null

union all

select
    platform,
    'post' as object_type,
    post_id as object_id,
    'posts' as subject,
    observed_at
from {{ ref('stg_posts') }}
