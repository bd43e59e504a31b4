{#
  Numbers of a post that are read at the reading age. Each becomes a column of int_post_readings (value, is it provisional, the latest),
  filled from platform_metric_map.
#}
{% macro post_readings() -%}
{{ return(interaction_parts() + ['saves', 'views', 'impressions_legacy', 'reach_unique']) }}
{%- endmacro %}


{# Those of them that the marts show with their version and the platform's own name. #}
{% macro named_readings() -%}
{{ return(['reach_unique']) }}
{%- endmacro %}


{#
  What interactions are the sum of. No platform has them all: a post has interactions when it has every part that its platform has,
  by the map valid on the day of the reading (int_posts_read).
#}
{% macro interaction_parts() -%}
{{ return(['reactions', 'comments', 'shares', 'reposts', 'quotes']) }}
{%- endmacro %}


{#
  The metrics that are computed, each defined once. A metric that sums over posts needs nothing but its entry here and its row in the
  seed `metrics`, whose `grains` and `additivity` say where it goes.

  inputs       mapped metrics without which a platform does not have this one
  parts        mapped metrics of which a platform has at least one
  readings     the post readings among them: what makes a value provisional
  numerator    of one post; denominator: of one post, for ratios
#}
{% macro post_metrics() -%}
{{ return([
    {'metric': 'posts_published', 'inputs': [], 'readings': [], 'numerator': '1'},
    {'metric': 'views', 'inputs': ['views'], 'readings': ['views'], 'numerator': 'views'},
    {'metric': 'impressions_legacy', 'inputs': ['impressions_legacy'], 'readings': ['impressions_legacy'],
     'numerator': 'impressions_legacy'},
    {'metric': 'interactions', 'inputs': [], 'parts': interaction_parts(), 'readings': interaction_parts(), 'numerator': 'interactions'},
    {'metric': 'engagement_rate_by_followers', 'inputs': ['followers_end'], 'parts': interaction_parts(),
     'readings': interaction_parts(), 'numerator': 'interactions', 'denominator': 'followers_at_posting'},
]) }}
{%- endmacro %}


{# Whether any of these readings of a post is provisional. #}
{% macro any_provisional(readings) -%}
{%- for reading in readings -%}
coalesce({{ reading }}_is_provisional, false)
            or {% endfor -%}
false
{%- endmacro %}


{# The definitions as rows: metric, basis (posts, accounts, contacts), input (null where a metric has none), is_part, inputs_n, parts_n. #}
{% macro metric_input_rows(posts, accounts, contacts) -%}
{%- set rows = [] -%}
{%- for basis, definitions in [('posts', posts), ('accounts', accounts), ('contacts', contacts)] -%}
{%- for definition in definitions -%}
{%- set parts = definition.get('parts', []) -%}
{%- set counts = definition.inputs | length ~ ", " ~ parts | length -%}
{%- for input in (definition.inputs + parts) or [none] -%}
{%- set shown = "'" ~ input ~ "'" if input else 'null' -%}
{%- set is_part = 'true' if input in parts else 'false' -%}
{%- do rows.append("('" ~ definition.metric ~ "', '" ~ basis ~ "', " ~ shown ~ ", " ~ is_part ~ ", " ~ counts ~ ")") -%}
{%- endfor -%}
{%- endfor -%}
{%- endfor -%}
{{ rows | join(',\n        ') }}
{%- endmacro %}


{# Columns has_<part>: whether a group of rows of the map has the part. #}
{% macro has_parts(metric) -%}
{%- for part in interaction_parts() -%}
bool_or({{ metric }} = '{{ part }}') as has_{{ part }}{{ ',\n        ' if not loop.last }}
{%- endfor -%}
{%- endmacro %}


{# Whether readings have every part that their platform has (columns of has_parts). #}
{% macro every_part(parts, readings, prefix) -%}
{%- for part in interaction_parts() -%}
({{ parts }}.has_{{ part }} is not true or {{ readings }}.{{ prefix }}{{ part }} is not null){{ ' and ' if not loop.last }}
{%- endfor -%}
{%- endmacro %}


{# The metrics that rest on accounts instead of posts, with their inputs; their sums are in int_month_accounts. #}
{% macro account_metrics() -%}
{{ return([
    {'metric': 'followers_end', 'inputs': ['followers_end']},
    {'metric': 'followers_per_1k_population', 'inputs': ['followers_end']},
    {'metric': 'metric_coverage', 'inputs': []},
]) }}
{%- endmacro %}


{# The two clocks of response times: all of the time, and the contact centre's office hours. #}
{% macro response_clocks() -%}
{{ return(['24_7', 'office']) }}
{%- endmacro %}


{#
  The metrics that rest on public contacts: columns of int_month_response_times.

  exists       whether there is such a number: a rate over nobody, or a median of whom over half were not answered, does not exist
  is_count     of all messages, and not of those that want an answer
#}
{% macro contact_metrics() -%}
{%- set most_answered = 'asked_n > 0 and answered_n >= 0.5 * asked_n' -%}
{%- set definitions = [
    {'metric': 'inbound_contacts', 'inputs': [], 'numerator': 'inbound_n', 'exists': 'true', 'is_count': true},
    {'metric': 'response_rate', 'inputs': [], 'numerator': 'answered_n', 'denominator': 'asked_n', 'exists': 'asked_n > 0'},
] -%}
{%- for clock in response_clocks() -%}
{%- do definitions.append({'metric': 'median_first_response_seconds_' ~ clock, 'inputs': [], 'numerator': 'median_' ~ clock,
    'exists': most_answered}) -%}
{%- do definitions.append({'metric': 'p90_first_response_seconds_' ~ clock, 'inputs': [], 'numerator': 'p90_' ~ clock,
    'exists': 'asked_n > 0 and answered_n >= 0.9 * asked_n'}) -%}
{%- do definitions.append({'metric': 'share_within_1h_' ~ clock, 'inputs': [], 'numerator': 'within_1h_n_' ~ clock,
    'denominator': 'asked_n', 'exists': most_answered}) -%}
{%- endfor -%}
{{ return(definitions) }}
{%- endmacro %}


{#
  What a sum is worth. observed_n of expected_n units have a value; missing_n lack one and will not get it; provisional_n will change.
  A value that cannot be formed at all is missing.
#}
{% macro sum_status(value, missing_n, provisional_n, is_open) -%}
case
    when {{ value }} is null then 'missing'
    when {{ missing_n }} > 0 then 'partial'
    when {{ provisional_n }} > 0 or {{ is_open }} then 'provisional'
    else 'ok'
end
{%- endmacro %}
