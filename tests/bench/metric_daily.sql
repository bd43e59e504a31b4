-- fct_metric_daily by hand: one script from accepted Parquet and the seeds to the mart's rows, for comparison with the models.
-- Placeholders: $accepted and $seeds (folders), $as_of (a date). Leaves the temporary table metric_daily.
-- It relies on what an author can know of the data at hand: a post belongs to one account, an ingest that came again holds all
-- that it held before, no batch was stopped, and no post was held back. What is of a post is brought together by the name of the
-- number before the map is looked at, so that few rows meet the map.
set timezone = 'UTC';
set preserve_insertion_order = false;
set variable known_until = timezone('Europe/London', (date '$as_of' + 1)::timestamp) + interval 12 hour;

-- the seeds

create temp table metric_map as
select *, coalesce(valid_to, date '9999-12-31') as valid_until
from read_csv('$seeds/platform_metric_map.csv', header = true, all_varchar = true,
    types = {'valid_from': 'DATE', 'valid_to': 'DATE', 'preferred': 'BOOLEAN', 'metric_version': 'INTEGER'})
where preferred and metric is not null;

create temp table platforms as
select * from read_csv('$seeds/platforms.csv', header = true,
    types = {'reporting_lag_hours': 'INTEGER', 'list_window_days': 'INTEGER', 'day_window_days': 'INTEGER'});

create temp table accounts as
select *, coalesce(valid_to, date '9999-12-31') as valid_until
from read_csv('$seeds/accounts.csv', header = true, all_varchar = true, types = {'valid_from': 'DATE', 'valid_to': 'DATE'});

create temp table ends as
select platform, account_id, max(valid_to) as ended_on from accounts group by all having max(valid_until) < date '$as_of';

-- when a platform has what is summed over posts
create temp table availability as
select platform, case when metric in ('views', 'impressions_legacy') then metric else 'interactions' end as metric,
    min(valid_from) as available_from, max(valid_until) as available_to
from metric_map
where metric in ('views', 'impressions_legacy', 'reactions', 'comments', 'shares', 'reposts', 'quotes')
group by all
union all
select platform, 'posts_published', date '0001-01-01', date '9999-12-31' from platforms;

create temp table versions as
with begun as (
    select platform, metric, metric_version, min(valid_from) as begins_on from metric_map group by all
    union all
    select platform, metric, 1, available_from from availability where metric in ('interactions', 'posts_published')
)
select b.*, case when row_number() over by_metric = 1 then date '0001-01-01' else begins_on end as used_from,
    coalesce(lead(begins_on) over by_metric - 1, date '9999-12-31') as used_to
from begun as b
join read_csv('$seeds/metrics.csv', header = true, types = {'metric_version': 'INTEGER'}) as m using (metric, metric_version)
where ';' || m.grains || ';' like '%;account_day;%'
window by_metric as (partition by platform, metric order by metric_version);

-- what was planned, and the holes

create temp table plan as
select platform, account_id, run_date, min(force_id) as force_id, min(planned_at) as planned_at,
    bool_or(is_simulated) as is_simulated
from read_parquet('$accepted/plan/*/*.parquet')
where run_date <= date '$as_of'
group by all;

create temp table attempts as
with timed as (
    select *, coalesce(observed_at, least((run_date::varchar || ' 21:00:00+00')::timestamptz, min(observed_at) over run)) as seen_at
    from read_parquet('$accepted/collection/*/*.parquet')
    where run_date <= date '$as_of' and account_id is not null
    window run as (partition by source, platform, account_id, run_date)
)
select *, rank() over (partition by source, platform, account_id, run_date order by seen_at, recorded_at) as attempt_n
from timed
where seen_at < getvariable('known_until');

create temp table gaps as
with holes as (
    select platform, account_id, object_type, object_id, run_date, subject, arg_max(cause, attempt_n) as cause,
        max(seen_at) as last_seen_at, max(attempt_n) as last_attempt_n
    from attempts where outcome = 'gap' group by all
), closings as (
    select h.* exclude (cause, last_seen_at, last_attempt_n), min(a.seen_at) as closed_at
    from holes as h
    join attempts as a
        on h.platform = a.platform and h.account_id = a.account_id and h.run_date = a.run_date and h.last_attempt_n < a.attempt_n
        and a.outcome = 'collected'
        and (h.subject = '*' or a.subject = h.subject
            and coalesce(a.object_id, h.object_id, '') = coalesce(h.object_id, '')
            and (h.object_type is null or coalesce(a.object_type, h.object_type) = h.object_type))
    group by all
)
select h.*, c.closed_at
from holes as h
left join closings as c
    on h.platform = c.platform and h.account_id = c.account_id and h.run_date = c.run_date and h.subject = c.subject
    and h.object_type is not distinct from c.object_type and h.object_id is not distinct from c.object_id
where h.object_id is null
union all by name
select platform, account_id, run_date, '*' as subject, 'not_collected' as cause, planned_at as last_seen_at
from plan anti join attempts using (platform, account_id, run_date);

create temp view holes_of_accounts as
select * from gaps where closed_at is null and coalesce(object_type, 'account') = 'account';

-- of two ingests that answer for one instant the newest run's counts, the one had last where runs are equal, then by name
create temp table overruled as
with had as (
    select run_date, ingest_id, max(observed_at) as had_at from read_parquet('$accepted/collection/*/*.parquet') group by all
)
select account_id, observed_at, ingest_id
from (
    select distinct platform, account_id, observed_at, run_date, ingest_id from read_parquet('$accepted/observation/*/*.parquet')
    where run_date <= date '$as_of' and observed_at < getvariable('known_until')
)
left join had using (run_date, ingest_id)
qualify row_number() over (
    partition by platform, account_id, observed_at order by run_date desc, had_at desc nulls last, ingest_id desc
) > 1;

-- numbers of accounts

create temp view observed as
select o.*, m.metric, m.metric_version,
    case
        -- well inside its day no time zone need be asked
        when epoch_us(o.observed_at) - epoch_us(o.run_date::timestamp) between 0 and 34 * 3600000000 then o.run_date
        when o.observed_at >= timezone('Europe/London', o.run_date::timestamp)
            and o.observed_at < timezone('Europe/London', (o.run_date + 1)::timestamp) + interval 12 hour then o.run_date
        else timezone('Europe/London', o.observed_at)::date
    end as asked_on
from read_parquet('$accepted/observation/*/*.parquet') as o
join metric_map as m
    on o.platform = m.platform and o.object_type = m.object_type and o.source_field = m.source_field and o.period = m.period
    and coalesce(o.breakdown, '') = coalesce(m.breakdown, '') and coalesce(o.breakdown_value, '') = coalesce(m.breakdown_value, '')
left join overruled as g on o.ingest_id = g.ingest_id and o.observed_at = g.observed_at and o.account_id = g.account_id
where o.run_date <= date '$as_of' and o.observed_at < getvariable('known_until') and o.value is not null
    and g.ingest_id is null and asked_on between m.valid_from and m.valid_until;

create temp table snapshots as
select platform, account_id, metric, metric_version, asked_on as metric_date, arg_max(value, observed_at) as value,
    arg_max(force_id, observed_at) as force_id, arg_max(source_field, observed_at) as source_field,
    max(observed_at) as observed_at, arg_max(is_simulated, observed_at) as is_simulated
from observed
where object_type = 'account' and period = 'snapshot'
group by all;

create temp table account_days as
with aged as (
    select o.* exclude (day_tz), coalesce(o.day_tz, p.day_tz) as day_tz, p.reporting_lag_hours,
        (epoch_us(o.observed_at) - epoch_us((o.metric_date + 1)::timestamp)) / 3600000000 - p.reporting_lag_hours as hours
    from observed as o join platforms as p using (platform)
    where object_type = 'account' and period = 'day'
), settled as (
    select *,
        -- midnight lies from 14 hours before UTC's to 12 after it
        case when hours >= 12 then true when hours < -14 then false
            else observed_at >= timezone(day_tz, (metric_date + 1)::timestamp) + to_hours(reporting_lag_hours) end as is_settled
    from aged
)
select platform, account_id, metric, metric_version, metric_date, arg_max(value, observed_at) as value,
    arg_max(force_id, observed_at) as force_id, arg_max(source_field, observed_at) as source_field,
    arg_max(day_tz, observed_at) as day_tz, arg_max(is_simulated, observed_at) as is_simulated,
    timezone(arg_max(day_tz, observed_at), (metric_date + 1)::timestamp) + to_hours(any_value(reporting_lag_hours)) as settled_from,
    coalesce(min(value) filter (where is_settled) <> arg_max(value, observed_at)
        or max(value) filter (where is_settled) <> arg_max(value, observed_at), false) as is_revised,
    max(observed_at) as observed_at
from settled
group by platform, account_id, metric, metric_version, metric_date;

-- totals that no run saw filled, and none will
create temp table unsettled as
select d.platform, d.account_id, d.metric, d.metric_version, d.metric_date,
    coalesce(arg_max(g.cause, g.run_date::varchar || g.cause) filter (where g.cause <> 'not_collected'), max(g.cause),
        any_value(case when e.ended_on is not null then 'account_closed' else 'not_collected' end)) as gap_cause
from account_days as d
join platforms as p using (platform)
left join ends as e on d.platform = e.platform and d.account_id = e.account_id
left join (plan as r join holes_of_accounts as g using (platform, account_id, run_date))
    on d.platform = r.platform and d.account_id = r.account_id and d.settled_from <= r.planned_at
    and r.run_date <= d.metric_date + p.day_window_days and g.subject in ('*', d.source_field)
where d.observed_at < d.settled_from and (d.metric_date + p.day_window_days <= date '$as_of' or e.ended_on is not null)
group by all;

create temp table snapshot_gaps as
select p.platform, p.account_id, p.force_id, m.metric, m.metric_version, p.run_date as metric_date, p.is_simulated,
    coalesce(arg_max(g.cause, g.last_seen_at), 'not_collected') as gap_cause
from plan as p
join metric_map as m
    on p.platform = m.platform and m.object_type = 'account' and m.period = 'snapshot'
    and p.run_date between m.valid_from and m.valid_until
anti join snapshots as s
    on p.platform = s.platform and p.account_id = s.account_id and p.run_date = s.metric_date
    and m.metric = s.metric and m.metric_version = s.metric_version
left join holes_of_accounts as g
    on p.platform = g.platform and p.account_id = g.account_id and p.run_date = g.run_date and g.subject in ('*', m.source_field)
group by p.platform, p.account_id, p.force_id, m.metric, m.metric_version, p.run_date, p.is_simulated;

-- numbers of posts

create temp table posts as
select platform, post_id, arg_max(force_id, observed_at) as force_id, arg_max(account_id, observed_at) as account_id,
    arg_max(published_at, observed_at) as published_at, arg_max(kind, observed_at) as kind,
    arg_max(is_simulated, observed_at) as is_simulated,
    timezone('Europe/London', arg_max(published_at, observed_at))::date as published_date,
    arg_max(published_at, observed_at) + interval 168 hour as reading_from,
    arg_max(published_at, observed_at) + interval 336 hour as reading_to,
    reading_to > timestamptz '$as_of 21:00:00+00' as is_young
from read_parquet('$accepted/post/*/*.parquet')
where run_date <= date '$as_of' and observed_at < getvariable('known_until')
group by all
having arg_max(kind, observed_at) in ('original', 'video', 'reel');

-- between two days on which the map changes, a name means one thing
create temp table spans as
with changes as (
    select valid_from as change from metric_map union select valid_to + 1 from metric_map where valid_to is not null
), days as (
    select unnest(generate_series((select min(change) from changes), date '$as_of' + 1, interval 1 day))::date as day
)
select day, change as span from days asof join changes on day >= change;

-- the first from 7 to 14 times 24 hours after publication, and the latest
create temp table read_by_name as
with aged as (
    select o.*,
        case
            when epoch_us(o.observed_at) - epoch_us(o.run_date::timestamp) between 0 and 34 * 3600000000 then o.run_date
            when o.observed_at >= timezone('Europe/London', o.run_date::timestamp)
                and o.observed_at < timezone('Europe/London', (o.run_date + 1)::timestamp) + interval 12 hour then o.run_date
            else timezone('Europe/London', o.observed_at)::date
        end as asked_on,
        o.observed_at between p.reading_from and p.reading_to as is_in_span
    from read_parquet('$accepted/observation/*/*.parquet') as o
    join posts as p on o.platform = p.platform and o.object_id = p.post_id
    left join overruled as g on o.ingest_id = g.ingest_id and o.observed_at = g.observed_at and o.account_id = g.account_id
    where o.object_type = 'post' and o.run_date <= date '$as_of' and o.observed_at < getvariable('known_until')
        and o.value is not null and g.ingest_id is null
)
select platform, object_id as post_id, source_field, period, breakdown, breakdown_value, span,
    arg_min(value, observed_at) filter (where is_in_span) as reading_value,
    min(observed_at) filter (where is_in_span) as reading_observed_at,
    arg_max(value, observed_at) as latest_value,
    max(observed_at) as latest_observed_at
from aged join spans on asked_on = day
group by all;

create temp table readings as
with by_metric as (
    select r.platform, r.post_id, m.metric,
        arg_min(reading_value, reading_observed_at) as reading_value, min(reading_observed_at) as reading_observed_at,
        arg_max(latest_value, latest_observed_at) as latest_value, max(latest_observed_at) as latest_observed_at
    from read_by_name as r
    join metric_map as m
        on r.platform = m.platform and m.object_type = 'post' and r.source_field = m.source_field and r.period = m.period
        and coalesce(r.breakdown, '') = coalesce(m.breakdown, '')
        and coalesce(r.breakdown_value, '') = coalesce(m.breakdown_value, '')
        and r.span between m.valid_from and m.valid_until
    where m.metric <> 'views_paid'
    group by all
), shown as (
    select r.*, p.is_young and reading_observed_at is null as is_provisional,
        case when p.is_young and reading_observed_at is null then latest_value else reading_value end as value,
        metric in ('reactions', 'comments', 'shares', 'reposts', 'quotes') as is_part
    from by_metric as r join posts as p using (platform, post_id)
)
select platform, post_id,
    sum(value) filter (where is_part) as sum_of_parts,
    list(metric) filter (where is_part and value is not null) as parts,
    max(value) filter (where metric = 'views') as views,
    max(value) filter (where metric = 'impressions_legacy') as impressions_legacy,
    coalesce(bool_or(is_provisional) filter (where is_part), false) as interactions_provisional,
    coalesce(bool_or(is_provisional) filter (where metric = 'views'), false) as views_provisional,
    coalesce(bool_or(is_provisional) filter (where metric = 'impressions_legacy'), false) as impressions_provisional,
    min(reading_observed_at) as reading_observed_at, max(latest_observed_at) as latest_observed_at
from shown
group by all;

create temp table measures as
with parts_by_day as (
    select platform, day, list(distinct metric) as needed
    from (select distinct day from spans) join metric_map as m on day between valid_from and valid_until
    where m.object_type = 'post' and m.metric in ('reactions', 'comments', 'shares', 'reposts', 'quotes')
    group by all
), read as (
    select p.*, r.* exclude (platform, post_id),
        case when list_has_all(r.parts, d.needed) then r.sum_of_parts end as interactions,
        case
            when r.reading_observed_at is not null then timezone('Europe/London', r.reading_observed_at)::date
            when p.is_young then coalesce(timezone('Europe/London', r.latest_observed_at)::date, date '$as_of')
            else p.published_date + 7
        end as reference_date
    from posts as p
    left join readings as r using (platform, post_id)
    left join parts_by_day as d
        on p.platform = d.platform
        and d.day = timezone('Europe/London', coalesce(r.reading_observed_at, r.latest_observed_at))::date
), every as (
    select *, unnest([
        {'metric': 'posts_published', 'number': 1.0::double, 'changes': false},
        {'metric': 'views', 'number': views, 'changes': views_provisional},
        {'metric': 'impressions_legacy', 'number': impressions_legacy, 'changes': impressions_provisional},
        {'metric': 'interactions', 'number': interactions, 'changes': interactions_provisional}
    ], recursive := true)
    from read
)
select e.platform, e.force_id, e.account_id, e.post_id, e.reading_from, e.reading_to, e.published_at, e.published_date, e.is_young,
    e.metric, v.metric_version, e.number, e.number is null and not e.is_young as is_missing,
    case when e.number is null then e.is_young else coalesce(e.changes, false) end as is_provisional,
    coalesce(e.reference_date between a.available_from and a.available_to, false) as is_expected, e.is_simulated
from every as e
join versions as v on e.platform = v.platform and e.metric = v.metric and e.reference_date between v.used_from and v.used_to
left join availability as a on e.platform = a.platform and e.metric = a.metric;

-- why a post has no number: of the holes that were open while it could be read the closest, then the last
create temp table post_causes as
with holes as (
    select m.platform, m.post_id, m.metric, g.cause, g.last_seen_at,
        case g.subject when '*' then 1 when 'posts' then 2 else 3 end as closeness
    from measures as m
    join metric_map as f on m.platform = f.platform and f.object_type = 'post'
        and (f.metric = m.metric
            or m.metric = 'interactions' and f.metric in ('reactions', 'comments', 'shares', 'reposts', 'quotes'))
    join gaps as g
        on m.platform = g.platform and m.account_id = g.account_id and g.subject in ('*', 'posts', f.source_field)
        and coalesce(g.object_type, 'post') = 'post'
        and g.last_seen_at between case when m.is_missing then m.reading_from else m.published_at end and m.reading_to
        and (g.closed_at is null or m.reading_to < g.closed_at)
    where m.number is null
)
select m.platform, m.post_id, m.metric, coalesce(
    arg_max(h.cause, (h.closeness, h.last_seen_at)),
    any_value(case
        when timezone('Europe/London', m.reading_to)::date > e.ended_on then 'account_closed'
        when not m.is_expected then 'retired_metric'
        else 'not_collected'
    end)) as gap_cause
from measures as m
left join holes as h on m.platform = h.platform and m.post_id = h.post_id and m.metric = h.metric
left join ends as e on m.platform = e.platform and m.account_id = e.account_id
where m.number is null
group by all;

-- the days of which no list of posts holds the whole
create temp table lost_days as
with days as (
    select distinct m.platform, m.account_id, m.published_date as day, p.list_window_days, e.ended_on,
        timezone('Europe/London', m.published_date::timestamp) as starts_at,
        timezone('Europe/London', (m.published_date + 1)::timestamp) as ends_at
    from measures as m
    join platforms as p using (platform)
    left join ends as e on m.platform = e.platform and m.account_id = e.account_id
), lists as (
    select a.platform, a.account_id, timezone('UTC', (a.run_date + 1 - p.list_window_days)::timestamp) as seen_from,
        least(a.seen_at, timezone('UTC', (a.run_date + 1)::timestamp)) as seen_to
    from attempts as a join platforms as p using (platform)
    where a.subject = 'posts' and a.object_id is null and a.outcome = 'collected'
), unseen as (
    select * from days as d
    anti join lists as l
        on d.platform = l.platform and d.account_id = l.account_id and l.seen_from <= d.starts_at and l.seen_to >= d.ends_at
), reasons as (
    select u.platform, u.account_id, u.day, u.starts_at, u.list_window_days, u.ended_on, max(r.run_date) as last_run_date,
        coalesce(arg_max(g.cause, g.run_date::varchar || g.cause) filter (where g.cause <> 'not_collected'), max(g.cause)) as cause
    from unseen as u
    left join plan as r
        on u.platform = r.platform and u.account_id = r.account_id and u.ends_at <= r.planned_at
        and timezone('UTC', (r.run_date + 1 - u.list_window_days)::timestamp) <= u.starts_at
    left join gaps as g
        on r.platform = g.platform and r.account_id = g.account_id and r.run_date = g.run_date and g.subject in ('*', 'posts')
        and g.closed_at is null
    group by all
)
select platform, account_id, day,
    last_run_date is not null or ended_on is not null
        or starts_at < timezone('UTC', (date '$as_of' + 2 - list_window_days)::timestamp) as is_lost,
    coalesce(cause, case when ended_on is not null then 'account_closed' else 'not_collected' end) as gap_cause
from reasons;

create temp table post_days as
with summed as (
    select m.platform, m.force_id, m.account_id, m.metric, m.metric_version, m.published_date as metric_date,
        sum(m.number) as value,
        case
            when sum(m.number) is null then 'missing'
            when bool_or(m.is_missing or coalesce(l.is_lost, false)) then 'partial'
            when bool_or(m.is_provisional or not coalesce(l.is_lost, true)) then 'provisional'
            else 'ok'
        end as status,
        coalesce(max(c.gap_cause) filter (where c.gap_cause <> 'not_collected'), max(c.gap_cause),
            max(l.gap_cause) filter (where l.is_lost)) as gap_cause,
        bool_or(m.is_simulated) as is_simulated
    from measures as m
    left join post_causes as c on m.platform = c.platform and m.post_id = c.post_id and m.metric = c.metric
    left join lost_days as l on m.platform = l.platform and m.account_id = l.account_id and m.published_date = l.day
    group by m.platform, m.force_id, m.account_id, m.metric, m.metric_version, m.published_date
    having bool_or(m.number is not null or m.is_expected)
)
select * replace (case when status in ('missing', 'partial') then gap_cause end as gap_cause) from summed;

-- all together, and what happened to the accounts

create temp table events as
with ended as (
    select platform, account_id, successor_account_id, valid_to + 1 as event_date
    from accounts where status <> 'open' and valid_to < date '$as_of'
)
select platform, account_id, event_date from ended
union
select e.platform, e.successor_account_id, e.event_date
from ended as e
join accounts as a
    on e.platform = a.platform and e.successor_account_id = a.account_id and e.event_date between a.valid_from and a.valid_until;

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
    select d.* exclude (settled_from), u.gap_cause,
        case when u.gap_cause is not null then 'partial' when d.observed_at < d.settled_from then 'provisional' else 'ok' end
            as status
    from account_days as d left join unsettled as u using (platform, account_id, metric, metric_version, metric_date)
    union all by name
    select *, 'Europe/London' as day_tz, false as is_revised from post_days
), histories as (
    select platform, account_id, min(run_date) as first_run_date from plan group by all
), in_order as (
    select d.*, v.begins_on,
        lag(d.metric_date) over (
            partition by d.platform, d.account_id, d.metric, d.metric_version order by d.metric_date
        ) as previous_date
    from days as d join versions as v using (platform, metric, metric_version)
)
select d.force_id, d.platform, d.account_id, d.metric, d.metric_version, d.metric_date, d.day_tz, d.value, d.status, d.gap_cause,
    d.source_field, d.observed_at,
    coalesce(d.previous_date is null and d.begins_on > h.first_run_date, false)
        or coalesce(e.event_date > d.previous_date, false) as is_break,
    d.is_revised, false as is_estimated, d.is_simulated
from in_order as d
asof left join events as e on d.platform = e.platform and d.account_id = e.account_id and d.metric_date >= e.event_date
left join histories as h on d.platform = h.platform and d.account_id = h.account_id;
