{# What DuckDB says in its own way about time; another engine gets its own version here and nowhere else. #}

{# The date of an instant in a time zone. #}
{% macro local_date(instant, time_zone) -%}
cast(timezone({{ time_zone }}, {{ instant }}) as date)
{%- endmacro %}


{# The instant at which a date begins in a time zone. #}
{% macro start_of_day(day, time_zone) -%}
timezone({{ time_zone }}, cast({{ day }} as timestamp))
{%- endmacro %}


{# An instant some hours later: elapsed hours, also over a clock change. #}
{% macro plus_hours(instant, hours) -%}
({{ instant }} + to_hours({{ hours }}))
{%- endmacro %}


{# Elapsed hours between two instants, with their fraction. #}
{% macro hours_between(earlier, later) -%}
(epoch_us({{ later }}) - epoch_us({{ earlier }})) / 3600000000.0
{%- endmacro %}


{# Whole hours between the beginning of a date in UTC and an instant, rounded down; no time zone is looked up. #}
{% macro elapsed_hours_since_utc_midnight(instant, day) -%}
floor((epoch_us({{ instant }}) - epoch_us(cast({{ day }} as timestamp))) / 3600000000)
{%- endmacro %}


{# A date some days later. #}
{% macro plus_days(day, days) -%}
({{ day }} + cast({{ days }} as integer))
{%- endmacro %}


{# A table of the first days of the months from one date to another, column `month`. #}
{% macro months_between(first_day, last_day) -%}
select cast(unnest(generate_series(date_trunc('month', {{ first_day }}), date_trunc('month', {{ last_day }}), interval 1 month)) as date) as month
{%- endmacro %}


{# One row per day from one date to another, column `day`; for a select list. #}
{% macro days_between(first_day, last_day) -%}
cast(unnest(generate_series(cast({{ first_day }} as timestamp), cast({{ last_day }} as timestamp), interval 1 day)) as date)
{%- endmacro %}


{# The instant at which a date's clock shows a number of minutes after its beginning, in a time zone; 24 × 60 is the next day's 00:00. #}
{% macro at_minute_of(day, minutes, time_zone) -%}
timezone({{ time_zone }}, cast({{ day }} as timestamp) + to_minutes({{ minutes }}))
{%- endmacro %}


{# 1 for Monday to 7 for Sunday. #}
{% macro weekday_of(day) -%}
isodow({{ day }})
{%- endmacro %}


{# Whole elapsed seconds between two instants. #}
{% macro seconds_between(earlier, later) -%}
cast(floor((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000) as bigint)
{%- endmacro %}
