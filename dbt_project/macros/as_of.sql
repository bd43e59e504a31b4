{# The as-of date: the only clock the models have. #}
{% macro as_of_date() -%}
cast('{{ var("as_of_date") }}' as date)
{%- endmacro %}


{# The planned instant of collection on the as-of date: 21:00 UTC, as include/settings.py has it. The age of a post is taken at it. #}
{% macro as_of_instant() -%}
cast('{{ var("as_of_date") }} {{ var("run_time_utc") }}+00' as timestamptz)
{%- endmacro %}


{# What was seen from here on is not known on the as-of date: 12 hours after the end of its day in London, as for a snapshot. #}
{% macro known_until() -%}
{{ plus_hours(start_of_day(plus_days(as_of_date(), 1), london() | trim), 12) }}
{%- endmacro %}


{# The planned instant of collection of a run date. #}
{% macro run_instant(run_date) -%}
cast(cast({{ run_date }} as varchar) || ' {{ var("run_time_utc") }}+00' as timestamptz)
{%- endmacro %}


{# The end of an open validity, for comparisons. #}
{% macro or_forever(day) -%}
coalesce({{ day }}, cast('9999-12-31' as date))
{%- endmacro %}
