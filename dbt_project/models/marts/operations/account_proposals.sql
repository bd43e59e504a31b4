with proposals as (

    select
        force_id,
        platform,
        handle,
        change,
        min(run_date) as first_seen_on,
        max(run_date) as last_seen_on,
        {{ last_row_by(['current_handle', 'account_id', 'url', 'detail', 'raw_sha256', 'is_simulated'], 'observed_at') }} as seen
    from {{ ref('stg_proposals') }}
    group by force_id, platform, handle, change

),

unpacked as (

    select
        {{ all_but('proposals', ['seen']) }},
        {{ columns_of('seen') }}
    from proposals

),

-- when a force's page was had last
answered as (

    select
        subject as force_id,
        max(run_date) as last_answered_on
    from {{ ref('stg_collection') }}
    where source = 'police_uk' and outcome = 'collected'
    group by subject

),

-- the register as it stands on the as-of date
open_accounts as (

    select
        platform,
        force_id,
        account_id,
        lower(handle) as handle
    from {{ ref('accounts') }}
    where {{ as_of_date() }} between valid_from and {{ or_forever('valid_to') }}

),

satisfied as (

    select
        unpacked.force_id,
        unpacked.platform,
        unpacked.handle,
        unpacked.change,
        bool_or(open_accounts.handle = unpacked.handle or lower(open_accounts.account_id) = unpacked.handle) as is_in_register,
        bool_or(open_accounts.account_id = unpacked.account_id) as is_still_open
    from unpacked
    inner join open_accounts
        on
            unpacked.platform = open_accounts.platform
            and unpacked.force_id = open_accounts.force_id
    group by unpacked.force_id, unpacked.platform, unpacked.handle, unpacked.change

)

select
    unpacked.force_id,
    unpacked.platform,
    unpacked.handle,
    unpacked.change,
    case
        when unpacked.change = 'stale' then 'for_information'
        when unpacked.change = 'gone' and satisfied.is_still_open is not true then 'accepted'
        when unpacked.change in ('new', 'changed') and satisfied.is_in_register then 'accepted'
        when answered.last_answered_on > unpacked.last_seen_on then 'withdrawn'
        else 'open'
    end as state,
    unpacked.current_handle,
    unpacked.account_id,
    unpacked.url,
    unpacked.detail,
    unpacked.first_seen_on,
    unpacked.last_seen_on,
    unpacked.raw_sha256 as evidence_sha256,
    unpacked.is_simulated
from unpacked
left join answered on unpacked.force_id = answered.force_id
left join satisfied
    on
        unpacked.force_id = satisfied.force_id
        and unpacked.platform = satisfied.platform
        and unpacked.handle = satisfied.handle
        and unpacked.change = satisfied.change
