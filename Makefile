# Everything a person working on Modelyard types. The virtual environment is made by the first target that needs it.

VENV := .venv
PY := $(VENV)/bin/python
# The first that works and is new enough. The sample models want 3.11 itself.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BASE := $(VENV)/.base-installed
DEV := $(VENV)/.dev-installed
REPLICATE2 := tests/contract/replicate2/.venv
STRIPE := tests/stripe_front/.venv
NODE_DIR := tests/contract/node
NODE := $(NODE_DIR)/node_modules/.package-lock.json
PYTEST := $(PY) -m pytest
# These start whole sites, need a quiet machine, or kill processes: not among the quick ones.
NOT_QUICK := chaos or slow or browser or contract
COMPILE := $(VENV)/bin/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	--python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help run test test-quick chaos lint fmt types bench bench-peers bench-billing fuzz requirements clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(BASE)  ## Start the whole platform on http://localhost:8000 (PORT=…, VAR_DIR=…, SEED=0)
	@exec $(PY) manage.py serve

test: $(DEV) $(NODE) $(REPLICATE2)/.installed $(STRIPE)/.installed  ## All tests, or only T=tests/runner/test_states.py
ifdef T
	$(PYTEST) $(T)
else
	@$(MAKE) --no-print-directory test-quick
	$(PYTEST) -n 2 --dist loadfile -m "contract and not slow"
	$(PYTEST) -m "(slow or browser) and not chaos"
endif

test-quick: $(DEV)  ## Tests that may run side by side, on 2 processes
	$(PYTEST) -n 2 --dist loadfile -m "not ($(NOT_QUICK))"

chaos: $(DEV)  ## Kill each process under load, and hold what must be true afterwards
	$(PYTEST) -m chaos

lint: $(DEV)  ## Formatting, lint, imports between the rooms, types, migrations. Changes nothing
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/mypy .
	$(PY) -W ignore manage.py makemigrations --check --dry-run --settings tests.settings

fmt: $(DEV)  ## Format the code, repair what lint can repair
	$(VENV)/bin/ruff check --fix --exit-zero --quiet .
	$(VENV)/bin/ruff format --quiet .

types: $(DEV)  ## Types alone
	$(VENV)/bin/mypy .

bench: $(DEV)  ## Measure this site against coglet itself: ratios, written to docs/benchmarks.md
	$(PY) -m tests.bench

bench-peers: $(DEV)  ## The same, and against other servers, which it installs apart
	$(PY) -m tests.bench --peers

bench-billing: $(DEV)  ## Measure posting and reports with 1, 3 and 10 million usage records: takes long, and 15 GB
	$(PY) -m tests.bench.money

fuzz: $(DEV)  ## Call a site's API at random, by its own document, for FUZZ_SECONDS (600)
	$(PY) -m tests.fuzz

requirements: $(BASE)  ## Compile requirements/*.txt, with hashes, from pyproject.toml
	$(COMPILE) pyproject.toml -o requirements/base.txt
	$(COMPILE) pyproject.toml --extra dev -c requirements/base.txt -o requirements/dev.txt
	grep '^uv==' requirements/base.txt | tr -d '\\' | $(COMPILE) --no-annotate - -o requirements/installer.txt
	$(COMPILE) --group pyproject.toml:replicate2 -o requirements/contract-replicate2.txt
	$(COMPILE:3.11=3.14) --group pyproject.toml:stripe-engine -o requirements/stripe-engine.txt

clean:  ## Remove what make made; keeps var/, where your data are
	rm -rf .schemathesis $(VENV) $(REPLICATE2) $(STRIPE) $(NODE_DIR)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(PY):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# uv installs in seconds what takes pip minutes; pip, which may know an index that uv doesn't, is the second try.
INSTALL = $(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes -r $< \
	|| $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<

$(BASE): requirements/base.txt requirements/installer.txt | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.txt
	$(INSTALL)
	@touch $@

$(DEV): requirements/dev.txt $(BASE)
	$(INSTALL)
	@touch $@

# Without npm the tests of the Node client are left out, and the test run says so.
$(NODE): $(NODE_DIR)/package.json $(NODE_DIR)/package-lock.json
	@if command -v npm >/dev/null; then \
		cd $(NODE_DIR) && npm ci --silent --no-audit --no-fund && touch node_modules/.package-lock.json; \
	else echo "npm is not installed: the tests of the Node client will be left out"; fi

# The next generation of the Python client has the first one's name. Where it can't be had its tests are left out.
$(REPLICATE2)/.installed: requirements/contract-replicate2.txt $(BASE)
	@$(PY) -m venv --without-pip $(REPLICATE2) \
		&& { $(VENV)/bin/uv pip install --quiet --python $(REPLICATE2)/bin/python --require-hashes -r $< \
			|| $(PY) -m pip --python $(REPLICATE2)/bin/python install --quiet --disable-pip-version-check --require-hashes -r $<; } \
		&& touch $@ \
		|| echo "replicate 2 could not be installed: the tests of that client will be left out"

# The engine behind the stand-in for Stripe says that it needs Python 3.14; a 3.13 that is there runs it once patched.
# pip alone can be told not to mind. Where it can't be had its tests are left out.
$(STRIPE)/.installed: requirements/stripe-engine.txt tests/stripe_front/patch_engine.py $(BASE)
	@python=$$($(PY) -m tests.stripe_front.interpreter) \
		&& $$python -m venv --without-pip --clear $(STRIPE) \
		&& $(PY) -m pip --python $(STRIPE)/bin/python install -qq --disable-pip-version-check \
			--ignore-requires-python --require-hashes -r $< \
		&& $(STRIPE)/bin/python tests/stripe_front/patch_engine.py \
		&& touch $@ \
		|| echo "the Stripe engine could not be installed: the tests of payments will be left out"
