with responses as (

    select * from {{ ref('int_responses') }}

)

select
    message_key,
    platform,
    force_id,
    account_id,
    created_at,
    created_date,
    created_month,
    wants_answer,
    rule_version,
    first_reply_at,
    response_seconds_24_7,
    response_seconds_office,
    office_hours_are_assumed,
    is_answered_within_7_days,
    is_censored,
    status,
    first_seen_at,
    last_seen_at,
    is_simulated
from responses
