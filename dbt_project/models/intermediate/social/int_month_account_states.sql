with months as (

    select * from {{ ref('int_months') }}

),

accounts as (

    select * from {{ ref('accounts') }}

),

-- a renamed account has two rows in the register and is one account
in_month as (

    select
        accounts.platform,
        accounts.account_id,
        accounts.force_id,
        months.month,
        months.last_day,
        months.last_known_day,
        bool_or(months.last_known_day between accounts.valid_from and {{ or_forever('accounts.valid_to') }}) as is_open_at_end,
        bool_or(accounts.is_simulated) as is_simulated
    from accounts
    inner join months
        on
            accounts.valid_from <= months.last_known_day
            and {{ or_forever('accounts.valid_to') }} >= months.month
    group by accounts.platform, accounts.account_id, accounts.force_id, months.month, months.last_day, months.last_known_day

),

-- a list of posts can tell of a month while it lasts and as long as its posts can be read
lists as (

    select
        in_month.platform,
        in_month.account_id,
        in_month.month,
        max(runs.run_date) as last_planned,
        max(case when runs.has_posts_list then runs.run_date end) as last_listed
    from in_month
    inner join {{ ref('int_account_runs') }} as runs
        on
            in_month.platform = runs.platform
            and in_month.account_id = runs.account_id
            and runs.run_date between in_month.month and {{ plus_days('in_month.last_day', 14) }}
    group by in_month.platform, in_month.account_id, in_month.month

),

followers as (

    select
        in_month.platform,
        in_month.account_id,
        in_month.month,
        {{ last_value_by('snapshots.value', 'snapshots.metric_date') }} as followers
    from in_month
    inner join {{ ref('int_account_snapshots') }} as snapshots
        on
            in_month.platform = snapshots.platform
            and in_month.account_id = snapshots.account_id
            and snapshots.metric = 'followers_end'
            and snapshots.metric_date between in_month.month and in_month.last_day
    group by in_month.platform, in_month.account_id, in_month.month

),

follower_gaps as (

    select
        platform,
        account_id,
        cast(date_trunc('month', metric_date) as date) as month,
        {{ last_value_by('gap_cause', 'metric_date') }} as gap_cause
    from {{ ref('int_account_snapshot_gaps') }}
    where metric = 'followers_end'
    group by platform, account_id, cast(date_trunc('month', metric_date) as date)

)

select
    in_month.platform,
    in_month.account_id,
    in_month.force_id,
    in_month.month,
    in_month.is_open_at_end,
    in_month.is_simulated,
    followers.followers,
    case when followers.followers is null then coalesce(follower_gaps.gap_cause, 'not_collected') end as followers_gap_cause,
    -- nothing of the month seen; all of it; all so far, with more to come; or its end was missed
    case
        when lists.last_listed is null then 'unseen'
        when lists.last_listed > in_month.last_day then 'seen'
        when lists.last_listed < lists.last_planned then 'behind'
        when in_month.is_open_at_end then 'seen_so_far'
        else 'seen'
    end as posts_list_state
from in_month
left join lists
    on
        in_month.platform = lists.platform
        and in_month.account_id = lists.account_id
        and in_month.month = lists.month
left join followers
    on
        in_month.platform = followers.platform
        and in_month.account_id = followers.account_id
        and in_month.month = followers.month
left join follower_gaps
    on
        in_month.platform = follower_gaps.platform
        and in_month.account_id = follower_gaps.account_id
        and in_month.month = follower_gaps.month
