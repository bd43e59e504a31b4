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

list_days as (

    {{ days_of_months(ref('int_account_list_days')) }}

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
            and snapshots.metric_date between in_month.month and in_month.last_known_day
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
    platforms.collected_by = 'upload' as is_uploaded,
    in_month.is_open_at_end,
    in_month.is_simulated,
    followers.followers,
    case when followers.followers is null then coalesce(
        follower_gaps.gap_cause,
        case when platforms.collected_by = 'upload' then 'not_yet_counted' else 'not_collected' end
    ) end as followers_gap_cause,
    list_days.expected_days,
    list_days.seen_days,
    -- nothing of the month seen, and its upload is not due; nothing seen; a part of it lost; all so far, with more to come; or all
    case
        when not list_days.is_touched and platforms.collected_by = 'upload' and list_days.lost_days = 0 then 'awaited'
        when not list_days.is_touched then 'unseen'
        when list_days.lost_days > 0 then 'behind'
        when list_days.pending_days > 0 then 'seen_so_far'
        else 'seen'
    end as posts_list_state
from in_month
inner join {{ ref('platforms') }} as platforms on in_month.platform = platforms.platform
left join list_days
    on
        in_month.platform = list_days.platform
        and in_month.account_id = list_days.account_id
        and in_month.month = list_days.month
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
