{# The value of the row with the greatest (smallest) `by`. A row whose value is null does not count. #}
{% macro last_value_by(value, by) -%}
arg_max({{ value }}, {{ by }})
{%- endmacro %}

{% macro first_value_by(value, by) -%}
arg_min({{ value }}, {{ by }})
{%- endmacro %}


{# The whole row with the greatest `by`, nulls and all, as one value; `columns_of` makes columns of it again. #}
{% macro last_row_by(columns, by) -%}
arg_max(struct_pack({% for column in columns %}{{ column }} := {{ column }}{{ ', ' if not loop.last }}{% endfor %}), {{ by }})
{%- endmacro %}


{% macro columns_of(row) -%}
unnest({{ row }})
{%- endmacro %}


{# A whole number that stands for a row of values; equal rows have equal ones, and other rows almost surely another. #}
{% macro fingerprint(columns) -%}
hash({{ columns | join(', ') }})
{%- endmacro %}
