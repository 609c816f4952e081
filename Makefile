.DEFAULT_GOAL := help
.NOTPARALLEL:

ifeq ($(wildcard cirrus_ext/__init__.py),)
$(error This Makefile works in its own folder: use make -C)
endif

# The first Python on PATH that is new enough; `make PYTHON=/path/to/python ...` takes another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# pip installs into .venv only, whatever the environment says.
export PIP_REQUIRE_VIRTUALENV := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0
unexport PYTHONPATH PYTHONHOME PYTHONWARNINGS PYTHONDONTWRITEBYTECODE
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_DRY_RUN PIP_NO_DEPS

# Each step of making .venv leaves a stamp when it is done, so that an incomplete one is made again.
# The name of a stamp has a checksum of the folder, because a .venv cannot be moved.
HERE := $(shell pwd | cksum | cut -d ' ' -f 1)
MADE := .venv/made-$(HERE)
CONTRACT := .venv/contract-$(HERE)
DEV := .venv/dev-$(HERE)
RUN := .venv/bin/python
# An environment of its own: httpx takes longer to import where click and rich are installed.
BENCH := .venv-bench/made-$(HERE)
# Every environment gets the versions that the tests ran with.
INSTALL := -m pip install --quiet --constraint constraints.txt
# --group needs pip 25.1; a new environment has the pip of its Python.
NEW_PIP := -m pip install --quiet 'pip>=25.1,<27'
EXTRAS := cli,contract,excel,parquet,report
PRODUCT := generated cirrus_ext mycirrus_contract mycirrus_cli

define CHECK_PYTHON
@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or later is needed; found: $(if $(PYTHON),$$($(PYTHON) --version 2>&1),none on PATH)" >&2; exit 1; }
endef

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(MADE):
	$(CHECK_PYTHON)
	@echo "Making .venv ..."
	@rm -rf .venv
	@$(PYTHON) -m venv --clear .venv
	@touch $@

$(CONTRACT): $(MADE) pyproject.toml constraints.txt
	@echo "Installing what the stand-in and the contract check need into .venv ..."
	@$(RUN) $(INSTALL) --editable '.[contract]'
	@touch $@

$(DEV): $(MADE) pyproject.toml constraints.txt
	@echo "Installing what tests and checks need into .venv ..."
	@$(RUN) $(NEW_PIP)
	@$(RUN) $(INSTALL) --editable '.[$(EXTRAS)]' --group dev
	@touch $@ $(CONTRACT)

$(BENCH): pyproject.toml constraints.txt
	$(CHECK_PYTHON)
	@echo "Making .venv-bench ..."
	@rm -rf .venv-bench
	@$(PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/python $(NEW_PIP)
	@.venv-bench/bin/python $(INSTALL) --editable . --group bench
	@touch $@

.PHONY: demo
demo: $(CONTRACT) ## Fetch a history from a stand-in of the API, then check the stand-in's contract
	@$(RUN) -m examples.demo

.PHONY: standin
standin: $(CONTRACT) ## Serve the stand-in on loopback until Ctrl-C (options: ARGS="--help")
	@.venv/bin/mycirrus standin $(ARGS)

.PHONY: contract
contract: $(CONTRACT) ## Check the contract of the stand-in
	@.venv/bin/mycirrus contract --standin $(ARGS)

.PHONY: contract-live
contract-live: $(CONTRACT) ## Check the contract of the live API (MYCIRRUS_API_KEY, MYCIRRUS_INSTRUMENTS)
	@.venv/bin/mycirrus contract $(ARGS)

.PHONY: test
test: $(DEV) ## Run all tests, offline
	@$(RUN) -m pytest --numprocesses auto --dist worksteal $(ARGS)

.PHONY: generate
generate: $(DEV) ## Write the typed client that the spec describes
	@$(RUN) openapi/generate.py

.PHONY: check-generated
check-generated: $(DEV) ## Fail if the client on disk is not what the spec generates
	@$(RUN) openapi/generate.py --check

.PHONY: pin
pin: $(DEV) ## Pin another version of the generator or of ruff, and show what changes (PIN=ruff==0.17.6)
	@$(RUN) openapi/generate.py --pin "$(PIN)"

.PHONY: docs
docs: $(DEV) ## Write the reference of the command and the picture in the README
	@$(RUN) -m docs.generate

.PHONY: format
format: $(DEV) ## Format and fix our own code
	@$(RUN) -m ruff check --quiet --fix-only .
	@$(RUN) -m ruff format --quiet .

.PHONY: lint
lint: $(DEV) ## Check style, imports, declared dependencies and workflows, without a change
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --quiet --diff .
	@for check in "lint-imports --no-logo --no-cache" "deptry $(PRODUCT)" "deptry --ignore DEP002,DEP004 ." \
		"zizmor --offline --quiet .github action.yml"; do \
		output=$$(.venv/bin/$$check 2>&1) || { echo "$$output"; exit 1; }; \
	done

.PHONY: typecheck
typecheck: $(DEV) ## Check types, generated code included
	@$(RUN) -m mypy

.PHONY: pyright
pyright: $(DEV) ## Check the types of cirrus_ext with pyright; needs npx
	@command -v npx >/dev/null || { echo "skipped: pyright needs npx, and there is none on PATH"; exit 0; } && \
		npx --yes pyright@1.1.414

.PHONY: check
check: lint typecheck check-generated test ## Run all checks but the slow ones

.PHONY: slow
slow: api-mutants fuzz ## Run the slow checks
	@$(RUN) -m pytest tests/slow contract_tests/slow -ofaulthandler_timeout=900 $(ARGS)

.PHONY: peer-check
peer-check: $(CONTRACT) ## Run the SDK against Prism, a mock server that this project did not write
	@$(RUN) -m contract_tests.peer_check

.PHONY: replay
replay: $(DEV) ## Replay a recorded contract check, offline (CASSETTE=path)
	@test -n "$$CASSETTE" || { echo "CASSETTE is missing: make replay CASSETTE=report/cassette.json" >&2; exit 1; }
	@$(RUN) -m contract_tests.live.replay "$$CASSETTE"

.PHONY: fuzz
fuzz: $(DEV) ## Run schemathesis against the stand-in, with a fresh seed
	@$(RUN) -m contract_tests.suite.fuzz $(ARGS)

.PHONY: api-mutants
api-mutants: $(DEV) ## Break the stand-in in each known way: do the checks notice?
	@$(RUN) -m contract_tests.api_mutants $(ARGS)

.PHONY: scorecard
scorecard: $(DEV) ## Show what the SDK does about each fault
	@$(RUN) -m tests.sdk.scorecard

.PHONY: mutation
mutation: $(DEV) ## Break the SDK in some 1,400 ways: do the tests notice?
	@$(RUN) $(INSTALL) --group mutation
	@$(RUN) -m tests.sdk.mutation

.PHONY: bench
bench: $(BENCH) ## Measure the SDK beside its peers, on loopback (options: ARGS="--help")
	@.venv-bench/bin/python -m benchmarks $(ARGS)

.PHONY: build
build: check-generated ## Build the wheel and the source archive into dist/
	@rm -rf dist
	@$(RUN) -m hatchling build

.PHONY: audit
audit: $(DEV) ## Look up known vulnerabilities of all pinned packages; needs a network
	@$(RUN) $(INSTALL) --group audit
	@$(RUN) -m pip_audit --strict --progress-spinner off --disable-pip --no-deps --requirement constraints.txt

.PHONY: licences
licences: $(DEV) ## List the licence of each package that the wheel and its extras install
	@$(RUN) $(INSTALL) --group audit
	@rm -rf .build/licences
	@$(PYTHON) -m venv .build/licences
	@.build/licences/bin/python $(INSTALL) '.[$(EXTRAS),keyring]'
	@.venv/bin/pip-licenses --python .build/licences/bin/python --from mixed --ignore-packages mycirrus-sdk

.PHONY: constraints
constraints: $(MADE) ## Write the newest versions that work together to constraints.txt
	@$(RUN) -m pip install --quiet uv
	@$(RUN) -m uv pip compile --quiet --upgrade --universal --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 \
		--all-extras --group dev --group audit --group bench --group mutation --group release \
		pyproject.toml --output-file constraints.txt

.PHONY: clean
clean: ## Remove .venv and everything that was made
	@rm -rf .venv .venv-bench .build dist report mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
