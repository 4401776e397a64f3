# Needs make and Python 3.11 or later. To use another Python: `make run PYTHON=python3.13`.
PYTHON ?= python3
VENV ?= .venv
# For `make clickhouse` alone: what that needs is as large as all else.
CLICKHOUSE ?= $(VENV)-clickhouse
ARGS ?=
SBOM ?= sbom.json
# Processes that run tests in parallel, for two cores: many tests wait for processes of their own. 0 runs them in this
# one: make test WORKERS=0 ARGS='-k claim --pdb'.
WORKERS ?= 3

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

.DEFAULT_GOAL := help
.PHONY: help run test quick thorough chaos bench clickhouse lint lock sbom clean address
# `run` looks at the address before it installs.
.NOTPARALLEL:

PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

help:
	@echo "make run       start everything at http://127.0.0.1:8000 (make run ARGS='--port 9000 --no-demo')"
	@echo "make test      run the tests that need no browser and no other server (make test ARGS='-k claim')"
	@echo "make quick     only those that are quick and start no server"
	@echo "make thorough  everything at full size, on both databases; takes hours"
	@echo "make chaos     kill everything at random under load, and check what is left (make chaos ARGS='--rounds 5')"
	@echo "make bench     measure, next to the yardsticks (make bench ARGS='--quick')"
	@echo "make clickhouse  prove that reports by ClickHouse are the same, and how long they take; installs 0.8 GB"
	@echo "make lint      style of code and templates, types, import layers, missing migrations"
	@echo "make lock      make the lock files from requirements.txt and requirements-dev.txt"
	@echo "make sbom      write sbom.json: all packages of an installation, in CycloneDX"
	@echo "make clean     remove $(VENV), $(CLICKHOUSE) and caches; data/ stays"

run: address $(VENV)/run.stamp
	@exec $(BIN)/python manage.py up $(ARGS)

# Before an install, so that a port in use is not learned only after it. Without a Python that can tell, the rule for
# the environment says what is missing.
address:
	@python=$(BIN)/python; [ -x $$python ] || python=$(PYTHON); \
	! $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	exec $$python -m taskproject.server.address $(ARGS)

test: $(VENV)/test.stamp
	@exec $(PYTEST) -m "not browser" $(ARGS)

quick: $(VENV)/test.stamp
	@exec $(PYTEST) -m "not browser and not server and not slow" $(ARGS)

# Starts a PostgreSQL and a Redis of its own, as CI does.
thorough:
	@THOROUGH=1 bash .ci/run
	@$(MAKE) chaos

# Kills what it started itself; needs PostgreSQL's server programs and redis-server.
chaos: $(VENV)/test.stamp
	@exec $(BIN)/python -m bench chaos $(ARGS)

bench: $(VENV)/bench.stamp
	@exec $(BIN)/python -m bench $(ARGS)

clickhouse: $(CLICKHOUSE)/clickhouse.stamp
	@exec $(CLICKHOUSE)/bin/python -m bench clickhouse $(ARGS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djangofmt --check templates
	$(BIN)/djangofmt check templates
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python manage.py makemigrations --check --dry-run

# For all systems and for Python 3.11 and later, whatever this machine has. What only the other solvers of OR-Tools
# import is left out: docs/decisions/0028-what-is-installed.md. To upgrade one package, change its version in
# requirements.txt; `make lock UPGRADE=1` also takes the newest of all that the named ones require in turn.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
LEFT_OUT := $(addprefix --no-emit-package ,absl-py immutabledict pandas protobuf)

lock: $(VENV)/test.stamp
	$(LOCK) $(LEFT_OUT) --no-emit-package python-dateutil requirements.txt --output-file requirements.lock
	$(LOCK) $(LEFT_OUT) --constraints requirements.lock requirements-dev.txt --output-file requirements-dev.lock

sbom: $(VENV)/test.stamp
	$(BIN)/cyclonedx-py requirements --output-reproducible --validate --output-file $(SBOM) requirements.lock

clean:
	rm -rf $(VENV) $(CLICKHOUSE) .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here; install Python 3.11 or later, or name one: make PYTHON=/path/to/python3." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed and $(PYTHON) is $$($(PYTHON) -V 2>&1); name another one: make PYTHON=python3.12." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "The environment $(VENV) could not be made." >&2; exit 2; }
	@# What nothing here needs: setuptools, which Python 3.11 adds, and pip in compiled form; 15 MB.
	@$(BIN)/python -m pip uninstall -qq --yes setuptools
	@find $(VENV) -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps let a ready environment start without a network, and reinstall when a lock changes.
$(VENV)/run.stamp: requirements.lock | $(BIN)/python
	@$(BIN)/python tools/install.py requirements.lock
	@# Compiles what the server imports, so that its first start is as quick as the next.
	@$(BIN)/python manage.py check >/dev/null 2>&1 || :
	@touch $@

# Tests start many processes, so all modules are compiled here.
$(VENV)/test.stamp: requirements-dev.lock | $(BIN)/python
	@$(BIN)/python tools/install.py --compile requirements-dev.lock
	@touch $@ $(VENV)/run.stamp

# The yardsticks stay out of the requirements: nobody needs them to run or test.
$(VENV)/bench.stamp: $(VENV)/run.stamp bench/requirements.txt | $(BIN)/python
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@ $(VENV)/run.stamp

$(CLICKHOUSE)/clickhouse.stamp: requirements-dev.lock bench/clickhouse/requirements.txt
	@$(MAKE) --silent VENV=$(CLICKHOUSE) $(CLICKHOUSE)/test.stamp
	@echo "Installing ClickHouse into $(CLICKHOUSE) …"
	@$(CLICKHOUSE)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/clickhouse/requirements.txt
	@touch $@
