with attempts as (

    select * from {{ ref('int_attempts') }}

),

planned as (

    select * from {{ ref('stg_plan') }}

),

holes as (

    select
        platform,
        account_id,
        object_id,
        run_date,
        subject,
        min(source) as source,
        min(force_id) as force_id,
        {{ last_value_by('cause', 'recorded_at') }} as cause,
        {{ last_value_by('detail', 'recorded_at') }} as detail,
        min(recorded_at) as first_seen_at,
        max(recorded_at) as last_seen_at,
        bool_or(is_simulated) as is_simulated
    from attempts
    where outcome = 'gap'
    group by platform, account_id, object_id, run_date, subject

),

-- a later attempt that brought the thing itself closes the hole; where nothing at all had come, one that brought anything
closings as (

    select
        holes.platform,
        holes.account_id,
        holes.object_id,
        holes.run_date,
        holes.subject,
        min(attempts.recorded_at) as closed_at
    from holes
    inner join attempts
        on
            -- an open series belongs to no platform and account
            coalesce(holes.platform, '') = coalesce(attempts.platform, '')
            and coalesce(holes.account_id, '') = coalesce(attempts.account_id, '')
            and holes.run_date = attempts.run_date
    where
        attempts.is_collected
        and attempts.recorded_at > holes.last_seen_at
        and (
            (holes.subject = '*' and holes.account_id is not null)
            or (
                attempts.subject = holes.subject
                and coalesce(attempts.object_id, holes.object_id, '') = coalesce(holes.object_id, '')
            )
        )
    group by holes.platform, holes.account_id, holes.object_id, holes.run_date, holes.subject

),

-- planned, and nothing is known of it: nobody tried, or all that came was stopped at the gate
without_outcome as (

    select
        planned.platform,
        planned.account_id,
        planned.run_date,
        planned.source,
        planned.force_id,
        planned.planned_at,
        planned.is_simulated,
        coalesce(bool_or(attempts.is_stopped), false) as is_stopped
    from planned
    left join attempts
        on
            planned.platform = attempts.platform
            and planned.account_id = attempts.account_id
            and planned.run_date = attempts.run_date
    group by
        planned.platform,
        planned.account_id,
        planned.run_date,
        planned.source,
        planned.force_id,
        planned.planned_at,
        planned.is_simulated
    having not coalesce(bool_or(attempts.is_collected or attempts.outcome = 'gap'), false)

)

select
    holes.*,
    closings.closed_at is null as is_open,
    closings.closed_at
from holes
left join closings
    on
        coalesce(holes.platform, '') = coalesce(closings.platform, '')
        and coalesce(holes.account_id, '') = coalesce(closings.account_id, '')
        and holes.run_date = closings.run_date
        and holes.subject = closings.subject
        and coalesce(holes.object_id, '') = coalesce(closings.object_id, '')

union all

select
    platform,
    account_id,
    cast(null as varchar) as object_id,
    run_date,
    '*' as subject,
    source,
    force_id,
    'not_collected' as cause,
    case when is_stopped then 'all that came was stopped at the gate' else 'planned, and no attempt left an answer' end as detail,
    planned_at as first_seen_at,
    planned_at as last_seen_at,
    is_simulated,
    true as is_open,
    cast(null as timestamptz) as closed_at
from without_outcome
