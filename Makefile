# Everything here needs Python >= 3.11 with venv, and make. `.venv` is made once; a second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
# One thread a process: the matrices are small, and threads only get in each other's way.
export OMP_NUM_THREADS ?= 1
export JAX_PLATFORMS ?= cpu

.PHONY: help gate test lint nightly pins recheck bench
help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

gate: $(STAMP) ## the main job: verdicts on reverse and xproportion
	$(BIN)/tracrcheck gate reverse xproportion

test: $(STAMP) ## the default test suite
	$(BIN)/python -m pytest -n auto

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

recheck: $(STAMP) ## committed results: sound, stale or not, and a random share made again
	set -e; for file in $(wildcard ci/results/*.json); do $(BIN)/tracrcheck recheck $$file; done

bench: $(STAMP) ## the speed and memory of the gate, each figure with its bar
	$(BIN)/python ci/bench/gate.py

nightly: $(STAMP) ## minutes: the slow tests, and the truth of every program against its pins
	$(BIN)/python -m pytest -m slow -n auto
	$(BIN)/tracrcheck certify --all --check ci/certificates.json

pins: $(STAMP) ## write the pins anew, for a diff to be read
	$(BIN)/tracrcheck certify --all --write ci/certificates.json
	$(BIN)/tracrcheck programs --pins ci/certificates.json > programs/README.md

$(STAMP): pyproject.toml ci/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint ci/constraints.txt 'torch==2.13.0' --editable '.[dev]'
	touch $@
