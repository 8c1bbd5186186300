# make demo    install, and explain the bundled models on the bundled recording
# make test    install what development needs, and run the tests
# make test-long   the tests left out there: third parties' models by the dozen, and the like
# make test-all    both; needs g++ and Debian's apt, for the example in C++
# make check   lint, types, import layers
# make fuzz    random models, texts and bytes for hours: make fuzz HOURS=8 SEED=100000
# make bench   what explanations cost, beside other libraries; writes docs/performance.md
# make audit   the pinned versions against known advisories
# make models  every network of braindecode exported, verified and explained; writes docs/models.md
# make browser the page that explains in a browser, in build/browser
#
# Everything lands in .venv. PYTHON names the interpreter to make it with (3.11 or newer), WORKERS how many processes
# run tests.

PYTHON ?= python3
TORCH ?= torch==2.13.0
WORKERS ?= 2
HOURS ?= 1
SEED ?= 100000
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

.DELETE_ON_ERROR:
.PHONY: demo test test-long test-all check audit fuzz bench browser models clean

demo: $(VENV)/.base
	$(BIN)/onnxplain demo

# A worker has a core: a thread of linear algebra for each.
test test-long: export OPENBLAS_NUM_THREADS = 1
test test-long: export OMP_NUM_THREADS = 1

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not long" --durations=15

# A test at a time: here the tests are long, and their files hold nothing that would be made twice.
test-long: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist load -m long --durations=15

test-all: test test-long

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/link_types.py
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

audit: $(VENV)/.dev
	@$(BIN)/python .ci/audit.py

# Bytes for a tenth of the time, texts with other examples than `make test` has, and random models for the rest;
# each goes on where another finds something, and one find is enough to fail. Finds are in build/fuzz.
fuzz: export OPENBLAS_NUM_THREADS = 1
fuzz: export OMP_NUM_THREADS = 1
fuzz: $(VENV)/.dev
	$(BIN)/python tests/fuzz/run_all.py --hours $(HOURS) --start $(SEED)

bench: $(VENV)/.dev $(PEERS)/.done
	$(BIN)/python -m benchmarks.run

browser: $(VENV)/.base
	$(BIN)/python docs/browser/make_page.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# What users need: no PyTorch.
$(VENV)/.base: pyproject.toml setup.py constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e .
	@touch $@

# PyTorch first and alone: asked for by a range, pip may take several gigabytes of another release.
$(VENV)/.dev: pyproject.toml setup.py constraints.txt | $(BIN)/python
	$(PIP) install "$(TORCH)"
	$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.base

# Other libraries, which bring their own onnxruntime: see benchmarks/requirements-peers.txt.
$(PEERS)/.done: benchmarks/requirements-peers.txt | $(BIN)/python
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check --no-input --quiet install "$(TORCH)"
	$(PEERS)/bin/python -m pip --disable-pip-version-check --no-input --quiet install --no-deps -r $<
	@touch $@

models: $(VENV)/.dev
	$(BIN)/python studies/models.py

clean:
	rm -rf $(VENV) $(PEERS) build dist demo-report src/*.egg-info .mypy_cache .pytest_cache .ruff_cache
