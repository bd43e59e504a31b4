-- what the public said in the month and how it was answered; metrics of macros/metric_definitions.sql
{%- set counts = ['inbound_n', 'asked_n', 'answered_n', 'unknown_n', 'awaited_n'] %}
with days as (

    {{ days_of_months(ref('int_contact_days')) }}

),

lists as (

    select
        states.platform,
        states.force_id,
        states.month,
        -- where nobody has said that a platform has none, it has them and they are missing
        bool_or(contact_platforms.has_contacts is not false) as has_contacts,
        count(*) as accounts_n,
        count(*) filter (where days.is_touched is not true) as unseen_n,
        count(*) filter (where days.is_touched and days.lost_days > 0) as lost_n,
        count(*) filter (where days.is_touched and days.lost_days = 0 and days.pending_days > 0) as pending_n,
        cast(sum(days.expected_days) as bigint) as expected_days,
        cast(sum(days.seen_days) as bigint) as seen_days,
        bool_or(states.is_simulated) as is_simulated
    from {{ ref('int_month_account_states') }} as states
    left join {{ ref('contact_platforms') }} as contact_platforms on states.platform = contact_platforms.platform
    left join days
        on
            states.platform = days.platform
            and states.account_id = days.account_id
            and states.month = days.month
    group by states.platform, states.force_id, states.month

),

combined as (

    select
        lists.*,
        {{ all_but('times', counts + ['platform', 'force_id', 'month', 'is_simulated']) }},
        -- counts of rows: where nobody wrote there are none
    {% for count in counts -%}
        coalesce(times.{{ count }}, 0) as {{ count }}{{ ',' if not loop.last }}
    {% endfor %}
    from lists
    left join {{ ref('int_month_response_times') }} as times
        on
            lists.platform = times.platform
            and lists.force_id = times.force_id
            and lists.month = times.month

),

by_metric as (
    {% for definition in contact_metrics() %}
        select
            *,
            '{{ definition.metric }}' as metric,
            {{ 'inbound_n' if definition.is_count else 'asked_n + unknown_n' }} as expected_n,
            {{ 'inbound_n' if definition.is_count else 'asked_n' }} as observed_n,
            {{ '0' if definition.is_count else 'unknown_n' }} as own_missing_n,
            {{ '0' if definition.is_count else 'awaited_n' }} as own_provisional_n,
            cast({{ definition.numerator }} as double) as own_numerator,
            cast({{ definition.get('denominator', 'null') }} as double) as own_denominator,
            {{ definition.exists }} as exists_here
        from combined
        {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    by_metric.force_id,
    by_metric.platform,
    by_metric.month,
    by_metric.metric,
    frame.metric_version,
    -- of a month that no list shows nothing is known, 0 neither
    case when by_metric.unseen_n < by_metric.accounts_n then by_metric.own_numerator end as numerator,
    case when by_metric.unseen_n < by_metric.accounts_n then by_metric.own_denominator end as denominator,
    by_metric.observed_n as base_n,
    by_metric.expected_days,
    by_metric.seen_days,
    by_metric.expected_n,
    by_metric.observed_n,
    by_metric.own_missing_n + by_metric.unseen_n + by_metric.lost_n as missing_n,
    by_metric.own_provisional_n + by_metric.pending_n as provisional_n,
    by_metric.has_contacts and (by_metric.exists_here or by_metric.unseen_n = by_metric.accounts_n) as is_applicable,
    by_metric.is_simulated
from by_metric
inner join {{ ref('int_month_frame') }} as frame
    on
        by_metric.platform = frame.platform
        and by_metric.force_id = frame.force_id
        and by_metric.month = frame.month
        and by_metric.metric = frame.metric
