{#
  Accepted rows of a kind that are known on the as-of date. Written out where it is read, and not named as one of the parts of a
  query: so what a reader leaves out is never read.
#}
{% macro known(kind) -%}
(select * from {{ source('accepted', kind) }} where run_date <= {{ as_of_date() }} and observed_at < {{ known_until() }})
{%- endmacro %}


{#
  Of numbers (or versions of posts) that two ingests brought for one instant, all but the one that counts: the newest run's, the one
  whose answers were had last where runs are equal, then by the ingest's name. `named_by`: the columns that, with the instant, name a row; `object_id`: the one among them that
  says of which object it is.

  Within an ingest a thing is asked once, so most instants of an object belong to one ingest. Those that may not are found by
  fingerprints, which are small; among them the rows themselves are compared.
#}
{% macro superseded(kind, object_id, named_by) -%}
{%- set moment = fingerprint(['platform', object_id, 'observed_at']) -%}
{%- set ingest = fingerprint(['ingest_id', 'run_date']) -%}
{%- set named = named_by + ['observed_at'] -%}
with clashes as (

    select {{ moment }} as moment
    from {{ known(kind) }} as source
    group by {{ moment }}
    having min({{ ingest }}) <> max({{ ingest }})

),

-- when the answers of an ingest, or its file, were had
ingests as (

    select
        run_date,
        ingest_id,
        max(observed_at) as had_at
    from {{ source('accepted', 'collection') }}
    group by run_date, ingest_id

),

ranked as (

    select
        {{ named | join(',\n        ') }},
        run_date,
        ingest_id,
        rank() over (
            partition by {{ named | join(', ') }}
            order by run_date desc, ingests.had_at desc nulls last, ingest_id desc
        ) as recency
    from {{ known(kind) }} as source
    left join ingests using (run_date, ingest_id)
    where {{ moment }} in (select clashes.moment from clashes)

)

select
    {{ named | join(',\n    ') }},
    run_date,
    ingest_id
from ranked
where recency > 1
{%- endmacro %}
