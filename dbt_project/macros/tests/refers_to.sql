{# Fails for every combination of the columns that the other table does not have under the same names. A null refers to nothing. #}
{% test refers_to(model, columns, to) %}

select distinct {{ columns | join(', ') }}
from {{ model }}
where
    {% for column in columns -%}
        {{ column }} is not null{{ ' and' if not loop.last }}
    {% endfor %}
except
select {{ columns | join(', ') }} from {{ to }}

{% endtest %}
