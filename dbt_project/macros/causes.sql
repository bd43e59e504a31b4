{#
  One cause for many holes: a known one before `not_collected` and `not_yet_counted`, which nobody has named; of known ones that of the
  latest day.
#}
{% macro leading_cause(cause, day) -%}
coalesce(
        {{ last_value_by(cause, 'cast(' ~ day ~ ' as varchar) || ' ~ cause) }} filter (where {{ cause }} not in ('not_collected', 'not_yet_counted')),
        min({{ cause }})
    )
{%- endmacro %}


{# A hole that says of whose field it is speaks for that object type only. #}
{% macro is_of_type(hole_type, object_type) -%}
({{ hole_type }} is null or {{ hole_type }} = {{ object_type }})
{%- endmacro %}


{#
  How much of what a value is about was observed: the share of account-days that a list of posts has seen (1 where a metric does not
  rest on lists) × the share of known units (posts, accounts, account runs) with a value. Null where the units are not known.
#}
{% macro coverage(seen_days, expected_days, observed_n, expected_n) -%}
coalesce(cast({{ seen_days }} as double) / nullif({{ expected_days }}, 0), 1.0)
    * case
        when {{ expected_n }} > 0 then cast({{ observed_n }} as double) / {{ expected_n }}
        when {{ expected_n }} = 0 and {{ expected_days }} > 0 then 1.0
    end
{%- endmacro %}
