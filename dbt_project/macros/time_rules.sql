{# The project's rules about time, once each. docs/architecture.md, "Time". #}

{% macro london() -%} 'Europe/London' {%- endmacro %}


{% macro london_date(instant) -%}
{{ local_date(instant, london() | trim) }}
{%- endmacro %}


{% macro london_month(instant) -%}
cast(date_trunc('month', {{ london_date(instant) }}) as date)
{%- endmacro %}


{# The last day of a month that is given by its first. #}
{% macro last_day_of(month) -%}
cast({{ month }} + interval 1 month - interval 1 day as date)
{%- endmacro %}


{#
  The day for which an answer counts: its run date, if it was seen on that date or within 12 hours after its end (London),
  else the London date on which it was seen. A late run never stamps today's figure on an old day.
#}
{% macro asked_on(observed_at, run_date) -%}
case
    -- London's midnight is UTC's or an hour before: what lies well inside needs no calendar of a time zone, which is slow
    when {{ elapsed_hours_since_utc_midnight(observed_at, run_date) }} between 0 and 34 then {{ run_date }}
    when
        {{ observed_at }} >= {{ start_of_day(run_date, london() | trim) }}
        and {{ observed_at }} < {{ plus_hours(start_of_day(plus_days(run_date, 1), london() | trim), 12) }}
        then {{ run_date }}
    else {{ london_date(observed_at) }}
end
{%- endmacro %}


{# A post is read from 7 × 24 to 14 × 24 hours after publication, both ends included. #}
{% macro reading_starts_at(published_at) -%}
{{ plus_hours(published_at, 7 * 24) }}
{%- endmacro %}

{% macro reading_ends_at(published_at) -%}
{{ plus_hours(published_at, 14 * 24) }}
{%- endmacro %}


{# The first instant at which a daily total is settled: the platform's lag after the end of its day, in its own time zone. #}
{% macro settled_from(metric_date, time_zone, lag_hours) -%}
{{ plus_hours(start_of_day(plus_days(metric_date, 1), time_zone), lag_hours) }}
{%- endmacro %}


{# Whether a daily total was seen settled. #}
{% macro is_settled(observed_at, metric_date, time_zone, lag_hours) -%}
case
    -- midnight lies from 14 hours before UTC's to 12 after it: what is far from it needs no calendar of a time zone, which is slow
    when {{ elapsed_hours_since_utc_midnight(observed_at, plus_days(metric_date, 1)) }} >= {{ lag_hours }} + 12 then true
    when {{ elapsed_hours_since_utc_midnight(observed_at, plus_days(metric_date, 1)) }} < {{ lag_hours }} - 14 then false
    else {{ observed_at }} >= {{ settled_from(metric_date, time_zone, lag_hours) }}
end
{%- endmacro %}


{# The first instant that a list of posts reaches back to: whole days up to the end of the run date, UTC. #}
{% macro list_starts_at(run_date, window_days) -%}
{{ start_of_day(plus_days(plus_days(run_date, 1), '-' ~ window_days), "'UTC'") }}
{%- endmacro %}

{% macro list_ends_at(run_date) -%}
{{ start_of_day(plus_days(run_date, 1), "'UTC'") }}
{%- endmacro %}


{# An account's days in a month, by their state: what the models int_account_list_days and int_contact_days tell of each. #}
{% macro days_of_months(days) -%}
select
        platform,
        account_id,
        cast(date_trunc('month', day) as date) as month,
        count(*) as expected_days,
        count(*) filter (where state = 'seen') as seen_days,
        count(*) filter (where state = 'lost') as lost_days,
        count(*) filter (where state = 'pending') as pending_days,
        bool_or(is_touched) as is_touched
    from {{ days }}
    group by platform, account_id, cast(date_trunc('month', day) as date)
{%- endmacro %}
