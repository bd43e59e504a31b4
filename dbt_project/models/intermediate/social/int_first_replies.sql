-- the first answer by a person to a message, or to what the same person said after it (reply_to_key: docs/sources/contacts.md)
{%- set steps = longest_chain() %}
with messages as (

    select * from {{ ref('stg_messages') }}

),

-- who goes on after a machine's answer goes on with what the machine had answered
inbound as (

    select
        messages.platform,
        messages.account_id,
        messages.message_key,
        messages.created_at,
        coalesce(machines.reply_to_key, messages.reply_to_key) as reply_to_key
    from messages
    left join messages as machines
        on
            messages.platform = machines.platform
            and messages.account_id = machines.account_id
            and messages.reply_to_key = machines.message_key
            and machines.direction = 'outbound'
            and machines.is_automatic
    where messages.direction = 'inbound'

),

step_0 as (

    select
        platform,
        account_id,
        reply_to_key as message_key,
        created_at as replied_at
    from messages
    where
        direction = 'outbound'
        and not is_automatic
        and reply_to_key is not null

),
{% for step in range(1, steps + 1) %}
    step_{{ step }} as (

        select
            answers.platform,
            answers.account_id,
            inbound.reply_to_key as message_key,
            answers.replied_at
        from step_{{ step - 1 }} as answers
        inner join inbound
            on
                answers.platform = inbound.platform
                and answers.account_id = inbound.account_id
                and answers.message_key = inbound.message_key
        where inbound.reply_to_key is not null

    ),
{% endfor %}
answers as (
    {% for step in range(steps + 1) %}
        select * from step_{{ step }}
        {% if not loop.last -%}
            union all
        {%- endif %}
    {%- endfor %}

)

select
    inbound.platform,
    inbound.account_id,
    inbound.message_key,
    min(answers.replied_at) as first_reply_at
from inbound
inner join answers
    on
        inbound.platform = answers.platform
        and inbound.account_id = answers.account_id
        and inbound.message_key = answers.message_key
where answers.replied_at >= inbound.created_at
group by inbound.platform, inbound.account_id, inbound.message_key
