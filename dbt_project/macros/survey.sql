{# Age bands of the survey and of the population, from young to old: the order in which weighting may join neighbours. #}
{% macro age_bands() -%}
{{ return(['16_24', '25_34', '35_44', '45_54', '55_64', '65_74', '75_plus']) }}
{%- endmacro %}


{#
  Whether a want share can be read: missing without respondents, unreliable with an unweighted base under 50 or fewer than
  10 positives (docs/statistics.md), else ok.
#}
{% macro want_status(base_n, positive_n) -%}
case
    when {{ base_n }} is null or {{ base_n }} = 0 then 'missing'
    when {{ base_n }} < 50 or {{ positive_n }} < 10 then 'unreliable'
    else 'ok'
end
{%- endmacro %}
