with attempts as (

    select * from {{ ref('int_attempts') }}

),

holes as (

    select
        row_number() over () as hole_n,
        platform,
        account_id,
        object_type,
        object_id,
        run_date,
        subject,
        min(source) as source,
        min(force_id) as force_id,
        {{ last_value_by('cause', 'attempt_n') }} as cause,
        {{ last_value_by('detail', 'attempt_n') }} as detail,
        {{ last_value_by('published_at', 'attempt_n') }} as published_at,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at,
        max(attempt_n) as last_attempt_n,
        bool_or(is_simulated) as is_simulated
    from attempts
    where outcome = 'gap'
    group by platform, account_id, object_type, object_id, run_date, subject

),

-- a later attempt of the run that brought the thing itself closes the hole; where nothing had come, one that brought anything
closed_by_attempt as (

    select
        holes.hole_n,
        attempts.seen_at as closed_at
    from holes
    inner join attempts
        on
            -- an open series belongs to no platform and account
            coalesce(holes.platform, '') = coalesce(attempts.platform, '')
            and coalesce(holes.account_id, '') = coalesce(attempts.account_id, '')
            and holes.run_date = attempts.run_date
            and holes.last_attempt_n < attempts.attempt_n
    where
        attempts.is_collected
        and (
            (holes.subject = '*' and holes.account_id is not null)
            or (
                attempts.subject = holes.subject
                and (attempts.object_id is null or attempts.object_id = holes.object_id)
                and (holes.object_type is null or {{ is_of_type('attempts.object_type', 'holes.object_type') }})
            )
        )

),

uploaded as (

    select platform from {{ ref('platforms') }}
    where collected_by = 'upload'

),

-- an open series is asked for all that it still has each time, and an upload mends what an earlier one lacked: any later run that
-- had it closes its hole
closed_by_later_run as (

    select
        holes.hole_n,
        attempts.seen_at as closed_at
    from holes
    inner join attempts
        on
            holes.source = attempts.source
            and holes.subject = attempts.subject
            and coalesce(holes.account_id, '') = coalesce(attempts.account_id, '')
            and (attempts.object_id is null or holes.object_id = attempts.object_id)
            and holes.run_date < attempts.run_date
            and holes.last_seen_at < attempts.seen_at
    left join uploaded on holes.platform = uploaded.platform
    where
        attempts.is_collected
        and (holes.account_id is null or uploaded.platform is not null)

),

-- the number of a post counts whenever it was read: any later reading closes its hole
closed_by_reading as (

    select
        holes.hole_n,
        sightings.observed_at as closed_at
    from holes
    inner join {{ ref('int_object_sightings') }} as sightings
        on
            holes.platform = sightings.platform
            and holes.object_id = sightings.object_id
            and holes.subject = sightings.subject
            and {{ is_of_type('holes.object_type', 'sightings.object_type') }}
            and holes.last_seen_at < sightings.observed_at

),

closings as (

    select
        hole_n,
        min(closed_at) as closed_at
    from (
        select * from closed_by_attempt
        union all
        select * from closed_by_later_run
        union all
        select * from closed_by_reading
    )
    group by hole_n

)

select
    holes.platform,
    holes.account_id,
    holes.object_type,
    holes.object_id,
    holes.run_date,
    holes.subject,
    holes.source,
    holes.force_id,
    holes.cause,
    holes.detail,
    holes.published_at,
    holes.first_seen_at,
    holes.last_seen_at,
    holes.is_simulated,
    closings.closed_at is null as is_open,
    closings.closed_at
from holes
left join closings on holes.hole_n = closings.hole_n

union all

select
    platform,
    account_id,
    cast(null as varchar) as object_type,
    cast(null as varchar) as object_id,
    run_date,
    '*' as subject,
    source,
    force_id,
    case when is_stopped then 'quarantined' else 'not_collected' end as cause,
    case when is_stopped then 'all that came was stopped at the gate' else 'planned, and no attempt left an answer' end as detail,
    cast(null as timestamptz) as published_at,
    planned_at as first_seen_at,
    planned_at as last_seen_at,
    is_simulated,
    true as is_open,
    cast(null as timestamptz) as closed_at
from {{ ref('int_planned_without_outcome') }}
