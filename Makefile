# make help lists what there is. PYTHON=python3.12 chooses another interpreter, VENV=folder another environment.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q
CLIP   ?=
PROMPT ?=
export CLIP PROMPT

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.installed ## Encode and decode a clip: make demo, or make demo CLIP=in.mp4 PROMPT="a red tram"
	$(BIN)/xvc demo -o demo $(if $(CLIP),--clip "$$CLIP") $(if $(PROMPT),--prompt "$$PROMPT")

test: lint ## Run ruff, mypy and the whole test suite
	$(BIN)/python -m pytest $(PYTEST)

lint: $(VENV)/.developed ## Run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tools

bench: $(VENV)/.developed ## Measure speed and memory on this machine
	$(BIN)/python tools/bench $(BENCH)

clean: ## Remove everything that make has made
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "There is no python3; install Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "xvc needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "No virtual environment could be made: apt install python3-venv" >&2; exit 1; }
	$(PIP) install -c constraints.txt -e '.[cpu]'
	@touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(PIP) install -c constraints.txt -e '.[cpu,dev]'
	@touch $@
