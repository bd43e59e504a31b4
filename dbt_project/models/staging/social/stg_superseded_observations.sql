-- a table, unlike the rest of staging: every reader of observations leaves these out, and finding them takes a pass over all
{{ config(materialized='table') }}

{{ superseded('observation', 'object_id', [
    'platform', 'object_type', 'object_id', 'source_field', 'period', 'breakdown', 'breakdown_value', 'metric_date'
]) }}
