# Every target works in a fresh clone: it makes .venv first, and again when the dependencies change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
SOURCES := pyproject.toml setup.py $(wildcard workbench/*/*/*.[ch])
RUN ?= reports/$(shell date +%Y-%m-%d-%H%M%S)
BUDGET ?= 5m
# What a recorder writes: these run again with the recorder in Python.
RECORDER_TESTS := $(patsubst %,tests/scopes/test_%.py,scope generators asyncio carry names limits ends recording \
    interleavings hostile_use) tests/eventlog/test_event_log.py
BENCHMARKS := scopes sampler readings command profiles formats flamegraphs timeline kernels jacobians step workers scaling memory watching matlab instructions
# NumPy passes the loops of a ufunc bytes, which they cast.
CPPCHECK := cppcheck --quiet --error-exitcode=1 --std=c11 --library=python --enable=warning,performance,portability \
    --suppress=invalidPointerCast -DPY_VERSION_HEX=0x030B07F0 -DHAVE_SAMPLER=1 \
    -D__x86_64__ -D__linux__ -D__GLIBC__ -D__GNUC__ \
    workbench/scopes/native workbench/trainer/kernels/_kernels.c workbench/trainer/network/_passes.c

.DEFAULT_GOAL := help
.PHONY: help setup profile bench-report test proof images gallery coverage sanitize docs wheels check format clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(DEV_STAMP)  ## Make .venv with everything for work on the project
	@$(BIN)/workbench doctor

profile: $(STAMP)  ## Profile every variant of the reference trainer: profiles/index.html
	@$(BIN)/workbench profile --suite reference -o profiles

bench-report: $(STAMP)  ## Time the variants against each other: reports/<run>/index.html (Error 3: BUDGET is too short for verdicts)
	@$(BIN)/workbench bench reference --budget $(BUDGET) -o $(RUN)

# One BLAS thread in each: the workers use all cores, and BLAS threads that wait for a busy core spin.
test: $(DEV_STAMP)  ## Run the tests, 8 to 14 minutes on 2 cores
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m "not proof" -n auto --maxprocesses 4 --dist worksteal
	@WORKBENCH_RECORDER=python $(BIN)/python -m pytest -q -m "not proof" -n auto --maxprocesses 4 $(RECORDER_TESTS)

coverage: $(DEV_STAMP)  ## State which lines and branches of workbench/ the tests reach, about half an hour
	@$(BIN)/coverage erase
	-@OPENBLAS_NUM_THREADS=1 $(BIN)/coverage run -m pytest -q -m "not proof" -n auto --maxprocesses 4 --dist worksteal
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

proof: $(DEV_STAMP)  ## Measure the benchmarks and run the long tests: docs/measured
	@echo 'an hour and a half of benchmarks, then three and a half hours of long tests; leave the machine alone meanwhile'
	@for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit 1; done
	@$(BIN)/python benchmarks/proofs.py

images: $(DEV_STAMP)  ## Make README's flame graph again: docs/images
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python docs/images/make_images.py

gallery: $(DEV_STAMP)  ## Profile the programs of docs/gallery and measure their changes, about 8 minutes
	@$(BIN)/python docs/gallery/make_gallery.py

sanitize: $(BIN)/python  ## Run the tests of the C code under the address and undefined-behaviour sanitisers
	@PYTHON=$(BIN)/python tests/sanitize.sh

docs: $(DEV_STAMP)  ## Build the documentation's site: build/docs/index.html
	@$(BIN)/sphinx-build -q -W --keep-going docs build/docs

wheels:  ## Build the distribution into dist/ for each Python at hand, and test what is installed from it
	@PYTHON=$(PYTHON) tests/wheels.sh

check: $(DEV_STAMP)  ## Lint, types, which package may import which, and the site
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory docs
	@if command -v cppcheck >/dev/null; then $(CPPCHECK); \
	    elif [ -n "$$CI" ]; then echo 'cppcheck is missing: install it' >&2; exit 1; \
	    else echo 'the C code was not checked: install cppcheck'; fi
	@if [ -x node_modules/.bin/eslint ] && command -v node >/dev/null; then node_modules/.bin/eslint .; \
	    elif [ -n "$$CI" ]; then echo 'eslint is missing: npm install' >&2; exit 1; \
	    elif command -v node >/dev/null; then echo 'the scripts were not checked: npm install'; \
	    else echo 'the scripts were not checked: node is not installed'; fi

format: $(DEV_STAMP)  ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:  ## Remove what was built and written, and .venv
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find workbench \( -name '*.so' -o -name __pycache__ \) -prune -exec rm -rf {} +
	git clean -fdqX profiles reports

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'workbench needs Python 3.11 or later: make PYTHON=python3.12 ...' >&2; exit 1; }
	@echo 'making $(VENV)'
	@$(PYTHON) -m venv --upgrade-deps $(VENV)

$(STAMP): $(BIN)/python $(SOURCES)
	@echo 'installing workbench and what it needs (about half a minute)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]'
	@$(BIN)/workbench doctor --brief
	@touch $@

$(DEV_STAMP): $(BIN)/python $(SOURCES)
	@echo 'installing workbench and what it, the tests and the checks need (about two minutes)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@$(BIN)/workbench doctor --brief
	@touch $(STAMP) $@
