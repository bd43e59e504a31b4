-- every force × platform × month × metric that the mart has a row for, with what decides whether it exists there
with months as (

    select * from {{ ref('int_months') }}

),

versions as (

    select * from {{ ref('int_metric_versions') }}
    where {{ has_grain('grains', 'force_platform_month') }}

),

availability as (

    select * from {{ ref('int_metric_availability') }}

),

accounts as (

    select
        platform,
        force_id,
        month,
        count(*) as accounts_n,
        bool_or(is_simulated) as is_simulated
    from {{ ref('int_month_account_states') }}
    group by platform, force_id, month

),

metrics_of_posts as (

    {% for definition in post_metrics() -%}
    {{ 'union all ' if not loop.first }}select '{{ definition.metric }}' as metric
    {% endfor %}
)

select
    forces.force_id,
    platforms.platform,
    months.month,
    months.is_open,
    versions.metric,
    versions.metric_version,
    versions.additivity,
    -- the metric can be had for the month, and the force has an account to have it for
    coalesce(
        availability.available_from <= case
            when metrics_of_posts.metric is null then months.last_day
            else {{ plus_days('months.last_day', 14) }}
        end
        and availability.available_to >= case
            when metrics_of_posts.metric is null then months.month
            else {{ plus_days('months.month', 7) }}
        end
        and accounts.accounts_n > 0,
        false
    ) as is_available,
    versions.valid_from between months.month and months.last_day as is_new_version,
    coalesce(accounts.is_simulated, false) as is_simulated
from {{ ref('forces') }} as forces
cross join {{ ref('platforms') }} as platforms
cross join months
inner join versions
    on
        versions.used_from <= months.last_day
        and versions.used_to >= months.month
left join availability
    on
        platforms.platform = availability.platform
        and versions.metric = availability.metric
left join accounts
    on
        platforms.platform = accounts.platform
        and forces.force_id = accounts.force_id
        and months.month = accounts.month
left join metrics_of_posts on versions.metric = metrics_of_posts.metric
