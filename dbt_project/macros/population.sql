{# Which year of the population estimates counts for a date: the newest at or before it; where there is none, the first after it. #}
{% macro year_choice(year, day) -%}
case when {{ year }} <= extract(year from {{ day }}) then 0 else 1 end,
            abs({{ year }} - extract(year from {{ day }}))
{%- endmacro %}
