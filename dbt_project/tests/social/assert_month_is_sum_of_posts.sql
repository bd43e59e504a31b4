-- the months again, straight from the posts that analysts see
with posts as (

    select
        force_id,
        platform,
        published_month as month,
        count(*) as posts_published,
        sum(interactions) as interactions,
        sum(views) as views,
        sum(case when followers_at_posting is not null then interactions end)
        / nullif(sum(case when interactions is not null then followers_at_posting end), 0) as engagement_rate_by_followers
    from {{ ref('fct_post') }}
    where is_original
    group by force_id, platform, published_month

),

long as (

    {% for metric in ['posts_published', 'interactions', 'views', 'engagement_rate_by_followers'] -%}
        select
            force_id,
            platform,
            month,
            '{{ metric }}' as metric,
            cast({{ metric }} as double) as value
        from posts
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    months.force_id,
    months.platform,
    months.month,
    months.metric,
    months.value,
    long.value as value_from_posts
from {{ ref('hmicfrs_metrics') }} as months
inner join long
    on
        months.force_id = long.force_id
        and months.platform = long.platform
        and months.month = long.month
        and months.metric = long.metric
where months.value is distinct from long.value and abs(months.value - long.value) is distinct from 0
