PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Modules are compiled when they are first imported, and stay so.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt

BACKENDS := tensorflow jax torch
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal --durations 20

# TensorFlow and JAX keep some of what they have traced, and no process is to need more than two
# gigabytes: one part of the tests after the other. A comma stands for a space.
REST := --ignore=tests/models,--ignore=tests/training
CLASSIFIER := tests/models/test_image_classifier.py
PARTS_tensorflow := tests/models tests/training $(REST)
PARTS_jax := tests/models,--ignore=$(CLASSIFIER) tests/training,$(CLASSIFIER) $(REST)
PARTS_torch := tests
in_parts = set -e; for part in $(PARTS_$(1)); do KERAS_BACKEND=$(1) $(PYTEST) $(2) $${part//,/ }; done
SHELL := bash

.PHONY: train test $(BACKENDS:%=test-%) test-long $(BACKENDS:%=test-long-%) lint docs bench clean

train: $(VENV)/.train
	$(BIN)/python examples/train.py

# test-long takes much longer.
test: lint $(BACKENDS:%=test-%)

test-long: $(BACKENDS:%=test-long-%)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BACKENDS:%=test-%): test-%: $(VENV)/.test
	$(call in_parts,$*)

$(BACKENDS:%=test-long-%): test-long-%: $(VENV)/.all
	$(call in_parts,$*,-m long)

# The site, in site/; a link that leads nowhere ends it.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

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

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable ".[test]"
	touch $@

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable ".[docs]"
	touch $@

$(VENV)/.all: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable ".[all]"
	touch $@

clean:
	rm -rf $(VENV) runs site .mypy_cache .pytest_cache .ruff_cache
