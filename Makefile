# `make demo` and `make test` set up everything they need; `make` lists the rest.
# Variables are given on the command line: make setup PYTHON=python3.12

# The Python that .venv is made with
PYTHON ?= python3
# What pip installs where neither .venv nor PYTHON has a torch>=2.6 (an existing one is kept).
# May contain options of pip, such as the --index-url of a smaller CPU build.
TORCH ?= torch==2.13.0
# MinkowskiEngine: auto (with CUDA where torch finds a GPU and nvcc is installed), cpu_only, force_cuda
MINKOWSKI ?= auto
# Test processes: one per core, at most 8
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 8 ? n : 8)))
# More arguments for pytest: make test PYTEST_ARGS="-k overlap"
PYTEST_ARGS ?=

export PYTHON TORCH MINKOWSKI

VENV_PYTHON := .venv/bin/python
# Each worker computes on one thread, and takes over tests from the others when it has none left
RUN_PYTEST = OMP_NUM_THREADS=1 $(VENV_PYTHON) -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo check test test-slow minkowski doctor lint types format docs clean test-extras dev-extras docs-extras

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv with everything that pretraining needs; quick when nothing is missing
	@tools/setup/environment.sh

demo: setup ## pretrain on generated rooms: checkpoint, retrieval figures, picture
	$(VENV_PYTHON) tools/pretrain.py

check: lint types test-extras ## lint, types, layering and the fast tests: 2 minutes on 2 cores
	$(RUN_PYTEST) -m "not slow" --fast

test: minkowski test-extras ## the test suite, with both engines
	$(RUN_PYTEST) -m "not slow"

test-slow: minkowski test-extras ## the tests that take minutes each
	$(RUN_PYTEST) -m slow

minkowski: ## build MinkowskiEngine into .venv (5 minutes on 2 cores, once), after setup
	@tools/setup/minkowski.sh

doctor: setup ## report what works on this machine
	$(VENV_PYTHON) -m pointcontrast.doctor

lint: dev-extras ## ruff: rules and format
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .

types: dev-extras ## pyright
	$(VENV_PYTHON) -m pyright --pythonpath $(VENV_PYTHON)

format: dev-extras ## fix what ruff can fix, and format
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

docs: docs-extras ## build the site into build/site, without the network; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(VENV_PYTHON) -m mkdocs build --strict --quiet
	@echo "build/site/index.html; for the search too: $(VENV_PYTHON) -m http.server -d build/site"

clean: ## remove .venv and the tools' caches; keep runs and data
	rm -rf .venv build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

test-extras: setup
	@tools/setup/extras.sh test laspy pye57 rosbags av OpenEXR pytest xdist hypothesis shapely nbclient ipykernel

dev-extras: setup
	@tools/setup/extras.sh dev ruff pyright

docs-extras: setup
	@tools/setup/extras.sh docs mkdocs material mkdocstrings nbconvert latex2mathml
