{# The value of the row with the greatest (smallest) `by`. A row whose value is null does not count. #}
{% macro last_value_by(value, by) -%}
arg_max({{ value }}, {{ by }})
{%- endmacro %}

{% macro first_value_by(value, by) -%}
arg_min({{ value }}, {{ by }})
{%- endmacro %}
