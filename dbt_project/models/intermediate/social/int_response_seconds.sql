-- elapsed time from a message to its first reply: all of it, and the part in which the contact centre was open
with replied as (

    select
        messages.platform,
        messages.account_id,
        messages.message_key,
        messages.force_id,
        messages.created_at,
        replies.first_reply_at
    from {{ ref('stg_messages') }} as messages
    inner join {{ ref('int_first_replies') }} as replies
        on
            messages.platform = replies.platform
            and messages.account_id = replies.account_id
            and messages.message_key = replies.message_key

),

-- each message with the days that it waited, so that it meets only their openings
waited as (

    select
        *,
        {{ days_between(london_date('created_at'), london_date('first_reply_at')) }} as day
    from replied

),

open_seconds as (

    select
        waited.platform,
        waited.account_id,
        waited.message_key,
        sum({{ seconds_between(
            'greatest(waited.created_at, openings.opens_at)', 'least(waited.first_reply_at, openings.closes_at)'
        ) }}) as open_seconds
    from waited
    inner join {{ ref('int_office_openings') }} as openings
        on
            waited.force_id = openings.force_id
            and waited.day = openings.day
            and waited.created_at < openings.closes_at
            and waited.first_reply_at > openings.opens_at
    group by waited.platform, waited.account_id, waited.message_key

)

select
    replied.platform,
    replied.account_id,
    replied.message_key,
    replied.first_reply_at,
    {{ seconds_between('replied.created_at', 'replied.first_reply_at') }} as response_seconds_24_7,
    -- no opening touches the time waited: answered while the centre was closed
    case when open_seconds.message_key is null then 0 else cast(open_seconds.open_seconds as bigint) end as response_seconds_office
from replied
left join open_seconds
    on
        replied.platform = open_seconds.platform
        and replied.account_id = open_seconds.account_id
        and replied.message_key = open_seconds.message_key
