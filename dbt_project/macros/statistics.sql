{# The 97.5th percentile of the standard normal distribution: the z of a two-sided 95 % interval. #}
{% macro normal_quantile_975() -%} 1.959963984540054 {%- endmacro %}


{#
  One bound of the Wilson score interval of a share (Wilson 1927, JASA 22; Brown, Cai and DasGupta 2001, Statistical Science 16).
  share: between 0 and 1. effective_base: Kish's effective base, or n where nothing is weighted. bound: 'low' or 'high'.
  Null where the base is null or 0. At a share of exactly 0 (or 1) the low (high) bound is exactly the share.
#}
{% macro wilson_interval(share, effective_base, bound) -%}
{%- if bound not in ('low', 'high') -%}
    {{ exceptions.raise_compiler_error("wilson_interval: bound is 'low' or 'high', not " ~ bound) }}
{%- endif -%}
{%- set z = normal_quantile_975() | trim -%}
case
    when {{ effective_base }} is null or {{ effective_base }} <= 0 then null
    when {{ share }} = {{ 0 if bound == 'low' else 1 }} then {{ share }}
    else
        (
            {{ share }} + {{ z }} * {{ z }} / (2 * {{ effective_base }})
            {{ '-' if bound == 'low' else '+' }} {{ z }} * sqrt(
                {{ share }} * (1 - {{ share }}) / {{ effective_base }}
                + {{ z }} * {{ z }} / (4 * {{ effective_base }} * {{ effective_base }})
            )
        ) / (1 + {{ z }} * {{ z }} / {{ effective_base }})
end
{%- endmacro %}


{# Kish's effective base (Σw)² / Σw² (Kish 1965, Survey Sampling, 8.2). Null where there is no weight. #}
{% macro kish_effective_base(sum_of_weights, sum_of_squared_weights) -%}
({{ sum_of_weights }}) * ({{ sum_of_weights }}) / nullif({{ sum_of_squared_weights }}, 0)
{%- endmacro %}


{# A sum of floats in a stated order, so that two builds of the same rows agree to the last digit whatever the threads do. #}
{% macro ordered_sum(expression, order_columns) -%}
sum({{ expression }} order by {{ order_columns }})
{%- endmacro %}
