{#
  Each row of the left side with the last row of `relation` (as `alias`) at or before its time, among those with equal `keys`.
  DuckDB has a join for it that reads both sides once.
#}
{% macro join_last_at_or_before(left, relation, alias, keys, left_time, right_time) -%}
asof left join {{ relation }} as {{ alias }}
    on
        {% for key in keys -%}
        {{ left }}.{{ key }} = {{ alias }}.{{ key }}
        and {% endfor -%}
        {{ left }}.{{ left_time }} >= {{ alias }}.{{ right_time }}
{%- endmacro %}


{# All columns of a relation but some. #}
{% macro all_but(alias, columns) -%}
{{ alias }}.* exclude ({{ columns | join(', ') }})
{%- endmacro %}
