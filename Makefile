# Everything runs in .venv/, made from the hashed lock files. `make help` lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
PY := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-fast chaos fuzz check lint types contracts bench bench-queue bench-load bench-api lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

demo: .venv/run  ## embedded services, a sample import, a leaderboard; leaves nothing running
	@$(PY) -m worker demo

test: .venv/dev  ## the whole suite, on real embedded PostgreSQL and Redis
	@$(PY) -m pytest -n 3  # on two cores: some tests wait for other processes

test-fast: .venv/dev  ## the suite without the slow tests
	@$(PY) -m pytest -n 2 -m "not slow"

chaos: .venv/dev  ## the whole crash matrix and a soak of 200 disturbances; its report goes into docs/reliability.md
	@CHAOS=full $(PY) -m pytest -n 0 -m chaos tests/chaos

fuzz: .venv/dev  ## try the readers with made-up bytes, ten minutes each
	@$(PY) -m tests.jobs.sources.fuzz --seconds 600

check: lint types contracts test  ## what CI runs

lint: .venv/dev  ## formatting and ruff
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

types: .venv/dev  ## mypy, strict
	$(PY) -m mypy

contracts: .venv/dev  ## which package may import which
	.venv/bin/lint-imports

bench: bench-load bench-queue bench-api  ## all benchmarks, about an hour, into docs/

bench-load: .venv-bench/made  ## compare loading with psql and other loaders, about 25 minutes, into docs/performance.md
	@.venv-bench/bin/python -m bench.loading --markdown docs/performance.md

bench-queue: .venv-bench/made  ## compare the worker with other queues, about 20 minutes, into docs/queue-benchmark.md
	@.venv-bench/bin/python bench/queue.py --markdown docs/queue-benchmark.md

bench-api: .venv/dev  ## measure the HTTP API's reads at 100,000 and 1,000,000 posts, into docs/api-benchmark.md
	@$(PY) bench/api.py --markdown docs/api-benchmark.md

lock: .venv/dev  ## compile requirements.lock and requirements-dev.lock anew from pyproject.toml
	.venv/bin/python -m pip install --quiet uv
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml --group build --output-file requirements.lock --upgrade
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml --extra otel --group dev --constraint requirements.lock --output-file requirements-dev.lock --upgrade

clean:  ## remove the virtual environments, what was compiled, and the embedded services' data
	rm -rf .venv .venv-bench .headrace models/_native.*.so

# The stamps say which lock file the environment was made from.
.venv/bin/python:
	@echo "making .venv with the pinned dependencies ..."
	@$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python requirements.lock pyproject.toml $(wildcard native/*)
	@$(PY) -m pip install --quiet --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/run requirements-dev.lock client/pyproject.toml
	@$(PY) -m pip install --quiet --require-hashes -r requirements-dev.lock
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable client
	@touch $@

# Headrace as pinned, the others in their newest versions.
.venv-bench/made: requirements.lock pyproject.toml
	@echo "making .venv-bench with the queues and loaders to compare ..."
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	@.venv-bench/bin/python -m pip install --quiet --no-build-isolation --editable ".[bench]"
	@touch $@
