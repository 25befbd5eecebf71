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
.PHONY: together $(BACKENDS:%=together-%)

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

# examples/train.py in two processes, which share each batch: that it works, not how fast. On two
# machines, each process is told the same, with the first one's address instead of localhost.
together: $(BACKENDS:%=together-%)

SHORT := examples/train.py --distribute --limit 128 --epochs 2 --output runs/$(shell date +%H%M%S)

together-torch: $(VENV)/.all
	KERAS_BACKEND=torch $(BIN)/torchrun --nproc_per_node=2 --master_port=9910 $(SHORT)-torch

together-jax: $(VENV)/.all
	export KERAS_BACKEND=jax JAX_COORDINATOR_ADDRESS=localhost:9911 JAX_NUM_PROCESSES=2; \
	JAX_PROCESS_ID=1 $(BIN)/python $(SHORT)-jax & \
	JAX_PROCESS_ID=0 $(BIN)/python $(SHORT)-jax && wait $$!

WORKERS := "cluster": {"worker": ["localhost:9912", "localhost:9914"]}
together-tensorflow: $(VENV)/.all
	export KERAS_BACKEND=tensorflow; \
	TF_CONFIG='{$(WORKERS), "task": {"type": "worker", "index": 1}}' $(BIN)/python $(SHORT)-tensorflow & \
	TF_CONFIG='{$(WORKERS), "task": {"type": "worker", "index": 0}}' $(BIN)/python $(SHORT)-tensorflow && wait $$!

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
