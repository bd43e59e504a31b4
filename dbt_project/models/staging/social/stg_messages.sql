-- what was decided when a message was first seen stands: its words are gone, and a newer rule applies to new messages only
select
    platform,
    account_id,
    message_key,
    min(force_id) as force_id,
    {{ first_value_by('direction', 'observed_at') }} as direction,
    {{ first_value_by('created_at', 'observed_at') }} as created_at,
    -- an answer is known by whom it answers as long as that message is there
    max(reply_to_key) as reply_to_key,
    {{ first_value_by('is_automatic', 'observed_at') }} as is_automatic,
    {{ first_value_by('wants_answer', 'observed_at') }} as wants_answer,
    {{ first_value_by('rule_version', 'observed_at') }} as rule_version,
    min(observed_at) as first_seen_at,
    max(observed_at) as last_seen_at,
    -- brought by an export of a social-inbox tool alone: no list of the platform would show it, or its answer
    bool_and(source = 'contacts') as is_export_only,
    bool_or(is_simulated) as is_simulated
from {{ known('message') }} as source
group by platform, account_id, message_key
