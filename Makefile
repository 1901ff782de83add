# The verbs of this project. Each sets up what it needs in .venv, once; nothing else on the machine is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/core.stamp
DEV := $(VENV)/dev.stamp
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
CODE := src tests examples benchmarks docs

# Three draws and three label counts, so that installing and running take less than two minutes together. One thread:
# on images of 8x8 pixels several would only wait for each other.
DEMO := --draws 3 --set label_counts=[20,50,100] --set fixmatch.steps=100 --set pseudo_label.steps=100

.DEFAULT_GOAL := help
.PHONY: help demo test check docs bench

help:  ## this list
	@sed -n 's/^\([a-z]*\): .*##  *\(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(CORE)  ## the main job on a small embedded set: no download, a finished demo/report.html
	OMP_NUM_THREADS=1 $(BIN)/hundredfold run digits $(DEMO) --out demo --overwrite

test: $(DEV)  ## the whole suite
	$(BIN)/python -m pytest

check: $(DEV)  ## format, lint, types, which layer imports which, doctests
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet --doctest-modules src

docs: $(CORE)  ## docs/reference/ from the docstrings
	$(BIN)/python docs/reference.py

bench: $(DEV)  ## what a training step costs here, and what data and views add to it
	OMP_WAIT_POLICY=passive $(BIN)/python benchmarks/step_cost.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "$(PYTHON) cannot make virtual environments: on Debian, apt-get install python3-venv" >&2; exit 1; }

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'setting up $(VENV) (some 200 MB, once)'
	@$(PIP) --editable .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'setting up $(VENV) with the tools of development (some 400 MB, once)'
	@$(PIP) --editable '.[dev]'
	@touch $(CORE) $@
