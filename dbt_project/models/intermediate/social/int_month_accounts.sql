-- what rests on accounts and their runs
with follower_sums as (

    select
        platform,
        force_id,
        month,
        -- a force's count needs all of its accounts
        case
            when count(*) filter (where is_open_at_end and followers is null) = 0
                then sum(followers) filter (where is_open_at_end)
        end as followers,
        count(*) filter (where is_open_at_end) as expected_n,
        count(followers) filter (where is_open_at_end) as observed_n
    from {{ ref('int_month_account_states') }}
    group by platform, force_id, month

),

runs as (

    select
        platform,
        force_id,
        cast(date_trunc('month', run_date) as date) as month,
        count(*) as planned_n,
        count(*) filter (where is_collected) as collected_n
    from {{ ref('int_account_runs') }}
    group by platform, force_id, cast(date_trunc('month', run_date) as date)

),

residents as (

    select
        force_id,
        population_all_ages
    from {{ ref('int_force_population') }}

),

followers as (

    select
        platform,
        force_id,
        month,
        'followers_end' as metric,
        cast(followers as double) as numerator,
        cast(null as double) as denominator,
        observed_n as base_n,
        expected_n,
        observed_n,
        expected_n - observed_n as missing_n,
        expected_n > 0 as is_applicable
    from follower_sums

),

per_head as (

    select
        follower_sums.platform,
        follower_sums.force_id,
        follower_sums.month,
        'followers_per_1k_population' as metric,
        1000 * cast(follower_sums.followers as double) as numerator,
        cast(residents.population_all_ages as double) as denominator,
        follower_sums.observed_n as base_n,
        follower_sums.expected_n,
        follower_sums.observed_n,
        follower_sums.expected_n - follower_sums.observed_n as missing_n,
        forces.per_head_is_meaningful and follower_sums.expected_n > 0 as is_applicable
    from follower_sums
    inner join {{ ref('forces') }} as forces on follower_sums.force_id = forces.force_id
    inner join residents on follower_sums.force_id = residents.force_id

),

-- the share of account runs that were collected; what it lacks is its content, so it is itself never partial
coverage as (

    select
        platform,
        force_id,
        month,
        'metric_coverage' as metric,
        cast(collected_n as double) as numerator,
        cast(planned_n as double) as denominator,
        planned_n as base_n,
        planned_n as expected_n,
        collected_n as observed_n,
        0 as missing_n,
        true as is_applicable
    from runs

),

-- of what people upload, a month of which nothing is due yet has no share
not_due as (

    select distinct
        states.platform,
        states.force_id,
        states.month,
        'metric_coverage' as metric,
        cast(null as double) as numerator,
        cast(null as double) as denominator,
        0 as base_n,
        0 as expected_n,
        0 as observed_n,
        0 as missing_n,
        false as is_applicable
    from {{ ref('int_month_account_states') }} as states
    left join runs
        on
            states.platform = runs.platform
            and states.force_id = runs.force_id
            and states.month = runs.month
    where states.is_uploaded and runs.month is null

)

select * from followers
union all
select * from per_head
union all
select * from coverage
union all
select * from not_due
