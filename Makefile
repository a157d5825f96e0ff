# `make` lists the targets. Each sets up what it needs in .venv; PYTHON=python3 uses an interpreter as
# it is and installs nothing. ARGS="…" is handed on: make train-numpy ARGS="--training.epochs 3"

VENV := .venv
ARGS ?=

ifdef PYTHON
  RUN := $(PYTHON)
  NUMPY_READY :=
  READY :=
  THIRD_PARTY_READY :=
else
  RUN := $(VENV)/bin/python
  NUMPY_READY := $(VENV)/.numpy-ready
  READY := $(VENV)/.ready
  THIRD_PARTY_READY := $(VENV)/.third-party-ready
endif

.DEFAULT_GOAL := help
.PHONY: help train-numpy train-torch train-fashion parity parity-third-party bench gallery compare demo fuzz quickstart quickstart-torch test lint format setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

train-numpy: $(NUMPY_READY) ## train the NumPy twin on the digits (CPU, under a minute, no PyTorch)
	$(RUN) -m experiments.train --backend numpy --config configs/rpb_config.yaml $(ARGS)

train-torch: $(READY) ## train the PyTorch twin on the digits (CUDA when there is one)
	$(RUN) -m experiments.train --backend torch --config configs/rpb_config.yaml $(ARGS)

train-fashion: $(NUMPY_READY) ## train the NumPy twin on Fashion-MNIST (Debian: dataset-fashion-mnist)
	$(RUN) -m experiments.train --backend numpy --config configs/fashion_mnist.yaml $(ARGS)

parity: $(READY) ## hold the twins side by side: outputs and gradients (DEVICE=cuda insists)
	$(RUN) -m pytest -q parity_tests --ignore=parity_tests/third_party $(ARGS)

parity-third-party: $(THIRD_PARTY_READY) ## hold both twins against transformers, x-transformers, timm, torchvision
	$(RUN) -m pytest -q parity_tests/third_party $(ARGS)

N ?= 20000

fuzz: $(READY) ## random calls of both twins under guard pages and malloc checks (N=20000)
	$(RUN) -m parity_tests.fuzz $(N) $(ARGS)

bench: $(THIRD_PARTY_READY) ## check, then time everything against PyTorch, transformers, timm (ARGS="--quick")
	$(RUN) -m benchmarks $(ARGS)

gallery: $(NUMPY_READY) ## draw every scheme into docs/pictures/schemes
	$(RUN) -m examples.gallery $(ARGS)

compare: $(READY) ## train the same small ViT with every scheme; resumes where it stopped
	$(RUN) -m experiments.compare $(ARGS)

demo: $(NUMPY_READY) ## draw 1-D and 2-D bias into examples/pictures
	$(RUN) -m examples.demo $(ARGS)

quickstart: $(NUMPY_READY) ## the README's snippet, NumPy twin
	$(RUN) -m examples.quickstart numpy

quickstart-torch: $(READY) ## the README's snippet, PyTorch twin
	$(RUN) -m examples.quickstart torch

test: $(THIRD_PARTY_READY) ## all tests, the third parties' too, and a short training run of each twin
	$(RUN) -m pytest -q parity_tests experiments/tests benchmarks/tests $(ARGS)

lint: $(READY) ## ruff: rules and format
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: $(READY) ## let ruff mend what it can
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

setup: $(READY) ## install everything into .venv

clean: ## remove .venv, caches and reports; runs/ stays
	rm -rf $(VENV) reports .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@rm -rf $(VENV)
	@for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$p; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "Python 3.11 or newer is needed; none was found on the PATH" >&2; exit 1; fi; \
	echo "setting up $(VENV) with $$($$found --version)"; \
	$$found -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "python -m venv failed (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }

$(VENV)/.numpy-ready: requirements-numpy.txt | $(VENV)/bin/python
	@echo "installing requirements-numpy.txt into $(VENV)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-numpy.txt
	@touch $@

$(VENV)/.ready: requirements.txt $(VENV)/.numpy-ready
	@echo "installing requirements.txt into $(VENV)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.third-party-ready: requirements-third-party.txt $(VENV)/.ready
	@echo "installing requirements-third-party.txt into $(VENV)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-third-party.txt
	@touch $@
