{# A list of texts as SQL has them: 'a', 'b'. #}
{% macro quoted(texts) -%}
'{{ texts | join("', '") }}'
{%- endmacro %}
