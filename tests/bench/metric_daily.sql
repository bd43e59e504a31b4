-- fct_metric_daily by hand: one script from accepted Parquet and the seeds to the mart's rows, for comparison with the models.
-- Placeholders: $accepted and $seeds (folders), $as_of (a date). Leaves the temporary table metric_daily.
-- It relies on what an author can know of the data at hand: an answer that was accepted twice says the same both times.
set timezone = 'UTC';

create temp table metric_map as
select *, coalesce(valid_to, date '9999-12-31') as valid_until
from read_csv('$seeds/platform_metric_map.csv', header = true, all_varchar = true,
    types = {'valid_from': 'DATE', 'valid_to': 'DATE', 'preferred': 'BOOLEAN', 'metric_version': 'INTEGER'})
where preferred and metric is not null;

create temp table versions as
select metric, metric_version, grains, valid_from,
    case when row_number() over by_metric = 1 then date '0001-01-01' else valid_from end as used_from,
    coalesce(lead(valid_from) over by_metric - 1, date '9999-12-31') as used_to
from read_csv('$seeds/metrics.csv', header = true, types = {'metric_version': 'INTEGER', 'valid_from': 'DATE'})
window by_metric as (partition by metric order by valid_from);

create temp table plan as
select platform, account_id, run_date, min(force_id) as force_id, bool_or(is_simulated) as is_simulated
from read_parquet('$accepted/plan/*/*.parquet')
where run_date <= date '$as_of'
group by all;

create temp table histories as
select platform, account_id, min(run_date) as first_run_date from plan group by all;

create temp view observed as
select o.*, m.metric, m.metric_version,
    case
        when o.observed_at >= timezone('Europe/London', o.run_date::timestamp)
            and o.observed_at < timezone('Europe/London', (o.run_date + 1)::timestamp) + interval 12 hour then o.run_date
        else timezone('Europe/London', o.observed_at)::date
    end as asked_on
from read_parquet('$accepted/observation/*/*.parquet') as o
join metric_map as m
    on o.platform = m.platform and o.object_type = m.object_type and o.source_field = m.source_field and o.period = m.period
    and coalesce(o.breakdown, '') = coalesce(m.breakdown, '') and coalesce(o.breakdown_value, '') = coalesce(m.breakdown_value, '')
where o.run_date <= date '$as_of' and o.value is not null and asked_on between m.valid_from and m.valid_until;

create temp table snapshots as
select platform, account_id, metric, metric_version, asked_on as metric_date, arg_max(value, observed_at) as value,
    arg_max(force_id, observed_at) as force_id, arg_max(source_field, observed_at) as source_field,
    max(observed_at) as observed_at, arg_max(is_simulated, observed_at) as is_simulated
from observed
where object_type = 'account' and period = 'snapshot'
group by all;

create temp table account_days as
with settled as (
    select *, timezone(day_tz, (metric_date + 1)::timestamp) + interval 48 hour as settled_from
    from observed
    where object_type = 'account' and period = 'day'
)
select platform, account_id, metric, metric_version, metric_date, arg_max(value, observed_at) as value,
    arg_max(force_id, observed_at) as force_id, arg_max(source_field, observed_at) as source_field,
    arg_max(day_tz, observed_at) as day_tz, arg_max(is_simulated, observed_at) as is_simulated,
    max(observed_at) < arg_max(settled_from, observed_at) as is_provisional,
    coalesce(min(value) filter (where observed_at >= settled_from) <> arg_max(value, observed_at)
        or max(value) filter (where observed_at >= settled_from) <> arg_max(value, observed_at), false) as is_revised,
    max(observed_at) as observed_at
from settled
group by platform, account_id, metric, metric_version, metric_date;

create temp table posts as
select platform, post_id, arg_max(force_id, observed_at) as force_id, arg_max(account_id, observed_at) as account_id,
    arg_max(published_at, observed_at) as published_at, arg_max(kind, observed_at) as kind,
    arg_max(is_simulated, observed_at) as is_simulated
from read_parquet('$accepted/post/*/*.parquet')
where run_date <= date '$as_of'
group by all;

-- the readings of an original post: the first from 7 to 14 times 24 hours after publication; of a young one else the latest
create temp table read_by_metric as
select o.platform, o.object_id as post_id, o.metric,
    arg_min(value, o.observed_at) filter (where o.observed_at between p.published_at + interval 168 hour and p.published_at + interval 336 hour)
        as reading_value,
    min(o.observed_at) filter (where o.observed_at between p.published_at + interval 168 hour and p.published_at + interval 336 hour)
        as reading_observed_at,
    arg_max(value, o.observed_at) as latest_value,
    max(o.observed_at) as latest_observed_at
from observed as o
join posts as p on o.platform = p.platform and o.object_id = p.post_id
where o.object_type = 'post' and p.kind in ('original', 'video', 'reel')
    and o.metric in ('reactions', 'comments', 'shares', 'views', 'impressions_legacy', 'reach_unique')
group by all;

create temp table readings as
with shown as (
    select r.*, p.published_at + interval 336 hour > timestamptz '$as_of 21:00:00+00' and reading_observed_at is null as is_provisional,
        case when is_provisional then latest_value else reading_value end as value
    from read_by_metric as r join posts as p using (platform, post_id)
)
select platform, post_id,
    max(value) filter (where metric = 'reactions') + max(value) filter (where metric = 'comments')
        + max(value) filter (where metric = 'shares') as interactions,
    max(value) filter (where metric = 'views') as views,
    max(value) filter (where metric = 'impressions_legacy') as impressions_legacy,
    coalesce(bool_or(is_provisional) filter (where metric in ('reactions', 'comments', 'shares')), false) as interactions_provisional,
    coalesce(bool_or(is_provisional) filter (where metric = 'views'), false) as views_provisional,
    coalesce(bool_or(is_provisional) filter (where metric = 'impressions_legacy'), false) as impressions_provisional,
    min(reading_observed_at) as reading_observed_at, max(latest_observed_at) as latest_observed_at
from shown
group by all;

-- when the platform could give what a metric of posts is made of
create temp table availability as
with needed(metric, input) as (
    values ('views', 'views'), ('impressions_legacy', 'impressions_legacy'),
        ('interactions', 'reactions'), ('interactions', 'comments'), ('interactions', 'shares')
), served as (
    select platform, metric as input, min(valid_from) as available_from, max(valid_until) as available_to from metric_map group by all
)
select platform, metric, max(available_from) as available_from, min(available_to) as available_to
from needed join served using (input)
group by all
union all
select distinct platform, 'posts_published', date '0001-01-01', date '9999-12-31' from metric_map;

create temp table post_days as
with read as (
    select p.*, r.* exclude (platform, post_id), timezone('Europe/London', p.published_at)::date as published_date,
        p.published_at + interval 336 hour > timestamptz '$as_of 21:00:00+00' as is_young,
        case
            when r.reading_observed_at is not null then timezone('Europe/London', r.reading_observed_at)::date
            when is_young then coalesce(timezone('Europe/London', r.latest_observed_at)::date, date '$as_of')
            else published_date + 7
        end as reference_date
    from posts as p left join readings as r using (platform, post_id)
    where p.kind in ('original', 'video', 'reel')
), measures as (
    select *, unnest([
        {'metric': 'posts_published', 'number': 1.0::double, 'changes': false},
        {'metric': 'views', 'number': views, 'changes': views_provisional},
        {'metric': 'impressions_legacy', 'number': impressions_legacy, 'changes': impressions_provisional},
        {'metric': 'interactions', 'number': interactions, 'changes': interactions_provisional}
    ], recursive := true)
    from read
)
select m.platform, m.force_id, m.account_id, m.metric, v.metric_version, m.published_date as metric_date, sum(m.number) as value,
    case
        when sum(m.number) is null then 'missing'
        when count(*) filter (where m.number is null and not m.is_young) > 0 then 'partial'
        when count(*) filter (where (m.number is null and m.is_young) or (m.number is not null and coalesce(m.changes, false))) > 0
            then 'provisional'
        else 'ok'
    end as status,
    bool_or(m.is_simulated) as is_simulated
from measures as m
join versions as v on m.metric = v.metric and m.reference_date between v.used_from and v.used_to
left join availability as a on m.platform = a.platform and m.metric = a.metric
group by m.platform, m.force_id, m.account_id, m.metric, v.metric_version, m.published_date
having bool_or(m.number is not null or coalesce(m.reference_date between a.available_from and a.available_to, false));

create temp table snapshot_gaps as
with causes as (
    select platform, account_id, run_date, subject, arg_max(cause, recorded_at) as cause, max(recorded_at) as last_seen_at
    from read_parquet('$accepted/collection/*/*.parquet')
    where run_date <= date '$as_of' and outcome = 'gap' and object_id is null
    group by all
)
select p.platform, p.account_id, p.force_id, m.metric, m.metric_version, p.run_date as metric_date, p.is_simulated,
    coalesce(arg_max(c.cause, c.last_seen_at), 'not_collected') as gap_cause
from plan as p
join metric_map as m
    on p.platform = m.platform and m.object_type = 'account' and m.period = 'snapshot' and p.run_date between m.valid_from and m.valid_until
anti join snapshots as s
    on p.platform = s.platform and p.account_id = s.account_id and p.run_date = s.metric_date
    and m.metric = s.metric and m.metric_version = s.metric_version
left join causes as c
    on p.platform = c.platform and p.account_id = c.account_id and p.run_date = c.run_date and c.subject in ('*', m.source_field)
group by p.platform, p.account_id, p.force_id, m.metric, m.metric_version, p.run_date, p.is_simulated;

create temp table events as
with accounts as (
    select * from read_csv('$seeds/accounts.csv', header = true, all_varchar = true, types = {'valid_from': 'DATE', 'valid_to': 'DATE'})
), ended as (
    select platform, account_id, successor_account_id, valid_to + 1 as event_date
    from accounts where status <> 'open' and valid_to < date '$as_of'
)
select platform, account_id, event_date from ended
union
select platform, successor_account_id, event_date from ended where successor_account_id is not null;

create temp table metric_daily as
with days as (
    select force_id, platform, account_id, metric, metric_version, metric_date, 'Europe/London' as day_tz, value, 'ok' as status,
        null::varchar as gap_cause, source_field, observed_at, false as is_revised, is_simulated
    from snapshots
    union all by name
    select force_id, platform, account_id, metric, metric_version, metric_date, 'Europe/London' as day_tz, null::double as value,
        'missing' as status, gap_cause, false as is_revised, is_simulated
    from snapshot_gaps
    union all by name
    select * exclude (is_provisional), case when is_provisional then 'provisional' else 'ok' end as status from account_days
    union all by name
    select *, 'Europe/London' as day_tz, false as is_revised from post_days
), in_order as (
    select d.*, v.valid_from,
        lag(d.metric_date) over (
            partition by d.platform, d.account_id, d.metric, d.metric_version order by d.metric_date
        ) as previous_date
    from days as d join versions as v using (metric, metric_version)
    where ';' || v.grains || ';' like '%;account_day;%'
)
select d.force_id, d.platform, d.account_id, d.metric, d.metric_version, d.metric_date, d.day_tz, d.value, d.status, d.gap_cause,
    d.source_field, d.observed_at,
    coalesce(d.previous_date is null and d.valid_from > h.first_run_date, false)
        or coalesce(e.event_date > d.previous_date, false) as is_break,
    d.is_revised, false as is_estimated, d.is_simulated
from in_order as d
asof left join events as e on d.platform = e.platform and d.account_id = e.account_id and d.metric_date >= e.event_date
left join histories as h on d.platform = h.platform and d.account_id = h.account_id;
