{# The project's rules about public contacts, once each. docs/sources/contacts.md. #}

{# An answer counts as one within this time; what has none by then is censored at it. #}
{% macro censored_after(created_at) -%}
{{ plus_hours(created_at, 7 * 24) }}
{%- endmacro %}


{# How many follow-ups of the same person may stand between a message and the answer that it is counted for. #}
{% macro longest_chain() -%} {{ return(3) }} {%- endmacro %}


{# Minutes after midnight of a time written HH:MM. #}
{% macro minutes_of(clock_time) -%}
(cast(substr({{ clock_time }}, 1, 2) as integer) * 60 + cast(substr({{ clock_time }}, 4, 2) as integer))
{%- endmacro %}
