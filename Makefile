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

# On Linux PyPI's PyTorch brings 5 GB of CUDA. Where there is no NVIDIA driver its CPU build will do.
ifeq ($(shell uname -s)$(shell command -v nvidia-smi),Linux)
  TORCH_INDEX ?= --extra-index-url https://download.pytorch.org/whl/cpu --retries 2
endif
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help train-numpy train-torch train-fashion train-swin parity coverage parity-third-party plants soak vectors mutants fuzz arm kills bench gpu gallery compare demo quickstart quickstart-torch test lint stubs format setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

train-numpy: $(NUMPY_READY) ## train the NumPy twin on the digits (CPU, under a minute, no PyTorch)
	$(RUN) -m experiments.train --backend numpy --config configs/rpb_config.yaml $(ARGS)

train-torch: $(READY) ## train the PyTorch twin on the digits (CUDA when there is one)
	$(RUN) -m experiments.train --backend torch --config configs/rpb_config.yaml $(ARGS)

train-fashion: $(NUMPY_READY) ## train the NumPy twin on Fashion-MNIST (Debian: dataset-fashion-mnist)
	$(RUN) -m experiments.train --backend numpy --config configs/fashion_mnist.yaml $(ARGS)

train-swin: $(NUMPY_READY) ## train a Swin on Fashion-MNIST (ARGS="--model.name swinv2" for version 2)
	$(RUN) -m experiments.train --backend numpy --config configs/fashion_mnist_swin.yaml $(ARGS)

parity: $(READY) ## hold the twins to the truth: outputs and gradients (SEED=n, DEVICE=cuda)
	$(RUN) -m pytest -q parity_tests --ignore=parity_tests/third_party -m "not slow" $(ARGS)

# Compiled code is not traced: the small cases of the ops run again without the jit. What writes the machine
# code runs only when it is compiled, so none is there at first. Without the jit parity_tests/rounding.py cannot
# be compiled; the first run leaves it on disk.
COMPILED := $(CURDIR)/reports/coverage-compiled
SMALL := op- and float64 and not (strips_ or chunks or swin or beit or whole_vectors or pooled)
coverage: $(READY) ## which lines and branches the tests reach; writes reports/coverage
	rm -rf $(COMPILED) reports/coverage .coverage .coverage.*
	NUMBA_CACHE_DIR=$(COMPILED) $(RUN) -m coverage run -m pytest -q parity_tests experiments/tests \
	  --ignore=parity_tests/third_party -m "not slow" $(ARGS)
	NUMBA_CACHE_DIR=$(COMPILED) NUMBA_DISABLE_JIT=1 $(RUN) -m coverage run -m pytest -q \
	  parity_tests/test_kernels.py -k "match_the_definition and $(SMALL)"
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage html --quiet
	$(RUN) -m coverage report

soak: $(READY) ## the same cases with other random numbers (SEEDS=30) on simulated processors
	$(RUN) -m parity_tests.soak --seeds $(or $(SEEDS),30) $(ARGS)

vectors: $(NUMPY_READY) ## golden vectors for other languages, written anew (ARGS="--check", "--full FOLDER")
	$(RUN) -m parity_tests.vectors $(ARGS)

plants: $(READY) ## planted errors of graded size: which are seen; writes docs/results/plants.json
	$(RUN) -m parity_tests.plants

parity-third-party: $(THIRD_PARTY_READY) ## hold both twins against transformers, x-transformers, timm, torchvision
	$(RUN) -m pytest -q parity_tests/third_party $(ARGS)

fuzz: $(READY) ## random calls of both twins under guard pages and malloc checks (N=20000)
	$(RUN) -m parity_tests.fuzz $(or $(N),20000) $(ARGS)

mutants: $(READY) ## plant bugs in both twins and see which no test notices (N=500 SEED=0; hours)
	$(RUN) -m parity_tests.mutants $(if $(N),--number $(N)) $(if $(SEED),--seed $(SEED)) $(ARGS)

arm: ## run the kernels' tests as an ARM64 processor would (qemu-user-static, debootstrap)
	PYTHON=$(or $(PYTHON),python3) parity_tests/arm.sh $(ARGS)

bench: $(THIRD_PARTY_READY) ## check, then time against PyTorch, transformers, timm (ARGS="--quick", DEVICE=cuda)
	$(RUN) -m benchmarks$(if $(filter cuda,$(DEVICE)),.cuda) $(ARGS)

gpu: $(READY) ## on a GPU: parity, the tests that need CUDA, benchmarks; writes docs/results/gpu (OUT=folder)
	$(RUN) -m benchmarks.cuda.record $(if $(OUT),--out $(OUT)) $(ARGS)

kills: $(READY) ## kill training runs N=200 times and at each file operation: all resume to the same bits
	$(RUN) -m experiments.tests.kills --backend numpy --kills $(or $(N),200) $(ARGS)
	$(RUN) -m experiments.tests.kills --backend torch --kills $(or $(N),200) $(ARGS)

gallery: $(NUMPY_READY) ## draw every scheme and Swin's shifted windows into docs/pictures
	$(RUN) -m examples.gallery $(ARGS)
	$(RUN) -m examples.shifted_windows

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

lint: $(READY) ## ruff: rules and format; basedpyright: the types of both twins, as an editor sees them
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m basedpyright --pythonpath "$$($(RUN) -c 'import sys; print(sys.executable)')"

stubs: $(READY) ## write position/__init__.pyi of both twins from the schemes' constructors
	$(RUN) -m parity_tests.stubs

format: $(READY) ## let ruff mend what it can
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

setup: $(READY) ## install everything into .venv

clean: ## remove .venv, caches and reports; runs/ stays
	rm -rf $(VENV) reports build dist *.egg-info .coverage .coverage.* .pytest_cache .ruff_cache .hypothesis
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

$(VENV)/.numpy-ready: requirements-numpy.txt requirements/base.txt requirements/train.txt | $(VENV)/bin/python
	@echo "installing requirements-numpy.txt into $(VENV)"
	@$(PIP) -r requirements-numpy.txt
	@touch $@

$(VENV)/.ready: requirements.txt requirements/torch.txt requirements/tensorboard.txt requirements/augment.txt requirements/dev.txt constraints.txt $(VENV)/.numpy-ready
	@echo "installing requirements.txt into $(VENV)"
	@$(PIP) --no-deps $(TORCH_INDEX) torch torchvision
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.third-party-ready: requirements-third-party.txt $(VENV)/.ready
	@echo "installing requirements-third-party.txt into $(VENV)"
	@$(PIP) -r requirements-third-party.txt
	@touch $@
