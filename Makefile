# Two commands do everything: `make run` and `make test`. Both are idempotent; the second run is quick.
# PYTHON: 3.11 or newer. TORCH_PIP_ARGS: options for installing torch alone, e.g. an index with CPU builds.
PYTHON ?= python3
TORCH_PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0

.PHONY: run test lint proto clean

run: $(VENV)/.installed
	@$(BIN)/finslm models pull
	@$(BIN)/finslm demo

# Training has a process of its own, as it has in use: it never shares one with the service's native threads.
test: $(VENV)/.installed-dev
	@$(BIN)/finslm models pull
	@$(BIN)/finslm models pull en-core-web-sm rampart
	$(BIN)/python -m pytest --ignore=tests/finslm/train
	$(BIN)/python -m pytest tests/finslm/train

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python scripts/gen_protos.py --check

proto: $(VENV)/.installed-dev
	$(BIN)/python scripts/gen_protos.py

# A Debian without python3-venv has no ensurepip: say so instead of failing on a missing pip.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv $(VENV); \
	  else echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; fi; }

# torch first and alone: where the index offers a CPU build, the exact version picks it.
$(VENV)/.torch: constraints.txt | $(BIN)/pip
	@echo "Installing torch ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH_PIP_ARGS) $(TORCH)
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt $(VENV)/.torch
	@echo "Installing finslm ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt $(VENV)/.torch
	@echo "Installing finslm with its development tools ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .cache .var build dist *.egg-info
