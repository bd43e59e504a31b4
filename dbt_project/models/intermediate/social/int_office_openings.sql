-- when a force's contact centre is open, as instants: London's clock of each day decides, also where it changes
with days as (

    select {{ days_between(london_date('min(created_at)'), london_date('max(created_at)')) }} as day
    from {{ ref('stg_messages') }}

),

own_hours as (

    select distinct force_id from {{ ref('office_hours') }}
    where force_id <> 'default'

),

hours as (

    select
        forces.force_id,
        office_hours.weekday,
        office_hours.is_assumed,
        {{ minutes_of('office_hours.opens') }} as opens_minute,
        {{ minutes_of('office_hours.closes') }} as closes_minute
    from {{ ref('forces') }} as forces
    left join own_hours on forces.force_id = own_hours.force_id
    inner join {{ ref('office_hours') }} as office_hours
        on coalesce(own_hours.force_id, 'default') = office_hours.force_id

)

select
    hours.force_id,
    days.day,
    {{ at_minute_of('days.day', 'hours.opens_minute', london() | trim) }} as opens_at,
    {{ at_minute_of('days.day', 'hours.closes_minute', london() | trim) }} as closes_at,
    hours.is_assumed
from days
inner join hours on {{ weekday_of('days.day') }} = hours.weekday
left join {{ ref('bank_holidays') }} as bank_holidays on days.day = bank_holidays.holiday
where bank_holidays.holiday is null
