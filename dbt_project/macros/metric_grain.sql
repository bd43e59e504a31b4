{# Whether a metric of the seed is given at a grain: account_day, post, force_platform_month. #}
{% macro has_grain(grains, grain) -%}
';' || {{ grains }} || ';' like '%;{{ grain }};%'
{%- endmacro %}
