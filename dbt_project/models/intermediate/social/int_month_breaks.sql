-- months in which an account of the force ended, changed its name or took another in
with events as (

    select distinct
        force_id,
        platform,
        cast(date_trunc('month', event_date) as date) as month
    from {{ ref('int_account_events') }}

)

select * from events
union
select
    force_id,
    'all' as platform,
    month
from events
