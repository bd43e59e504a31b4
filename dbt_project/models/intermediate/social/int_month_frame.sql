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

part_changes as (

    select distinct
        changes.platform,
        changes.metric,
        months.month
    from {{ ref('int_metric_part_changes') }} as changes
    inner join months
        on
            changes.mixed_from <= months.last_day
            and changes.changed_on >= months.month

),

bases as (

    select distinct
        metric,
        basis
    from {{ ref('int_metric_inputs') }}

)

select
    forces.force_id,
    platforms.platform,
    months.month,
    months.is_open,
    versions.metric,
    versions.metric_version,
    versions.additivity,
    bases.basis,
    -- the metric can be had for the month, and the force has an account to have it for
    coalesce(
        availability.available_from <= case bases.basis
            when 'posts' then {{ plus_days('months.last_day', 14) }}
            else months.last_day
        end
        and availability.available_to >= case bases.basis
            when 'posts' then {{ plus_days('months.month', 7) }}
            else months.month
        end
        and accounts.accounts_n > 0,
        false
    ) as is_available,
    coalesce(versions.begins_on between months.month and months.last_day, false)
    or part_changes.metric is not null as is_new_version,
    coalesce(accounts.is_simulated, false) as is_simulated
from {{ ref('forces') }} as forces
cross join {{ ref('platforms') }} as platforms
cross join months
inner join versions
    on
        platforms.platform = versions.platform
        and months.last_day >= versions.used_from
        and months.month <= versions.used_to
left join availability
    on
        platforms.platform = availability.platform
        and versions.metric = availability.metric
left join accounts
    on
        platforms.platform = accounts.platform
        and forces.force_id = accounts.force_id
        and months.month = accounts.month
left join part_changes
    on
        platforms.platform = part_changes.platform
        and versions.metric = part_changes.metric
        and months.month = part_changes.month
left join bases on versions.metric = bases.metric
