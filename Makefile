PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: train test test-tensorflow test-jax test-torch lint bench clean

train: $(VENV)/.train
	$(BIN)/python examples/train.py

test: lint test-tensorflow test-jax test-torch

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-tensorflow test-jax test-torch: test-%: $(VENV)/.all
	KERAS_BACKEND=$* $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

# Every question of benchmarks/README.md that is about time, in 40 minutes; OFFICIAL is a checkout
# of microsoft/SimMIM.
bench: $(VENV)/.all
	$(BIN)/python benchmarks/peers.py $(if $(OFFICIAL),--official $(OFFICIAL))
	$(BIN)/python benchmarks/resources.py
	for backend in tensorflow jax torch; do \
	    KERAS_BACKEND=$$backend $(BIN)/python benchmarks/masking.py || exit 1; done
	for name in data serving watching; do $(BIN)/python benchmarks/$$name.py || exit 1; done

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable ".[examples]"
	touch $@

$(VENV)/.all: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable ".[all]"
	touch $@

clean:
	rm -rf $(VENV) runs .mypy_cache .pytest_cache .ruff_cache
