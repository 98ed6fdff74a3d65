# sima-nb: `make help` lists what there is. Everything runs in ./.venv, made on first use and reused after.

SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-long mutate test-wheel lint lab bench bench-ui gallery views digits clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: .venv/.stamp-run ## Compile and run ResNet-50 for an open model of the MLA, checked against onnxruntime
	@$(BIN)/python -m sima_compiler.demo

test: lint ## Lint, type-check and run every test, in two processes
	@$(BIN)/python -m pytest --quiet --durations=15 --numprocesses=2 --no-loadscope-reorder $(ARGS)

lint: .venv/.stamp-dev ## Check style (ruff), formatting (ruff) and types (basedpyright)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "some files are not formatted; run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/basedpyright --pythonpath $(BIN)/python

lab: .venv/.stamp-lab ## Start JupyterLab in notebooks/
	@mkdir -p notebooks
	@$(BIN)/jupyter lab --notebook-dir=notebooks $(ARGS)

test-long: .venv/.stamp-dev ## Follow the advice on large networks, judge 20,000 damaged files and 1,000 convolutions (half an hour), write tests/long/results.md
	@$(BIN)/python -m pytest -q tests/long/advice_on_networks.py
	@$(BIN)/python -m tests.long.mutated --results tests/long/results.md $(ARGS)
	@$(BIN)/python -m tests.long.convolutions

mutate: .venv/.stamp-dev ## Make 210 small things wrong one by one, judge each by its room's tests (an hour), write tests/long/results.md
	@$(BIN)/python -m tests.long.mutate $(ARGS)

test-wheel: .venv/.stamp-dev ## Install the wheel beside JupyterLab's oldest and newest release (needs the network) and use it in Chromium
	@$(BIN)/python -m pytest -q tests/long/wheel_in_jupyterlab.py

bench: .venv/.stamp-dev ## Run the benchmarks (some minutes) and write tests/benchmarks/results.md
	@$(BIN)/python -m tests.benchmarks.run $(ARGS)

bench-ui: .venv/.stamp-dev ## Measure the explorer in Chromium beside plotly and beside a bare canvas
	@$(BIN)/python -m tests.benchmarks.ui

gallery: .venv/.stamp-dev ## Try real networks from public packages (needs the network) and write tests/gallery/results.md
	@$(BIN)/python -m tests.gallery.run $(ARGS)

views: .venv/.stamp-dev ## Build the browser side from labextension/src (only needed after changing it)
	@for step in contract format build pack; do $(BIN)/python -m tests.support.node $$step || exit 1; done

digits: .venv/.stamp-dev ## Train the digit network of the tutorials again (half a minute)
	@$(BIN)/python notebooks/digits/train.py

clean: ## Remove the environment, caches and build products
	@rm -rf .venv build dist demo labextension/node_modules .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "sima-nb needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1)."; \
	echo "Name another one like this: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Creating .venv ..."
	@$(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
	echo "Python's venv module is incomplete here. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }

.venv/.stamp-run: pyproject.toml | $(BIN)/python
	@echo "Installing sima-nb (once; a minute or so) ..."
	@$(PIP) install --editable . && touch $@

.venv/.stamp-dev: pyproject.toml | $(BIN)/python
	@echo "Installing sima-nb and its test tools (once; a few minutes) ..."
	@$(PIP) install --editable '.[dev]' && touch $@ .venv/.stamp-run

.venv/.stamp-lab: pyproject.toml sima_nb/labextension/package.json labextension/server_config/sima_nb.json | $(BIN)/python
	@echo "Installing sima-nb and JupyterLab (once; a few minutes) ..."
	@$(PIP) install --editable '.[lab]' && touch $@ .venv/.stamp-run
