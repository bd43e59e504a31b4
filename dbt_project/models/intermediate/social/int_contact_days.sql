-- every London day of an open account on a platform that has contacts, and whether one run has seen the whole of it
with days as (

    select
        days.*,
        contact_platforms.window_days
    from {{ ref('int_account_list_days') }} as days
    left join {{ ref('contact_platforms') }} as contact_platforms on days.platform = contact_platforms.platform
    where contact_platforms.has_contacts is not false

),

lists as (

    select
        *,
        {{ days_between(london_date('seen_from'), london_date('seen_to')) }} as day
    from {{ ref('int_contact_lists') }}

),

seen as (

    select distinct
        days.platform,
        days.account_id,
        days.day
    from days
    inner join lists
        on
            days.platform = lists.platform
            and days.account_id = lists.account_id
            and days.day = lists.day
            and days.day_starts_at >= lists.seen_from
            and days.day_ends_at <= lists.seen_to

),

touched as (

    select distinct
        days.platform,
        days.account_id,
        days.day
    from days
    inner join lists
        on
            days.platform = lists.platform
            and days.account_id = lists.account_id
            and days.day = lists.day
            and days.day_ends_at > lists.seen_from
            and days.day_starts_at < lists.seen_to

)

select
    days.platform,
    days.account_id,
    days.force_id,
    days.day,
    touched.day is not null as is_touched,
    case
        when seen.day is not null then 'seen'
        -- nobody asks on this platform, or asks no more
        when days.window_days is null or ends.ended_on is not null then 'lost'
        -- no run to come will list it
        when days.day_starts_at < {{ list_starts_at(plus_days(as_of_date(), 1), 'days.window_days') }} then 'lost'
        else 'pending'
    end as state
from days
left join seen
    on
        days.platform = seen.platform
        and days.account_id = seen.account_id
        and days.day = seen.day
left join touched
    on
        days.platform = touched.platform
        and days.account_id = touched.account_id
        and days.day = touched.day
left join {{ ref('int_account_ends') }} as ends
    on
        days.platform = ends.platform
        and days.account_id = ends.account_id
