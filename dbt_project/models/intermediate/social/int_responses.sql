-- each inbound message with its first reply on two clocks, and what is known of its seven days
with messages as (

    select
        *,
        {{ censored_after('created_at') }} as censored_at
    from {{ ref('stg_messages') }}
    where direction = 'inbound'

),

responses as (

    select * from {{ ref('int_response_seconds') }}

),

assumed_hours as (

    select
        force_id,
        bool_or(is_assumed) as is_assumed
    from {{ ref('int_office_openings') }}
    group by force_id

),

-- messages whose seven days one run has seen from end to end: who was not answered by then was not
watched as (

    select distinct
        messages.platform,
        messages.account_id,
        messages.message_key
    from messages
    inner join {{ ref('int_contact_lists') }} as lists
        on
            messages.platform = lists.platform
            and messages.account_id = lists.account_id
            and messages.created_at >= lists.seen_from
            and messages.censored_at <= lists.seen_to
    where messages.is_export_only is not true

),

judged as (

    select
        messages.*,
        responses.first_reply_at,
        responses.response_seconds_24_7,
        responses.response_seconds_office,
        assumed_hours.is_assumed as office_hours_are_assumed,
        coalesce(responses.first_reply_at <= messages.censored_at, false) as is_answered_in_time,
        watched.message_key is not null as is_watched,
        -- the seven days are not over, or a run to come will still list it
        messages.censored_at > {{ as_of_instant() }}
        or (
            messages.is_export_only is not true
            and messages.created_at >= {{ list_starts_at(plus_days(as_of_date(), 1), 'contact_platforms.window_days') }}
        ) as is_awaited
    from messages
    left join {{ ref('contact_platforms') }} as contact_platforms on messages.platform = contact_platforms.platform
    left join responses
        on
            messages.platform = responses.platform
            and messages.account_id = responses.account_id
            and messages.message_key = responses.message_key
    left join assumed_hours on messages.force_id = assumed_hours.force_id
    left join watched
        on
            messages.platform = watched.platform
            and messages.account_id = watched.account_id
            and messages.message_key = watched.message_key

)

select
    message_key,
    platform,
    force_id,
    account_id,
    created_at,
    {{ london_date('created_at') }} as created_date,
    {{ london_month('created_at') }} as created_month,
    wants_answer,
    cast(rule_version as integer) as rule_version,
    first_reply_at,
    response_seconds_24_7,
    response_seconds_office,
    office_hours_are_assumed,
    -- not known yet, or never to be known, is neither
    case when is_answered_in_time then true when is_watched then false end as is_answered_within_7_days,
    case when is_answered_in_time then false when is_watched then true end as is_censored,
    case
        when is_answered_in_time or is_watched then 'ok'
        when is_awaited then 'provisional'
        else 'missing'
    end as status,
    first_seen_at,
    last_seen_at,
    is_export_only,
    is_simulated
from judged
