# Two commands matter: `make run` and `make test`. Both need Python 3.11 (or newer) and make, and set up the rest once.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
AS_OF ?=
TESTS ?= tests

export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)
export PYTHONUNBUFFERED := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export AIRFLOW__CORE__LOAD_EXAMPLES := False

.PHONY: help setup run up serve test test-full bench check format clean lock secrets backup restore

help: ## what can be done here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(READY) ## create .venv with the pinned packages (the others do it themselves)

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 13) else "Python 3.11 or 3.12 is needed, this is %d.%d: say make PYTHON=/path/to/python3.11" % sys.version_info[:2])'
	@echo "Setting up $(VENV) with the $$(grep -c '==' requirements.lock) pinned packages of requirements.lock. Once; about a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@touch $(READY)
	@echo "Ready."

run: $(READY) ## the whole job on the embedded simulator, from nothing to published marts
	@$(BIN)/python -m include.run $(if $(AS_OF),--as-of $(AS_OF))

up: $(READY) ## Airflow with scheduler and UI on the same DAGs; Ctrl-C stops it
	@$(BIN)/python -m include.up

serve: $(READY) ## PostgreSQL for BI on loopback, with what is published; Ctrl-C stops it
	@$(BIN)/python -m include.serve

test: $(READY) ## all fast tests
	@$(BIN)/python -m pytest -m "not full" -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

test-full: $(READY) ## the long tests too, their table into docs/evidence/test-full.md
	@$(BIN)/python -m pytest -p tests.evidence -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

bench: $(READY) ## ratios of speed in one run, their table into docs/evidence/bench.md
	@$(BIN)/python -m tests.bench

check: $(READY) ## linters, types, registry: the same for hook, human and CI
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/yamllint --strict .
	@$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests --disable-progress-bar --nocolor
	@$(BIN)/python -c 'from include import registry; print("registry:", len(registry.load().force_ids), "forces, no wrong row")'

format: $(READY) ## let the formatters do it
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: ## compile both lock files again from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --quiet -o requirements.lock
	@uv pip compile pyproject.toml --group production -c requirements.lock --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --quiet -o requirements-production.lock

secrets: $(READY) ## draw the secret files of docker-compose.yml that are missing (SIMULATOR=1: connections to the simulator)
	@$(BIN)/python -m include.production secrets $(if $(SIMULATOR),--simulator)

backup: $(READY) ## one archive of INSIGHT_HOME and Airflow's database into backups/ (TO=folder)
	@$(BIN)/python -m include.backup create $(if $(TO),--to "$(TO)")

restore: $(READY) ## FILE=archive back into INSIGHT_HOME, which must be empty (FORCE=1 puts what is there aside)
	@$(BIN)/python -m include.backup restore "$(FILE)" $(if $(FORCE),--force)

clean: ## remove the environment and all state
	@rm -rf $(VENV) var dbt_project/target dbt_project/logs
