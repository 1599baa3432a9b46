# Every job of the house. The environment is made on first use, pinned by constraints.txt.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One thread per worker: two test workers on two cores must not fight over them.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 POLARS_MAX_THREADS=1 MPLBACKEND=Agg
PIP := $(BIN)/pip install --disable-pip-version-check -q -c constraints.txt

.PHONY: help install demo test lint check chaos bench docs clean
.DEFAULT_GOAL := help

help: ## Show this list.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.core

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[dev,bench]'
	@touch $@

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[docs]'
	@touch $@

install: $(VENV)/.core ## Make the environment only; then: source .venv/bin/activate

demo: $(VENV)/.core ## Train and backtest on the embedded market, then print where the report is (under five minutes).
	$(BIN)/triptych demo

test: $(VENV)/.dev ## The whole suite.
	$(TEST_ENV) $(BIN)/pytest -n 2 --dist worksteal

lint: $(VENV)/.dev ## Format and lint (changes nothing).
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

check: lint ## Lint, types and the floors of the house.
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: $(VENV)/.dev ## Kill a trading house 1,000 times (12 minutes on two idle cores; goes on where it was stopped).
	$(TEST_ENV) $(BIN)/python -m benchmarks.chaos

bench: $(VENV)/.bench ## Every benchmark in its short form; run one in full with: python -m benchmarks.NAME
	@for module in $$(cd benchmarks && ls [a-z]*.py | sed 's/\.py//'); do \
		echo "== $$module" && $(BIN)/python -m benchmarks.$$module --quick || exit 1; done

docs: $(VENV)/.docs ## The documentation site, in docs/_build/html.
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## Remove the environment and everything built.
	rm -rf $(VENV) docs/_build build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
