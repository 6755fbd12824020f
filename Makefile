# Groundswell: everything that people run. `make` alone lists it.
# Needs Python 3.11 to 3.13 and make, nothing else; PYTHON=/path/to/python chooses another Python.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PY := $(BIN)/python
# Given on the command line or in the environment, and passed on to what is started
export AIRFLOW_PORT CLOUD_PORT PYTHON
CROWD ?=
BATCH ?=

.PHONY: help
help: ## List the commands
	@echo 'Usage: make COMMAND [NAME=value]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| while IFS='|' read -r name text; do printf '%-22s %s\n' "$$name" "$$text"; done
	@echo
	@echo 'Names: AIRFLOW_PORT (8080), CLOUD_PORT (4566), BATCH (iris), CROWD (file of simulated workers), PYTHON'

.PHONY: setup
setup: ## Create the environments from the locks (every other command does it by itself)
	@sh tools/setup.sh

# Other implementations of consolidation: oracles of the tests, rivals of the benchmark
.PHONY: setup-peers
setup-peers: setup
	@sh tools/setup.sh --only .venv-peers

# --- run it ---------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## Run an example from dataset to deployed model and show the result (BATCH=digits for the other)
	@$(PY) -m tools.demo $(if $(BATCH),--batch '$(BATCH)') $(if $(CROWD),--crowd '$(CROWD)')

.PHONY: up
up: setup ## Start the local cloud and Airflow and wait until they are ready
	@$(PY) -m tools.stack up $(if $(CROWD),--crowd '$(CROWD)')

.PHONY: down
down: ## Stop everything that `up` or `demo` started; the state stays
	@if [ -x $(PY) ]; then $(PY) -m tools.stack down; else echo 'nothing runs'; fi

.PHONY: status
status: setup ## Say what runs and how to open it
	@$(PY) -m tools.stack status

.PHONY: clean-state
clean-state: down ## Remove the state of the local stack: Airflow's database, objects, workforce, logs
	rm -rf .groundswell

# --- check it -------------------------------------------------------------------------------------

PYTEST := $(PY) -m pytest
# Files side by side on two cores; a file's fixtures are its own or are made once per process
PARALLEL := -n 2 --dist loadfile
# One more than cores: the runs on real Airflow processes mostly wait. They come first, as tests/conftest.py says
OVERLAPPING := -n 3 --dist loadfile --no-loadscope-reorder
# A group in which nothing was selected (T='-k name', or no such test yet) is not a failure
NONE_IS_FINE := || [ $$? -eq 5 ]

.PHONY: test
test: setup setup-peers ## Run all tests, the fast ones first (options: T='-k name')
	$(PYTEST) $(PARALLEL) -m 'not contract and not dag and not airflow and not browser' $(T) $(NONE_IS_FINE)
	$(PYTEST) $(OVERLAPPING) -m 'airflow or ((contract or dag) and not browser)' $(T) $(NONE_IS_FINE)
	$(PYTEST) $(PARALLEL) -m 'browser and not airflow' $(T) $(NONE_IS_FINE)

.PHONY: test-fast
test-fast: setup ## Run the tests that start no servers (options: T='-k name')
	$(PYTEST) $(PARALLEL) -q -m 'not contract and not dag and not airflow and not browser' $(T)

.PHONY: lint
lint: setup ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: chaos
chaos: setup ## Inject faults, kill parts of a running Airflow, count the harm (hours; options: C='fast --schedules 500')
	@PYTHONPATH=plugins $(PY) -m tools.chaos $(or $(C),all)

.PHONY: bench
bench: setup ## Count requester API calls per labelled item, ours against a polling script (options: B=...)
	$(PY) -m benchmarks $(B)

.PHONY: bench-consolidation
bench-consolidation: setup-peers ## Compare consolidation with other implementations (options: B='--only speed')
	@PYTHONPATH=plugins $(PY) -m benchmarks.consolidation $(B)

.PHONY: bench-reports
bench-reports: setup ## Time and memory of a day's worker metrics, up to a million events (options: B='--events 10000')
	@PYTHONPATH=plugins $(PY) -m benchmarks.worker_metrics $(B)

.PHONY: bench-day
bench-day: setup ## Time and memory of every task of the reports on a day of a million events (options: B='--events 10000 --print')
	@PYTHONPATH=plugins $(PY) -m benchmarks.worker_metrics.whole $(B)

.PHONY: bench-pages
bench-pages: setup ## Speed of the Labelling page on a run of a million items, 6 GB (options: B='--items 100000 --print')
	@PYTHONPATH=plugins $(PY) -m benchmarks.labelling_page $(B)

# --- maintain it ----------------------------------------------------------------------------------

.PHONY: format
format: setup ## Format the code and apply the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: setup ## Compile the locks anew from requirements*.in
	@$(PY) -m tools.lock
