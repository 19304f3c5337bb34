PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN ?= runs/quickstart
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-fast lint bench docs dist clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 16

install: $(VENV)/.installed ## make .venv with everything that the tests need

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	  "auralign needs Python 3.11 or newer, and '$(PYTHON)' is not:" \
	  "name one that is, as in 'make $(firstword $(MAKECMDGOALS)) PYTHON=python3.12'" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e '.[dev]'
	@touch $@

quickstart: install ## run the whole loop on simulated listeners; typed again it goes on where it stopped
	$(BIN)/auralign quickstart --out $(RUN) --resume $(ARGS)

test: install ## run every test
	$(BIN)/pytest $(ARGS)

test-fast: install ## run the tests that take under two minutes together
	$(BIN)/pytest -m 'not slow' $(ARGS)

lint: install ## check style, types and floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: install ## measure the numbers that the project promises
	$(PIP_INSTALL) -e '.[bench]'
	$(BIN)/python -m benchmarks $(ARGS)

docs: install ## build the pages into docs/_build/html; a warning is an error
	$(PIP_INSTALL) -e '.[docs]'
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

dist: install ## build the sdist and the wheel into dist
	rm -rf dist
	$(BIN)/python -m build
	@$(BIN)/python -m zipfile -l dist/*.whl | grep -q auralign/recipes/ || { echo \
	  "the wheel holds no recipes: see tool.hatch in pyproject.toml" >&2; exit 1; }

clean: ## remove built files and caches; .venv and runs stay
	rm -rf dist docs/_build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
