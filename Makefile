# make demo    install, and explain the bundled models on the bundled recording
# make test    install what development needs, and run every test
# make check   lint, types, import layers
# make bench   the benchmarks
#
# Everything lands in .venv. PYTHON names the interpreter to make it with (3.11 or newer).

PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

.DELETE_ON_ERROR:
.PHONY: demo test check bench clean

demo: $(VENV)/.base
	$(BIN)/onnxplain demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

bench: $(VENV)/.base
	@set -e; for script in benchmarks/*.py; do echo "$$script"; $(BIN)/python "$$script"; done

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# What users need: no PyTorch.
$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e .
	@touch $@

# PyTorch first and alone: asked for by a range, pip may take several gigabytes of another release.
$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install "$(TORCH)"
	$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.base

clean:
	rm -rf $(VENV) build dist demo-report src/*.egg-info .mypy_cache .pytest_cache .ruff_cache
