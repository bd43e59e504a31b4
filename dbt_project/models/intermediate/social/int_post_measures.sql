with posts as (

    select
        *,
        -- the day that decides which metrics the platform could give for the post
        case
            when reading_observed_at is not null then {{ london_date('reading_observed_at') }}
            when is_young then coalesce({{ london_date('latest_observed_at') }}, {{ as_of_date() }})
            else {{ plus_days('published_date', 7) }}
        end as reference_date
    from {{ ref('int_posts_read') }}
    where is_original

),

versions as (

    select * from {{ ref('int_metric_versions') }}

),

availability as (

    select * from {{ ref('int_metric_availability') }}

),

measures as (

    {% for definition in post_metrics() -%}
        {%- set denominator = definition.get('denominator') -%}
        select
            platform,
            force_id,
            account_id,
            post_id,
            published_date,
            published_month,
            reference_date,
            is_young,
            is_simulated,
            '{{ definition.metric }}' as metric,
            cast({{ definition.numerator }} as double) as numerator,
            {{ 'cast(' ~ denominator ~ ' as double)' if denominator else 'cast(null as double)' }} as denominator,
            {{ definition.numerator }} is not null{{ ' and ' ~ denominator ~ ' is not null' if denominator }} as has_value,
            {{ definition.numerator }} is null and is_young as is_pending,
            {{ any_provisional(definition.readings) }} as is_provisional
        from posts
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    measures.platform,
    measures.force_id,
    measures.account_id,
    measures.post_id,
    measures.published_date,
    measures.published_month,
    measures.metric,
    versions.metric_version,
    case when measures.has_value then measures.numerator end as numerator,
    case when measures.has_value then measures.denominator end as denominator,
    measures.has_value,
    measures.is_pending or (measures.has_value and measures.is_provisional) as is_provisional,
    not measures.has_value and not measures.is_pending as is_missing,
    coalesce(measures.reference_date between availability.available_from and availability.available_to, false) as is_expected,
    measures.is_simulated
from measures
inner join versions
    on
        measures.platform = versions.platform
        and measures.metric = versions.metric
        and measures.reference_date between versions.used_from and versions.used_to
left join availability
    on
        measures.platform = availability.platform
        and measures.metric = availability.metric
