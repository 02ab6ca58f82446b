# Every target sets up what it needs in .venv from a bare checkout; a second call starts at once.

.DEFAULT_GOAL := test
.PHONY: demo test test-slow lint bench bench-quick completions clean

VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

# The first interpreter that really runs: a version manager leaves names on PATH that end in "command not found".
# The loop runs only when .venv has to be made.
SUITABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$python -c '$(SUITABLE)' >/dev/null 2>&1 && { echo $$python; break; }; done)

demo: $(READY)
	$(BIN)/dicomtls demo

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" --cov --cov-report=term

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
	$(BIN)/python -m dicomtls.cli.completion_scripts completions/

clean:
	rm -rf $(VENV) build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find dicomtls tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with venv on PATH (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
