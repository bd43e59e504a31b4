# One image for every Airflow component, the init job and the simulator. docs/deployment.md says how it is built and checked.
# A digest pins harder than a version: --build-arg PYTHON_IMAGE=python:3.11.13-slim-bookworm@sha256:…
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm
FROM ${PYTHON_IMAGE}

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/insight \
    HOME=/tmp

# wheels only, each with the hash of the lock file: nothing is built, nothing else is resolved
COPY requirements-production.lock /opt/insight/
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: \
    -r /opt/insight/requirements-production.lock

WORKDIR /opt/insight
COPY pyproject.toml LICENSE README.md ./
COPY dags dags
COPY extractors extractors
COPY expectations expectations
COPY include include
COPY dbt_project dbt_project
RUN python -m compileall -q dags extractors expectations include

# named volumes take over the owner of the folder they are first mounted on
RUN groupadd --gid 50000 insight \
    && useradd --uid 50000 --gid 50000 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin insight \
    && install -d -o insight -g insight /var/lib/insight /var/log/airflow
USER 50000:50000

CMD ["airflow", "version"]
