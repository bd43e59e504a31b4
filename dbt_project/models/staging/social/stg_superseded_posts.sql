-- a table, unlike the rest of staging: every reader of posts leaves these out, and finding them takes a pass over all
{{ config(materialized='table') }}

{{ superseded('post', 'post_id', ['platform', 'post_id']) }}
