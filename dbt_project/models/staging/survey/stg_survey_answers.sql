with answers as (

    select * from {{ source('accepted', 'survey_answer') }}
    where
        run_date <= {{ as_of_date() }}
        and observed_at < {{ known_until() }}

),

-- the same file dropped twice, or a corrected one: a respondent counts once, by what was seen last
ingests as (

    select distinct
        wave,
        respondent_key,
        ingest_id,
        observed_at
    from answers

),

latest as (

    select
        wave,
        respondent_key,
        ingest_id,
        row_number() over (partition by wave, respondent_key order by observed_at desc, ingest_id desc) as recency
    from ingests

)

select
    answers.wave,
    answers.respondent_key,
    answers.question_code,
    answers.option_code,
    answers.chosen,
    nullif(answers.force_id, 'unknown') as force_id,
    answers.run_date,
    answers.observed_at,
    answers.ingest_id,
    answers.is_simulated
from answers
inner join latest
    on
        answers.wave = latest.wave
        and answers.respondent_key = latest.respondent_key
        and answers.ingest_id = latest.ingest_id
where latest.recency = 1
