# Every target sets up what it needs in .venv from a bare checkout; a second call starts at once.

.DEFAULT_GOAL := test
.PHONY: demo test test-oldest test-slow lint bench bench-quick completions clean

VENV := .venv
READY := $(VENV)/.ready
OLDEST := .venv-oldest
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# Where it is set, each of the thousands of processes of the tests compiles what it imports.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter that really runs: a version manager leaves names on PATH that end in "command not found", and
# has those that are not on PATH in its folder. The loop runs only when an environment has to be made.
SUITABLE := import ensurepip, sqlite3, ssl, sys, venv; sys.exit(sys.version_info < (3, 11))
PYENV_ROOT ?= $(HOME)/.pyenv
pythons = $(foreach minor,$(1),python3.$(minor) $(wildcard $(PYENV_ROOT)/versions/3.$(minor).*/bin/python3)) python3
first = $(shell for python in $(call pythons,$(1)); do \
	$$python -c '$(SUITABLE)' >/dev/null 2>&1 && { echo $$python; break; }; done)
PYTHON ?= $(call first,14 13 12 11)

demo: $(READY)
	$(BIN)/dicomtls demo

# COVERAGE=--cov measures it too, and fails below the limit; that takes half as long again, so .ci/run does it.
COVERAGE :=

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" $(COVERAGE)

test-oldest: $(OLDEST)/.ready
	$(OLDEST)/bin/python -m pytest -m "not slow"

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow || [ $$? -eq 5 ] # 5: there is no slow test

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m tests.bench

bench-quick: $(READY)
	$(BIN)/python -m tests.bench --quick

completions: $(READY)
	$(BIN)/python -m dicomtls.cli.completion_making completions/

clean:
	rm -rf $(VENV) $(OLDEST) build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find dicomtls tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The oldest Python that is here with the oldest dependencies; `make test` has the newest of both.
$(OLDEST)/.ready: PYTHON = $(call first,11 12 13 14)
$(OLDEST)/.ready: CONSTRAINT = --constraint tests/oldest.txt

# An environment that is there keeps its Python; `make clean` takes it away.
$(READY) $(OLDEST)/.ready: pyproject.toml tests/oldest.txt
	@$(@D)/bin/python -m pip --version >/dev/null 2>&1 || { \
		python="$(PYTHON)"; \
		test -n "$$python" || { echo "make: no Python 3.11 or newer with venv on PATH (Debian: apt-get install python3-venv)" >&2; exit 1; }; \
		echo "setting up $(@D) with $$python"; \
		$$python -m venv --clear $(@D); }
	@$(@D)/bin/python -m pip install --quiet $(CONSTRAINT) --editable '.[dev]'
	@touch $@
