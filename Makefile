# zkprep: `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BENCH  := .venv-bench
BIN    := $(VENV)/bin

DIGITS := circuits/digits
MODEL  ?= $(DIGITS)/model.onnx
INPUT  ?= $(DIGITS)/input.json
OUT    ?= runs/digits
# The example fits one slice; three show the links.
ARGS   ?= $(if $(filter $(DIGITS)/model.onnx,$(MODEL)),--blocks 3)
# `make circuits`, `baseline`, `bench`, `bench-tiny` and `bench-tuning` take the cases to be done; all by default.
CASES   ?=
REPEATS ?= 3

.DEFAULT_GOAL := help
.PHONY: help prove test test-long fuzz check operators circuits baseline bench bench-tiny format bench-fusion bench-rewrites bench-slicing bench-tuning clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
	@echo
	@echo 'make prove MODEL=path/model.onnx INPUT=path/input.json OUT=runs/x [ARGS="--memory 8GiB"]'

# --allow-test-srs: without a network the ceremony's SRS cannot be had, and the example still proves.
prove: $(VENV)/core.stamp ## prepare, slice, prove and verify MODEL on INPUT into OUT, and report
	$(BIN)/zkprep prove $(MODEL) --input $(INPUT) -o $(OUT) --baselines prove --allow-test-srs $(ARGS)

test: $(VENV)/dev.stamp ## the tests, real proofs included
	$(BIN)/pytest -m "not long"

test-long: $(VENV)/dev.stamp ## the tests, the long ones too
	$(BIN)/pytest

# FUZZ=N is for how many seconds, FIRST=N the number of the first mutation.
fuzz: $(VENV)/dev.stamp ## damage RUN/public for FUZZ seconds (600): the verifier may only say no
	$(BIN)/python tests/fuzz_public.py $(or $(FUZZ),600) $(or $(FIRST),0)

check: $(VENV)/dev.stamp ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

operators: $(VENV)/dev.stamp ## run every case of the operator matrix, record it, write docs/operators.md
	$(BIN)/python tests/operators/document.py --record

circuits: $(VENV)/core.stamp ## build the corpus, or CASES="lenet5 ...", each case in its folder
	$(BIN)/python -m circuits.make $(CASES)

baseline: $(VENV)/core.stamp ## count the corpus anew, or CASES; write its baselines and table; no keys
	$(BIN)/python -m benchmarks.baseline $(CASES)
	$(BIN)/python -m benchmarks.bench --table
	$(BIN)/python -m benchmarks.tiny --table

bench: $(VENV)/core.stamp ## prove the corpus, or CASES, in four ways, paired, REPEATS times; docs/benchmarks.md
	$(BIN)/python -m benchmarks.bench $(CASES) --repeats $(REPEATS)

bench-tiny: $(VENV)/core.stamp ## prove the MLPerf Tiny models whole, or CASES; an hour; goes on where it was
	$(BIN)/python -m benchmarks.tiny $(CASES)

bench-tuning: $(VENV)/core.stamp ## prove the corpus under EZKL's settings and under zkprep's, or CASES
	$(BIN)/python -m benchmarks.tuning $(CASES)

format: $(VENV)/dev.stamp ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The other optimizers stay out of zkprep's own environment.
bench-fusion: $(VENV)/core.stamp $(BENCH)/tools.stamp ## who fuses what: docs/fusion.md anew; and fusion's speed
	$(BIN)/python -m benchmarks.fusion.survey --tools $(BENCH)/bin/python --output docs/fusion.md
	$(BIN)/python -m benchmarks.fusion.speed

bench-rewrites: $(VENV)/core.stamp ## what each circuit rewrite is worth: docs/rewrites.md anew; PROVE="CASE ..." proves
	$(BIN)/python -m benchmarks.rewrites $(if $(PROVE),--prove $(PROVE))

bench-slicing: $(VENV)/core.stamp ## what cutting the corpus costs, or CASES; docs/slicing.md; no proofs
	$(BIN)/python -m benchmarks.slicing $(CASES)

clean: ## remove the environment and the runs
	rm -rf $(VENV) $(BENCH) runs

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'zkprep needs Python 3.11 or later; set PYTHON=python3.11' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/core.stamp: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[ray]' || \
	  echo 'Ray cannot be installed here; its tests are skipped' >&2
	@touch $@ $(VENV)/core.stamp

$(BENCH)/tools.stamp: benchmarks/fusion/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	for tool in $$(cat $<); do \
	  $(BENCH)/bin/pip install --quiet --disable-pip-version-check "$$tool" || \
	    echo "$$tool cannot be installed here; docs/fusion.md says so" >&2; done
	@touch $@
