-- of the messages of a month that want an answer: how many were answered, and how soon. Who was not is later than all others.
with responses as (

    select
        *,
        wants_answer and status <> 'missing' as is_asked,
        wants_answer and coalesce(is_answered_within_7_days, false) as is_answered
    from {{ ref('int_responses') }}
    -- of a month only what lists show: whether an export holds all of one nobody can tell
    where is_export_only is not true

),

timed as (

    select
        *,
    {%- for clock in response_clocks() %}
        case when is_answered then response_seconds_{{ clock }} end as seconds_{{ clock }},
        count(*) filter (where is_asked) over (partition by platform, force_id, created_month) as asked_n_{{ clock }},
        row_number() over (
            partition by platform, force_id, created_month, is_asked
            order by case when is_answered then response_seconds_{{ clock }} end asc nulls last, message_key
            ) as place_{{ clock }}{{ ',' if not loop.last }}
    {%- endfor %}
    from responses

)

select
    platform,
    force_id,
    created_month as month,
    count(*) as inbound_n,
    count(*) filter (where is_asked) as asked_n,
    count(*) filter (where is_answered) as answered_n,
    count(*) filter (where wants_answer and status = 'missing') as unknown_n,
    count(*) filter (where wants_answer and status = 'provisional' and not is_answered) as awaited_n,
    {%- for clock in response_clocks() %}
        count(*) filter (where is_answered and seconds_{{ clock }} <= 3600) as within_1h_n_{{ clock }},
        {%- for name, share in [('median', '0.5'), ('p90', '0.9')] %}
            min(seconds_{{ clock }}) filter (
                where is_asked and place_{{ clock }} >= {{ share }} * asked_n_{{ clock }}
            ) as {{ name }}_{{ clock }},
        {%- endfor %}
    {%- endfor %}
    bool_or(is_simulated) as is_simulated
from timed
group by platform, force_id, created_month
