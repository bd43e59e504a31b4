{# Fails for every row for which the expression is not true. An unknown (null) is a failure too. #}
{% test holds(model, expression) %}

select *
from {{ model }}
where ({{ expression }}) is not true

{% endtest %}
