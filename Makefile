# `make demo` and `make test` need Python 3.11 or newer and make; they build a virtual
# environment of their own in $(VENV) and install everything into it.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
JOBS ?= 2
# One known-good set of versions; `make CONSTRAINTS= test` takes the newest instead.
CONSTRAINTS ?= -c constraints.txt
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS)

.PHONY: help demo test test-docs test-all lint docs clean

help:
	@echo "make demo   install and run the full story on real data"
	@echo "make test   install and run the tests"
	@echo "make test-docs   run the prompts of the user guide"
	@echo "make test-all    run those two and the slow tests"
	@echo "make lint   ruff, mypy, layers of imports, spelling"
	@echo "make docs   build the documentation, gallery included"
	@echo "make clean  remove the environment and everything built"

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit('Python 3.11 or newer is needed') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e ".[plot,skrub]"
	touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e ".[test]"
	touch $@

$(VENV)/.docs: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e ".[docs]"
	touch $@

demo: $(VENV)/.demo
	$(BIN)/python examples/full_story.py

test: $(VENV)/.test
	$(BIN)/python -m pytest -n $(JOBS)

# The prompts of the user guide, which train nets.
test-docs: $(VENV)/.test
	$(BIN)/python -m pytest -n $(JOBS) -m guide

# Everything, with tests that repeat others on many data sets or seeds.
test-all: $(VENV)/.test
	$(BIN)/python -m pytest -n $(JOBS) -m ""

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell -D - -D docs/dialect.txt

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html

clean:
	rm -rf $(VENV) build dist docs/_build docs/api/generated docs/auto_examples
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
